use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::agent::ToolSpec;
use crate::budget::Budgets;
use crate::ids::{MessageId, RunId};
use crate::message::{Message, ToolCall, ToolOutcome, ToolStatus, Usage};

/// A thread that is driven by hand, second by second.
struct Hand {
    thread: Thread,
    log: Vec<Event>,
    now: i64,
}

fn spec() -> AgentSpec {
    let lookup = ToolSpec {
        name: "lookup".to_owned(),
        description: "Look something up.".to_owned(),
        input_schema: json!({
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        }),
    };
    let mut helper = AgentSpec::new("helper", "helps", "You help.");
    helper.tools.push(lookup.clone());
    let mut main = AgentSpec::new("main", "does", "You do.");
    main.tools.push(lookup);
    main.subagents.push(helper);
    main
}

fn main() -> FramePath {
    FramePath::main()
}

fn sub(call: &str) -> FramePath {
    main().child(call.into())
}

fn lookup(id: &str) -> ToolCall {
    ToolCall::new(id, "lookup", json!({"name": "x"}))
}

fn task(id: &str) -> ToolCall {
    ToolCall::new(
        id,
        "task",
        json!({"description": "look", "subagent_type": "helper"}),
    )
}

fn interrupt(n: u128) -> InterruptId {
    InterruptId::new(Uuid::from_u128(n))
}

impl Hand {
    fn idle() -> Self {
        Self {
            thread: Thread::new(spec()),
            log: Vec::new(),
            now: 0,
        }
    }

    fn started() -> Self {
        Self::with(Budgets::default())
    }

    fn with(budgets: Budgets) -> Self {
        let mut hand = Self::idle();
        hand.run(budgets);
        hand.say("go");
        hand
    }

    fn try_log(&mut self, body: EventBody) -> Result<(), ApplyError> {
        self.now += 1;
        let event = Event::new(DateTime::from_timestamp(self.now, 0).unwrap(), body);
        let before = self.thread.clone();
        let result = self.thread.apply(&event);
        match &result {
            Ok(()) => self.log.push(event),
            Err(_) => assert_eq!(self.thread, before, "a refused event changes nothing"),
        }
        result
    }

    fn log(&mut self, body: EventBody) {
        self.try_log(body).unwrap();
    }

    fn run(&mut self, budgets: Budgets) {
        self.log(EventBody::RunStarted {
            run: RunId::new(Uuid::from_u128(1)),
            budgets,
        });
    }

    fn say(&mut self, text: &str) {
        let id = MessageId::new(Uuid::from_u128(1));
        self.log(EventBody::HumanSaid {
            id,
            text: text.to_owned(),
        });
    }

    fn reply(&mut self, frame: FramePath, text: &str, tool_calls: Vec<ToolCall>) {
        let usage = Usage {
            input_tokens: 10,
            output_tokens: 1,
        };
        self.log(EventBody::ModelReplied {
            frame,
            text: text.to_owned(),
            tool_calls,
            usage,
        });
    }

    fn start(&mut self, frame: FramePath, call: &str) {
        self.log(EventBody::ToolStarted {
            frame,
            call_id: call.into(),
        });
    }

    fn returns(&mut self, frame: FramePath, call: &str, outcome: ToolOutcome) {
        self.log(EventBody::ToolReturned {
            frame,
            call_id: call.into(),
            outcome,
        });
    }

    fn fail(&mut self, frame: FramePath, retryable: bool) {
        self.log(EventBody::ModelFailed {
            frame,
            error: "no answer".to_owned(),
            retryable,
        });
    }

    fn raise(&mut self, frame: FramePath, call: &str, n: u128) {
        self.log(EventBody::InterruptRaised {
            frame,
            call_id: call.into(),
            interrupt_id: interrupt(n),
            payload: json!({"question": n as u64}),
        });
    }

