//! What is true of every request.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use ecs_agent_server::{ServeError, ServerConfig, bind, serve};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::house::{ASSISTANT, House, get, post, read, text};

#[tokio::test]
async fn a_wide_address_is_refused() {
    let house = House::new().await;
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let config = house.config(address);
        let refused = bind(config, house.factory.clone()).await;
        assert!(
            matches!(refused, Err(ServeError::NotLoopback { .. })),
            "{address}"
        );
    }
}

#[tokio::test]
async fn it_listens_says_so_and_stops_when_told() {
    let house = House::new().await;
    let config = house.config("127.0.0.1:0");
    let bound = bind(config.clone(), house.factory.clone()).await.unwrap();
    assert!(
        bound.notice().contains("NO AUTHENTICATION"),
        "{}",
        bound.notice()
    );
    let taken = ServerConfig {
        listen: bound.address(),
        ..config.clone()
    };
    assert!(matches!(
        bind(taken, house.factory.clone()).await,
        Err(ServeError::Listen { .. })
    ));
    drop(bound);
    let stopped = CancellationToken::new();
    stopped.cancel();
    serve(config, house.factory.clone(), stopped).await.unwrap();
}

#[tokio::test]
async fn foreign_pages_and_foreign_names_are_refused() {
    let house = House::new().await;
    let request = |host: &str, origin: Option<&str>| {
        let mut request = Request::get("/ok").header(header::HOST, host);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        request.body(Body::empty()).unwrap()
    };
    for (host, origin, status) in [
        ("localhost:2024", None, StatusCode::OK),
        (
            "127.0.0.1:2024",
            Some("http://localhost:3000"),
            StatusCode::OK,
        ),
        ("[::1]:2024", Some("http://127.0.0.1:5173"), StatusCode::OK),
        ("rebound.example.com", None, StatusCode::FORBIDDEN),
        (
            "localhost:2024",
            Some("https://example.com"),
            StatusCode::FORBIDDEN,
        ),
        (
            "localhost:2024",
            Some("http://localhost.example.com"),
            StatusCode::FORBIDDEN,
        ),
        ("localhost:2024", Some("null"), StatusCode::FORBIDDEN),
    ] {
        let response = house.send(request(host, origin)).await;
        assert_eq!(response.status(), status, "{host} {origin:?}");
        let allowed = response
            .headers()
            .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(
            allowed,
            status == StatusCode::OK && origin.is_some(),
            "{host} {origin:?}"
        );
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }
    let nameless = Request::get("/ok").body(Body::empty()).unwrap();
    assert_eq!(house.send(nameless).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_browser_is_told_what_it_may_send() {
    let house = House::new().await;
    let asked = Request::options("/threads/search")
        .header(header::HOST, "localhost:2024")
        .header(header::ORIGIN, "http://localhost:3000")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(
            header::ACCESS_CONTROL_REQUEST_HEADERS,
            "content-type,x-api-key",
        )
        .body(Body::empty())
        .unwrap();
    let response = house.send(asked).await;
    assert_eq!(response.status(), StatusCode::OK);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        header("access-control-allow-headers"),
        "content-type,x-api-key"
    );
    assert_eq!(
        header("access-control-allow-origin"),
        "http://localhost:3000"
    );
    assert!(header("access-control-expose-headers").contains("content-location"));
}

#[tokio::test]
async fn errors_have_one_form() {
    let house = House::new().await;
    let plain = Request::post("/threads")
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Body::from("{}"))
        .unwrap();
    let long = "x".repeat(2 * 1024 * 1024);
    let cases = [
        (get("/store/items"), StatusCode::NOT_FOUND),
        (get("/threads/search"), StatusCode::METHOD_NOT_ALLOWED),
        (post("/ok", &json!({})), StatusCode::METHOD_NOT_ALLOWED),
        (get("/threads/nonsense"), StatusCode::UNPROCESSABLE_ENTITY),
        (plain, StatusCode::UNPROCESSABLE_ENTITY),
        (
            post("/threads", &json!([1])),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            post("/threads", &json!({ "metadata": {"a": long} })),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            get("/assistants/00000000-0000-0000-0000-000000000001"),
            StatusCode::NOT_FOUND,
        ),
    ];
    for (request, status) in cases {
        let path = request.uri().to_string();
        let (given, body) = read(house.send(request).await).await;
        assert_eq!(given, status, "{path} {body}");
        assert!(body["detail"].is_string(), "{path} {body}");
    }
}

#[tokio::test]
async fn a_thread_that_is_not_there_is_the_same_everywhere() {
    let house = House::new().await;
    let run = json!({"assistant_id": ASSISTANT, "input": {"messages": "hi"}});
    let mut bodies = Vec::new();
    for id in [
        "01a20000-0000-7000-8000-000000000001",
        "01a20000-0000-7000-8000-000000000002",
    ] {
        let requests = [
            get(&format!("/threads/{id}")),
            get(&format!("/threads/{id}/state")),
            post(&format!("/threads/{id}/history"), &json!({})),
            post(&format!("/threads/{id}/runs"), &run),
            post(&format!("/threads/{id}/runs/stream"), &run),
            post(&format!("/threads/{id}/runs/wait"), &run),
            get(&format!("/threads/{id}/runs/{id}")),
            get(&format!("/threads/{id}/runs/{id}/join")),
            get(&format!("/threads/{id}/runs/{id}/stream")),
            post(&format!("/threads/{id}/runs/{id}/cancel"), &json!({})),
        ];
        for request in requests {
            let path = request.uri().to_string();
            let response = house.send(request).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            bodies.push(text(response).await);
        }
    }
    bodies.dedup();
    assert_eq!(bodies, ["{\"detail\":\"Thread not found\"}"]);
}

#[tokio::test]
async fn the_graph_is_drawn_and_its_schemas_are_told() {
    let house = House::new().await;
    let id = "f3464c70-db03-5ccf-88cb-d9a4eb58b70e";
    for name in [id, ASSISTANT] {
        let (status, graph) = house
            .get(&format!("/assistants/{name}/graph?xray=false"))
            .await;
        assert_eq!(status, StatusCode::OK, "{graph}");
        let known: Vec<&str> = graph["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].as_str().unwrap())
            .collect();
        assert_eq!(known, ["__start__", "model", "tools", "__end__"]);
        for edge in graph["edges"].as_array().unwrap() {
            for end in ["source", "target"] {
                assert!(known.contains(&edge[end].as_str().unwrap()), "{edge}");
            }
        }
    }
    let (status, schemas) = house.get(&format!("/assistants/{id}/schemas")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(schemas["input_schema"]["required"], json!(["messages"]));
    for path in [
        "/assistants/other/graph",
        "/assistants/ecs_deep_agent/schemas",
        "/threads/01a20000-0000-7000-8000-000000000001/history?limit=many",
    ] {
        let (status, body) = house.get(path).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}");
    }
}
