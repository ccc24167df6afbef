//! What every request passes first: where it comes from, how much there is, how long it takes.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use crate::error::ApiError;
use crate::state::App;

const METHODS: HeaderValue = HeaderValue::from_static("DELETE, GET, OPTIONS, PATCH, POST, PUT");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, last-event-id, x-api-key, x-auth-scheme",
);
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "content-location, location, mcp-session-id, x-pagination-next, x-pagination-total",
);
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const YES: HeaderValue = HeaderValue::from_static("true");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Refuses what a foreign web page may have sent, and answers the browser's questions.
///
/// A page of another site can make a browser call this machine, by a form or by a name that it
/// lets resolve to 127.0.0.1. The `Host` shows the second, the `Origin` both.
pub(crate) async fn check_origin(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = match trusted(&app, &request, origin.as_ref()) {
        Err(error) => return finished(error.into_response(), None),
        Ok(()) if is_preflight(&request) => preflight(request.headers()),
        Ok(()) => next.run(request).await,
    };
    response
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("origin"));
    finished(response, origin)
}

fn trusted(app: &App, request: &Request, origin: Option<&HeaderValue>) -> Result<(), ApiError> {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| {
            request
                .uri()
                .authority()
                .map(|authority| authority.as_str())
        });
    let host = host.map(host_of).unwrap_or_default();
    if !is_loopback_name(host) {
        if !app.authentication().is_required() {
            return Err(ApiError::Forbidden(
                "the Host header must be localhost or a loopback address: this server is for this machine only",
            ));
        }
        let named = app
            .allowed_hosts()
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(host));
        // An address cannot be made to resolve to another one.
        if !named && !is_address(host) {
            return Err(ApiError::Forbidden(
                "the Host header names no host of this server; the operator lists them in `allowed_hosts`",
            ));
        }
    }
    let Some(origin) = origin else { return Ok(()) };
    let known = origin.to_str().is_ok_and(|origin| {
        let local = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))
            .is_some_and(|host| is_loopback_name(host_of(host)));
        local
            || app
                .allowed_origins()
                .iter()
                .any(|allowed| allowed == origin)
    });
    if known {
        Ok(())
    } else {
        Err(ApiError::Forbidden(
            "web pages of this origin may not call this server",
        ))
    }
}

/// The name of `name:port`.
fn host_of(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority.split_inclusive(']').next().unwrap_or_default();
    }
    authority
        .rsplit_once(':')
        .map_or(authority, |(name, _)| name)
}

fn is_loopback_name(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn is_address(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<std::net::IpAddr>().is_ok()
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ORIGIN)
}

fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        wanted.unwrap_or(HEADERS),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.insert(PRIVATE_NETWORK, YES);
    response
}

fn finished(mut response: Response, origin: Option<HeaderValue>) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

/// Bounds how many requests are being answered, and how long until an answer begins.
pub(crate) async fn limit(
    State((app, slots)): State<(App, Arc<Semaphore>)>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_slot) = slots.try_acquire() else {
        return ApiError::Busy("too many requests are being answered").into_response();
    };
    match tokio::time::timeout(app.limits().answer_within, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::Busy("the answer took too long").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for name in [
            "localhost:2024",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]:2024",
            "LOCALHOST",
        ] {
            assert!(is_loopback_name(host_of(name)), "{name}");
        }
        for name in [
            "example.com",
            "127.0.0.1.example.com",
            "localhost.example.com:80",
            "10.0.0.1",
            "[::2]",
            "",
            "0.0.0.0",
        ] {
            assert!(!is_loopback_name(host_of(name)), "{name}");
        }
    }
}
