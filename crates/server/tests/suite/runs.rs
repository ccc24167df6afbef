//! A run from its first word to its end, with a question in between.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::house::{ASSISTANT, House, get, post};

fn ask() -> Value {
    json!({
        "assistant_id": ASSISTANT,
        "input": {"messages": [{"role": "user", "content": "api is down"}]},
        "stream_mode": ["values", "updates"],
    })
}

fn answer(choice: &str) -> Value {
    json!({"assistant_id": ASSISTANT, "command": {"resume": {"choice": choice}}})
}

#[tokio::test]
async fn a_question_is_asked_seen_everywhere_and_answered() {
    let house = House::new().await;
    let thread = house.thread().await;
    let (_, fresh) = house.get(&format!("/threads/{thread}/state")).await;
    assert_eq!(fresh["values"], json!({}));

    let (status, waited) = house
        .post(&format!("/threads/{thread}/runs/wait"), ask())
        .await;
    assert_eq!(status, StatusCode::OK);
    let interrupt = &waited["__interrupt__"][0];
    assert_eq!(interrupt["value"]["kind"], "question");
    assert_eq!(interrupt["id"].as_str().unwrap().len(), 32);
    assert_eq!(waited["todos"][0]["status"], "in_progress");

    let (_, shown) = house.get(&format!("/threads/{thread}")).await;
    assert_eq!(shown["status"], "interrupted");
    assert_eq!(shown["metadata"]["graph_id"], ASSISTANT);
    assert_eq!(
        shown["interrupts"]
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap()[0],
        *interrupt
    );
    let (_, state) = house.get(&format!("/threads/{thread}/state")).await;
    assert_eq!(state["next"], json!(["tools"]));
    assert_eq!(state["tasks"][0]["interrupts"][0], *interrupt);
    let filter = json!({"status": "interrupted", "metadata": {"graph_id": ASSISTANT}});
    let (_, found) = house.post("/threads/search", filter).await;
    assert_eq!(found[0]["thread_id"], thread);
    let (_, runs) = house.get(&format!("/threads/{thread}/runs")).await;
    assert_eq!(
        runs[0]["status"], "success",
        "a run that asks has done what it could"
    );

    let (status, refused) = house
        .post(&format!("/threads/{thread}/runs/wait"), answer("z"))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    let (_, ended) = house
        .post(&format!("/threads/{thread}/runs/wait"), answer("b"))
        .await;
    assert_eq!(ended.get("__interrupt__"), None);
    let last = ended["messages"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(last["type"], "ai");
    assert!(
        last["content"]
            .as_str()
            .unwrap()
            .contains("\"choice\":\"b\""),
        "{last}"
    );
    let (_, shown) = house.get(&format!("/threads/{thread}")).await;
    assert_eq!(
        (&shown["status"], &shown["interrupts"]),
        (&json!("idle"), &json!({}))
    );
    let (_, history) = house
        .post(&format!("/threads/{thread}/history"), json!({"limit": 100}))
        .await;
    let steps = history.as_array().unwrap();
    assert_eq!(steps[0]["values"], ended);
    assert_eq!(steps[0]["parent_checkpoint"], steps[1]["checkpoint"]);
    assert_eq!(steps.last().unwrap()["metadata"]["source"], "input");
    let id = steps[1]["checkpoint_id"].as_str().unwrap();
    let (_, earlier) = house.get(&format!("/threads/{thread}/state/{id}")).await;
    assert_eq!(earlier, steps[1]);

    let (_, nothing) = house
        .post(&format!("/threads/{thread}/runs/wait"), answer("b"))
        .await;
    assert_eq!(nothing, ended, "with nothing open a resume ends at once");
}

#[tokio::test]
async fn a_stream_is_complete_and_can_be_cut_anywhere() {
    let house = House::new().await;
    let thread = house.thread().await;
    let events = house
        .events(post(&format!("/threads/{thread}/runs/stream"), &ask()))
        .await;
    let names: Vec<&str> = events.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!((names[0], names[1]), ("metadata", "values"));
    assert_eq!(names[names.len() - 2..], ["updates", "values"]);
    assert_eq!(events[1].1["messages"][0]["content"], "api is down");
    assert_eq!(
        events[names.len() - 2].1["__interrupt__"][0]["value"]["kind"],
        "question"
    );
    let run = events[0].1["run_id"].as_str().unwrap();

    let path = format!(
        "/threads/{thread}/runs/{run}/stream?stream_mode=values&stream_mode=updates&stream_mode=&cancel_on_disconnect=0"
    );
    for cut in 0..events.len() {
        let mut request = get(&path);
        request
            .headers_mut()
            .insert("last-event-id", events[cut].2.parse().unwrap());
        assert_eq!(
            house.events(request).await,
            events[cut + 1..],
            "after {cut}"
        );
    }
    let mut request = get(&path);
    request
        .headers_mut()
        .insert("last-event-id", "-1".parse().unwrap());
    assert_eq!(house.events(request).await, events);
    assert_eq!(
        house.events(get(&path)).await,
        [],
        "without a place: only what is still to come"
    );
}

#[tokio::test]
async fn the_turn_can_be_ended_without_an_answer() {
    let house = House::new().await;
    let thread = house.thread().await;
    house
        .post(&format!("/threads/{thread}/runs/wait"), ask())
        .await;
    let resolved =
        json!({"assistant_id": ASSISTANT, "command": {"goto": "__end__", "update": null}});
    let (status, ended) = house
        .post(&format!("/threads/{thread}/runs/wait"), resolved)
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(ended.get("__interrupt__"), None);
    let (_, shown) = house.get(&format!("/threads/{thread}")).await;
    assert_eq!(shown["status"], "idle");
}

#[tokio::test]
async fn a_run_without_a_thread_gets_one() {
    let house = House::new().await;
    let (status, waited) = house.post("/runs/wait", ask()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(waited["__interrupt__"][0]["value"]["kind"], "question");
    let (_, count) = house.post("/threads/count", json!({})).await;
    assert_eq!(count, 1);
    let (_, runs) = house
        .post("/runs/wait", json!({"assistant_id": ASSISTANT}))
        .await;
    assert!(
        runs["detail"]
            .as_str()
            .unwrap()
            .contains("nothing was said"),
        "{runs}"
    );
}
