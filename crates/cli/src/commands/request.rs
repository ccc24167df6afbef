//! `run` and `diagnose`: a person's words to a result.

use chrono::Utc;
use ecs_agent_core::{Input, InvocationSettings, Mode};
use ecs_agent_runtime::ThreadId;
use ecs_agent_store::{Seq, Store, TenantScope};
use uuid::Uuid;

use super::Workbench;
use crate::args::{Format, RequestArguments};
use crate::cancel::Interrupts;
use crate::conversation::{Conversation, MakeSources};
use crate::database;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, remark_width};
use crate::person::{Person, Prepared, options, unproven};
use crate::render::{Meaning, Outcome, Palette, escape_line, wrap};
use crate::workplace::{self, Place};

/// Starts a thread with the person's words.
pub(super) async fn run(
    bench: &Workbench<'_>,
    request: RequestArguments,
    mode: Mode,
) -> Result<Exit, CliError> {
    let place = Place::configured(bench.configuration, bench.flags)?;
    // Keys that are missing are told before anything is started.
    workplace::sources(bench.configuration)?;
    let store = database::open(bench.configuration, bench.output.leak_guard()).await?;
    let settings = workplace::settings(
        bench.configuration,
        place,
        store.clone(),
        mode,
        bench.flags,
        bench.output,
    )?;
    let thread = start_thread(&store, &request.text).await?;
    remember_mode(&store, thread, mode).await?;
    let sources = || workplace::sources(bench.configuration);
    let person = workplace::person(bench.flags, None, bench.environment, bench.output);
    let outcome = hold(
        bench.output,
        settings,
        &sources,
        person,
        thread,
        Input::Say(request.text),
    )
    .await?;
    show(bench, &outcome, Afterwards::Kept);
    Ok(outcome.exit)
}

/// What becomes of a thread when the command is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterwards {
    /// It can be resumed.
    Kept,
    /// It is gone with the world it was about.
    Gone,
}

/// Kind of the record that says how far a thread may go.
pub(super) const MODE: &str = "mode";

/// Keeps how far the thread may go, so that a diagnosis stays one when it is resumed.
async fn remember_mode(store: &Store, thread: ThreadId, mode: Mode) -> Result<(), CliError> {
    let word = match mode {
        Mode::Diagnose => "diagnose",
        Mode::Repair => "repair",
    };
    Ok(store
        .save_report(&TenantScope::local(), thread, MODE, word, Utc::now())
        .await?)
}

/// How far the thread may go; a thread that says nothing may go no further than a diagnosis.
pub(super) async fn mode_of(store: &Store, thread: ThreadId) -> Result<Mode, CliError> {
    let record = store.report(&TenantScope::local(), thread, MODE).await?;
    Ok(match record.as_ref().map(|record| record.text.as_str()) {
        Some("repair") => Mode::Repair,
        Some(_) | None => Mode::Diagnose,
    })
}

/// Makes a thread that is about those words.
pub(crate) async fn start_thread(store: &Store, title: &str) -> Result<ThreadId, CliError> {
    let thread = ThreadId::new(Uuid::now_v7());
    store
        .create_thread(&TenantScope::local(), thread, title, Utc::now())
        .await?;
    Ok(thread)
}

/// Runs the thread until it ends or waits for someone who is not here, and keeps its documents.
pub(super) async fn hold(
    output: &Output,
    settings: InvocationSettings,
    sources: MakeSources<'_>,
    person: Person,
    thread: ThreadId,
    first: Input,
) -> Result<Outcome, CliError> {
    let interrupts = Interrupts::listen(output);
    let store = settings.store.clone();
    let tenant = TenantScope::local();
    let model = settings.model.name().to_owned();
    let conversation = Conversation {
        settings,
        sources,
        person,
        interrupts: &interrupts,
        thread,
    };
    let result = conversation.hold(first).await?;
    for (path, text) in &result.files {
        let kind = path.trim_start_matches('/').trim_end_matches(".md");
        store
            .save_report(&tenant, thread, kind, text, Utc::now())
            .await?;
    }
    let events = store.events(&tenant, thread, Seq::START).await?;
    let mut outcome = Outcome::of(result, &events, &model);
    if interrupts.token().is_cancelled() {
        outcome.was_cancelled();
    }
    Ok(outcome)
}

/// Shows what came of it: the result on standard output, what to do next on standard error.
pub(super) fn show(bench: &Workbench<'_>, outcome: &Outcome, afterwards: Afterwards) {
    let output = bench.output;
    if output.format() == Format::Json {
        output.json(&outcome.view());
        return;
    }
    // At a terminal the plan was on the screen a moment ago, and whoever leaves wants to be gone.
    let seen = output.format() == Format::Terminal
        && (outcome.stopped_at_the_plan() || outcome.exit == Exit::Cancelled)
        && !bench.flags.quiet;
    match outcome.document().filter(|_| !seen) {
        Some(document) => output.document(document),
        None => output.document(&verdict_lines(outcome).join("\n")),
    }
    if bench.flags.quiet {
        return;
    }
    remark_on(output, outcome, afterwards, seen);
}

