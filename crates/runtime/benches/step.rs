//! What the runtime itself costs: a step, without model, tools and disk, and a thread that waits for
//! a person.
//!
//! The conversation is the one that `docs/benchmarks.md` compares: 12 model calls and 10 tool calls
//! in one agent. A step is everything between two model calls: the events of a reply and of its
//! tools are checked and taken in, and the next request is built.

#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the process's own figures"
)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on fails, and tells what it found"
)]

use std::hint::black_box;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ecs_agent_runtime::{
    AgentSpec, Budgets, Effect, Event, EventBody, FinishReason, FramePath, InterruptId, MessageId,
    RunId, Thread, ToolCall, ToolOutcome, ToolSpec, Usage,
};
use serde_json::json;
use uuid::Uuid;

const MODEL_CALLS: usize = 12;
const TOOL_CALLS: usize = 10;
const ROUNDS: usize = 2_000;
const PARKED: usize = 1_000;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

fn spec() -> AgentSpec {
    let mut spec = AgentSpec::new("main", "works", "You work.");
    spec.tools.push(ToolSpec {
        name: "lookup".to_owned(),
        description: "Look something up.".to_owned(),
        input_schema: json!({"type": "object"}),
    });
    spec
}

/// One conversation. It ends with its last words, or with a question that nobody has answered.
fn converse(spec: &Arc<AgentSpec>, parked: bool) -> Thread {
    let mut thread = Thread::new(Arc::clone(spec));
    let mut second = 0;
    let mut log = |thread: &mut Thread, body| {
        second += 1;
        let event = Event::new(at(second), body);
        thread.check(&event).unwrap();
        thread.apply(&event).unwrap();
    };
    let budgets = Budgets::default();
    let run = RunId::new(Uuid::nil());
    log(&mut thread, EventBody::RunStarted { run, budgets });
    let id = MessageId::new(Uuid::nil());
    let text = "my api service keeps restarting".to_owned();
    log(&mut thread, EventBody::HumanSaid { id, text });
    for turn in 0..MODEL_CALLS {
        let calls: Vec<ToolCall> = (turn < TOOL_CALLS)
            .then(|| ToolCall::new(format!("c{turn}"), "lookup", json!({ "n": turn })))
            .into_iter()
            .collect();
        let last = turn + 1 == MODEL_CALLS;
        // A turn without a tool and without an end: the answer was cut off.
        let finish = match calls.is_empty() && !last {
            true => FinishReason::Truncated,
            false => FinishReason::Complete,
        };
        let frame = FramePath::main();
        log(
            &mut thread,
            EventBody::ModelReplied {
                frame: frame.clone(),
                text: format!("turn {turn}"),
                tool_calls: calls.clone(),
                reasoning: Vec::new(),
                finish,
                usage: Usage::default(),
            },
        );
        for call in calls {
            let call_id = call.id;
            let frame = frame.clone();
            log(
                &mut thread,
                EventBody::ToolStarted {
                    frame: frame.clone(),
                    call_id: call_id.clone(),
                },
            );
            if parked && turn + 1 == TOOL_CALLS {
                log(
                    &mut thread,
                    EventBody::InterruptRaised {
                        frame,
                        call_id,
                        interrupt_id: InterruptId::new(Uuid::from_u128(1)),
                        payload: json!({"question": "may I?"}),
                    },
                );
                return thread;
            }
            let outcome =
                ToolOutcome::success(format!("result {turn}: {}", "running ".repeat(100)));
            log(
                &mut thread,
                EventBody::ToolReturned {
                    frame,
                    call_id,
                    outcome,
                },
            );
        }
        for key in thread.outstanding() {
            let effect = thread.effect(&key);
            assert!(!last || matches!(effect, Some(Effect::EndRun { .. })));
            black_box(effect);
        }
    }
    thread
}

/// Seconds that this thread has had a processor for: what other programs take does not count.
fn on_processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    let nanoseconds = stat.split_whitespace().next();
    nanoseconds.unwrap().parse::<f64>().unwrap() / 1e9
}

/// Resident bytes of this process.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1));
    kibibytes.unwrap().parse::<usize>().unwrap() * 1_024
}

fn main() {
    let spec = Arc::new(spec());
    for _ in 0..ROUNDS / 10 {
        black_box(converse(&spec, false));
    }
    let start = on_processor();
    for _ in 0..ROUNDS {
        black_box(converse(&spec, false));
    }
    let microseconds = (on_processor() - start) * 1e6 / f64::from(u32::try_from(ROUNDS).unwrap());
    println!(
        "{MODEL_CALLS} model calls and {TOOL_CALLS} tool calls: {microseconds:.0} us of processor \
         time, {:.1} us a step",
        microseconds / f64::from(u32::try_from(MODEL_CALLS).unwrap())
    );
    let before = resident();
    let parked: Vec<Thread> = (0..PARKED).map(|_| converse(&spec, true)).collect();
    let bytes = resident().saturating_sub(before) / parked.len();
    println!("{PARKED} threads that wait for a person: {bytes} bytes each");
    black_box(parked);
}
