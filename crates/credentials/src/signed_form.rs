//! Signed requests of the AWS Query protocol, for services without an SDK here.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use chrono::{DateTime, Utc};

use crate::calls::{aws_date, request_id};
use crate::context::{ContextError, CredentialContext};
use crate::source_error::SourceError;
use crate::wire::{INITIAL_BACKOFF, MAX_BACKOFF, OPERATION_TIMEOUT};

/// Largest response body that is read.
const LONGEST_BODY_BYTES: usize = 16 * 1024 * 1024;

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// The answer to a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedResponse {
    /// The HTTP status.
    pub status: u16,
    /// The body: XML, for the Query protocol, also of an error.
    pub body: String,
    /// AWS's id of the request.
    pub request_id: Option<String>,
    /// AWS's clock.
    pub date: Option<DateTime<Utc>>,
}

/// Why a signed request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignedRequestError {
    /// The context has no usable credentials or no region.
    #[error(transparent)]
    Context(ContextError),
    /// The credentials had ended and could not be renewed.
    #[error(transparent)]
    Renewal(SourceError),
    /// The request could not be signed.
    #[error("failed to sign the request to `{service}`")]
    Unsignable {
        /// The service.
        service: String,
    },
    /// No answer came, also after retries.
    #[error(
        "no answer from `{endpoint}`: check the network, the region's name and `--endpoint-url`"
    )]
    Unreachable {
        /// The URL that was called.
        endpoint: String,
    },
    /// The answer broke off or is not readable.
    #[error("the answer of `{endpoint}` {flaw}")]
    Unreadable {
        /// The URL that was called.
        endpoint: String,
        /// What is wrong with it.
        flaw: &'static str,
    },
}

impl CredentialContext {
    /// Posts a form, signed with this context's credentials as they are now.
    ///
    /// `service` is the signing name and the host's first label, such as `ec2`. Throttling and
    /// server errors are retried with growing, random pauses; any other answer is returned as it
    /// came, whatever its status. Post reads only: a retry may repeat a request that was served.
    ///
    /// # Errors
    /// [`SignedRequestError`] if there is no answer.
    ///
    /// # Cancel safety
    /// Dropping the future abandons the request; AWS may have served it.
    pub async fn post_signed_form(
        self: &Arc<Self>,
        service: &str,
        form: &[(&str, &str)],
    ) -> Result<SignedResponse, SignedRequestError> {
        let region = self.region().map_err(SignedRequestError::Context)?;
        let endpoint = self.endpoints().url_for(service, &region);
        let request = FormRequest {
            service,
            region: region.as_str(),
            url: format!("{endpoint}/"),
            body: form_body(form),
        };
        let unreachable = || SignedRequestError::Unreachable {
            endpoint: endpoint.clone(),
        };
        let all_attempts = self.post_until_answered(&request, &endpoint);
        tokio::time::timeout(OPERATION_TIMEOUT, all_attempts)
            .await
            .map_err(|_| unreachable())?
    }

    async fn post_until_answered(
        self: &Arc<Self>,
        request: &FormRequest<'_>,
        endpoint: &str,
    ) -> Result<SignedResponse, SignedRequestError> {
        let mut attempt = 1;
        loop {
            let answer = self.post_once(request, endpoint).await;
            let worth_a_retry = match &answer {
                Ok(answer) => is_transient(answer),
                Err(
                    SignedRequestError::Unreachable { .. } | SignedRequestError::Unreadable { .. },
                ) => !self.is_cleared(),
                Err(
                    SignedRequestError::Context(_)
                    | SignedRequestError::Renewal(_)
                    | SignedRequestError::Unsignable { .. },
                ) => false,
            };
            if !worth_a_retry || attempt >= self.wire().max_attempts() {
                return answer;
            }
            tokio::time::sleep(backoff(attempt)).await;
            attempt += 1;
        }
    }