    fn answer(&mut self, n: u128, answer: Value) -> Result<(), ApplyError> {
        self.try_log(EventBody::InterruptAnswered {
            interrupt_id: interrupt(n),
            answer,
            by: "ann".to_owned(),
        })
    }

    fn cancel(&mut self) {
        self.log(EventBody::CancelRequested {
            by: "ann".to_owned(),
        });
    }

    fn end(&mut self) -> RunOutcome {
        let Some(Effect::EndRun { outcome }) = self.thread.effect(&EffectKey::End) else {
            panic!("the run is not ending: {:?}", self.thread.outstanding());
        };
        self.log(EventBody::RunEnded {
            outcome: outcome.clone(),
        });
        outcome
    }

    fn keys(&self) -> Vec<EffectKey> {
        self.thread.outstanding()
    }

    /// The answers in a frame's messages: call, status, text.
    fn answers(&self, frame: &FramePath) -> Vec<(String, ToolStatus, String)> {
        let messages = self.thread.state().frame(frame).unwrap().messages();
        let answers = messages.iter().filter_map(|message| match message {
            Message::Tool {
                call_id,
                status,
                text,
                ..
            } => Some((call_id.to_string(), *status, text.clone())),
            Message::Human { .. } | Message::Ai { .. } => None,
        });
        answers.collect()
    }

    fn only_answer(&self) -> (ToolStatus, String) {
        let answers = self.answers(&main());
        assert_eq!(answers.len(), 1, "{answers:?}");
        (answers[0].1, answers[0].2.clone())
    }
}

fn model(frame: FramePath) -> EffectKey {
    EffectKey::Model(frame)
}

fn tool(frame: FramePath, call: &str) -> EffectKey {
    EffectKey::Tool(frame, call.into())
}

#[test]
fn a_question_is_answered() {
    let mut hand = Hand::idle();
    assert_eq!(hand.thread.status(), ThreadStatus::Idle);
    hand.run(Budgets::default());
    hand.say("go");
    assert_eq!(hand.keys(), [model(main())]);
    hand.reply(main(), "done", vec![]);
    let outcome = hand.end();
    assert_eq!(
        outcome,
        RunOutcome::Completed {
            text: "done".to_owned()
        }
    );
    assert_eq!(hand.thread.status(), ThreadStatus::Ended(outcome));
    assert_eq!(hand.keys(), []);
    assert_eq!(hand.thread.state().usage().total(), 11);
}

#[test]
fn parallel_calls_are_all_outstanding_and_answered_in_the_order_of_the_calls() {
    let mut hand = Hand::started();
    hand.reply(main(), "", vec![lookup("a"), lookup("b")]);
    assert_eq!(hand.keys(), [tool(main(), "a"), tool(main(), "b")]);
    hand.start(main(), "b");
    hand.returns(main(), "b", ToolOutcome::success("B"));
    assert_eq!(hand.keys(), [tool(main(), "a")]);
    hand.returns(main(), "a", ToolOutcome::error("A"));
    assert_eq!(
        hand.answers(&main()),
        [
            ("a".to_owned(), ToolStatus::Error, "A".to_owned()),
            ("b".to_owned(), ToolStatus::Success, "B".to_owned()),
        ]
    );
    assert_eq!(hand.keys(), [model(main())]);
}

