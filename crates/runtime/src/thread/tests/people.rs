//! What a person says and is asked.

use super::*;

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