    async fn post_once(
        self: &Arc<Self>,
        request: &FormRequest<'_>,
        endpoint: &str,
    ) -> Result<SignedResponse, SignedRequestError> {
        self.ensure_fresh()
            .await
            .map_err(SignedRequestError::Renewal)?;
        let keys = self.signing_keys().map_err(SignedRequestError::Context)?;
        let unsignable = || SignedRequestError::Unsignable {
            service: request.service.to_owned(),
        };
        let signed = request.sign(&keys.into()).ok_or_else(unsignable)?;
        let answer = self.wire().send(signed).await;
        let answer = answer.map_err(|_| SignedRequestError::Unreachable {
            endpoint: endpoint.to_owned(),
        })?;
        read(answer)
            .await
            .map_err(|flaw| SignedRequestError::Unreadable {
                endpoint: endpoint.to_owned(),
                flaw,
            })
    }
}

/// A request to sign and send, as often as it takes.
struct FormRequest<'a> {
    service: &'a str,
    region: &'a str,
    url: String,
    body: String,
}

impl FormRequest<'_> {
    fn sign(&self, identity: &Identity) -> Option<HttpRequest> {
        let mut request = http::Request::post(&self.url)
            .header("content-type", FORM)
            .body(SdkBody::from(self.body.as_str()))
            .ok()?;
        let params = v4::SigningParams::builder()
            .identity(identity)
            .region(self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let headers = [("content-type", FORM)].into_iter();
        let body = SignableBody::Bytes(self.body.as_bytes());
        let signable = SignableRequest::new("POST", self.url.as_str(), headers, body).ok()?;
        let (instructions, _signature) = sign(signable, &params).ok()?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        HttpRequest::try_from(request).ok()
    }
}

/// Writes `application/x-www-form-urlencoded`.
fn form_body(form: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (name, value) in form {
        if !body.is_empty() {
            body.push('&');
        }
        encode(name, &mut body);
        body.push('=');
        encode(value, &mut body);
    }
    body
}

fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                into.push(char::from(byte));
            }
            byte => {
                into.push('%');
                for digit in [byte >> 4, byte & 0xf] {
                    let digit = char::from_digit(digit.into(), 16).unwrap_or_default();
                    into.push(digit.to_ascii_uppercase());
                }
            }
        }
    }
}

async fn read(response: HttpResponse) -> Result<SignedResponse, &'static str> {
    let status = response.status().as_u16();
    let date = response.headers().get("date").and_then(aws_date);
    let request_id = request_id(&response);
    let mut stream = ByteStream::new(response.into_body());
    let mut body = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|_| "broke off")?;
        if body.len() + part.len() > LONGEST_BODY_BYTES {
            return Err("is longer than 16 MiB");
        }
        body.extend_from_slice(&part);
    }
    Ok(SignedResponse {
        status,
        body: String::from_utf8(body).map_err(|_| "is not UTF-8")?,
        request_id,
        date,
    })
}

/// Tells whether AWS asks to try again. Source: the error codes that its SDKs retry.
fn is_transient(answer: &SignedResponse) -> bool {
    const CODES: [&str; 8] = [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestLimitExceeded",
        "RequestThrottledException",
        "TooManyRequestsException",
        "SlowDown",
    ];
    let named = |code: &&str| answer.body.contains(&format!("<Code>{code}</Code>"));
    let throttled = answer.status == 429 || (answer.status >= 400 && CODES.iter().any(named));
    throttled || matches!(answer.status, 500 | 502 | 503 | 504)
}

/// Returns a random pause, up to twice as long after each attempt ("full jitter").
fn backoff(attempt: u32) -> Duration {
    let ceiling = INITIAL_BACKOFF
        .saturating_mul(1 << attempt.min(16))
        .min(MAX_BACKOFF);
    // Without randomness from the system the pause is the longest one.
    let fraction = getrandom::u32().map_or(1.0, |r| f64::from(r) / f64::from(u32::MAX));
    ceiling.mul_f64(fraction)
}

#[cfg(test)]
#[path = "signed_form_tests.rs"]
mod tests;
