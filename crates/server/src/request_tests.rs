use serde_json::json;

use super::*;

fn request(body: Value) -> RunRequest {
    serde_json::from_value(body).unwrap()
}

#[test]
fn human_words_are_read_in_every_form_that_clients_send() {
    let cases = [
        json!({"messages": [{"role": "user", "content": "api is down"}]}),
        json!({"messages": [{"type": "human", "content": "api is down", "id": "x"}]}),
        json!({"messages": [["user", "api is down"]]}),
        json!({"messages": "api is down"}),
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "api is down"}]}]}),
    ];
    for input in cases {
        let wanted = request(json!({"assistant_id": GRAPH_ID, "input": input})).wanted(None);
        assert_eq!(
            wanted.unwrap(),
            Wanted::Say("api is down".to_owned()),
            "{input}"
        );
    }
}

#[test]
fn what_is_no_human_message_is_refused() {
    let cases = [
        json!({"messages": [{"role": "assistant", "content": "done"}]}),
        json!({"messages": [{"type": "tool", "content": "done", "tool_call_id": "x"}]}),
        json!({"messages": [{"role": "user", "content": 7}]}),
        json!({"messages": []}),
        json!({"messages": " "}),
        json!({"text": "api"}),
        json!(7),
    ];
    for input in cases {
        let wanted = request(json!({"assistant_id": GRAPH_ID, "input": input})).wanted(None);
        assert!(matches!(wanted, Err(ApiError::Invalid(_))), "{input}");
    }
}

#[test]
fn commands_and_empty_members_are_understood() {
    let cases = [
        (
            json!({"command": {"resume": {"decisions": []}, "goto": [], "update": null}}),
            Wanted::Resume(json!({"decisions": []})),
        ),
        (
            json!({"command": {"goto": "__end__", "update": null}}),
            Wanted::End,
        ),
        (json!({"input": null}), Wanted::GoOn),
        (json!({}), Wanted::GoOn),
        (
            json!({"input": {"messages": "again"}, "config": {"configurable": {"__pregel_resuming": true}}}),
            Wanted::GoOn,
        ),
    ];
    for (body, wanted) in cases {
        assert_eq!(
            request(body.clone()).wanted(None).unwrap(),
            wanted,
            "{body}"
        );
    }
}

#[test]
fn what_is_not_offered_is_named() {
    let cases = [
        (json!({"assistant_id": "other"}), "assistant_id"),
        (json!({}), "assistant_id"),
        (
            json!({"assistant_id": GRAPH_ID, "interrupt_before": ["tools"]}),
            "interrupt_before",
        ),
        (
            json!({"assistant_id": GRAPH_ID, "command": {"update": {"files": {}}}}),
            "command.update",
        ),
        (
            json!({"assistant_id": GRAPH_ID, "command": {"goto": "tools"}}),
            "command.goto",
        ),
        (
            json!({"assistant_id": GRAPH_ID, "context": {"a": 1}, "config": {"configurable": {"b": 1}}}),
            "not both",
        ),
    ];
    for (body, word) in cases {
        let error = request(body.clone()).check().unwrap_err();
        assert!(error.to_string().contains(word), "{body}: {error}");
    }
    assert!(
        request(json!({"assistant_id": ASSISTANT_ID, "interrupt_before": []}))
            .check()
            .is_ok()
    );
}
