//! The last look at every response: the leak guard's place in the server.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::{Json, body};
use ecs_agent_credentials::{LeakBlocked, LeakGuard, Sink};
use futures_util::{Stream, StreamExt as _};
use serde_json::json;

/// What is kept of a stream's last piece, so that a secret that goes on in the next one is found:
/// more than the guard needs in a row.
const OVERLAP_BYTES: usize = 64;

/// Lets a response go once the guard has seen it: as a whole where it is one, else piece by piece.
pub(crate) async fn inspect(
    State(guard): State<Arc<LeakGuard>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    if inspect_headers(&guard, response.headers()).is_err() {
        return withheld();
    }
    let (parts, body) = response.into_parts();
    if body.size_hint().exact().is_none() {
        let streams_events = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let body = Body::from_stream(inspected(guard, body, streams_events));
        return Response::from_parts(parts, body);
    }
    // It is in memory already: only a stream has no size.
    let Ok(bytes) = body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    match guard.inspect(Sink::HttpResponse, &bytes) {
        Ok(()) => Response::from_parts(parts, Body::from(bytes)),
        Err(_blocked) => withheld(),
    }
}

fn inspect_headers(guard: &LeakGuard, headers: &HeaderMap) -> Result<(), LeakBlocked> {
    headers
        .values()
        .try_for_each(|value| guard.inspect(Sink::HttpResponse, value.as_bytes()))
}

fn withheld() -> Response {
    let body = Json(json!({ "detail": LeakBlocked::NOTICE }));
    (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
}

/// The pieces of a stream, until one of them is withheld: the notice ends it.
fn inspected(
    guard: Arc<LeakGuard>,
    body: Body,
    streams_events: bool,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let state = Some((body.into_data_stream(), Vec::new()));
    futures_util::stream::unfold(state, move |state| {
        let guard = Arc::clone(&guard);
        async move {
            let (mut pieces, mut seen): (_, Vec<u8>) = state?;
            // A stream of this server does not fail; one that did would end here.
            let piece = pieces.next().await?.ok()?;
            seen.extend_from_slice(&piece);
            if guard.inspect(Sink::HttpResponse, &seen).is_err() {
                return Some((Ok(farewell(streams_events)), None));
            }
            let known = seen.len().saturating_sub(OVERLAP_BYTES);
            seen.drain(..known);
            Some((Ok(piece), Some((pieces, seen))))
        }
    })
}

fn farewell(streams_events: bool) -> Bytes {
    let error = json!({"error": "LeakBlocked", "message": LeakBlocked::NOTICE});
    if streams_events {
        // What was cut off may have no end of its own.
        format!("\r\n\r\nevent: error\r\ndata: {error}\r\n\r\n").into()
    } else {
        json!({ "__error__": error }).to_string().into()
    }
}

#[cfg(test)]
#[path = "exits_tests.rs"]
mod tests;
