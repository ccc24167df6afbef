//! Two tenants: what one has does not exist for the other, on any route.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use ecs_agent_server::Actions;
use serde_json::{Value, json};

use super::house::{ASSISTANT, House, get, post, read, text, with_key};

/// Ids of one tenant.
#[derive(Debug, Clone)]
pub(super) struct Ids {
    pub(super) thread: String,
    pub(super) run: String,
    pub(super) checkpoint: String,
    pub(super) interrupt: String,
}

impl Ids {
    /// Ids of nothing.
    pub(super) fn nobody() -> Self {
        Self {
            thread: "01a20000-0000-7000-8000-000000000001".to_owned(),
            run: "01a20000-0000-7000-8000-000000000002".to_owned(),
            checkpoint: "1f100000-0000-6000-8000-000000000001".to_owned(),
            interrupt: "0123456789abcdef0123456789abcdef".to_owned(),
        }
    }
}

/// Every request that names something of a tenant by its id. `true` where the id is in a path, so
/// that the answer for what is not there is 404.
pub(super) fn requests(ids: &Ids) -> Vec<(bool, Request<Body>)> {
    let Ids {
        thread,
        run,
        checkpoint,
        interrupt,
    } = ids;
    let say = json!({"assistant_id": ASSISTANT, "input": {"messages": "hi"}});
    let resume =
        json!({"assistant_id": ASSISTANT, "command": {"resume": {interrupt.as_str(): "a"}}});
    let end = json!({"assistant_id": ASSISTANT, "command": {"goto": "__end__"}});
    let go_on = json!({"assistant_id": ASSISTANT});
    let forked = json!({"assistant_id": ASSISTANT, "input": {"messages": "hi"}, "checkpoint_id": checkpoint});
    let mut asked = vec![
        (true, get(&format!("/threads/{thread}"))),
        (true, get(&format!("/threads/{thread}/state"))),
        (true, get(&format!("/threads/{thread}/state/{checkpoint}"))),
        (
            true,
            post(&format!("/threads/{thread}/state/checkpoint"), &json!({})),
        ),
        (
            true,
            post(
                &format!("/threads/{thread}/state/checkpoint"),
                &json!({"checkpoint": {"checkpoint_id": checkpoint}}),
            ),
        ),
        (
            true,
            post(
                &format!("/threads/{thread}/state/checkpoint"),
                &json!({"checkpoint": {"checkpoint_ns": "tools:1"}}),
            ),
        ),
        (true, get(&format!("/threads/{thread}/history?limit=3"))),
        (
            true,
            post(&format!("/threads/{thread}/history"), &json!({})),
        ),
        (
            true,
            post(
                &format!("/threads/{thread}/history"),
                &json!({"before": checkpoint}),
            ),
        ),
        (true, get(&format!("/threads/{thread}/runs"))),
        (true, get(&format!("/threads/{thread}/runs/{run}"))),
        (true, get(&format!("/threads/{thread}/runs/{run}/join"))),
        (true, get(&format!("/threads/{thread}/runs/{run}/stream"))),
        (
            true,
            post(&format!("/threads/{thread}/runs/{run}/cancel"), &json!({})),
        ),
        (false, post("/threads/search", &json!({"ids": [thread]}))),
        (false, post("/threads/count", &json!({"ids": [thread]}))),
    ];
    for body in [&say, &resume, &end, &go_on, &forked] {
        for path in ["runs", "runs/stream", "runs/wait"] {
            asked.push((true, post(&format!("/threads/{thread}/{path}"), body)));
        }
    }
    asked
}

/// The table above forgets no route: each path of the router that names a thread, with each of its
/// methods, is asked by it.
#[test]
fn every_route_with_an_id_is_in_the_table() {
    let router = include_str!("../../src/api/mod.rs");
    let ids = Ids::nobody();
    let asked: Vec<(String, String)> = requests(&ids)
        .iter()
        .map(|(_, request)| {
            let method = request.method().as_str().to_lowercase();
            (method, request.uri().path().to_owned())
        })
        .collect();
    let mut routes = 0;
    for route in router.split(".route(").skip(1) {
        let path = route.split('"').nth(1).unwrap();
        if !path.contains("{thread}") {
            continue;
        }
        let path = path
            .replace("{thread}", &ids.thread)
            .replace("{run}", &ids.run)
            .replace("{checkpoint}", &ids.checkpoint);
        for method in ["get", "post", "put", "patch", "delete"] {
            if route.contains(&format!("{method}(")) {
                routes += 1;
                assert!(
                    asked.contains(&(method.to_owned(), path.clone())),
                    "{method} {path}"
                );
            }
        }
    }
    assert!(routes >= 12, "{routes}");
}

/// A thread with a run that asked something, of whoever holds this key.
pub(super) async fn busy_thread(house: &House, key: &str) -> Ids {
    let ask = json!({"assistant_id": ASSISTANT, "input": {"messages": "api is down"}});
    let send = async |request| read(house.send(with_key(request, key)).await).await.1;
    let made = send(post("/threads", &json!({}))).await;
    let thread = made["thread_id"].as_str().unwrap().to_owned();
    let waited = send(post(&format!("/threads/{thread}/runs/wait"), &ask)).await;
    let runs = send(get(&format!("/threads/{thread}/runs"))).await;
    let state = send(get(&format!("/threads/{thread}/state"))).await;
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    Ids {
        thread,
        run: word(&runs[0]["run_id"]),
        checkpoint: word(&state["checkpoint_id"]),
        interrupt: word(&waited["__interrupt__"][0]["id"]),
    }
}