#[test]
fn a_call_that_was_started_before_a_crash_comes_back_as_unknown() {
    let mut hand = Hand::started();
    hand.reply(main(), "", vec![lookup("a"), lookup("b")]);
    hand.start(main(), "a");
    hand.run(Budgets::default());
    let attempts: Vec<Attempt> = hand
        .thread
        .effects()
        .into_iter()
        .map(|effect| match effect {
            Effect::CallTool { attempt, .. } => attempt,
            other @ (Effect::CallModel { .. }
            | Effect::AskPerson { .. }
            | Effect::EndRun { .. }) => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(attempts, [Attempt::OutcomeUnknown, Attempt::First]);
}

#[test]
fn nonsense_from_a_model_is_answered_not_fatal() {
    let cases = [
        (
            ToolCall::new("c", "rm_rf", json!({})),
            "there is no tool `rm_rf`",
        ),
        (
            ToolCall::new("c", "lookup", json!("{\"na")),
            "must be a JSON object",
        ),
        (ToolCall::new("c", "lookup", json!({})), "`name` is missing"),
        (
            ToolCall::new("c", "ls", json!([1])),
            "must be a JSON object",
        ),
        (
            ToolCall::new("c", "read_file", json!({"file_path": 3})),
            "cannot be read",
        ),
        (
            ToolCall::new("c", "read_file", json!({"file_path": "/x", "offset": -1})),
            "cannot be read",
        ),
        (
            ToolCall::new(
                "c",
                "write_file",
                json!({"file_path": "/../x", "content": ""}),
            ),
            "not allowed",
        ),
        (ToolCall::new("c", "grep", json!({"pattern": ""})), "empty"),
        (
            ToolCall::new(
                "c",
                "task",
                json!({"description": "x", "subagent_type": "boss"}),
            ),
            "no subagent `boss`",
        ),
        (
            ToolCall::new(
                "c",
                "write_todos",
                json!({"todos": [{"content": "x", "status": "soon"}]}),
            ),
            "cannot be read",
        ),
    ];
    for (call, expected) in cases {
        let mut hand = Hand::started();
        hand.reply(main(), "", vec![call]);
        let (status, text) = hand.only_answer();
        assert!(
            status == ToolStatus::Error && text.contains(expected),
            "{text}"
        );
        assert_eq!(hand.keys(), [model(main())]);
    }
}

#[test]
fn repeated_and_empty_call_ids_are_renamed() {
    let mut hand = Hand::started();
    hand.reply(main(), "", vec![lookup("a"), lookup("a"), lookup("")]);
    assert_eq!(
        hand.keys(),
        [tool(main(), "a"), tool(main(), "a~2"), tool(main(), "call")]
    );
    for call in ["a", "a~2", "call"] {
        hand.returns(main(), call, ToolOutcome::success(call));
    }
    hand.reply(main(), "", vec![lookup("a")]);
    assert_eq!(hand.keys(), [tool(main(), "a~3")]);
}

#[test]
fn todos_are_replaced_once_a_turn() {
    let todos = |id: &str, content: &str| {
        ToolCall::new(
            id,
            "write_todos",
            json!({"todos": [{"content": content, "status": "pending"}]}),
        )
    };
    let mut hand = Hand::started();
    hand.reply(main(), "", vec![todos("a", "one")]);
    assert_eq!(hand.thread.state().todos()[0].content, "one");
    hand.reply(main(), "", vec![todos("b", "two"), todos("c", "three")]);
    assert_eq!(hand.thread.state().todos()[0].content, "one");
    let errors = hand
        .answers(&main())
        .iter()
        .filter(|a| a.1 == ToolStatus::Error)
        .count();
    assert_eq!(errors, 2);
}

#[test]
fn the_later_of_two_changes_of_one_file_in_a_turn_is_refused() {
    let write = |id: &str, path: &str, content: &str| {
        ToolCall::new(
            id,
            "write_file",
            json!({"file_path": path, "content": content}),
        )
    };
    let mut hand = Hand::started();
    hand.reply(
        main(),
        "",
        vec![
            write("a", "/f", "one"),
            write("b", "//f", "two"),
            write("c", "/g", "three"),
        ],
    );
    let files = hand.thread.state().files();
    assert_eq!(
        (files.get("/f"), files.get("/g")),
        (Some("one"), Some("three"))
    );
    assert_eq!(hand.answers(&main())[1].1, ToolStatus::Error);
}

#[test]
fn subagents_run_side_by_side_with_their_own_messages_and_the_threads_files() {
    let mut hand = Hand::started();
    hand.reply(main(), "", vec![task("t1"), task("t2")]);
    assert_eq!(hand.keys(), [model(sub("t1")), model(sub("t2"))]);
    let Some(Effect::CallModel { request, .. }) = hand.thread.effect(&model(sub("t1"))) else {
        panic!("no request");
    };
    assert_eq!(
        request.messages,
        [Message::Human {
            text: "look".to_owned()
        }]
    );
    assert_eq!(request.system, "You help.");
    assert!(
        request.tools.iter().all(|tool| tool.name != "task"),
        "no subagents, no task"
    );
    let write = ToolCall::new(
        "w",
        "write_file",
        json!({"file_path": "/f", "content": "x"}),
    );
    hand.reply(sub("t1"), "noting", vec![write]);
    assert_eq!(hand.thread.state().files().get("/f"), Some("x"));
    hand.reply(sub("t1"), "  ", vec![]);
    assert_eq!(hand.keys(), [model(sub("t2"))]);
    hand.reply(sub("t2"), "", vec![]);
    let answers = hand.answers(&main());
    assert_eq!(
        answers[0],
        ("t1".to_owned(), ToolStatus::Success, "noting".to_owned())
    );
    assert_eq!(
        (answers[1].1, answers[1].2.contains("without a word")),
        (ToolStatus::Error, true)
    );
    assert_eq!(hand.keys(), [model(main())]);
}

#[test]
fn interrupts_inside_subagents_are_answered_by_id_and_rerun_nothing_else() {
    let mut hand = Hand::started();
    hand.reply(main(), "", vec![task("t1"), task("t2")]);
    for frame in ["t1", "t2"] {
        hand.reply(sub(frame), "", vec![lookup("a"), lookup("b")]);
        hand.start(sub(frame), "a");
        hand.returns(sub(frame), "a", ToolOutcome::success("A"));
        hand.start(sub(frame), "b");
    }
    hand.raise(sub("t1"), "b", 1);
    assert_eq!(hand.thread.status(), ThreadStatus::Running);
    hand.raise(sub("t2"), "b", 2);
    assert_eq!(hand.thread.status(), ThreadStatus::Interrupted);
    assert_eq!(hand.keys(), [1, 2].map(|n| EffectKey::Person(interrupt(n))));
    hand.answer(2, json!("yes")).unwrap();
    let effects = hand.thread.effects();
    let [
        Effect::AskPerson { .. },
        Effect::CallTool {
            frame,
            answer,
            attempt,
            ..
        },
    ] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    let answer = answer.as_ref().unwrap();
    assert_eq!((frame, *attempt), (&sub("t2"), Attempt::First));
    assert_eq!(
        (&answer.question, &answer.answer),
        (&json!({"question": 2}), &json!("yes"))
    );
    assert_eq!(
        hand.answer(2, json!("again")),
        Err(ApplyError::UnknownInterrupt(interrupt(2)))
    );
    hand.start(sub("t2"), "b");
    let again = EventBody::InterruptRaised {
        frame: sub("t2"),
        call_id: "b".into(),
        interrupt_id: interrupt(2),
        payload: json!(null),
    };
    assert_eq!(
        hand.try_log(again),
        Err(ApplyError::RepeatedInterrupt(interrupt(2)))
    );
}

#[test]
fn a_new_message_drops_open_questions_and_leaves_no_orphan() {
    let mut hand = Hand::started();
    hand.reply(
        main(),
        "",
        vec![task("t"), lookup("a"), lookup("b"), lookup("c")],
    );
    hand.reply(sub("t"), "", vec![lookup("x")]);
    hand.start(sub("t"), "x");
    hand.start(main(), "a");
    hand.start(main(), "b");
    hand.raise(main(), "b", 1);
    hand.say("something else");
    assert!(hand.thread.state().interrupts().is_empty());
    assert_eq!(
        hand.answer(1, json!("yes")),
        Err(ApplyError::UnknownInterrupt(interrupt(1)))
    );
    let [Effect::CallModel { request, .. }] = &hand.thread.effects()[..] else {
        panic!()
    };
    request.check_orphans().unwrap();
    assert_eq!(hand.answers(&main()).len(), 4);
    // What was started and then left is still recorded, once.
    let late = ToolOutcome::success("late").with_value("seen", json!(true));
    hand.returns(sub("t"), "x", late.clone());
    assert_eq!(hand.thread.state().value("seen"), Some(&json!(true)));
    let twice = EventBody::ToolReturned {
        frame: sub("t"),
        call_id: "x".into(),
        outcome: late,
    };
    assert!(hand.try_log(twice).is_err());
}

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
                other @ (Effect::AskPerson { .. } | Effect::EndRun { .. }) => panic!("{other:?}"),
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
fn an_outcome_changes_files_and_values_and_its_bad_paths_are_named() {
    let mut hand = Hand::started();
    hand.reply(main(), "", vec![lookup("a")]);
    let outcome = ToolOutcome::success("ok")
        .with_file("/report.md", "text")
        .with_file("../x", "text")
        .with_value("plan", json!({"hash": "ab"}));
    hand.returns(main(), "a", outcome);
    assert_eq!(hand.thread.state().files().get("/report.md"), Some("text"));
    assert!(
        hand.only_answer()
            .1
            .contains("a file was not kept: path `../x`")
    );
    hand.reply(main(), "", vec![lookup("b")]);
    let mut outcome = ToolOutcome::success("ok").with_value("plan", Value::Null);
    outcome.files.insert("/report.md".to_owned(), None);
    hand.returns(main(), "b", outcome);
    assert_eq!(hand.thread.state().files().get("/report.md"), None);
    assert_eq!(hand.thread.state().value("plan"), None);
}

#[test]
fn events_that_do_not_fit_are_refused() {
    let mut hand = Hand::idle();
    let reply = |frame| EventBody::ModelReplied {
        frame,
        text: String::new(),
        tool_calls: vec![],
        usage: Usage::default(),
    };
    let cancel = || EventBody::CancelRequested { by: "x".to_owned() };
    assert_eq!(hand.try_log(cancel()), Err(ApplyError::NotRunning));
    hand.run(Budgets::default());
    assert_eq!(
        hand.try_log(reply(main())),
        Err(ApplyError::NotAwaitingModel(main()))
    );
    hand.say("go");
    assert_eq!(
        hand.try_log(reply(sub("x"))),
        Err(ApplyError::UnknownFrame(sub("x")))
    );
    hand.reply(main(), "", vec![lookup("a")]);
    let start = |call: &str| EventBody::ToolStarted {
        frame: main(),
        call_id: call.into(),
    };
    assert!(matches!(
        hand.try_log(start("b")),
        Err(ApplyError::UnknownCall { .. })
    ));
    hand.returns(main(), "a", ToolOutcome::success("x"));
    assert!(matches!(
        hand.try_log(start("a")),
        Err(ApplyError::UnknownCall { .. })
    ));
    hand.reply(main(), "done", vec![]);
    hand.end();
    assert_eq!(hand.try_log(cancel()), Err(ApplyError::NotRunning));
}

#[test]
fn a_second_turn_keeps_the_conversation_and_ends_with_its_own_words() {
    let mut hand = Hand::started();
    hand.reply(main(), "first", vec![]);
    hand.end();
    hand.say("and now?");
    assert_eq!(hand.keys(), [model(main())]);
    assert_eq!(hand.thread.state().messages().len(), 3);
    hand.reply(main(), "", vec![]);
    assert_eq!(
        hand.end(),
        RunOutcome::Completed {
            text: String::new()
        }
    );
    let replayed = Thread::replay(spec(), &hand.log).unwrap();
    assert_eq!(replayed, hand.thread);
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
