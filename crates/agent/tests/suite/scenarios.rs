//! Every scenario of the library: right cause, nothing written without approval, healed after it.

use ecs_agent_core::{InvocationResult, InvocationStatus};
use ecs_agent_lab::Scenario;

use super::support::{Bench, roots};

/// What went wrong with one scenario, or nothing.
async fn check(name: &str) -> Vec<String> {
    let mut bench = Bench::of(name).await;
    let mut problems = played(name, &mut bench).await;
    problems.extend(super::audit::differences(&bench).await);
    problems
}

async fn played(name: &str, bench: &mut Bench) -> Vec<String> {
    let mut problems = Vec::new();
    let truth = bench.lab.truth().clone();
    let mut result = bench.say().await;

    // A question about which service is meant comes first, exactly when the words are ambiguous.
    let asked = match &result.status {
        InvocationStatus::Interrupted(open) if open[0].payload["kind"] == "question" => {
            Some(open[0].clone())
        }
        _ => None,
    };
    if asked.is_some() != truth.ambiguous {
        problems.push(format!(
            "ambiguous is {}, and the agent's state is {}",
            truth.ambiguous,
            say(&result)
        ));
        return problems;
    }
    if let Some(open) = asked {
        let input = bench.answer(&open);
        result = bench.invoke(input, None).await.unwrap();
    }

    let mut expected = truth.causes.clone();
    expected.sort();
    let found = roots(&result);
    if found != expected {
        problems.push(format!(
            "root causes are {found:?}, should be {expected:?}; {}",
            say(&result)
        ));
    }
    for missing in unsaid(name, &result) {
        problems.push(format!("does not say `{missing}`"));
    }
    if !bench.writes().is_empty() {
        problems.push(format!("written before approval: {:?}", bench.writes()));
    }
    if !result.files.contains_key("/diagnostic_report.md") {
        problems.push("there is no diagnostic report".to_owned());
    }
    if !truth.repairable {
        let result = match &result.status {
            InvocationStatus::Interrupted(_) => {
                problems.push("a plan is proposed where none can help".to_owned());
                return problems;
            }
            _ => result,
        };
        if !bench.writes().is_empty() || !matches!(result.status, InvocationStatus::Done { .. }) {
            problems.push(format!("{}, written: {:?}", say(&result), bench.writes()));
        }
        return problems;
    }
    if truth.needs_person {
        if !say(&result).starts_with("needs a person:") || !bench.writes().is_empty() {
            problems.push(format!(
                "should need a person: {}, written: {:?}",
                say(&result),
                bench.writes()
            ));
        }
        return problems;
    }
    let result = bench.finish(result).await;
    let health = bench.lab.health();
    if !health.healthy {
        problems.push(format!(
            "not healed: {:?}; {}",
            health.problems,
            say(&result)
        ));
        problems.push(
            result
                .files
                .get("/execution_log.md")
                .cloned()
                .unwrap_or_default(),
        );
    }
    if !health.bystanders_untouched {
        problems.push(format!("touched: {:?}", health.touched));
    }
    match &result.status {
        InvocationStatus::Done { text } if text.starts_with("repaired:") => {}
        other => problems.push(format!("ended with {other:?}")),
    }
    problems
}

/// What a diagnosis must say besides the root causes: wrappers of the root, and what was denied.
const ALSO_SAID: [(&str, &str, &str); 4] = [
    (
        "circuit-breaker-no-rollback",
        "findings",
        "circuit-breaker-no-rollback",
    ),
    (
        "circuit-breaker-rolled-back",
        "findings",
        "circuit-breaker-rolled-back",
    ),
    ("missing-permissions", "diagnosis", "\"kind\":\"denied\""),
    ("missing-permissions", "diagnosis", "logs:FilterLogEvents"),
];

fn unsaid(name: &str, result: &InvocationResult) -> Vec<&'static str> {
    ALSO_SAID
        .iter()
        .filter(|(scenario, key, words)| {
            let said = result.values.get(*key).map(ToString::to_string);
            *scenario == name && !said.unwrap_or_default().contains(words)
        })
        .map(|(_, _, words)| *words)
        .collect()
}

/// The result's state in one line.
fn say(result: &InvocationResult) -> String {
    match &result.status {
        InvocationStatus::Done { text } => text.lines().next().unwrap_or_default().to_owned(),
        InvocationStatus::Interrupted(open) => {
            format!(
                "asked for {}",
                open[0].payload["plan"]["rendered"]
                    .as_str()
                    .unwrap_or("a choice")
            )
        }
        other => format!("{other:?}"),
    }
}

/// One test a scenario would hide how many fail; this shows them all at once.
#[tokio::test]
async fn every_scenario_is_diagnosed_and_what_can_be_repaired_is_repaired() {
    // `SCENARIO=demo,nacl-blocks-traffic cargo nextest run …` looks at these alone.
    let only = std::env::var("SCENARIO").ok();
    let mut failed = Vec::new();
    for name in Scenario::names().into_iter().filter(|name| {
        only.as_ref()
            .is_none_or(|only| only.split(',').any(|only| only == name))
    }) {
        let problems = check(&name).await;
        if !problems.is_empty() {
            failed.push(format!("{name}:\n    {}", problems.join("\n    ")));
        }
    }
    assert!(
        failed.is_empty(),
        "{} scenarios fail:\n{}",
        failed.len(),
        failed.join("\n")
    );
}
