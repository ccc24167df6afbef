//! Random histories: events that fit and events that do not, in any order.

use std::collections::BTreeMap;

use ecs_agent_runtime::{
    Attempt, Budget, Budgets, Effect, EffectKey, Event, EventBody, FinishReason, FramePath,
    RunOutcome, Thread, ThreadStatus, ToolCall, ToolCallId, ToolOutcome, ToolStatus, Usage,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{at, interrupt, run_id, said, spec};

fn frames() -> impl Strategy<Value = FramePath> {
    prop_oneof![
        3 => Just(FramePath::main()),
        2 => call_ids().prop_map(|call| FramePath::main().child(call)),
        1 => (call_ids(), call_ids()).prop_map(|(a, b)| FramePath::main().child(a).child(b)),
    ]
}

fn call_ids() -> impl Strategy<Value = ToolCallId> {
    prop_oneof![Just("a"), Just("b"), Just("a~2"), Just("")].prop_map(ToolCallId::new)
}

fn arguments() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        Just(json!("not an object")),
        Just(json!({"description": "x", "subagent_type": "helper"})),
        Just(json!({"description": "x", "subagent_type": "nobody"})),
        Just(json!({"todos": [{"content": "x", "status": "pending"}]})),
        ("[/.~a-c]{0,6}", "[abc\n]{0,9}").prop_map(|(path, text)| {
            json!({"file_path": path, "path": path, "content": text, "pattern": text,
                   "old_string": text, "new_string": "a", "replace_all": true})
        }),
    ]
}

fn calls() -> impl Strategy<Value = ToolCall> {
    let names = prop_oneof![
        3 => Just("lookup"), 3 => Just("task"), 1 => Just("write_todos"), 1 => Just("ls"),
        1 => Just("read_file"), 1 => Just("write_file"), 1 => Just("edit_file"), 1 => Just("glob"),
        1 => Just("grep"), 1 => Just("unknown"),
    ];
    (call_ids(), names, arguments()).prop_map(|(id, name, arguments)| ToolCall {
        id,
        name: name.to_owned(),
        arguments,
    })
}

fn outcomes() -> impl Strategy<Value = ToolOutcome> {
    (any::<bool>(), "[a-z]{0,9}", "[/.~a-c]{0,6}", any::<bool>()).prop_map(
        |(success, text, path, delete)| ToolOutcome {
            status: if success {
                ToolStatus::Success
            } else {
                ToolStatus::Error
            },
            files: BTreeMap::from([(path, (!delete).then(|| text.clone()))]),
            values: BTreeMap::from([("k".to_owned(), json!(text))]),
            text,
        },
    )
}

fn bodies() -> impl Strategy<Value = EventBody> {
    let budgets =
        (1..9_u32, 1..20_u32, 1..400_u64).prop_map(|(max_steps, max_tool_calls, max_seconds)| {
            Budgets {
                max_steps,
                max_tool_calls,
                max_seconds,
                max_tokens: 500,
                max_model_attempts: 2,
                ..Budgets::default()
            }
        });
    prop_oneof![
        2 => budgets.prop_map(|budgets| EventBody::RunStarted { run: run_id(), budgets }),
        2 => Just(said(0).body),
        8 => (frames(), "[a-z ]{0,5}", prop::collection::vec(calls(), 0..4)).prop_map(
            |(frame, text, tool_calls)| EventBody::ModelReplied {
                frame, text, tool_calls, reasoning: Vec::new(), finish: FinishReason::Complete, usage: used(),
            }
        ),
        2 => (frames(), any::<bool>()).prop_map(|(frame, retryable)| EventBody::ModelFailed {
            frame, error: "x".to_owned(), retryable, retry_after_ms: None, usage: Usage::default(),
        }),
        6 => (frames(), call_ids())
            .prop_map(|(frame, call_id)| EventBody::ToolStarted { frame, call_id }),
        8 => (frames(), call_ids(), outcomes()).prop_map(|(frame, call_id, outcome)| {
            EventBody::ToolReturned { frame, call_id, outcome }
        }),
        4 => (frames(), call_ids(), 0..6_u128).prop_map(|(frame, call_id, n)| {
            EventBody::InterruptRaised { frame, call_id, interrupt_id: interrupt(n), payload: json!(n as u64) }
        }),
        4 => (0..6_u128).prop_map(|n| EventBody::InterruptAnswered {
            interrupt_id: interrupt(n), answer: json!("yes"), by: "x".to_owned(),
        }),
        1 => Just(EventBody::CancelRequested { by: "x".to_owned() }),
        1 => Just(EventBody::BudgetExhausted { budget: Budget::Time }),
        1 => Just(EventBody::RunEnded { outcome: RunOutcome::Failed { error: "x".to_owned() } }),
    ]
}

