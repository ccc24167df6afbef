//! `/lab/…`: what only the person at the lab sees. Never signed, never part of AWS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::WireFault;
use super::lab::Lab;
use crate::oracle::HealthReport;
use crate::scenario::Truth;

pub(super) fn routes() -> Router<Arc<Lab>> {
    Router::new()
        .route("/lab/health", get(health))
        .route("/lab/truth", get(truth))
        .route("/lab/scenario", get(scenario))
        .route("/lab/requests", get(requests))
        .route("/lab/accounts", get(accounts))
        .route("/lab/clock", get(clock))
        .route("/lab/clock/advance", post(advance))
        .route("/lab/credentials/expire", post(expire))
        .route("/lab/faults", post(fault))
        .merge(super::page::routes())
        .layer(middleware::from_fn(only_from_here))
}

/// SECURITY: these routes give keys away and move time, so they answer this machine only, and not
/// to a web page whose host name was pointed at it.
async fn only_from_here(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let host = headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok());
    if peer.ip().is_loopback() && host.is_some_and(names_loopback) {
        next.run(request).await
    } else {
        let refusal =
            json!({"error": "the lab's own routes answer on the loopback interface only"});
        (StatusCode::FORBIDDEN, Json(refusal)).into_response()
    }
}

fn names_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

async fn health(State(lab): State<Arc<Lab>>) -> Json<HealthReport> {
    Json(lab.health())
}

async fn truth(State(lab): State<Arc<Lab>>) -> Json<Truth> {
    Json(lab.truth().clone())
}

async fn scenario(State(lab): State<Arc<Lab>>) -> Json<Value> {
    Json(lab.scenario())
}

async fn fault(State(lab): State<Arc<Lab>>, Query(fault): Query<WireFault>) -> StatusCode {
    lab.add_fault(fault);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn requests(
    State(lab): State<Arc<Lab>>,
    Query(After { after }): Query<After>,
) -> Json<Value> {
    Json(json!({"requests": lab.requests(after)}))
}

async fn accounts(State(lab): State<Arc<Lab>>) -> Json<Value> {
    Json(json!({"accounts": lab.accounts()}))
}

async fn clock(State(lab): State<Arc<Lab>>) -> Json<Value> {
    Json(json!({"now": lab.now()}))
}

#[derive(Deserialize)]
struct Advance {
    seconds: u64,
}

async fn advance(
    State(lab): State<Arc<Lab>>,
    Query(Advance { seconds }): Query<Advance>,
) -> Json<Value> {
    Json(json!({"now": lab.advance(Duration::from_secs(seconds))}))
}

#[derive(Deserialize)]
struct Expire {
    access_key_id: Option<String>,
}

async fn expire(State(lab): State<Arc<Lab>>, Query(wanted): Query<Expire>) -> Json<Value> {
    Json(json!({"expired": lab.expire_credentials(wanted.access_key_id.as_deref())}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine_are_recognised() {
        for host in [
            "127.0.0.1:80",
            "localhost:80",
            "localhost",
            "[::1]:80",
            "127.0.0.1",
        ] {
            assert!(names_loopback(host), "{host}");
        }
        for host in ["example.com:80", "127.0.0.1.example.com", "10.0.0.1", ""] {
            assert!(!names_loopback(host), "{host}");
        }
    }
}
