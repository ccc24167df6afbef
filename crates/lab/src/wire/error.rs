//! What an AWS endpoint answers when it does not answer.

use http::StatusCode;

use super::Protocol;

/// An error as the caller sees it. The same cause has another name in each protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApiError {
    /// An exception of the service's own model.
    Modelled {
        code: &'static str,
        message: String,
        status: StatusCode,
    },
    /// The caller may not do this.
    Denied { message: String },
    /// No such access key, or a session token that does not belong to it.
    UnknownKey,
    /// The signature is missing a part, stale or wrong.
    BadSignature { message: String },
    /// The temporary credentials are past their time.
    ExpiredToken,
    /// The request is not signed at all.
    MissingAuthentication,
    /// The scenario throttles this call.
    Throttled,
    /// The scenario makes this call fail on AWS's side.
    Internal { message: String },
    /// A real operation, or a typing error: either way the lab has no such thing.
    Unsimulated { service: String, operation: String },
}

impl ApiError {
    /// A client error of the service's model: HTTP 400.
    pub(crate) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::Modelled {
            code,
            message: message.into(),
            status: StatusCode::BAD_REQUEST,
        }
    }

    /// A missing thing, for the services that answer HTTP 404.
    pub(crate) fn absent(code: &'static str, message: impl Into<String>) -> Self {
        Self::Modelled {
            code,
            message: message.into(),
            status: StatusCode::NOT_FOUND,
        }
    }

    /// The code, the message and the HTTP status in `protocol`.
    pub(crate) fn render(&self, protocol: Protocol) -> (String, String, StatusCode) {
        use Protocol::{Cbor, Ec2, Json10, Json11, Query};
        let pick = |json: &str, query: &str, ec2: &str| {
            let code = match protocol {
                Json10 | Json11 | Cbor => json,
                Query => query,
                Ec2 => ec2,
            };
            let refused = match protocol {
                Json10 | Json11 | Cbor => StatusCode::BAD_REQUEST,
                Query | Ec2 => StatusCode::FORBIDDEN,
            };
            (code.to_owned(), refused)
        };
        match self {
            Self::Modelled {
                code,
                message,
                status,
            } => ((*code).to_owned(), message.clone(), *status),
            Self::Denied { message } => {
                let (code, status) = pick(
                    "AccessDeniedException",
                    "AccessDenied",
                    "UnauthorizedOperation",
                );
                (code, message.clone(), status)
            }
            Self::UnknownKey => {
                let (code, status) = pick(
                    "UnrecognizedClientException",
                    "InvalidClientTokenId",
                    "AuthFailure",
                );
                let message = match protocol {
                    Ec2 => "AWS was not able to validate the provided access credentials",
                    Json10 | Json11 | Cbor | Query => {
                        "The security token included in the request is invalid."
                    }
                };
                (code, message.to_owned(), status)
            }
            Self::BadSignature { message } => {
                let (code, status) = pick(
                    "InvalidSignatureException",
                    "SignatureDoesNotMatch",
                    "AuthFailure",
                );
                (code, message.clone(), status)
            }
            Self::ExpiredToken => {
                let (code, status) =
                    pick("ExpiredTokenException", "ExpiredToken", "RequestExpired");
                let message = match protocol {
                    Ec2 => "Request has expired.",
                    Json10 | Json11 | Cbor | Query => {
                        "The security token included in the request is expired"
                    }
                };
                (code, message.to_owned(), status)
            }
            Self::MissingAuthentication => {
                let (code, status) = pick(
                    "MissingAuthenticationTokenException",
                    "MissingAuthenticationToken",
                    "MissingAuthenticationToken",
                );
                (code, "Missing Authentication Token".to_owned(), status)
            }
            Self::Throttled => {
                let (code, _) = pick("ThrottlingException", "Throttling", "RequestLimitExceeded");
                let status = match protocol {
                    Ec2 => StatusCode::SERVICE_UNAVAILABLE,
                    Json10 | Json11 | Cbor | Query => StatusCode::BAD_REQUEST,
                };
                (code, "Rate exceeded".to_owned(), status)
            }
            Self::Internal { message } => {
                let (code, _) = pick("ServerException", "InternalFailure", "InternalError");
                (code, message.clone(), StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Unsimulated { service, operation } => {
                let (code, _) = pick(
                    "UnknownOperationException",
                    "InvalidAction",
                    "InvalidAction",
                );
                let message = format!(
                    "The lab does not simulate the operation {operation} of the service {service}."
                );
                (code, message, StatusCode::BAD_REQUEST)
            }
        }
    }
}