fn used() -> Usage {
    Usage {
        input_tokens: 9,
        output_tokens: 1,
        ..Usage::default()
    }
}

/// One step of a history: any event at all, or an outcome of something that is outstanding.
#[derive(Debug, Clone)]
enum Step {
    Any(EventBody),
    Fitting {
        pick: prop::sample::Index,
        calls: Vec<ToolCall>,
        outcome: ToolOutcome,
        choice: u8,
    },
}

impl Step {
    fn body(&self, thread: &Thread) -> EventBody {
        let (pick, calls, outcome, choice) = match self {
            Self::Any(body) => return body.clone(),
            Self::Fitting {
                pick,
                calls,
                outcome,
                choice,
            } => (pick, calls, outcome, *choice),
        };
        let effects = thread.effects();
        if effects.is_empty() {
            return said(0).body;
        }
        match pick.get(&effects).clone() {
            Effect::CallModel { frame, .. } if choice == 0 => EventBody::ModelFailed {
                frame,
                error: "x".to_owned(),
                retryable: true,
                retry_after_ms: None,
                usage: used(),
            },
            Effect::CallModel { frame, .. } => EventBody::ModelReplied {
                frame,
                text: "words".to_owned(),
                tool_calls: calls.clone(),
                reasoning: Vec::new(),
                finish: FinishReason::Complete,
                usage: used(),
            },
            Effect::CallTool {
                frame,
                call,
                attempt,
                ..
            } => {
                let call_id = call.id;
                match (attempt, choice) {
                    (Attempt::First, _) => EventBody::ToolStarted { frame, call_id },
                    (Attempt::OutcomeUnknown, 0) => EventBody::InterruptRaised {
                        frame,
                        call_id,
                        interrupt_id: interrupt(100 + thread.state().usage().total() as u128),
                        payload: json!("may I?"),
                    },
                    (Attempt::OutcomeUnknown, _) => EventBody::ToolReturned {
                        frame,
                        call_id,
                        outcome: outcome.clone(),
                    },
                }
            }
            other @ (Effect::Compact { .. }
            | Effect::UseFiles { .. }
            | Effect::RaiseInterrupt { .. }) => {
                panic!("nothing of the kind is configured: {other:?}")
            }
            Effect::AskPerson { interrupt_id, .. } => EventBody::InterruptAnswered {
                interrupt_id,
                answer: json!("yes"),
                by: "x".to_owned(),
            },
            Effect::EndRun { outcome } => EventBody::RunEnded { outcome },
        }
    }
}

fn histories() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let fitting = (
        any::<prop::sample::Index>(),
        prop::collection::vec(calls(), 0..4),
        outcomes(),
        0..4_u8,
    )
        .prop_map(|(pick, calls, outcome, choice)| Step::Fitting {
            pick,
            calls,
            outcome,
            choice,
        });
    let step = prop_oneof![1 => bodies().prop_map(Step::Any), 3 => fitting];
    prop::collection::vec((step, 0..30_i64), 0..50)
}

