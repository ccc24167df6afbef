//! The routes of the Agent Server API that are there.

mod assistants;
mod runs;
mod threads;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::{any, get, post};
use serde_json::{Value, json};

use crate::state::App;

/// What anybody may ask.
pub(crate) fn open_routes() -> Router<App> {
    Router::new()
        .route("/ok", get(ok))
        .route("/info", get(info))
}

/// What is behind authentication.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/assistants/search", post(assistants::search))
        .route("/assistants/count", post(assistants::count))
        .route("/assistants/{assistant}", get(assistants::one))
        .route("/assistants/{assistant}/graph", get(assistants::graph))
        .route("/assistants/{assistant}/schemas", get(assistants::schemas))
        .route("/threads", post(threads::create))
        .route("/threads/search", post(threads::search))
        .route("/threads/count", post(threads::count))
        .route("/threads/{thread}", get(threads::one))
        .route("/threads/{thread}/state", get(threads::state))
        .route(
            "/threads/{thread}/state/{checkpoint}",
            get(threads::state_at),
        )
        .route(
            "/threads/{thread}/state/checkpoint",
            post(threads::state_of),
        )
        .route(
            "/threads/{thread}/history",
            post(threads::history).get(threads::history_by_query),
        )
        .route("/threads/{thread}/runs", post(runs::create).get(runs::list))
        .route("/threads/{thread}/runs/stream", post(runs::stream))
        .route("/threads/{thread}/runs/wait", post(runs::wait))
        .route("/threads/{thread}/runs/{run}", get(runs::one))
        .route("/threads/{thread}/runs/{run}/join", get(runs::join))
        .route("/threads/{thread}/runs/{run}/stream", get(runs::rejoin))
        .route("/threads/{thread}/runs/{run}/cancel", post(runs::cancel))
        .route("/runs/stream", post(runs::stream_alone))
        .route("/runs/wait", post(runs::wait_alone))
        .route("/mcp", any(crate::mcp::answer))
}

async fn ok() -> Json<Value> {
    Json(json!({"ok": true}))
}

async fn info(State(app): State<App>) -> Json<Value> {
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "flags": {"assistants": true, "crons": false, "langsmith": false},
        "host": {"kind": "self-hosted"},
        "product": "ecs-deep-agent",
        "authentication": app.authentication().describe(),
    }))
}
