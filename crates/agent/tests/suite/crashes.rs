//! The process dies at each logged step, before and after the step is durable; the thread goes on
//! and ends the same, and nothing is written twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ecs_agent_core::{Input, InvocationError, InvocationStatus, LogHook, LogMoment};

use super::support::Bench;

/// The scenario has a plan of several steps.
const SCENARIO: &str = "demo";

/// Dies at this moment: a panic unwinds the driver, the cell and everything the invocation holds.
fn dies_at(moment: LogMoment) -> LogHook {
    Arc::new(move |now| assert!(now != moment, "the drill's crash"))
}

/// Runs to the end, with one crash at `moment`; says how the run ended and what was written.
async fn run(moment: Option<LogMoment>) -> (String, Vec<String>, u64) {
    let mut bench = Bench::of(SCENARIO).await;
    let last = Arc::new(AtomicU64::new(0));
    let seen = last.clone();
    let hook: LogHook = match moment {
        Some(moment) => dies_at(moment),
        None => Arc::new(move |now| {
            if let LogMoment::Appended(seq) = now {
                seen.store(seq, Ordering::SeqCst);
            }
        }),
    };
    let mut input = Input::Say(bench.request.clone());
    let mut crashed = false;
    let text = loop {
        let hook = (!crashed).then(|| hook.clone());
        input = match bench.invoke(input.clone(), hook).await {
            Ok(result) => match &result.status {
                InvocationStatus::Interrupted(open) => bench.answer(&open[0]),
                InvocationStatus::Done { text } => break text.clone(),
                other => panic!("{moment:?}: {other:?}"),
            },
            Err(InvocationError::Cell(_)) => {
                assert!(!crashed, "{moment:?}: crashed twice");
                crashed = true;
                // What was not durable was never said: the person says it again.
                match moment {
                    Some(LogMoment::AboutToAppend(1)) => input,
                    _ => Input::Continue,
                }
            }
            Err(error) => panic!("{moment:?}: {error:?}"),
        };
    };
    assert!(
        bench.lab.health().healthy,
        "{moment:?}: {:?}",
        bench.lab.health().problems
    );
    let unrecorded = super::audit::unrecorded_writes(&bench).await;
    assert!(unrecorded.is_empty(), "{moment:?}: {unrecorded:?}");
    (text, bench.writes(), last.load(Ordering::SeqCst))
}

/// Crashes at every step, each time in a world of its own.
async fn crash_everywhere(moment_of: fn(u64) -> LogMoment) {
    let (text, writes, steps) = run(None).await;
    assert!(text.starts_with("repaired:"), "{text}");
    assert!(steps > 30, "{steps}");
    let first_line = |text: &str| text.lines().next().map(str::to_owned);
    for moment in (1..=steps).map(moment_of) {
        let (crashed_text, crashed_writes, _) = run(Some(moment)).await;
        assert_eq!(counted(&crashed_writes), counted(&writes), "{moment:?}");
        assert_eq!(first_line(&crashed_text), first_line(&text), "{moment:?}");
    }
}

#[tokio::test]
async fn a_crash_after_any_step_changes_neither_the_end_nor_the_writes() {
    crash_everywhere(LogMoment::Appended).await;
}

/// What a step did has happened, and the log does not know it.
#[tokio::test]
async fn a_crash_before_any_step_is_logged_changes_neither_the_end_nor_the_writes() {
    crash_everywhere(LogMoment::AboutToAppend).await;
}

fn counted(writes: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for write in writes {
        *counts.entry(write.as_str()).or_default() += 1;
    }
    counts
}
