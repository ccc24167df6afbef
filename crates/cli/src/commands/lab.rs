//! `lab`: the fault lab on its own, for any AWS client.

use std::time::Duration;

use ecs_agent_lab::{ClockMode, LabHandle, Scenario};
use serde_json::{Value, json};

use super::{Workbench, lab_validate};
use crate::args::{Format, LabArguments, LabClock, LabCommand};
use crate::cancel::Interrupts;
use crate::error::CliError;
use crate::exit::Exit;
use crate::lab_process;
use crate::render::{Meaning, Palette};

pub(super) async fn run(bench: &Workbench<'_>, arguments: LabArguments) -> Result<Exit, CliError> {
    let output = bench.output.or_json(arguments.json);
    if let Some(LabCommand::Validate { files }) = arguments.other {
        return lab_validate::run(&output, &files);
    }
    if arguments.list {
        return list(&output);
    }
    let scenario = lab_process::scenario(&arguments.scenario)?;
    let (name, title) = (scenario.name().to_owned(), scenario.title().to_owned());
    let interrupts = Interrupts::listen_quietly();
    let clock = match arguments.clock {
        LabClock::Running => ClockMode::Speed(arguments.speed),
        LabClock::Manual => ClockMode::Manual,
    };
    let latency = Duration::from_millis(arguments.latency.into());
    let lab = lab_process::start(scenario, arguments.port, clock, latency).await?;
    match output.format() {
        // One line, so that whoever started this can read it and leave the rest alone.
        Format::Json => output.text(&format!("{}\n", description(&lab, &name))),
        Format::Terminal | Format::Markdown => output.text(&instructions(&lab, &name, &title)),
    }
    interrupts.token().cancelled().await;
    // Dropped rather than shut down: idle connections of a client need not be waited for.
    drop(lab);
    Ok(Exit::Success)
}

fn list(output: &crate::output::Output) -> Result<Exit, CliError> {
    let scenarios: Vec<Scenario> = Scenario::names()
        .iter()
        .map(|name| Scenario::named(name))
        .collect::<Result<_, _>>()?;
    if output.format() == Format::Json {
        let list: Vec<Value> = scenarios
            .iter()
            .map(|s| {
                let modes = &s.truth().causes;
                json!({"name": s.name(), "title": s.title(), "request": s.request(), "modes": modes})
            })
            .collect();
        output.json(&json!({ "scenarios": list }));
        return Ok(Exit::Success);
    }
    let palette = Palette::of_stdout();
    let widest = |of: fn(&Scenario) -> &str| {
        let lengths = scenarios
            .iter()
            .map(|scenario| of(scenario).chars().count());
        lengths.max().unwrap_or_default()
    };
    let (names, titles) = (widest(Scenario::name), widest(Scenario::title));
    for scenario in &scenarios {
        let name = palette.paint(Meaning::Name, format!("{:<names$}", scenario.name()));
        let modes = match scenario.truth().causes.as_slice() {
            [] => "healthy".to_owned(),
            modes => modes.join(", "),
        };
        output.text(&format!("{name}  {:<titles$}  {modes}\n", scenario.title()));
    }
    Ok(Exit::Success)
}

/// What a program needs to use the lab.
fn description(lab: &LabHandle, name: &str) -> Value {
    json!({"url": lab.url(), "scenario": name, "accounts": lab.accounts()})
}

/// What a person needs to use the lab.
///
/// The keys are the lab's own, generated at its start and worthless elsewhere, so they may be shown.
fn instructions(lab: &LabHandle, name: &str, title: &str) -> String {
    let url = lab.url();
    let mut text = format!("# {name}: {title}\n# the lab is at {url}; Ctrl-C ends it\n");
    for account in lab.accounts().iter().take(3) {
        let region = account.regions.first().map_or("us-east-1", String::as_str);
        text.push_str(&format!(
            "\n# account {id}: paste these lines into another terminal\n\
             export AWS_ENDPOINT_URL={url}\n\
             export AWS_ACCESS_KEY_ID={key}\n\
             export AWS_SECRET_ACCESS_KEY={secret}\n\
             export AWS_REGION={region} AWS_DEFAULT_REGION={region}\n\
             unset AWS_SESSION_TOKEN AWS_PROFILE\n\
             # as an engineer: aws ecs list-clusters\n\
             # as the agent:   ecs-deep-agent diagnose \"...\" --credentials env --region {region} --endpoint-url {url}\n",
            id = account.account_id,
            key = account.engineer.access_key_id,
            secret = account.engineer.secret_access_key,
        ));
    }
    let others = lab.accounts().len().saturating_sub(3);
    if others > 0 {
        text.push_str(&format!(
            "\n# {others} more accounts: curl {url}/lab/accounts\n"
        ));
    }
    text.push_str(&format!(
        "\n# see it live:      {url}/lab\n# is it repaired?   curl {url}/lab/health\n# who asked what?   curl {url}/lab/requests\n"
    ));
    text
}