/// The agent's last word, without the thread's own names for its documents.
fn verdict_lines(outcome: &Outcome) -> Vec<&str> {
    let names_documents =
        |line: &str| line.starts_with("Report: /") || line.starts_with("Reports: /");
    let said = outcome.said().lines();
    said.filter(|line| !names_documents(line)).collect()
}

fn remark_on(output: &Output, outcome: &Outcome, afterwards: Afterwards, seen: bool) {
    let palette = Palette::of_stderr();
    output.remark_as_is("");
    let said = if seen {
        Vec::new()
    } else {
        verdict_lines(outcome)
    };
    for line in said.into_iter().filter(|_| outcome.document().is_some()) {
        let line = wrap(&escape_line(line), remark_width(), 2);
        output.remark_as_is(&palette.paint(verdict(outcome.exit), line));
    }
    let unanswered = match (outcome.exit, afterwards) {
        // Whoever left knows that the demo ends with them.
        (Exit::Cancelled, Afterwards::Gone) => &[],
        (_, Afterwards::Kept | Afterwards::Gone) => outcome.open(),
    };
    for open in unanswered {
        for (id, label) in options(&open.payload) {
            output.remark(&format!("  {id}  {label}"));
        }
        output.remark(&match afterwards {
            Afterwards::Kept => how_to_answer(&open.payload, outcome.thread()),
            Afterwards::Gone => format!(
                "nobody was there to answer, and the demo's world ends here: run it at a terminal or \
                 with `{}`",
                approving_flags(&open.payload)
            ),
        });
    }
    if outcome.open().is_empty() && outcome.document().is_some() && afterwards == Afterwards::Kept {
        let again = format!(
            "`ecs-deep-agent report {}` shows the report",
            outcome.thread()
        );
        output.remark_as_is(&palette.paint(Meaning::Quiet, wrap(&again, remark_width(), 2)));
    }
    let (calls, cleared) = outcome.credentials();
    let context = if cleared { "cleared" } else { "NOT CLEARED" };
    let about = format!(
        "{}: {calls} AWS calls, credential context {context}",
        outcome.thread()
    );
    output.remark_as_is(&palette.paint(Meaning::Quiet, wrap(&about, remark_width(), 2)));
    if let Some(used) = outcome.model_use() {
        output.remark_as_is(&palette.paint(Meaning::Quiet, wrap(&used, remark_width(), 2)));
    }
    let audit = outcome.audit();
    let kept = format!("audit: {} records, head {}", audit.records, audit.head);
    // One line, whole: it is copied to where the database's writer cannot change it.
    output.remark_as_is(&palette.paint(Meaning::Quiet, kept));
}

/// The flags that approve this plan.
fn approving_flags(question: &serde_json::Value) -> &'static str {
    match unproven(question) {
        0 => "--yes",
        _ => "--yes --accept-unproven",
    }
}

fn how_to_answer(question: &serde_json::Value, thread: &str) -> String {
    match question.get("kind").and_then(serde_json::Value::as_str) {
        Some("approval") => {
            let yes = approving_flags(question);
            format!(
                "the plan waits: `ecs-deep-agent resume {thread}` asks again, `{yes}` approves it, \
                 `--reject REASON` rejects it"
            )
        }
        Some("question") => {
            let asked = question.get("question").and_then(serde_json::Value::as_str);
            let asked = asked.unwrap_or("a question is open");
            format!("{asked} Answer with `ecs-deep-agent resume {thread} --choose OPTION`")
        }
        Some(_) | None => {
            format!("the thread waits: `ecs-deep-agent resume {thread}` continues it")
        }
    }
}

fn verdict(exit: Exit) -> Meaning {
    match exit {
        Exit::Success => Meaning::Good,
        Exit::Findings | Exit::NeedsPerson | Exit::Budget | Exit::Cancelled => Meaning::Warning,
        Exit::Internal
        | Exit::Usage
        | Exit::Credentials
        | Exit::Unreachable
        | Exit::NotRepaired
        | Exit::NotFound
        | Exit::NotIsolated
        | Exit::Tampered => Meaning::Bad,
    }
}

/// An answer that came with `resume`.
pub(super) fn prepared(choose: Option<String>, reject: Option<String>) -> Option<Prepared> {
    choose
        .map(Prepared::Choice)
        .or(reject.map(Prepared::Rejection))
}
