//! Model turns, tool calls and subagents.

use super::*;

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
            | Effect::Compact { .. }
            | Effect::UseFiles { .. }
            | Effect::RaiseInterrupt { .. }
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
        reasoning: vec![],
        finish: FinishReason::Complete,
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
