//! Tools that wait for a person's decision before each call.

use super::*;
use crate::configuration::{ApprovalRule, Configuration, DecisionKind};

fn gated(tools: &[&str]) -> Hand {
    let rule = |tool: &&str| ((*tool).to_owned(), ApprovalRule::any());
    configured(Configuration {
        approvals: tools.iter().map(rule).collect(),
        ..Configuration::default()
    })
}

fn configured(configuration: Configuration) -> Hand {
    let mut hand = Hand::idle();
    hand.log(EventBody::Configured { configuration });
    hand.run(Budgets::default());
    hand.say("go");
    hand
}

/// Raises the question that a call has to wait for, as a driver would.
fn ask(hand: &mut Hand, frame: FramePath, call: &str, n: u128) -> Value {
    let key = EffectKey::Question(frame, call.into());
    let Some(Effect::RaiseInterrupt {
        frame,
        call_id,
        payload,
    }) = hand.thread.effect(&key)
    else {
        panic!("{:?}", hand.keys());
    };
    hand.log(EventBody::InterruptRaised {
        frame,
        call_id,
        interrupt_id: interrupt(n),
        payload: payload.clone(),
    });
    payload
}

#[test]
fn an_approved_call_is_carried_out_and_not_before() {
    let mut hand = gated(&["lookup"]);
    hand.reply(main(), "", vec![lookup("a")]);
    let start = EventBody::ToolStarted {
        frame: main(),
        call_id: "a".into(),
    };
    assert!(hand.try_log(start).is_err(), "nobody approved");
    let payload = ask(&mut hand, main(), "a", 1);
    assert_eq!(payload["tool"], "lookup");
    assert_eq!(hand.thread.status(), ThreadStatus::Interrupted);
    hand.answer(1, json!({"decision": "approve"})).unwrap();
    assert_eq!(hand.keys(), [tool(main(), "a")]);
}

#[test]
fn an_edited_call_is_carried_out_as_edited_and_the_model_is_told() {
    let mut hand = gated(&["write_file"]);
    let arguments = json!({"file_path": "/a.md", "content": "mine"});
    hand.reply(
        main(),
        "",
        vec![ToolCall::new("w", "write_file", arguments)],
    );
    assert_eq!(hand.thread.state().files().len(), 0);
    ask(&mut hand, main(), "w", 1);
    let edit = json!({"file_path": "/a.md", "content": "theirs"});
    hand.answer(1, json!({"decision": "edit", "arguments": edit}))
        .unwrap();
    assert_eq!(hand.thread.state().files().get("/a.md"), Some("theirs"));
    let (status, text) = hand.only_answer();
    assert_eq!(status, ToolStatus::Success);
    assert!(text.contains("ann changed the arguments"), "{text}");
}

#[test]
fn a_person_may_reject_or_answer_in_the_tools_place() {
    let cases = [
        (
            json!({"decision": "reject", "message": "not today"}),
            ToolStatus::Error,
            "not today",
        ),
        (
            json!({"decision": "respond", "message": "it is blue"}),
            ToolStatus::Success,
            "it is blue",
        ),
    ];
    for (answer, expected, words) in cases {
        let mut hand = gated(&["lookup"]);
        hand.reply(main(), "", vec![lookup("a")]);
        ask(&mut hand, main(), "a", 1);
        hand.answer(1, answer).unwrap();
        let (status, text) = hand.only_answer();
        assert!(status == expected && text.contains(words), "{text}");
        assert_eq!(hand.keys(), [model(main())]);
    }
}

#[test]
fn what_may_not_be_decided_is_refused_and_the_question_stays() {
    let only_approve = ApprovalRule {
        decisions: [DecisionKind::Approve, DecisionKind::Edit].into(),
    };
    let mut hand = configured(Configuration {
        approvals: [("lookup".to_owned(), only_approve)].into(),
        ..Configuration::default()
    });
    hand.reply(main(), "", vec![lookup("a")]);
    ask(&mut hand, main(), "a", 1);
    for answer in [
        json!("yes"),
        json!({"decision": "reject"}),
        json!({"decision": "edit", "arguments": {"name": 7}}),
    ] {
        let refusal = hand.answer(1, answer).unwrap_err();
        assert!(
            matches!(refusal, ApplyError::Decision { .. }),
            "{refusal:?}"
        );
        assert_eq!(hand.thread.state().interrupts().len(), 1);
    }
    hand.answer(1, json!({"decision": "approve"})).unwrap();
}

#[test]
fn two_subagents_ask_side_by_side_and_each_answer_finds_its_call() {
    let mut hand = gated(&["lookup"]);
    hand.reply(main(), "", vec![task("t1"), task("t2")]);
    for (n, name) in [(1, "t1"), (2, "t2")] {
        hand.reply(sub(name), "", vec![lookup("x")]);
        ask(&mut hand, sub(name), "x", n);
    }
    hand.answer(2, json!({"decision": "approve"})).unwrap();
    hand.start(sub("t2"), "x");
    hand.returns(sub("t2"), "x", ToolOutcome::success("found"));
    // A crash and the other answer: what is done stays done.
    hand.run(Budgets::default());
    assert_eq!(
        hand.keys(),
        [EffectKey::Person(interrupt(1)), model(sub("t2"))]
    );
    hand.answer(1, json!({"decision": "approve"})).unwrap();
    assert_eq!(hand.keys(), [tool(sub("t1"), "x"), model(sub("t2"))]);
}

#[test]
fn a_call_that_could_not_be_carried_out_bothers_nobody() {
    let mut hand = gated(&["lookup", "read_file"]);
    let calls = vec![
        ToolCall::new("a", "lookup", json!({})),
        ToolCall::new("b", "read_file", json!({"file_path": 3})),
    ];
    hand.reply(main(), "", calls);
    assert_eq!(hand.keys(), [model(main())]);
}

#[test]
fn an_approved_task_starts_its_subagent() {
    let mut hand = gated(&["task"]);
    hand.reply(main(), "", vec![task("t")]);
    ask(&mut hand, main(), "t", 1);
    hand.answer(1, json!({"decision": "approve"})).unwrap();
    assert_eq!(hand.keys(), [model(sub("t"))]);
}
