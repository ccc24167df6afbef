//! `demo isolation`: many users in one process, and the lab's own record of whose key signed what.

mod accounting;
mod interleaving;
mod table;

pub(crate) use interleaving::InterleavingError;

use std::sync::Arc;
use std::time::Duration;

use ecs_agent_core::{Input, InvocationResult, InvocationSettings, Mode, Silent, invoke};
use ecs_agent_lab::{ClockMode, LabAccount, LabHandle, Scenario};
use ecs_agent_store::Store;
use serde::Serialize;

use super::{Workbench, request};
use crate::args::Format;
use crate::cancel::Interrupts;
use crate::error::CliError;
use crate::exit::Exit;
use crate::lab_process;
use crate::workplace;

/// Regions that the users are spread over.
const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "ap-southeast-2"];

/// Most invocations that are run once more, one after another.
const IN_SEQUENCE: usize = 8;

/// What each of them asks: the same words for the same names in another account.
const WORDS: &str = "my api service keeps restarting";

/// How fast the lab's time passes; nothing is waited for in a diagnosis.
const SPEED: f64 = 1.0;

/// One user: an account of their own, a region, keys.
#[derive(Debug, Clone)]
struct User {
    number: usize,
    account: LabAccount,
    region: String,
}

/// One invocation that is over.
#[derive(Debug)]
struct Ended {
    user: User,
    when: When,
    result: InvocationResult,
    /// The last request the lab had seen by then.
    until: u64,
}

/// Whether an invocation ran beside the others or alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum When {
    AtOnce,
    InSequence,
}

/// The number of the last request that the lab has seen.
fn seen(lab: &LabHandle) -> u64 {
    lab.requests().last().map_or(0, |record| record.sequence)
}

pub(super) async fn run(
    bench: &Workbench<'_>,
    invocations: u32,
    json: bool,
) -> Result<Exit, CliError> {
    let output = bench.output.or_json(json);
    let count = usize::try_from(invocations).unwrap_or(1);
    if !bench.flags.quiet {
        output.remark(&format!(
            "{count} users at once, then {} one after another, each with keys and a role of their own; \
             clusters and services have the same names everywhere",
            count.min(IN_SEQUENCE)
        ));
    }
    // Two users are needed to mix them up.
    let scenario = Scenario::isolation(count.max(2), &REGIONS)?;
    let lab = Arc::new(lab_process::start(scenario, 0, ClockMode::Manual, Duration::ZERO).await?);
    let store = Store::memory().await?;
    let users: Vec<User> = lab
        .accounts()
        .iter()
        .cloned()
        .zip(REGIONS.iter().cycle())
        .enumerate()
        .map(|(number, (account, region))| User {
            number,
            account,
            region: (*region).to_owned(),
        })
        .collect();
    let interrupts = Interrupts::listen(&output);
    let interleaving = interrupts
        .or_cancelled(interleaving::run(bench, &lab, &users))
        .await;
    let Some(interleaving) = interleaving.transpose()? else {
        return Ok(Exit::Cancelled);
    };
    let before = seen(&lab);

    let users = users.get(..count).unwrap_or(&users);
    let at_once = users
        .iter()
        .map(|user| diagnose(bench, &lab, &store, user, &interrupts));
    let mut ended: Vec<Ended> = Vec::with_capacity(count + IN_SEQUENCE);
    for (user, result) in users
        .iter()
        .zip(futures_util::future::join_all(at_once).await)
    {
        ended.push(Ended {
            user: user.clone(),
            when: When::AtOnce,
            result: result?,
            until: 0,
        });
    }
    let until = seen(&lab);
    ended.iter_mut().for_each(|one| one.until = until);
    for user in users.iter().take(IN_SEQUENCE) {
        if interrupts.token().is_cancelled() {
            break;
        }
        let result = diagnose(bench, &lab, &store, user, &interrupts).await?;
        let until = seen(&lab);
        ended.push(Ended {
            user: user.clone(),
            when: When::InSequence,
            result,
            until,
        });
    }
    if interrupts.token().is_cancelled() {
        return Ok(Exit::Cancelled);
    }

    let mut requests = lab.requests();
    requests.retain(|record| record.sequence > before);
    let summary = accounting::summarise(&ended, &requests, interleaving);
    match output.format() {
        Format::Json => output.json(&summary),
        Format::Terminal | Format::Markdown => table::show(&output, &summary),
    }
    Ok(if summary.is_isolated() {
        Exit::Success
    } else {
        Exit::NotIsolated
    })
}

/// One whole diagnosis as this user.
async fn diagnose(
    bench: &Workbench<'_>,
    lab: &Arc<LabHandle>,
    store: &Store,
    user: &User,
    interrupts: &Interrupts,
) -> Result<InvocationResult, CliError> {
    let place = lab_process::place(lab, &user.account, &user.region, SPEED)?;
    let thread = request::start_thread(store, WORDS).await?;
    let settings = InvocationSettings {
        progress: Arc::new(Silent),
        ..workplace::settings(
            bench.configuration,
            place,
            store.clone(),
            Mode::Diagnose,
            bench.flags,
            bench.output,
        )?
    };
    let sources = lab_process::sources(&user.account, bench.configuration)?;
    let words = Input::Say(WORDS.to_owned());
    Ok(invoke(settings, sources, thread, words, interrupts.token()).await?)
}
