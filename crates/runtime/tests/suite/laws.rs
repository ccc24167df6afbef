//! Random histories: events that fit and events that do not, in any order.

use std::collections::BTreeMap;

use ecs_agent_runtime::{
    Budget, Budgets, Effect, EffectKey, Event, EventBody, FramePath, RunOutcome, Thread,
    ThreadStatus, ToolCall, ToolCallId, ToolOutcome, ToolStatus, Usage,
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
            }
        });
    prop_oneof![
        2 => budgets.prop_map(|budgets| EventBody::RunStarted { run: run_id(), budgets }),
        2 => Just(said(0).body),
        8 => (frames(), "[a-z ]{0,5}", prop::collection::vec(calls(), 0..4)).prop_map(
            |(frame, text, tool_calls)| EventBody::ModelReplied {
                frame, text, tool_calls, usage: Usage { input_tokens: 9, output_tokens: 1 },
            }
        ),
        2 => (frames(), any::<bool>()).prop_map(|(frame, retryable)| EventBody::ModelFailed {
            frame, error: "x".to_owned(), retryable,
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

fn histories() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((bodies(), 0..30_i64), 0..60).prop_map(|bodies| {
        let mut now = 0;
        // A history that never begins teaches little.
        let begin = EventBody::RunStarted {
            run: run_id(),
            budgets: Budgets::default(),
        };
        let mut events = vec![Event::new(at(0), begin), said(0)];
        events.extend(bodies.into_iter().map(|(body, pause)| {
            now += pause;
            Event::new(at(now), body)
        }));
        events
    })
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
            Effect::CallModel { .. } | Effect::CallTool { .. } | Effect::EndRun { .. } => None,
        })
        .collect();
    assert!(asked.iter().all(|id| open.contains(id)));
    if keys.contains(&EffectKey::End) {
        assert_eq!(keys.len(), 1, "a run that ends does nothing else");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_folded_the_same_way_in_one_go_and_in_pieces(
        events in histories(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut thread = Thread::new(spec());
        let mut log = Vec::new();
        for event in &events {
            let before = thread.clone();
            let fits = thread.check(event);
            prop_assert_eq!(&fits, &thread.apply(event));
            match fits {
                Ok(()) => log.push(event.clone()),
                Err(_) => prop_assert_eq!(&before, &thread),
            }
            check_state(&thread);
        }
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
    fn an_outcome_is_taken_once(events in histories()) {
        let mut thread = Thread::new(spec());
        for event in &events {
            if thread.apply(event).is_ok() {
                let outcome = matches!(
                    event.body,
                    EventBody::ToolReturned { .. } | EventBody::InterruptAnswered { .. }
                );
                if outcome {
                    prop_assert!(thread.check(event).is_err(), "{event:?} was taken twice");
                }
            }
        }
    }
}