/// Everything of an answer that its receiver can see.
async fn seen(response: Response) -> (StatusCode, HeaderMap, String) {
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, text(response).await)
}

#[tokio::test]
async fn what_is_another_tenants_answers_as_what_is_not_there() {
    let house = House::with_keys().await;
    let (ours, theirs) = (
        house.key("acme", Actions::all()).await,
        house.key("globex", Actions::all()).await,
    );
    let there = busy_thread(&house, &theirs).await;
    let before = everything(&house, &theirs, &there).await;
    for (((in_path, foreign), (_, nothing)), (_, own)) in requests(&there)
        .into_iter()
        .zip(requests(&Ids::nobody()))
        .zip(requests(&there))
    {
        let what = format!("{} {}", foreign.method(), foreign.uri());
        let foreign = seen(house.send(with_key(foreign, &ours)).await).await;
        let nothing = seen(house.send(with_key(nothing, &ours)).await).await;
        assert_eq!(foreign, nothing, "{what}");
        if in_path {
            assert_eq!(foreign.0, StatusCode::NOT_FOUND, "{what}");
            assert_eq!(foreign.2, "{\"detail\":\"Thread not found\"}", "{what}");
        } else {
            assert!(
                ["[]", "0"].contains(&foreign.2.as_str()),
                "{what} {}",
                foreign.2
            );
        }
        // The control: to whom it belongs, a reading request shows it.
        if own.method() == "GET" || !in_path {
            let own = seen(house.send(with_key(own, &theirs)).await).await;
            assert_eq!(own.0, StatusCode::OK, "{what} {}", own.2);
            assert_ne!(own.2, nothing.2, "{what}");
        }
    }
    assert_eq!(
        everything(&house, &theirs, &there).await,
        before,
        "nothing was touched"
    );
}

/// What a tenant has, as they see it.
async fn everything(house: &House, key: &str, ids: &Ids) -> Vec<String> {
    let mut all = Vec::new();
    for request in [
        get(&format!("/threads/{}", ids.thread)),
        post(
            &format!("/threads/{}/history", ids.thread),
            &json!({"limit": 1000}),
        ),
        get(&format!("/threads/{}/runs", ids.thread)),
        post("/threads/count", &json!({})),
    ] {
        all.push(text(house.send(with_key(request, key)).await).await);
    }
    all
}

#[tokio::test]
async fn two_tenants_may_use_the_same_id_and_stay_apart() {
    let house = House::with_keys().await;
    let (ours, theirs) = (
        house.key("acme", Actions::all()).await,
        house.key("globex", Actions::all()).await,
    );
    let id = "01a20000-0000-7000-8000-00000000000a";
    let ask = |words: &str| json!({"assistant_id": ASSISTANT, "input": {"messages": words}});
    for (key, words) in [(&ours, "ours is down"), (&theirs, "theirs is down")] {
        let made = house
            .send(with_key(post("/threads", &json!({"thread_id": id})), key))
            .await;
        assert_eq!(made.status(), StatusCode::OK, "{}", text(made).await);
        let path = format!("/threads/{id}/runs/wait");
        let (status, waited) =
            read(house.send(with_key(post(&path, &ask(words)), key)).await).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(waited["messages"][0]["content"], words);
    }
    let again = with_key(post("/threads", &json!({"thread_id": id})), &ours);
    assert_eq!(house.send(again).await.status(), StatusCode::CONFLICT);
    let answer = json!({"assistant_id": ASSISTANT, "command": {"resume": {"choice": "a"}}});
    let path = format!("/threads/{id}/runs/wait");
    let (_, ended) = read(house.send(with_key(post(&path, &answer), &ours)).await).await;
    assert_eq!(ended.get("__interrupt__"), None, "{ended}");
    let (_, shown) = read(
        house
            .send(with_key(get(&format!("/threads/{id}")), &theirs))
            .await,
    )
    .await;
    assert_eq!(shown["status"], "interrupted", "theirs still waits");
    assert_eq!(shown["values"]["messages"][0]["content"], "theirs is down");
}

#[tokio::test]
async fn one_tenant_does_not_take_every_run() {
    let house = House::with(|config| {
        config.authentication = ecs_agent_server::Authentication::ApiKeys;
        config.limits.runs_per_tenant = 0;
    })
    .await;
    let key = house.key("acme", Actions::all()).await;
    let ask = json!({"assistant_id": ASSISTANT, "input": {"messages": "api is down"}});
    let response = house.send(with_key(post("/runs/wait", &ask), &key)).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(response.headers().contains_key(header::RETRY_AFTER));
    assert!(text(response).await.contains("of this tenant"));
}

/// The places where a scope is made from a tenant's id: a verified credential, or the operator's
/// own commands. Whoever adds one decides whose rows are read.
#[test]
fn a_tenants_scope_is_made_where_a_credential_was_verified() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap();
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs")
                && !path.to_string_lossy().ends_with("_tests.rs")
                && std::fs::read_to_string(&path)
                    .unwrap()
                    .contains("TenantScope::authenticated(")
            {
                let path = path.strip_prefix(root).unwrap();
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    assert_eq!(
        found,
        [
            "cli/src/commands/keys.rs",
            "server/src/authentication/caller.rs"
        ]
    );
}
