//! Request bodies and path ids, with errors that say what is wrong.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use ecs_agent_runtime::{RunId, ThreadId};
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::state::App;

/// A JSON body.
///
/// The content type is insisted on: a web page of another origin cannot send it without the
/// browser asking first, so no form can start a run or approve a plan.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                let kind = value.split(';').next().unwrap_or_default().trim();
                kind.eq_ignore_ascii_case("application/json")
            });
        if !json {
            return Err(ApiError::Invalid(
                "the body must be JSON with `content-type: application/json`".to_owned(),
            ));
        }
        let limit = app.limits().body_bytes;
        let bytes = Bytes::from_request(request, app).await.map_err(|error| {
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::TooLarge { limit }
            } else {
                ApiError::Invalid("the body could not be read".to_owned())
            }
        })?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| ApiError::Invalid(format!("the body is malformed: {error}")))
    }
}

/// A thread's id from a path.
pub(crate) fn thread_id(text: &str) -> Result<ThreadId, ApiError> {
    text.parse()
        .map_err(|_| ApiError::Invalid("the thread id must be a UUID".to_owned()))
}

/// A run's id from a path.
pub(crate) fn run_id(text: &str) -> Result<RunId, ApiError> {
    text.parse()
        .map_err(|_| ApiError::Invalid("the run id must be a UUID".to_owned()))
}
