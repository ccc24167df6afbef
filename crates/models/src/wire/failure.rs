//! What a provider's error means for whoever asked.

use std::time::Duration;

use ecs_agent_runtime::Usage;
use http::{HeaderMap, StatusCode};
use rig_core::error::ProviderError;
use rig_core::http_client::Error as HttpError;
use serde_json::Value;

use crate::error::ModelError;
use crate::text::one_line;

/// Longest wait that a provider may ask for; a longer one is cut to it.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Words by which providers say that a request is larger than the model's window. They have no
/// common code for it.
const TOO_LONG: [&str; 9] = [
    "prompt is too long",
    "exceed context limit",
    "context_length_exceeded",
    "maximum context length",
    "exceeds the maximum number of tokens",
    "available context size",
    "context window",
    "input is too long",
    "request_too_large",
];

/// Codes that say, in the middle of a stream, that another try may help.
const PASSING: [&str; 7] = [
    "overloaded_error",
    "rate_limit_error",
    "api_error",
    "timeout_error",
    "server_error",
    "internal_server_error",
    "rate_limit_exceeded",
];

/// The error as the caller understands it. `used` is what the answer had taken by then.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rig's errors are open: what is new there is a request that cannot be mended"
)]
pub(crate) fn failure(model: &str, error: &ProviderError, used: Usage) -> ModelError {
    let model = model.to_owned();
    match error {
        ProviderError::Http(error) => match &**error {
            HttpError::InvalidContentType(given) => ModelError::Invalid {
                model,
                reason: format!(
                    "the answer is `{}` and no model's: is the base URL right?",
                    one_line(&String::from_utf8_lossy(given.as_bytes()))
                ),
            },
            HttpError::StreamEnded => broken(model, "its answer broke off".to_owned(), used),
            HttpError::Instance(cause) if used.is_nothing() => ModelError::Unavailable {
                model,
                reason: one_line(&cause.to_string()),
                retry_after: None,
            },
            HttpError::Instance(cause) => broken(model, one_line(&cause.to_string()), used),
            other => ModelError::Invalid {
                model,
                reason: one_line(&other.to_string()),
            },
        },
        ProviderError::ProviderResponse(response)
        | ProviderError::InvalidAuthentication(response) => answered(
            model,
            response.status,
            response.headers.as_ref(),
            &response.body,
            response.machine_code().as_deref(),
            used,
        ),
        ProviderError::CacheExpired { response, .. } => answered(
            model,
            response.status,
            response.headers.as_ref(),
            &response.body,
            None,
            used,
        ),
        ProviderError::Truncated => broken(model, "its answer broke off".to_owned(), used),
        ProviderError::Json(_) => broken(model, "its answer is malformed".to_owned(), used),
        ProviderError::Response(said) | ProviderError::Provider(said) => {
            broken(model, one_line(said), used)
        }
        other => ModelError::Invalid {
            model,
            reason: one_line(&other.to_string()),
        },
    }
}

fn broken(model: String, reason: String, usage: Usage) -> ModelError {
    ModelError::Broken {
        model,
        reason,
        usage,
    }
}

/// What an answer with an error in it means: by its status, or in a stream by its code.
fn answered(
    model: String,
    status: Option<StatusCode>,
    headers: Option<&HeaderMap>,
    body: &str,
    code: Option<&str>,
    used: Usage,
) -> ModelError {
    let said = message(body);
    let lower = body.to_lowercase();
    let is_too_long = status == Some(StatusCode::PAYLOAD_TOO_LARGE)
        || (status.is_none_or(|status| status.is_client_error())
            && status != Some(StatusCode::TOO_MANY_REQUESTS)
            && TOO_LONG.iter().any(|words| lower.contains(words)));
    if is_too_long {
        return ModelError::ContextTooLong { model };
    }
    let passing = match status {
        Some(status) => {
            status.is_server_error() || matches!(status.as_u16(), 408 | 409 | 425 | 429)
        }
        None => codes(code, body)
            .iter()
            .any(|code| PASSING.iter().any(|known| code.eq_ignore_ascii_case(known))),
    };
    let reason = match (status, said.is_empty()) {
        (Some(status), true) => format!("status {status}"),
        (Some(status), false) => format!("status {}: {said}", status.as_u16()),
        (None, true) => "an error without words".to_owned(),
        (None, false) => said,
    };
    match status {
        Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            ModelError::Denied { model, reason }
        }
        _ if passing && used.is_nothing() => ModelError::Unavailable {
            model,
            reason,
            retry_after: headers.and_then(retry_after),
        },
        _ if passing => broken(model, reason, used),
        _ => ModelError::Invalid { model, reason },
    }
}

