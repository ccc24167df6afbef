//! A fix that a person approved makes the service worse: the agent sees it and undoes it by itself.
//! The fixes are data: `tests/fixes-that-worsen.toml`.

pub(super) mod model;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ecs_agent_core::{Input, InvocationResult, InvocationStatus, OpenInterrupt};
use ecs_agent_ecs::{Baseline, Fingerprint, Observation};
use serde::Deserialize;
use serde_json::{Value, json};

use self::model::Stubborn;
use super::support::Bench;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    fix: Vec<Fix>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fix {
    scenario: String,
    thought: String,
    /// Whether the service serves as before once the fix is undone. A deployment that was stuck before
    /// has lost the old tasks by then.
    #[serde(default = "yes")]
    comes_back: bool,
    operations: Vec<Value>,
}

fn yes() -> bool {
    true
}

fn corpus() -> Vec<Fix> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixes-that-worsen.toml");
    let text = std::fs::read_to_string(file).unwrap();
    toml::from_str::<Corpus>(&text).unwrap().fix
}

/// Proposed operations with what was observed in place of their `{…}`.
pub(super) fn operations(operations: &[Value], reason: &str, seen: &Observation) -> Value {
    let service = &seen.service;
    let own = service.security_groups.first();
    let balancers = seen.load_balancers.first();
    let places = [
        ("{cluster}", Some(&service.cluster_arn)),
        ("{service}", Some(&service.arn)),
        ("{task_definition}", Some(&service.task_definition)),
        (
            "{target_group}",
            seen.target_groups.first().map(|group| &group.arn),
        ),
        ("{task_group}", own),
        (
            "{balancer_group}",
            balancers.and_then(|balancer| balancer.security_groups.first()),
        ),
    ];
    let proposed: Vec<Value> = operations
        .iter()
        .map(|operation| json!({"operation": operation, "reason": reason}))
        .collect();
    let text = places
        .into_iter()
        .fold(json!(proposed).to_string(), |text, (place, value)| {
            value.map_or(text.clone(), |value| text.replace(place, value))
        });
    serde_json::from_str(&text).unwrap()
}

/// What a plan could have changed. Ids of deployments are new after every change of the service.
pub(super) fn facts(seen: &Observation) -> BTreeMap<String, String> {
    Fingerprint::of(seen)
        .facts()
        .filter(|(fact, _)| *fact != "service.deployments")
        .map(|(fact, value)| (fact.to_owned(), value.to_owned()))
        .collect()
}

pub(super) fn observation(result: &InvocationResult, key: &str) -> Observation {
    serde_json::from_value(result.values[key].clone()).unwrap()
}

pub(super) fn interrupt(result: &InvocationResult) -> Option<OpenInterrupt> {
    match &result.status {
        InvocationStatus::Interrupted(open) => Some(open[0].clone()),
        _ => None,
    }
}

/// Plays one fix; says what was not as it should be.
async fn check(fix: &Fix) -> Vec<String> {
    let mut problems = Vec::new();
    let mut bench = Bench::of(&fix.scenario).await;
    let model = Arc::new(Stubborn::default());
    bench.settings.model = model.clone();
    let mut result = bench.say().await;
    let before = observation(&result, "observation");
    let baseline = Baseline::of(&before);

    // The person does not want the derived plan.
    model.insist_on(operations(&fix.operations, &fix.thought, &before));
    let open = interrupt(&result).unwrap();
    let rejected = Input::Answer {
        interrupt: open.id,
        answer: json!({"decisions": [{"type": "reject", "message": fix.thought}]}),
        by: "person".to_owned(),
    };
    result = bench.invoke(rejected, None).await.unwrap();
    let Some(open) = interrupt(&result) else {
        return vec![format!(
            "the model's fix was not offered: {:?}",
            result.status
        )];
    };
    let note = open.payload["note"].as_str().unwrap_or_default();
    if !note.starts_with("The language model's plan") {
        problems.push(format!("another plan was offered: {note}"));
    }
    let steps = open.payload["plan"]["steps"].as_array().unwrap().len();
    if !bench.writes().is_empty() {
        problems.push(format!("written before approval: {:?}", bench.writes()));
    }
    let approved = bench.answer(&open);
    result = bench.invoke(approved, None).await.unwrap();

    let InvocationStatus::Done { text } = &result.status else {
        return vec![format!("ended with {:?}", result.status)];
    };
    if !text.starts_with("rolled back:") {
        problems.push(format!("said {text}"));
    }
    if model.watched().first().map(String::as_str) != Some("worse") {
        problems.push(format!("the watch said {:?}", model.watched()));
    }
    if bench.writes().len() <= steps {
        problems.push(format!("undid nothing: {:?}", bench.writes()));
    }
    let after = observation(&result, "last_observation");
    if facts(&after) != facts(&before) {
        problems.push(format!(
            "{:#?}\nis not\n{:#?}",
            facts(&after),
            facts(&before)
        ));
    }
    let again = Baseline::of(&after);
    if again.serves_less_than(&baseline) == fix.comes_back {
        problems.push(format!("{again:?}, was {baseline:?}"));
    }
    let says_so = text.contains("still serves less");
    if says_so == fix.comes_back {
        problems.push(format!("said {text}"));
    }
    let health = bench.lab.health();
    if !health.bystanders_untouched {
        problems.push(format!("touched: {:?}", health.touched));
    }
    let report = result.files.get("/final_report.md").cloned();
    if !report.unwrap_or_default().contains("rolled back") {
        problems.push("the report does not tell of it".to_owned());
    }
    problems.extend(super::audit::differences(&bench).await);
    problems
}

#[tokio::test]
async fn a_fix_that_makes_it_worse_is_undone_without_being_told() {
    let corpus = corpus();
    assert!(corpus.len() >= 10, "{} fixes", corpus.len());
    let mut failed = Vec::new();
    for fix in &corpus {
        let problems = check(fix).await;
        if !problems.is_empty() {
            let problems = problems.join("\n    ");
            failed.push(format!(
                "{} ({}):\n    {problems}",
                fix.scenario, fix.thought
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
