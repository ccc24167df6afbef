//! Signed requests of the AWS Query and JSON protocols, for services without an SDK here.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use chrono::{DateTime, Utc};
use zeroize::{Zeroize, Zeroizing};

use crate::calls::{aws_date, request_id};
use crate::context::{ContextError, CredentialContext};
use crate::identity::Region;
use crate::source_error::SourceError;
use crate::wire::{INITIAL_BACKOFF, MAX_BACKOFF, OPERATION_TIMEOUT};

/// Largest response body that is read.
const LONGEST_BODY_BYTES: usize = 16 * 1024 * 1024;

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const JSON: &str = "application/x-amz-json-1.1";

/// The answer to a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedResponse {
    /// The HTTP status.
    pub status: u16,
    /// The body, also of an error: XML for the Query protocol, else JSON.
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
        let message = Message::Form(form_body(form));
        let answer = self.post_signed(service, &region, message).await?;
        let endpoint = || self.endpoints().url_for(service, &region);
        answer
            .into_text()
            .map_err(|flaw| SignedRequestError::Unreadable {
                endpoint: endpoint(),
                flaw,
            })
    }

    /// Posts a message of the AWS JSON 1.1 protocol; for the rest as [`Self::post_signed_form`].
    ///
    /// `target` is the operation with its service's prefix, as `X-Amz-Target` wants it.
    ///
    /// # Errors
    /// [`SignedRequestError`] if there is no answer.
    ///
    /// # Cancel safety
    /// Dropping the future abandons the request; AWS may have served it.
    pub async fn post_signed_json(
        self: &Arc<Self>,
        service: &str,
        target: &str,
        body: String,
    ) -> Result<SignedResponse, SignedRequestError> {
        let region = self.region().map_err(SignedRequestError::Context)?;
        let message = Message::Json { target, body };
        let answer = self.post_signed(service, &region, message).await?;
        let endpoint = || self.endpoints().url_for(service, &region);
        answer
            .into_text()
            .map_err(|flaw| SignedRequestError::Unreadable {
                endpoint: endpoint(),
                flaw,
            })
    }

    /// Posts a message, signed with this context's credentials as they are now, to `service` in
    /// `region`. The answer's body is wiped when it is dropped.
    pub(crate) async fn post_signed(
        self: &Arc<Self>,
        service: &str,
        region: &Region,
        message: Message<'_>,
    ) -> Result<RawAnswer, SignedRequestError> {
        let endpoint = self.endpoints().url_for(service, region);
        let request = UnsignedRequest {
            service,
            region: region.as_str(),
            url: format!("{endpoint}/"),
            message,
        };
        let unreachable = || SignedRequestError::Unreachable {
            endpoint: endpoint.clone(),
        };
        let all_attempts = Box::pin(self.post_until_answered(&request, &endpoint));
        tokio::time::timeout(OPERATION_TIMEOUT, all_attempts)
            .await
            .map_err(|_| unreachable())?
    }

    async fn post_until_answered(
        self: &Arc<Self>,
        request: &UnsignedRequest<'_>,
        endpoint: &str,
    ) -> Result<RawAnswer, SignedRequestError> {
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
        request: &UnsignedRequest<'_>,
        endpoint: &str,
    ) -> Result<RawAnswer, SignedRequestError> {
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

/// What is posted.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    /// The Query protocol.
    Form(String),
    /// AWS JSON 1.1: `target` is the operation with its service's prefix.
    Json { target: &'a str, body: String },
}

impl Message<'_> {
    fn body(&self) -> &str {
        match self {
            Self::Form(body) | Self::Json { body, .. } => body,
        }
    }

    /// The headers that the signature covers beside the host's and its own.
    fn headers(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Form(_) => vec![("content-type", FORM)],
            Self::Json { target, .. } => vec![("content-type", JSON), ("x-amz-target", target)],
        }
    }
}

/// A request to sign and send, as often as it takes.
struct UnsignedRequest<'a> {
    service: &'a str,
    region: &'a str,
    url: String,
    message: Message<'a>,
}

impl UnsignedRequest<'_> {
    fn sign(&self, identity: &Identity) -> Option<HttpRequest> {
        let mut request = http::Request::post(&self.url);
        for (name, value) in self.message.headers() {
            request = request.header(name, value);
        }
        let mut request = request.body(SdkBody::from(self.message.body())).ok()?;
        let params = v4::SigningParams::builder()
            .identity(identity)
            .region(self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let headers = self.message.headers().into_iter();
        let body = SignableBody::Bytes(self.message.body().as_bytes());
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

/// An answer as it came. The body may hold a secret, and is wiped.
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) body: Zeroizing<Vec<u8>>,
    request_id: Option<String>,
    date: Option<DateTime<Utc>>,
    error_type: Option<String>,
}

impl RawAnswer {
    /// The error code of an AWS JSON answer, without the namespace that some services put before it.
    pub(crate) fn json_error_code(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Told {
            #[serde(rename = "__type")]
            kind: Option<String>,
        }
        let told = || serde_json::from_slice::<Told>(&self.body).ok()?.kind;
        let code = self.error_type.clone().or_else(told)?;
        let code = code.split(':').next()?.rsplit('#').next()?;
        Some(crate::text::excerpt(code))
    }

    fn into_text(mut self) -> Result<SignedResponse, &'static str> {
        let body = String::from_utf8(std::mem::take(&mut *self.body));
        Ok(SignedResponse {
            status: self.status,
            body: body.map_err(|_| "is not UTF-8")?,
            request_id: self.request_id,
            date: self.date,
        })
    }
}

async fn read(response: HttpResponse) -> Result<RawAnswer, &'static str> {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name);
    let date = header("date").and_then(aws_date);
    let request_id = request_id(&response);
    let error_type = header("x-amzn-errortype").map(str::to_owned);
    let announced = header("content-length").and_then(|length| length.parse().ok());
    // One allocation where the length is known: a buffer that grows leaves parts of it behind.
    let room = announced.unwrap_or(0).min(LONGEST_BODY_BYTES);
    let mut body = Zeroizing::new(Vec::with_capacity(room));
    let mut stream = ByteStream::new(response.into_body());
    while let Some(part) = stream.next().await {
        let part = part.map_err(|_| "broke off")?;
        if body.len() + part.len() > LONGEST_BODY_BYTES {
            return Err("is longer than 16 MiB");
        }
        if body.len() + part.len() > body.capacity() {
            let mut wider = Vec::with_capacity((body.len() + part.len()) * 2);
            wider.extend_from_slice(&body);
            body.zeroize();
            body = Zeroizing::new(wider);
        }
        body.extend_from_slice(&part);
    }
    Ok(RawAnswer {
        status,
        body,
        request_id,
        date,
        error_type,
    })
}

/// Tells whether AWS asks to try again. Source: the error codes that its SDKs retry.
fn is_transient(answer: &RawAnswer) -> bool {
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
    let in_xml = |code: &&str| {
        let element = format!("<Code>{code}</Code>");
        let mut windows = answer.body.windows(element.len());
        windows.any(|window| window == element.as_bytes())
    };
    let in_json = || answer.json_error_code();
    let named =
        || CODES.iter().any(in_xml) || in_json().is_some_and(|code| CODES.contains(&code.as_str()));
    let throttled = answer.status == 429 || (answer.status >= 400 && named());
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
#[path = "signed_request_tests.rs"]
mod tests;
