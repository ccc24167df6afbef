//! `demo isolation`: many users in one process, and the lab's own record of whose key signed what.

use std::collections::BTreeMap;
use std::sync::Arc;

use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use ecs_agent_core::{Input, InvocationResult, InvocationSettings, Mode, Silent, invoke};
use ecs_agent_lab::{ClockMode, LabAccount, LabHandle, RequestRecord, Scenario};
use ecs_agent_store::Store;
use serde::Serialize;

use super::{Workbench, request};
use crate::args::Format;
use crate::cancel::Interrupts;
use crate::error::CliError;
use crate::exit::Exit;
use crate::lab_process;
use crate::render::{Meaning, Palette};
use crate::workplace;

/// Regions that the users are spread over.
const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "ap-southeast-2"];

/// Most invocations that are run once more, one after another.
const IN_SEQUENCE: usize = 8;

/// Most lines of the table that are shown.
const SHOWN: usize = 20;

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

/// The number of the last request that the lab has seen.
fn seen(lab: &LabHandle) -> u64 {
    lab.requests().last().map_or(0, |record| record.sequence)
}

/// One invocation as the lab saw it.
#[derive(Debug, Serialize)]
struct Line {
    user: String,
    when: When,
    account: String,
    region: String,
    /// Requests the invocation says it made.
    calls: usize,
    /// Requests the lab saw under its user's key and its own session.
    requests: usize,
    /// Requests that fit it only in part.
    crossed: usize,
    context_cleared: bool,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum When {
    AtOnce,
    InSequence,
}

/// The whole result.
#[derive(Debug, Serialize)]
struct Summary {
    invocations: usize,
    in_sequence: usize,
    requests: usize,
    crossed: usize,
    contexts_left: usize,
    /// Requests that belong to no invocation at all; part of `crossed`.
    unowned: usize,
    lines: Vec<Line>,
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
    let scenario = Scenario::isolation(count, &REGIONS)?;
    let lab = Arc::new(lab_process::start(scenario, 0, ClockMode::Manual).await?);
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

    let summary = summarise(&ended, &lab.requests());
    match output.format() {
        Format::Json => output.json(&summary),
        Format::Terminal | Format::Markdown => show(&output, &summary),
    }
    let isolated = summary.crossed == 0 && summary.contexts_left == 0;
    Ok(if isolated {
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
        )
    };
    let sources = lab_process::sources(&user.account, bench.configuration)?;
    let words = Input::Say(WORDS.to_owned());
    Ok(invoke(settings, sources, thread, words, interrupts.token()).await?)
}

/// Gives every request to the invocation whose session signed it, and looks for what does not fit.
///
/// The role session is named after the invocation, and account and region are the user's. A request
/// is crossed when these disagree, or when it belongs to no invocation at all.
fn summarise(ended: &[Ended], requests: &[RequestRecord]) -> Summary {
    let owners = Owners::of(ended);
    let mut own: BTreeMap<usize, usize> = BTreeMap::new();
    let mut crossed: BTreeMap<usize, usize> = BTreeMap::new();
    let mut unowned = 0;
    for record in requests {
        match owners.owner(record) {
            None => unowned += 1,
            Some(owner) if owners.fits(owner, record) => *own.entry(owner).or_default() += 1,
            Some(owner) => *crossed.entry(owner).or_default() += 1,
        }
    }
    let lines: Vec<Line> = ended
        .iter()
        .enumerate()
        .map(
            |(
                place,
                Ended {
                    user, when, result, ..
                },
            )| {
                let seen = own.get(&place).copied().unwrap_or_default();
                Line {
                    user: format!("user-{:03}", user.number + 1),
                    when: *when,
                    account: user.account.account_id.clone(),
                    region: user.region.clone(),
                    calls: result.calls,
                    requests: seen,
                    crossed: crossed.get(&place).copied().unwrap_or_default(),
                    context_cleared: result.context_cleared,
                }
            },
        )
        .collect();
    Summary {
        invocations: lines
            .iter()
            .filter(|line| matches!(line.when, When::AtOnce))
            .count(),
        in_sequence: lines
            .iter()
            .filter(|line| matches!(line.when, When::InSequence))
            .count(),
        requests: requests.len(),
        crossed: lines.iter().map(|line| line.crossed).sum::<usize>() + unowned,
        contexts_left: lines.iter().filter(|line| !line.context_cleared).count(),
        unowned,
        lines,
    }
}

/// Which invocation a request belongs to.
struct Owners<'a> {
    ended: &'a [Ended],
    /// Invocations by the name of their role session.
    by_session: BTreeMap<String, usize>,
    /// The keys that users were given, with their invocations in the order they ran.
    by_key: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Owners<'a> {
    fn of(ended: &'a [Ended]) -> Self {
        let mut by_session = BTreeMap::new();
        let mut by_key: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, Ended { user, result, .. }) in ended.iter().enumerate() {
            // The form of the name is the credentials crate's; its end is the invocation's UUID.
            by_session.insert(result.invocation.uuid().to_string(), place);
            by_key
                .entry(&user.account.access_key_id)
                .or_default()
                .push(place);
        }
        Self {
            ended,
            by_session,
            by_key,
        }
    }

    /// The invocation whose role session signed, or, for the user's own key, whose turn it was.
    fn owner(&self, record: &RequestRecord) -> Option<usize> {
        let Some(session) = &record.session_name else {
            // A user's turns follow each other: the first that was not over yet made the request.
            let turns = self.by_key.get(record.access_key_id.as_str())?;
            return turns.iter().copied().find(|place| {
                self.ended
                    .get(*place)
                    .is_some_and(|one| record.sequence <= one.until)
            });
        };
        self.by_session
            .iter()
            .find(|(invocation, _)| session.ends_with(invocation.as_str()))
            .map(|(_, place)| *place)
    }

    fn fits(&self, owner: usize, record: &RequestRecord) -> bool {
        self.ended.get(owner).is_some_and(|Ended { user, .. }| {
            record.account.as_ref() == Some(&user.account.account_id)
                && record.region == user.region
        })
    }
}

fn show(output: &crate::output::Output, summary: &Summary) {
    let palette = Palette::of_stdout();
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
        "user",
        "account",
        "region",
        "own requests",
        "crossed",
        "context",
    ]);
    for line in summary.lines.iter().take(SHOWN) {
        table.add_row([
            line.user.clone(),
            line.account.clone(),
            line.region.clone(),
            line.requests.to_string(),
            line.crossed.to_string(),
            if line.context_cleared {
                "cleared".to_owned()
            } else {
                "LEFT".to_owned()
            },
        ]);
    }
    output.text(&format!("{table}\n"));
    let hidden = summary.lines.len().saturating_sub(SHOWN);
    if hidden > 0 {
        output.text(&format!("… and {hidden} more; `--json` shows them all\n"));
    }
    let meaning = match (summary.crossed, summary.contexts_left) {
        (0, 0) => Meaning::Good,
        _ => Meaning::Bad,
    };
    let verdict = format!(
        "{} invocations at once and {} in sequence, {} requests: {} crossed, {} contexts left",
        summary.invocations,
        summary.in_sequence,
        summary.requests,
        summary.crossed,
        summary.contexts_left
    );
    output.text(&format!("{}\n", palette.paint(meaning, verdict)));
}
