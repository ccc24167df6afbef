//! `/lab`: the world as a page for people, and `/lab/world`, which the page asks for.
//!
//! SECURITY: names, reasons, events and log lines are anybody's text. The page makes text nodes of
//! them and nothing else, and its policy lets it load nothing but its own script and style.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::header::{HeaderName, X_CONTENT_TYPE_OPTIONS};
use serde::Serialize;
use serde_json::Value;

use super::lab::Lab;
use crate::world::{Region, RolloutState, Service, TaskStatus, World};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A service shows this many of its newest tasks, targets and events.
const SHOWN: usize = 12;

pub(super) fn routes() -> Router<Arc<Lab>> {
    let html = include_str!("page/index.html");
    let css = include_str!("page/page.css");
    let script = include_str!("page/page.js");
    Router::new()
        .route("/lab", get(move || file("text/html; charset=utf-8", html)))
        .route(
            "/lab/page.css",
            get(move || file("text/css; charset=utf-8", css)),
        )
        .route(
            "/lab/page.js",
            get(move || file("text/javascript; charset=utf-8", script)),
        )
        .route("/lab/world", get(world))
}

async fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

#[derive(Serialize)]
struct Page<'w> {
    request: &'w str,
    now: DateTime<Utc>,
    services: Vec<Shown<'w>>,
}

/// What a person in front of AWS could see. A scenario's name and title tell what is wrong, so they
/// are not in it.
async fn world(State(lab): State<Arc<Lab>>) -> Json<Value> {
    let world = lab.world();
    let page = Page {
        request: lab.request(),
        now: world.now,
        services: services(&world),
    };
    Json(serde_json::to_value(&page).unwrap_or_default())
}

#[derive(Serialize)]
struct Shown<'w> {
    arn: &'w str,
    account: &'w str,
    region: &'w str,
    cluster: &'w str,
    name: &'w str,
    state: &'static str,
    desired: u32,
    running: u32,
    pending: u32,
    deployments: Vec<Value>,
    tasks: Vec<Value>,
    targets: Vec<Value>,
    events: Vec<Value>,
}

fn services(world: &World) -> Vec<Shown<'_>> {
    let regions = world.accounts.values().flat_map(|a| a.regions.values());
    regions
        .flat_map(|region| {
            region
                .services
                .values()
                .map(move |service| show(region, service))
        })
        .collect()
}

fn show<'w>(region: &'w Region, service: &'w Service) -> Shown<'w> {
    let deployments = service.deployments.iter().take(SHOWN).map(|one| {
        serde_json::json!({
            "id": one.id, "status": one.status, "rollout": one.rollout_state,
            "desired": one.desired_count, "running": one.running_count, "failed": one.failed_tasks,
            "task_definition": one.task_definition.rsplit('/').next(),
        })
    });
    let newest = || service.tasks.iter().rev();
    let live = newest().filter(|task| task.stopped_at.is_none());
    let stopped = newest().filter(|task| task.stopped_at.is_some());
    let tasks = live.chain(stopped).take(SHOWN).map(|task| {
        let since = task.stopped_at.or(task.stopping_at).or(task.started_at);
        serde_json::json!({
            "id": task.id.get(..8), "status": task.last_status, "health": task.health,
            "since": since.unwrap_or(task.created_at), "reason": task.stopped_reason,
        })
    });
    let groups = service
        .load_balancers
        .iter()
        .filter_map(|binding| region.target_groups.get(&binding.target_group_arn));
    let targets = groups
        .flat_map(|group| &group.targets)
        .take(SHOWN)
        .map(|target| {
            serde_json::json!({
                "id": target.id, "port": target.port, "state": target.state,
                "reason": target.description,
            })
        });
    let events = service
        .events
        .iter()
        .take(SHOWN)
        .map(|event| serde_json::json!({"at": event.at, "message": event.message}));
    Shown {
        arn: &service.arn,
        account: &region.account,
        region: &region.name,
        cluster: &service.cluster,
        name: &service.name,
        state: state(service),
        desired: service.desired_count,
        running: service.running_count,
        pending: service.pending_count,
        deployments: deployments.collect(),
        tasks: tasks.collect(),
        targets: targets.collect(),
        events: events.collect(),
    }
}

/// In a word, how a service does: what it says of itself, not what the oracle knows.
fn state(service: &Service) -> &'static str {
    let rollout = service.primary().map(|primary| primary.rollout_state);
    let failing = service
        .primary()
        .is_some_and(|primary| primary.failed_tasks > 0)
        || service.launch_failures > 0;
    let ending = service
        .tasks
        .iter()
        .any(|task| !task.is_wanted() && task.last_status < TaskStatus::Stopped);
    match rollout {
        Some(RolloutState::Failed) => "failing",
        _ if failing => "failing",
        Some(RolloutState::InProgress) => "deploying",
        Some(RolloutState::Completed) if service.steady => "steady",
        Some(RolloutState::Completed) | None if ending => "replacing tasks",
        Some(RolloutState::Completed) | None => "not steady",
    }
}
