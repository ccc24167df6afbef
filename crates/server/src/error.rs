//! Errors as clients see them: a status and `{"detail": "<sentence>"}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ecs_agent_runtime::ApplyError;
use ecs_agent_store::StoreError;
use serde_json::json;

use crate::authentication::Action;

/// Why a request was not done. The class decides the status, in this file alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// There is no such thing, or it is somebody else's: the same words for both.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The request cannot be understood or is not offered; names the field and what to do.
    #[error("{0}")]
    Invalid(String),
    /// It does not fit what is there now.
    #[error("{0}")]
    Conflict(String),
    /// It is not known who asks.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// It is known who asks, and they may not.
    #[error(
        "this credential does not allow `{0}`; use one that does, or ask whoever manages the keys"
    )]
    NotAllowed(Action),
    /// The caller's tenant has no credentials here.
    #[error("{0}")]
    NoCredentials(String),
    /// Where it comes from is not trusted.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The body is too long.
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// The longest body.
        limit: usize,
    },
    /// Too much at once.
    #[error("{0}; try again soon")]
    Busy(&'static str),
    /// The store failed.
    #[error("the threads cannot be read or written now")]
    Store(#[from] StoreError),
    /// A log does not fold.
    #[error("the thread's log cannot be read by this version")]
    Log(#[from] ApplyError),
    /// A run could not begin.
    #[error("{0}")]
    Run(String),
}

/// Seconds after which a refused client may come again.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// How to authenticate.
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"ecs-deep-agent\"");

impl ApiError {
    const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) | Self::Store(StoreError::ThreadNotFound(_)) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict(_) | Self::Store(StoreError::ThreadExists(_)) => StatusCode::CONFLICT,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::NotAllowed(_) | Self::NoCredentials(_) | Self::Forbidden(_) => {
                StatusCode::FORBIDDEN
            }
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Store(_) | Self::Log(_) | Self::Run(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(error = &self as &dyn std::error::Error, "a request failed");
        }
        let detail = if let Self::Store(StoreError::ThreadNotFound(_)) = &self {
            // The same bytes as for any other thread that is not there.
            THREAD_NOT_FOUND.to_string()
        } else if let Self::Store(StoreError::ThreadExists(_)) = &self {
            "Thread already exists".to_owned()
        } else {
            self.to_string()
        };
        let mut response = (status, Json(json!({ "detail": detail }))).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, BEARER);
        }
        response
    }
}

/// The answer for a thread that is not there.
pub(crate) const THREAD_NOT_FOUND: ApiError = ApiError::NotFound("Thread");

/// The answer for a run that is not there.
pub(crate) const RUN_NOT_FOUND: ApiError = ApiError::NotFound("Run");

/// An error with everything that caused it, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    ecs_agent_mcp::BackendError::from_chain(error).to_string()
}
