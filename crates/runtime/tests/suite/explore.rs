//! Every order in which a small world can happen: two subagents side by side, one of which asks a
//! person, a failing model, a crash and a cancel at any moment.

use std::collections::{BTreeSet, VecDeque};

use ecs_agent_runtime::{
    Attempt, Budgets, Effect, EffectKey, Event, EventBody, FinishReason, FramePath, ModelRequest,
    RunOutcome, Thread, ThreadStatus, ToolCall, ToolOutcome, Usage,
};
use serde_json::json;

use super::{at, interrupt, lookup, run_id, said, spec, task};

#[derive(Clone)]
struct World {
    thread: Thread,
    /// What the outside did: started calls that never reported, and how often each call was done.
    cancelled: bool,
    crashed: bool,
    failed: bool,
    done: Vec<(FramePath, String)>,
    steps: i64,
}

/// What the scripted agents say: main delegates twice and sums up, each helper calls one tool.
fn script(frame: &FramePath, request: &ModelRequest) -> (String, Vec<ToolCall>) {
    match (frame.is_main(), request.messages.len()) {
        (true, 1) => (String::new(), vec![task("t1"), task("t2")]),
        (false, 1) => (String::new(), vec![lookup("x")]),
        (_, _) => ("done".to_owned(), vec![]),
    }
}

impl World {
    fn new() -> Self {
        let mut thread = Thread::new(spec());
        let budgets = Budgets::default();
        thread
            .apply(&Event::new(
                at(0),
                EventBody::RunStarted {
                    run: run_id(),
                    budgets,
                },
            ))
            .unwrap();
        thread.apply(&said(0)).unwrap();
        Self {
            thread,
            cancelled: false,
            crashed: false,
            failed: false,
            done: vec![],
            steps: 0,
        }
    }

    /// What makes two worlds the same, apart from the clock.
    fn fingerprint(&self) -> String {
        let state = self.thread.state();
        let frames: Vec<_> = state
            .frames()
            .map(|(path, frame)| (path.to_string(), frame.messages().to_vec()))
            .collect();
        format!(
            "{:?} {frames:?} {:?} {:?} {} {} {} {:?}",
            self.thread.effects(),
            state.interrupts().keys(),
            self.thread.status(),
            self.cancelled,
            self.crashed,
            self.failed,
            self.done,
        )
    }

    fn after(&self, body: EventBody) -> Self {
        let mut next = self.clone();
        next.steps += 1;
        next.thread
            .apply(&Event::new(at(next.steps), body))
            .unwrap();
        next
    }

    /// Every next world.
    fn successors(&self) -> Vec<Self> {
        let mut next = Vec::new();
        for effect in self.thread.effects() {
            match effect {
                Effect::CallModel { frame, request, .. } => {
                    request.check_orphans().unwrap();
                    let (text, tool_calls) = script(&frame, &request);
                    let usage = Usage::default();
                    if !self.failed {
                        let frame = frame.clone();
                        let error = "overloaded".to_owned();
                        let mut failed = self.after(EventBody::ModelFailed {
                            frame,
                            error,
                            retryable: true,
                            retry_after_ms: None,
                            usage,
                        });
                        failed.failed = true;
                        next.push(failed);
                    }
                    next.push(self.after(EventBody::ModelReplied {
                        frame,
                        text,
                        tool_calls,
                        reasoning: Vec::new(),
                        finish: FinishReason::Complete,
                        usage,
                    }));
                }
                Effect::CallTool {
                    frame,
                    call,
                    attempt,
                    answer,
                    ..
                } => {
                    let call_id = call.id.clone();
                    let asks = frame == FramePath::main().child("t1".into()) && answer.is_none();
                    let key = (frame.clone(), call.id.to_string());
                    match attempt {
                        Attempt::First => {
                            next.push(self.after(EventBody::ToolStarted { frame, call_id }));
                        }
                        Attempt::OutcomeUnknown if asks => {
                            next.push(self.after(EventBody::InterruptRaised {
                                frame,
                                call_id,
                                interrupt_id: interrupt(1),
                                payload: json!("may I?"),
                            }));
                        }
                        Attempt::OutcomeUnknown => {
                            let outcome = ToolOutcome::success("found");
                            let mut done = self.after(EventBody::ToolReturned {
                                frame,
                                call_id,
                                outcome,
                            });
                            assert!(!done.done.contains(&key), "{key:?} was done twice");
                            done.done.push(key);
                            done.done.sort();
                            next.push(done);
                        }
                    }
                }
                other @ (Effect::Compact { .. }
                | Effect::UseFiles { .. }
                | Effect::RaiseInterrupt { .. }) => {
                    panic!("nothing of the kind is configured: {other:?}")
                }
                Effect::AskPerson { interrupt_id, .. } => {
                    let answer = json!("yes");
                    let by = "ann".to_owned();
                    next.push(self.after(EventBody::InterruptAnswered {
                        interrupt_id,
                        answer,
                        by,
                    }));
                }
                Effect::EndRun { outcome } => {
                    next.push(self.after(EventBody::RunEnded { outcome }));
                }
            }
        }
        let running = matches!(
            self.thread.status(),
            ThreadStatus::Running | ThreadStatus::Interrupted
        );
        if running && !self.cancelled {
            let mut cancelled = self.after(EventBody::CancelRequested {
                by: "ann".to_owned(),
            });
            cancelled.cancelled = true;
            next.push(cancelled);
        }
        if running && !self.crashed {
            let budgets = Budgets::default();
            let mut crashed = self.after(EventBody::RunStarted {
                run: run_id(),
                budgets,
            });
            crashed.crashed = true;
            next.push(crashed);
        }
        next
    }
}

#[test]
fn every_order_of_a_small_world_ends_and_ends_well() {
    let mut seen = BTreeSet::new();
    let mut queue = VecDeque::from([World::new()]);
    let (mut completed, mut cancelled, mut together) = (0, 0, false);
    while let Some(world) = queue.pop_front() {
        if !seen.insert(world.fingerprint()) {
            continue;
        }
        assert!(world.steps < 40, "a history without an end");
        assert!(
            seen.len() < 200_000,
            "the world is larger than it should be"
        );
        let keys = world.thread.outstanding();
        let models = keys
            .iter()
            .filter(|key| matches!(key, EffectKey::Model(_)))
            .count();
        together |= models == 2;
        match world.thread.status() {
            ThreadStatus::Ended(RunOutcome::Completed { text }) => {
                completed += 1;
                assert_eq!((text.as_str(), world.done.len()), ("done", 2));
            }
            ThreadStatus::Ended(RunOutcome::Cancelled { .. }) => cancelled += 1,
            ThreadStatus::Ended(other) => panic!("{other:?}"),
            ThreadStatus::Idle => panic!("a run forgot that it began"),
            ThreadStatus::Running | ThreadStatus::Interrupted => {
                assert!(!keys.is_empty(), "nothing to do and no end");
            }
        }
        queue.extend(world.successors());
    }
    assert!(
        completed > 0 && cancelled > 0 && together,
        "the search saw what it is about"
    );
}