/// The codes of an error in a stream: every form has them at one of these places.
fn codes(code: Option<&str>, body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let places = [
        "/code",
        "/error/code",
        "/error/type",
        "/response/error/code",
    ];
    let said = places
        .iter()
        .filter_map(|place| body.pointer(place).and_then(Value::as_str));
    code.into_iter().chain(said).map(str::to_owned).collect()
}

/// What the provider says in words: every form has it at one of these places.
fn message(body: &str) -> String {
    let Ok(body_json) = serde_json::from_str::<Value>(body) else {
        return one_line(body);
    };
    let places = [
        "/error/message",
        "/message",
        "/error",
        "/detail",
        "/response/error/message",
        "/0/error/message",
    ];
    let said = places
        .iter()
        .find_map(|place| body_json.pointer(place).and_then(Value::as_str));
    one_line(said.unwrap_or(body))
}

/// How long the provider asks to wait. Dates are not read: no provider sends them, and there is no
/// clock here.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| -> Option<f64> {
        let text = headers.get(name)?.to_str().ok()?;
        text.trim()
            .parse::<f64>()
            .ok()
            .filter(|n| n.is_finite() && *n >= 0.0)
    };
    let seconds = number("retry-after-ms")
        .map(|milliseconds| milliseconds / 1_000.0)
        .or_else(|| number("retry-after"))?;
    let wait = Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT);
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorClass;

    fn of(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> ModelError {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>();
        let status = StatusCode::from_u16(status).unwrap();
        let error =
            ProviderError::from_http_response(status, body).with_response_headers(Some(headers));
        failure("some", &error, Usage::default())
    }

    #[test]
    fn each_status_says_what_can_be_done() {
        let body = r#"{"error":{"type":"x","message":"some\nwords"}}"#;
        for (status, class) in [
            (400, ErrorClass::Invalid),
            (401, ErrorClass::Denied),
            (403, ErrorClass::Denied),
            (404, ErrorClass::Invalid),
            (408, ErrorClass::Retry),
            (429, ErrorClass::Retry),
            (500, ErrorClass::Retry),
            (503, ErrorClass::Retry),
            (529, ErrorClass::Retry),
        ] {
            let error = of(status, &[], body);
            assert_eq!(error.class(), class, "{status}");
            assert!(error.to_string().contains("some words"), "{error}");
        }
    }

    #[test]
    fn the_wait_that_is_asked_for_is_read_and_bounded() {
        for (headers, seconds) in [
            (&[("retry-after", "7")][..], Some(7.0)),
            (&[("retry-after", "0.5")], Some(0.5)),
            (
                &[("retry-after-ms", "250"), ("retry-after", "9")],
                Some(0.25),
            ),
            (&[("retry-after", "999999999")], Some(120.0)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")], None),
            (&[], None),
        ] {
            let wait = of(429, headers, "slow down").retry_after();
            assert_eq!(wait.map(|wait| wait.as_secs_f64()), seconds, "{headers:?}");
        }
    }

    #[test]
    fn every_providers_word_for_too_long_is_understood() {
        for body in [
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens","code":"context_length_exceeded"}}"#,
            r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
            r#"{"message":"Input is too long for requested model."}"#,
        ] {
            assert!(
                matches!(of(400, &[], body), ModelError::ContextTooLong { .. }),
                "{body}"
            );
        }
        assert!(matches!(
            of(413, &[], ""),
            ModelError::ContextTooLong { .. }
        ));
        let limit =
            r#"{"error":{"message":"too many tokens a minute; see the context window docs"}}"#;
        assert!(of(429, &[], limit).is_retryable());
    }
}
