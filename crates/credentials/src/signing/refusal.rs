//! Refusals, written as the service would have written them.

use http::{HeaderValue, StatusCode, header};
use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;

/// The protocol that a client speaks, as far as its errors are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Json,
    Query,
    Ec2,
    Cbor,
}

/// Why a request does not reach AWS. The words are for the child's log and its model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("this connection does not belong to the child process that the endpoint serves")]
    ForeignPeer,
    #[error("the request is not signed with this child's placeholder keys: {0}")]
    Signature(&'static str),
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
    #[error("the endpoint does not serve the service `{0}`")]
    UnknownService(String),
    #[error(
        "`{service}:{operation}` is not among the operations that a child may use; only the reads of a diagnosis are"
    )]
    NotAllowed { service: String, operation: String },
    #[error("the request is for region `{asked}` and this invocation works in `{region}` only")]
    OtherRegion { asked: String, region: String },
    #[error("the request names account `{asked}` and this invocation works in `{account}` only")]
    OtherAccount { asked: String, account: String },
    #[error(
        "the invocation's credentials are now of another account than this child was started for"
    )]
    AccountChanged,
    #[error(
        "the invocation is carrying out an approved plan, and a child may not use its credentials meanwhile"
    )]
    NotObserving,
    #[error("the invocation is over or has no credentials")]
    NoCredentials,
    #[error("the request is longer than {0} bytes")]
    RequestTooLarge(usize),
    #[error("the answer is longer than {0} bytes; ask for less at once")]
    ResponseTooLarge(usize),
    #[error("too many requests; wait and try again")]
    TooFast,
    #[error("AWS could not be reached")]
    Unreachable,
    #[error("the answer was a redirect, and none is followed")]
    Redirected,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::RequestTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooFast | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unreachable | Self::Redirected => StatusCode::BAD_GATEWAY,
            Self::ForeignPeer
            | Self::Signature(_)
            | Self::UnknownService(_)
            | Self::NotAllowed { .. }
            | Self::OtherRegion { .. }
            | Self::OtherAccount { .. }
            | Self::AccountChanged
            | Self::NotObserving
            | Self::NoCredentials
            | Self::ResponseTooLarge(_) => StatusCode::FORBIDDEN,
        }
    }

    /// The error code, under the name that this protocol's services use.
    fn code(&self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::TooFast, Dialect::Json | Dialect::Cbor) => "ThrottlingException",
            (Self::TooFast, Dialect::Query) => "Throttling",
            (Self::TooFast, Dialect::Ec2) => "RequestLimitExceeded",
            (Self::Unreachable | Self::Redirected, _) => "ServiceUnavailable",
            (_, Dialect::Json | Dialect::Cbor) => "AccessDeniedException",
            (_, Dialect::Query) => "AccessDenied",
            (_, Dialect::Ec2) => "UnauthorizedOperation",
        }
    }

    /// Writes the answer.
    pub(super) fn response(&self, dialect: Dialect) -> Response<Full<Bytes>> {
        let code = self.code(dialect);
        let message = format!("ECS Deep Agent: {self}");
        let (content_type, body) = match dialect {
            Dialect::Json => ("application/x-amz-json-1.1", json(code, &message).into()),
            Dialect::Cbor => ("application/cbor", cbor(code, &message)),
            Dialect::Query => {
                let (code, message) = (code, xml(&message));
                let body = format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
                     <Message>{message}</Message></Error><RequestId>none</RequestId></ErrorResponse>"
                );
                ("text/xml", body.into_bytes())
            }
            Dialect::Ec2 => {
                let message = xml(&message);
                let body = format!(
                    "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>\
                     </Error></Errors><RequestID>none</RequestID></Response>"
                );
                ("text/xml;charset=UTF-8", body.into_bytes())
            }
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        match dialect {
            Dialect::Json => {
                headers.insert("x-amzn-errortype", HeaderValue::from_static(code));
            }
            Dialect::Cbor => {
                headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
            }
            Dialect::Query | Dialect::Ec2 => {}
        }
        response
    }
}

fn json(code: &str, message: &str) -> String {
    serde_json::json!({"__type": code, "message": message}).to_string()
}

/// A map of two text strings (RFC 8949).
fn cbor(code: &str, message: &str) -> Vec<u8> {
    let mut out = vec![0xa2];
    for text in ["__type", code, "message", message] {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        out.push(0x79);
        out.extend(length.to_be_bytes());
        out.extend(text.as_bytes().iter().take(length.into()));
    }
    out
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn body(refusal: &Refusal, dialect: Dialect) -> (u16, Vec<u8>) {
        let response = refusal.response(dialect);
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, bytes.to_vec())
    }

    #[tokio::test]
    async fn each_protocol_gets_its_own_error_with_the_reason() {
        let refusal = Refusal::NotAllowed {
            service: "ecs".to_owned(),
            operation: "UpdateService".to_owned(),
        };
        for (dialect, code) in [
            (Dialect::Json, "AccessDeniedException"),
            (Dialect::Cbor, "AccessDeniedException"),
            (Dialect::Query, "AccessDenied"),
            (Dialect::Ec2, "UnauthorizedOperation"),
        ] {
            let (status, bytes) = body(&refusal, dialect).await;
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(status, 403);
            assert!(
                text.contains(code) && text.contains("`ecs:UpdateService`"),
                "{text}"
            );
        }
    }

    #[tokio::test]
    async fn what_a_child_wrote_cannot_break_out_of_the_error() {
        let refusal = Refusal::UnknownService("</Code><Code>&\"".to_owned());
        let (_, bytes) = body(&refusal, Dialect::Query).await;
        assert!(!String::from_utf8_lossy(&bytes).contains("</Code><Code>&"));
        let (_, bytes) = body(&refusal, Dialect::Json).await;
        let read: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read["__type"], "AccessDeniedException");
    }
}
