//! Who are you: a request's credential becomes a [`Caller`], or the request is refused.
//!
//! Everything but a few open routes stands behind [`require`]. The tenant comes out of the
//! verified credential and from nowhere else.

mod action;
mod api_key;
mod api_keys;
mod caller;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use ecs_agent_store::Store;

pub use action::{Action, ActionError, Actions};
pub use api_key::{ApiKey, NoRandomness};
pub use api_keys::{ApiKeyParams, ApiKeys, ApiKeysError, LONGEST_LIFE};
pub use caller::{Caller, Proof};

use crate::error::ApiError;
use crate::state::App;

/// What a server asks of whoever calls it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Nothing: whoever reaches the loopback address is the person who started the program. For
    /// development on a machine of one's own.
    #[default]
    Development,
    /// An API key.
    ApiKeys,
}

impl Authentication {
    /// Whether a credential is asked for.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        match self {
            Self::Development => false,
            Self::ApiKeys => true,
        }
    }

    /// What is asked for, in a few words.
    #[must_use]
    pub const fn describe(&self) -> &'static str {
        match self {
            Self::Development => "none: single-user development mode, loopback only",
            Self::ApiKeys => "API key in `x-api-key` or `Authorization: Bearer`",
        }
    }
}

/// Where LangGraph clients put their key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Refuses a request without a valid credential; gives the others their [`Caller`], as an
/// extension of the request.
pub(crate) async fn require(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let caller = match app.authentication() {
        Authentication::Development => Ok(Caller::of_this_machine()),
        Authentication::ApiKeys => authenticate(app.store(), request.headers(), Utc::now()).await,
    };
    match caller {
        Ok(caller) => {
            // What proved the caller goes no further: no handler and no log can hold it.
            request.headers_mut().remove(API_KEY);
            request.headers_mut().remove(header::AUTHORIZATION);
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

async fn authenticate(
    store: &Store,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Result<Caller, ApiError> {
    let presented = presented(headers)?;
    let key = ApiKey::parse(presented).ok_or(ApiError::Unauthenticated(
        "the credential is not an API key of this server",
    ))?;
    let kept = store.api_key(key.id()).await?;
    // SECURITY: an id that is not there costs the same as a wrong secret, and reads the same.
    let digest = kept.as_ref().map_or(NO_DIGEST, |kept| &kept.digest);
    let holds = key.has_digest(digest);
    let Some(kept) = kept.filter(|kept| holds && api_keys::is_live(kept, now)) else {
        tracing::warn!(key = %key.id(), "a request came with an API key that is not valid");
        return Err(ApiError::Unauthenticated(
            "the API key is unknown, expired or revoked",
        ));
    };
    Ok(Caller::proven(
        kept.tenant,
        kept.person,
        Actions::of_words(&kept.actions),
        Proof::ApiKey(kept.id),
    ))
}

/// The hash of no key.
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The one credential that a request comes with.
fn presented(headers: &HeaderMap) -> Result<&str, ApiError> {
    const MALFORMED: ApiError =
        ApiError::Unauthenticated("give one credential, in one header and in plain characters");
    let mut found = None;
    for (name, value) in headers {
        let value = match name {
            name if name == API_KEY => Some(value.to_str().map_err(|_| MALFORMED)?),
            name if name == header::AUTHORIZATION => {
                let value = value.to_str().map_err(|_| MALFORMED)?;
                let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
                if !scheme.eq_ignore_ascii_case("bearer") {
                    return Err(ApiError::Unauthenticated(
                        "the `Authorization` header must be `Bearer <credential>`",
                    ));
                }
                Some(token.trim())
            }
            _ => None,
        };
        // Two that are the same are one: some clients fill in both headers.
        match (value, found) {
            (Some(value), Some(before)) if value != before => return Err(MALFORMED),
            (Some(value), _) => found = Some(value),
            (None, _) => {}
        }
    }
    found
        .filter(|value| !value.is_empty())
        .ok_or(ApiError::Unauthenticated(
            "a credential is needed: send `x-api-key: <key>`",
        ))
}
