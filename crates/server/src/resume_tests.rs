use chrono::DateTime;
use ecs_agent_runtime::{AgentName, FramePath, ToolCall};

use super::*;

fn open(id: u128, payload: Value) -> OpenInterrupt {
    OpenInterrupt {
        id: InterruptId::new(Uuid::from_u128(id)),
        frame: FramePath::main(),
        agent: AgentName::new("main"),
        call: ToolCall::new("call", "propose_plan", json!({})),
        payload,
        raised_at: DateTime::from_timestamp(0, 0).unwrap(),
        rule: None,
    }
}

fn approval() -> OpenInterrupt {
    open(
        7,
        json!({"kind": "approval", "plan_hash": "abc", "plan": {}}),
    )
}

fn question() -> OpenInterrupt {
    let options = json!([{"id": "a", "label": "api in shop"}, {"id": "b", "label": "api in lab"}]);
    open(
        8,
        json!({"kind": "question", "question": "Which?", "options": options}),
    )
}

#[test]
fn decisions_are_read_in_every_form_that_clients_send() {
    let approve = json!({"decisions": [{"type": "approve"}]});
    let reject = json!({"decisions": [{"type": "reject", "message": "not now"}]});
    let hex = "00000000000000000000000000000007";
    let cases = [
        (approve.clone(), &approve),
        (
            json!({"decisions": [{"type": "approve"}], "plan_hash": "abc"}),
            &approve,
        ),
        (json!([{"type": "accept"}]), &approve),
        (json!({ hex: approve }), &approve),
        (reject.clone(), &reject),
        (json!([{"type": "response", "args": "not now"}]), &reject),
    ];
    for (resume, value) in cases {
        let question = approval();
        let read = answer(&resume, &[&question]).unwrap().unwrap();
        assert_eq!(
            read,
            Answer {
                interrupt: question.id,
                value: value.clone()
            },
            "{resume}"
        );
    }
}

#[test]
fn a_slip_decides_nothing() {
    let question = approval();
    let cases = [
        json!("approve"),
        json!(true),
        json!({}),
        json!({"decisions": []}),
        json!({"decisions": [{"type": "approve"}, {"type": "approve"}]}),
        json!({"decisions": [{"type": "yes"}]}),
        json!({"decisions": [{"type": "edit", "edited_action": {}}]}),
        json!({"decisions": [{"type": "approve"}], "plan_hash": "another"}),
        json!({"00000000000000000000000000000009": {"decisions": [{"type": "approve"}]}}),
    ];
    for resume in cases {
        assert!(answer(&resume, &[&question]).is_err(), "{resume}");
    }
}

#[test]
fn a_choice_is_one_of_the_options() {
    let question = question();
    for said in [json!({"choice": "b"}), json!("b"), json!("api in lab")] {
        let read = answer(&said, &[&question]).unwrap().unwrap();
        assert_eq!(read.value, json!({"choice": "b"}), "{said}");
    }
    assert!(answer(&json!("c"), &[&question]).is_err());
}

#[test]
fn several_open_questions_are_answered_by_id() {
    let (first, second) = (approval(), question());
    let both = [&first, &second];
    assert!(answer(&json!("b"), &both).is_err());
    let by_id = json!({"00000000000000000000000000000008": "b"});
    assert_eq!(answer(&by_id, &both).unwrap().unwrap().interrupt, second.id);
    assert_eq!(answer(&json!("b"), &[]).unwrap(), None);
}
