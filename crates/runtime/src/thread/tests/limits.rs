//! What ends a run before its work is done, and what stays known.

use super::*;

#[test]
fn a_cancelled_run_starts_nothing_and_records_what_was_started() {
    let mut hand = Hand::started();
    hand.reply(main(), "", vec![lookup("a"), lookup("b")]);
    hand.start(main(), "a");
    hand.cancel();
    assert_eq!(hand.keys(), [EffectKey::End]);
    let start = EventBody::ToolStarted {
        frame: main(),
        call_id: "b".into(),
    };
    assert_eq!(hand.try_log(start), Err(ApplyError::Ending));
    assert_eq!(
        hand.end(),
        RunOutcome::Cancelled {
            by: "ann".to_owned()
        }
    );
    hand.returns(main(), "a", ToolOutcome::success("A"));
    // Taken up again, the rest is done and the first call is not repeated.
    hand.run(Budgets::default());
    assert_eq!(hand.keys(), [tool(main(), "b")]);
}

#[test]
fn a_failing_model_is_tried_again_and_then_the_run_ends() {
    let mut hand = Hand::with(Budgets {
        max_model_attempts: 3,
        ..Budgets::default()
    });
    for expected in 1..=3 {
        let effects = hand.thread.effects();
        let [Effect::CallModel { attempt, .. }] = &effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(*attempt, expected);
        hand.fail(main(), true);
    }
    let RunOutcome::Failed { error } = hand.end() else {
        panic!()
    };
    assert!(error.contains("after 3 tries: no answer"), "{error}");
    hand.run(Budgets::default());
    assert_eq!(hand.keys(), [model(main())]);
}

#[test]
fn a_subagents_model_failure_is_its_callers_to_judge() {
    let mut hand = Hand::started();
    hand.reply(main(), "", vec![task("t1"), task("t2")]);
    hand.fail(sub("t1"), false);
    assert_eq!(hand.keys(), [model(sub("t2"))]);
    hand.reply(sub("t2"), "fine", vec![]);
    assert_eq!(
        hand.answers(&main())
            .iter()
            .map(|a| a.1)
            .collect::<Vec<_>>(),
        [ToolStatus::Error, ToolStatus::Success]
    );
}

#[test]
fn every_budget_ends_the_run_and_keeps_what_is_known() {
    let cases = [
        (
            Budgets {
                max_steps: 3,
                ..Budgets::default()
            },
            Budget::Steps,
        ),
        (
            Budgets {
                max_tool_calls: 3,
                ..Budgets::default()
            },
            Budget::ToolCalls,
        ),
        (
            Budgets {
                max_tokens: 30,
                ..Budgets::default()
            },
            Budget::Tokens,
        ),
        (
            Budgets {
                max_seconds: 12,
                ..Budgets::default()
            },
            Budget::Time,
        ),
    ];
    for (budgets, expected) in cases {
        let mut hand = Hand::with(budgets);
        let mut turns = 0;
        while hand.keys() != [EffectKey::End] {
            turns += 1;
            assert!(turns < 10, "{expected} does not end");
            match &hand.thread.effects()[0] {
                Effect::CallModel { frame, .. } => hand.reply(frame.clone(), "", vec![lookup("a")]),
                Effect::CallTool { frame, call, .. } => {
                    let (frame, call) = (frame.clone(), call.id.to_string());
                    hand.start(frame.clone(), &call);
                    hand.returns(
                        frame,
                        &call,
                        ToolOutcome::success("x").with_value("k", json!(turns)),
                    );
                }
                other @ (Effect::Compact { .. }
                | Effect::UseFiles { .. }
                | Effect::RaiseInterrupt { .. }
                | Effect::AskPerson { .. }
                | Effect::EndRun { .. }) => panic!("{other:?}"),
            }
        }
        assert_eq!(hand.end(), RunOutcome::BudgetExhausted { budget: expected });
        assert!(hand.thread.state().value("k").is_some());
        // A new run has a new budget.
        hand.run(budgets);
        assert_ne!(hand.keys(), [EffectKey::End]);
    }
}

#[test]
fn parallel_frames_do_not_overrun_the_steps() {
    let mut hand = Hand::with(Budgets {
        max_steps: 2,
        ..Budgets::default()
    });
    hand.reply(main(), "", vec![task("t1"), task("t2")]);
    assert_eq!(hand.keys(), [model(sub("t1"))]);
    hand.reply(sub("t1"), "one", vec![]);
    assert_eq!(
        hand.end(),
        RunOutcome::BudgetExhausted {
            budget: Budget::Steps
        }
    );
}

#[test]
fn a_person_may_think_as_long_as_they_like() {
    let mut hand = Hand::with(Budgets {
        max_seconds: 100,
        ..Budgets::default()
    });
    hand.reply(main(), "", vec![lookup("a")]);
    hand.start(main(), "a");
    hand.raise(main(), "a", 1);
    assert_eq!(hand.thread.deadline(), None);
    hand.now += 10_000;
    hand.answer(1, json!("yes")).unwrap();
    assert_eq!(hand.keys(), [tool(main(), "a")]);
    // A crash is no working time either.
    hand.now += 10_000;
    hand.run(Budgets {
        max_seconds: 100,
        ..Budgets::default()
    });
    assert_eq!(hand.keys(), [tool(main(), "a")]);
    hand.now += 100;
    hand.start(main(), "a");
    assert_eq!(hand.keys(), [EffectKey::End]);
}

#[test]
fn the_driver_may_find_a_budget_exhausted() {
    let mut hand = Hand::started();
    hand.log(EventBody::BudgetExhausted {
        budget: Budget::Time,
    });
    assert_eq!(
        hand.end(),
        RunOutcome::BudgetExhausted {
            budget: Budget::Time
        }
    );
}

#[test]
fn a_large_result_is_kept_as_a_file_and_shown_in_part() {
    let mut hand = Hand::started();
    hand.reply(main(), "", vec![lookup("../a b")]);
    let text: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    hand.returns(main(), "../a b", ToolOutcome::success(text.clone()));
    let (_, shown) = hand.only_answer();
    assert!(shown.len() < 1_000 && shown.contains("line 0\n") && shown.contains("line 19999\n"));
    assert_eq!(
        hand.thread
            .state()
            .files()
            .get("/large_tool_results/___a_b"),
        Some(text.as_str())
    );
    assert!(shown.contains("`/large_tool_results/___a_b`"), "{shown}");
}

#[test]
fn time_that_runs_out_between_two_starts_does_not_break_the_driver() {
    let mut hand = Hand::with(Budgets {
        max_seconds: 100,
        ..Budgets::default()
    });
    hand.reply(main(), "", vec![lookup("a"), lookup("b")]);
    hand.now += 200;
    hand.start(main(), "a");
    hand.start(main(), "b");
    assert_eq!(
        hand.end(),
        RunOutcome::BudgetExhausted {
            budget: Budget::Time
        }
    );
}
