//! `demo`: a service is broken in the lab, and everything the agent can do is done for real.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ecs_agent_core::{Input, Mode};
use ecs_agent_lab::{ClockMode, LabHandle};
use ecs_agent_store::Store;

use super::request::Afterwards;
use super::{Workbench, request};
use crate::args::Format;
use crate::config::Origin;
use crate::database;
use crate::error::CliError;
use crate::exit::Exit;
use crate::lab_process;
use crate::output::remark_width;
use crate::render::{Meaning, Palette, escape_line, wrap};
use crate::workplace;

pub(super) async fn run(
    bench: &Workbench<'_>,
    scenario: &str,
    speed: f64,
) -> Result<Exit, CliError> {
    let started = Instant::now();
    let scenario = lab_process::scenario(scenario)?;
    introduce(bench, scenario.title(), scenario.request(), speed);
    let (words, target) = (
        scenario.request().to_owned(),
        scenario.truth().target.clone(),
    );
    let lab = Arc::new(lab_process::start(scenario, 0, ClockMode::Manual, Duration::ZERO).await?);

    let account = lab
        .accounts()
        .iter()
        .find(|account| {
            target
                .account
                .as_ref()
                .is_none_or(|id| *id == account.account_id)
        })
        .cloned()
        .ok_or(CliError::EmptyLab)?;
    let region = target
        .region
        .or_else(|| account.regions.first().cloned())
        .ok_or(CliError::EmptyLab)?;
    let place = lab_process::place(&lab, &account, &region, speed)?;

    let (store, directory) = store(bench).await?;
    let thread = request::start_thread(&store, &words).await?;
    let settings = workplace::settings(
        bench.configuration,
        place,
        store,
        Mode::Repair,
        bench.flags,
        bench.output,
    )?;
    let sources = || lab_process::sources(&account, bench.configuration);
    let person = workplace::person(bench.flags, None, bench.environment, bench.output);
    let outcome = request::hold(
        bench.output,
        settings,
        &sources,
        person,
        thread,
        Input::Say(words),
    )
    .await?;
    request::show(bench, &outcome, Afterwards::Gone);
    if outcome.exit != Exit::Cancelled {
        conclude(bench, &lab, started);
    }
    drop(directory);
    Ok(outcome.exit)
}

/// Time that passes in the lab before it is asked whether the service is well.
const SETTLING: Duration = Duration::from_secs(300);

/// A database of its own that is gone afterwards, unless a directory was asked for.
async fn store(bench: &Workbench<'_>) -> Result<(Store, Option<tempfile::TempDir>), CliError> {
    let asked = bench
        .configuration
        .data_dir
        .as_ref()
        .filter(|s| s.origin == Origin::Flag);
    if asked.is_some() {
        return Ok((
            database::open(bench.configuration, bench.output.leak_guard()).await?,
            None,
        ));
    }
    let directory = tempfile::tempdir().map_err(|source| CliError::DataDirectory {
        path: std::env::temp_dir(),
        source,
    })?;
    let store = Store::open(directory.path().join("threads.sqlite")).await?;
    Ok((store, Some(directory)))
}

fn introduce(bench: &Workbench<'_>, title: &str, request: &str, speed: f64) {
    if bench.flags.quiet {
        return;
    }
    let palette = Palette::of_stderr();
    let heading = palette.paint(Meaning::Heading, "ECS Deep Agent demo");
    bench.output.remark_as_is(&format!(
        "{heading}: the fault lab plays AWS on this machine; waiting is {speed} times faster"
    ));
    bench.output.remark(&format!("  what happened: {title}"));
    let said = palette.paint(Meaning::Name, format!("\"{}\"", escape_line(request)));
    bench
        .output
        .remark_as_is(&format!("  you say:       {said}"));
    bench.output.remark_as_is("");
}

/// What the lab itself says, which the agent cannot see.
fn conclude(bench: &Workbench<'_>, lab: &LabHandle, started: Instant) {
    if bench.flags.quiet || bench.output.format() == Format::Json {
        return;
    }
    let palette = Palette::of_stderr();
    // The lab calls a service well only when none of its tasks has failed for a while.
    lab.advance(SETTLING);
    let health = lab.health();
    let (meaning, service) = match health.healthy {
        true => (Meaning::Good, "the service is healthy".to_owned()),
        false => (
            Meaning::Bad,
            format!("the service is unwell: {}", health.problems.join("; ")),
        ),
    };
    let others = match health.bystanders_untouched {
        true => "nothing else was touched".to_owned(),
        false => format!("also touched: {}", health.touched.join(", ")),
    };
    let requests = lab.requests();
    let writes = requests.iter().filter(|request| request.mutating).count();
    let said = palette.paint(meaning, escape_line(&service));
    let line = format!(
        "five minutes later the lab says: {said}, {}; {} requests, {writes} of them writes; {:.1}s",
        escape_line(&others),
        requests.len(),
        started.elapsed().as_secs_f64(),
    );
    bench.output.remark_as_is(&wrap(&line, remark_width(), 2));
}