/// Plays a history and gives the thread with the log of what it took, looking at every state.
fn play(steps: &[(Step, i64)], mut look: impl FnMut(&Thread, &Event)) -> (Thread, Vec<Event>) {
    let mut now = 0;
    let mut thread = Thread::new(spec());
    // A history that never begins teaches little.
    let begin = EventBody::RunStarted {
        run: run_id(),
        budgets: Budgets::default(),
    };
    let mut log = vec![Event::new(at(0), begin), said(0)];
    log.iter().for_each(|event| thread.apply(event).unwrap());
    for (step, pause) in steps {
        now += pause;
        let event = Event::new(at(now), step.body(&thread));
        let before = thread.clone();
        let fits = thread.check(&event);
        assert_eq!(fits, thread.apply(&event));
        if fits.is_ok() {
            look(&thread, &event);
            log.push(event);
        } else {
            assert_eq!(before, thread, "a refused event changes nothing");
        }
        check_state(&thread);
    }
    (thread, log)
}

/// What holds in every state that can be reached.
fn check_state(thread: &Thread) {
    let effects = thread.effects();
    assert_eq!(
        effects,
        thread.effects(),
        "effects are a function of the state"
    );
    let keys: Vec<EffectKey> = effects.iter().map(Effect::key).collect();
    assert_eq!(keys, thread.outstanding(), "every key has its effect");
    let mut unique = keys.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), keys.len(), "no effect twice");
    for effect in &effects {
        if let Effect::CallModel { request, .. } = effect {
            request.check_orphans().unwrap();
        }
    }
    match thread.status() {
        ThreadStatus::Idle | ThreadStatus::Ended(_) => assert!(effects.is_empty()),
        ThreadStatus::Running | ThreadStatus::Interrupted => {
            assert!(!effects.is_empty(), "a run without anything to do");
        }
    }
    let open: Vec<_> = thread.state().interrupts().keys().copied().collect();
    let asked: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::AskPerson { interrupt_id, .. } => Some(*interrupt_id),
            Effect::CallModel { .. }
            | Effect::Compact { .. }
            | Effect::CallTool { .. }
            | Effect::UseFiles { .. }
            | Effect::RaiseInterrupt { .. }
            | Effect::EndRun { .. } => None,
        })
        .collect();
    assert!(asked.iter().all(|id| open.contains(id)));
    if keys.contains(&EffectKey::End) {
        assert_eq!(keys.len(), 1, "a run that ends does nothing else");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_folded_the_same_way_in_one_go_and_in_pieces(
        steps in histories(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (thread, log) = play(&steps, |_, _| {});
        prop_assert_eq!(&Thread::replay(spec(), &log).unwrap(), &thread);

        // A crash at any point: the stored prefix is read and folded, then the rest comes.
        let (before, after) = log.split_at(cut.index(log.len() + 1));
        let stored: Vec<String> =
            before.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        let read: Vec<Event> =
            stored.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        let mut resumed = Thread::replay(spec(), &read).unwrap();
        for event in after {
            resumed.apply(event).unwrap();
        }
        prop_assert_eq!(&resumed, &thread);
    }

    #[test]
    fn an_outcome_is_taken_once(steps in histories()) {
        play(&steps, |thread, event| {
            let outcome = matches!(
                event.body,
                EventBody::ToolReturned { .. } | EventBody::InterruptAnswered { .. }
            );
            assert!(!outcome || thread.check(event).is_err(), "{event:?} would be taken twice");
        });
    }

    #[test]
    fn whoever_only_follows_the_effects_comes_to_an_end(
        steps in histories(),
        pick in any::<prop::sample::Index>(),
    ) {
        let (mut thread, log) = play(&steps, |_, _| {});
        let mut second = log.last().map_or(0, |event| event.at.timestamp());
        let begin = EventBody::RunStarted { run: run_id(), budgets: Budgets::default() };
        thread.apply(&Event::new(at(second), begin)).unwrap();
        // Models that only talk, tools that only succeed: every open frame takes a few events.
        let last = Step::Fitting {
            pick,
            calls: vec![],
            outcome: ToolOutcome::success("x"),
            choice: 1,
        };
        for _ in 0..2_000 {
            if matches!(thread.status(), ThreadStatus::Ended(_)) {
                break;
            }
            second += 1;
            let event = Event::new(at(second), last.body(&thread));
            thread.apply(&event).unwrap();
        }
        prop_assert!(matches!(thread.status(), ThreadStatus::Ended(_)), "{:?}", thread.status());
    }
}
