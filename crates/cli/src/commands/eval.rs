//! `eval`: how good the agent is, measured on scenarios.

use std::path::Path;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use ecs_agent_lab::Scenario;
use serde::Serialize;

use super::Workbench;
use crate::args::{EvalArguments, Format};
use crate::cancel::Interrupts;
use crate::config::ModelChoice;
use crate::error::CliError;
use crate::evaluation::{Confusion, Evaluator, Phase, Score, Summary};
use crate::exit::Exit;
use crate::lab_process;
use crate::output::Output;
use crate::render::{Meaning, Palette};

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Report {
    model: ModelChoice,
    scenarios: Vec<Score>,
    confusion: Confusion,
    summary: Summary,
}

pub(super) async fn run(
    bench: &Workbench<'_>,
    arguments: &EvalArguments,
) -> Result<Exit, CliError> {
    let scenarios = chosen(arguments)?;
    let interrupts = Interrupts::listen(bench.output);
    let evaluator = Evaluator {
        configuration: bench.configuration,
        flags: bench.flags,
        output: bench.output,
        phase: match arguments.repair {
            true => Phase::Repair,
            false => Phase::Diagnosis,
        },
        delay: Duration::from_millis(arguments.delay_ms.into()),
        cancel: interrupts.token(),
    };
    let mut scores = Vec::with_capacity(scenarios.len());
    let count = scenarios.len();
    for (number, scenario) in scenarios.into_iter().enumerate() {
        if !bench.flags.quiet {
            let name = scenario.name();
            bench
                .output
                .remark(&format!("{}/{count} {name}", number + 1));
        }
        scores.push(evaluator.play(scenario).await);
        if interrupts.token().is_cancelled() {
            return Ok(Exit::Cancelled);
        }
    }
    let report = Report {
        model: bench.configuration.model.value.clone(),
        summary: Summary::of(&scores),
        confusion: Confusion::of(&scores),
        scenarios: scores,
    };
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&report).unwrap_or_default();
        std::fs::write(path, text + "\n").map_err(|source| CliError::EvalFile {
            path: path.clone(),
            source,
        })?;
    }
    match bench.output.format() {
        Format::Json => bench.output.json(&report),
        Format::Terminal | Format::Markdown => show(bench.output, &report),
    }
    let all_right = report.scenarios.iter().all(is_right);
    Ok(if all_right {
        Exit::Success
    } else {
        Exit::Findings
    })
}

/// The scenarios of a folder in alphabetical order, or the built-in ones; of both, those named.
fn chosen(arguments: &EvalArguments) -> Result<Vec<Scenario>, CliError> {
    let all = match &arguments.scenarios {
        None => Scenario::names()
            .iter()
            .map(|name| Ok(Scenario::named(name)?))
            .collect(),
        Some(folder) => in_folder(folder),
    };
    let all: Vec<Scenario> = all?;
    for name in &arguments.only {
        if !all.iter().any(|scenario| scenario.name() == name) {
            let known: Vec<&str> = all.iter().map(Scenario::name).collect();
            return Err(CliError::NoScenario {
                name: name.clone(),
                known: known.join(", "),
            });
        }
    }
    let is_wanted = |scenario: &Scenario| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| name == scenario.name())
    };
    Ok(all.into_iter().filter(is_wanted).collect())
}

fn in_folder(folder: &Path) -> Result<Vec<Scenario>, CliError> {
    let unreadable = |source| CliError::ScenarioFile {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_scenario = path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml");
        if is_scenario {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(CliError::EmptyFolder {
            path: folder.to_owned(),
        });
    }
    files.sort();
    files
        .iter()
        .map(|file| lab_process::scenario(&file.to_string_lossy()))
        .collect()
}

fn is_right(score: &Score) -> bool {
    score.error.is_none()
        && score.identified
        && score.root_cause_exact
        && score.gaps_named >= 1.0
        && score.grounded >= 1.0
        && score.repaired != Some(false)
        && !score.bystanders_touched
}

fn show(output: &Output, report: &Report) {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
        "scenario",
        "service",
        "root causes",
        "gaps",
        "grounded",
        "repaired",
        "others",
        "calls",
        "depth",
        "ms",
    ]);
    for score in &report.scenarios {
        table.add_row([
            score.scenario.clone(),
            mark(score.identified).to_owned(),
            causes(score),
            percent(score.gaps_named),
            percent(score.grounded),
            score.repaired.map_or("", mark).to_owned(),
            if score.bystanders_touched {
                "TOUCHED"
            } else {
                ""
            }
            .to_owned(),
            score.api_calls.to_string(),
            score.depth.to_string(),
            score.wall_ms.to_string(),
        ]);
    }
    output.text(&format!("{table}\n"));
    for cell in report.confusion.mistakes() {
        output.text(&format!(
            "{} taken for {}: {}\n",
            cell.expected, cell.found, cell.count
        ));
    }
    let summary = &report.summary;
    let repairs = match summary.repairs {
        0 => String::new(),
        tried => format!(", {} of {tried} repairs healed", percent(summary.repaired)),
    };
    let verdict = format!(
        "{} scenarios: {} identified, {} exact root causes, {} with a false cause, {} of gaps named, \
         {} of findings grounded{repairs}, {} touched others; depth at most {}, median {} ms, p95 {} ms",
        summary.scenarios,
        percent(summary.identified),
        percent(summary.root_cause_exact),
        percent(summary.false_causes),
        percent(summary.gaps_named),
        percent(summary.grounded),
        percent(summary.bystanders_touched),
        summary.depth_max,
        summary.p50_ms,
        summary.p95_ms,
    );
    let meaning = match report.scenarios.iter().all(is_right) {
        true => Meaning::Good,
        false => Meaning::Bad,
    };
    output.text(&format!(
        "{}\n",
        Palette::of_stdout().paint(meaning, verdict)
    ));
}

fn mark(right: bool) -> &'static str {
    if right { "yes" } else { "NO" }
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

fn causes(score: &Score) -> String {
    if let Some(error) = &score.error {
        return format!("BROKE OFF: {error}");
    }
    if score.root_cause_exact {
        return "exact".to_owned();
    }
    let list = |causes: &[String]| match causes {
        [] => "none".to_owned(),
        causes => causes.join(", "),
    };
    format!("{} for {}", list(&score.found), list(&score.expected))
}
