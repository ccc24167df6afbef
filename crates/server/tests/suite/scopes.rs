//! What a key was not made for is refused, and nothing of it is begun.

use axum::http::StatusCode;
use ecs_agent_server::{Action, Actions};
use serde_json::{Value, json};

use super::house::{ASSISTANT, House, get, post, read, with_key};

async fn send(
    house: &House,
    key: &str,
    request: axum::http::Request<axum::body::Body>,
) -> (StatusCode, Value) {
    read(house.send(with_key(request, key)).await).await
}

#[tokio::test]
async fn a_key_does_what_it_was_made_for() {
    let house = House::with_keys().await;
    let all = house.key("acme", Actions::all()).await;
    let only = |action: Action| house.key("acme", [action].into_iter().collect());
    let ask = json!({"assistant_id": ASSISTANT, "input": {"messages": "api is down"}});
    let (_, thread) = send(&house, &all, post("/threads", &json!({}))).await;
    let thread = thread["thread_id"].as_str().unwrap().to_owned();
    let wait = format!("/threads/{thread}/runs/wait");

    let reader = only(Action::Read).await;
    for (request, status) in [
        (get(&format!("/threads/{thread}")), StatusCode::OK),
        (post("/threads/search", &json!({})), StatusCode::OK),
        (post("/threads", &json!({})), StatusCode::FORBIDDEN),
        (post(&wait, &ask), StatusCode::FORBIDDEN),
        (post("/runs/wait", &ask), StatusCode::FORBIDDEN),
    ] {
        let path = request.uri().to_string();
        let (given, body) = send(&house, &reader, request).await;
        assert_eq!(given, status, "{path} {body}");
        if status == StatusCode::FORBIDDEN {
            assert!(
                body["detail"].as_str().unwrap().contains("`diagnose`"),
                "{body}"
            );
        }
    }
    let (_, count) = send(&house, &reader, post("/threads/count", &json!({}))).await;
    assert_eq!(count, 1, "what was refused made no thread");

    let diagnoser = only(Action::Diagnose).await;
    let (given, _) = send(&house, &diagnoser, get(&format!("/threads/{thread}"))).await;
    assert_eq!(given, StatusCode::FORBIDDEN);
    let (given, waited) = send(&house, &diagnoser, post(&wait, &ask)).await;
    assert_eq!(
        (given, waited["__interrupt__"].is_array()),
        (StatusCode::OK, true),
        "{waited}"
    );
    let auditor = only(Action::ReadAudit).await;
    let (given, _) = send(&house, &auditor, post("/threads/search", &json!({}))).await;
    assert_eq!(given, StatusCode::FORBIDDEN);
}
