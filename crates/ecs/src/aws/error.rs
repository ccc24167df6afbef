//! One classification for every way a call to AWS can fail.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use ecs_agent_credentials::SignedRequestError;

use super::TextCleaner;
use crate::observation::GapReason;

/// A call to AWS that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    call: String,
    kind: AwsErrorKind,
    message: String,
}

/// Why a call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AwsErrorKind {
    /// The identity lacks this IAM action.
    Denied {
        /// The missing action, such as `logs:FilterLogEvents`.
        iam_action: String,
    },
    /// Throttled even after bounded retries.
    Throttled {
        /// AWS's error code.
        code: String,
    },
    /// What was asked about does not exist.
    NotFound {
        /// AWS's error code.
        code: String,
    },
    /// The credentials are expired, unknown or absent; nothing will work until they are replaced.
    CredentialsRejected {
        /// AWS's error code, or what this side found missing.
        code: String,
    },
    /// The endpoint does not offer the call: a simulator, or a region without it.
    NotSupported {
        /// The error code or HTTP status.
        code: String,
    },
    /// No answer came: connection refused, name not resolved, timed out.
    Unreachable {
        /// What happened.
        code: String,
    },
    /// The state of the resource does not allow it, or it exists already.
    Conflict {
        /// AWS's error code.
        code: String,
    },
    /// Anything else AWS said.
    Other {
        /// AWS's error code.
        code: String,
    },
}

impl AwsError {
    /// An error from its parts: `code` and `status` decide its kind.
    pub(crate) fn from_code(
        call: &str,
        code: Option<&str>,
        status: Option<u16>,
        message: &str,
        cleaner: &TextCleaner,
    ) -> Self {
        let message = cleaner.words(message);
        let kind = kind_of(call, code, status, &message);
        Self {
            call: call.to_owned(),
            kind,
            message,
        }
    }

    /// An error of a kind that this side found out by itself.
    pub(crate) fn of_kind(call: &str, kind: AwsErrorKind, message: String) -> Self {
        Self {
            call: call.to_owned(),
            kind,
            message,
        }
    }

    /// Classifies why a request that this side signed itself has no answer.
    pub(crate) fn from_request(
        call: &str,
        error: &SignedRequestError,
        cleaner: &TextCleaner,
    ) -> Self {
        let kind = match error {
            SignedRequestError::Context(_) | SignedRequestError::Renewal(_) => {
                AwsErrorKind::CredentialsRejected {
                    code: "NoCredentials".to_owned(),
                }
            }
            SignedRequestError::Unreadable { .. } => AwsErrorKind::Other {
                code: "UnreadableResponse".to_owned(),
            },
            SignedRequestError::Unsignable { .. } | SignedRequestError::Unreachable { .. } | _ => {
                AwsErrorKind::Unreachable {
                    code: "connection failed".to_owned(),
                }
            }
        };
        Self::of_kind(call, kind, cleaner.words(&error.to_string()))
    }

    /// Classifies what the SDK returned.
    pub(crate) fn from_sdk<E>(
        call: &str,
        error: &SdkError<E, HttpResponse>,
        cleaner: &TextCleaner,
    ) -> Self
    where
        E: StdError + ProvideErrorMetadata + 'static,
    {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let own = |kind| Self::of_kind(call, kind, cleaner.words(&innermost(error)));
        if let SdkError::ServiceError(service) = error {
            let meta = service.err().meta();
            let message = meta.message().unwrap_or_default();
            return Self::from_code(call, meta.code(), status, message, cleaner);
        }
        if let SdkError::TimeoutError(_) = error {
            return own(AwsErrorKind::Unreachable {
                code: "timed out".to_owned(),
            });
        }
        if lacks_credentials(error) {
            return own(AwsErrorKind::CredentialsRejected {
                code: "NoCredentials".to_owned(),
            });
        }
        if let SdkError::DispatchFailure(failure) = error {
            let code = if failure.is_timeout() {
                "timed out"
            } else {
                "connection failed"
            };
            return own(AwsErrorKind::Unreachable {
                code: code.to_owned(),
            });
        }
        // An answer that is not of this service's protocol, or a request that cannot be made.
        own(match status {
            Some(status @ (404 | 405 | 501)) => AwsErrorKind::NotSupported {
                code: format!("HTTP {status}"),
            },
            Some(429) => AwsErrorKind::Throttled {
                code: "HTTP 429".to_owned(),
            },
            Some(status) => AwsErrorKind::Other {
                code: format!("HTTP {status}"),
            },
            None => AwsErrorKind::Other {
                code: "InvalidRequest".to_owned(),
            },
        })
    }

    /// The call in IAM's form, such as `ecs:DescribeServices`.
    #[must_use]
    pub fn call(&self) -> &str {
        &self.call
    }

    /// Why there was no answer.
    #[must_use]
    pub fn kind(&self) -> &AwsErrorKind {
        &self.kind
    }

    /// AWS's words, masked and escaped.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// AWS's error code, or this side's word for it.
    #[must_use]
    pub fn code(&self) -> &str {
        match &self.kind {
            AwsErrorKind::Denied { .. } => "AccessDenied",
            AwsErrorKind::Throttled { code }
            | AwsErrorKind::NotFound { code }
            | AwsErrorKind::CredentialsRejected { code }
            | AwsErrorKind::NotSupported { code }
            | AwsErrorKind::Unreachable { code }
            | AwsErrorKind::Conflict { code }
            | AwsErrorKind::Other { code } => code,
        }
    }

    /// Whether what was asked about does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, AwsErrorKind::NotFound { .. })
    }

    /// Whether nothing else can succeed either: the credentials or the connection are the problem.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(
            self.kind,
            AwsErrorKind::CredentialsRejected { .. } | AwsErrorKind::Unreachable { .. }
        )
    }

    /// What an observation says about the missing answer.
    #[must_use]
    pub fn gap_reason(&self) -> GapReason {
        match &self.kind {
            AwsErrorKind::Denied { iam_action } => GapReason::Denied {
                iam_action: iam_action.clone(),
            },
            AwsErrorKind::NotSupported { code } => GapReason::NotSupported { code: code.clone() },
            AwsErrorKind::NotFound { code }
            | AwsErrorKind::Throttled { code }
            | AwsErrorKind::CredentialsRejected { code }
            | AwsErrorKind::Unreachable { code }
            | AwsErrorKind::Conflict { code }
            | AwsErrorKind::Other { code } => GapReason::Unavailable { code: code.clone() },
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = &self.call;
        match &self.kind {
            AwsErrorKind::Denied { iam_action } => write!(
                f,
                "`{call}` was denied: the identity needs `{iam_action}`; add it to its policy"
            ),
            AwsErrorKind::Throttled { code } => {
                write!(
                    f,
                    "`{call}` was throttled (`{code}`) after all retries; try again later"
                )
            }
            AwsErrorKind::NotFound { code } => {
                write!(f, "`{call}` found nothing (`{code}`): {}", self.message)
            }
            AwsErrorKind::CredentialsRejected { code } => write!(
                f,
                "`{call}` was refused because of the credentials (`{code}`); give new ones"
            ),
            AwsErrorKind::NotSupported { code } => {
                write!(f, "this endpoint does not offer `{call}` (`{code}`)")
            }
            AwsErrorKind::Unreachable { code } => write!(
                f,
                "`{call}` got no answer ({code}): {}; check the network and the endpoint",
                self.message
            ),
            AwsErrorKind::Conflict { code } | AwsErrorKind::Other { code } => {
                write!(f, "`{call}` failed with `{code}`: {}", self.message)
            }
        }
    }
}

impl StdError for AwsError {}

fn kind_of(call: &str, code: Option<&str>, status: Option<u16>, message: &str) -> AwsErrorKind {
    let Some(code) = code.map(|code| code.rsplit('#').next().unwrap_or(code)) else {
        let code = status.map_or_else(|| "Unknown".to_owned(), |status| format!("HTTP {status}"));
        return match status {
            Some(404 | 405 | 501) => AwsErrorKind::NotSupported { code },
            Some(429 | 503) => AwsErrorKind::Throttled { code },
            _ => AwsErrorKind::Other { code },
        };
    };
    let owned = code.to_owned();
    match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "AuthorizationError"
        | "UnauthorizedException" => AwsErrorKind::Denied {
            iam_action: denied_action(message).unwrap_or(call).to_owned(),
        },
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "RequestExpired"
        | "UnrecognizedClientException"
        | "AuthFailure"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "InvalidAccessKeyId"
        | "OptInRequired" => AwsErrorKind::CredentialsRejected { code: owned },
        "UnknownOperationException"
        | "InvalidAction"
        | "NotImplemented"
        | "NotImplementedException"
        | "UnsupportedOperation"
        | "InternalFailure"
            if status == Some(501) || code != "InternalFailure" =>
        {
            AwsErrorKind::NotSupported { code: owned }
        }
        "RequestLimitExceeded" | "SlowDown" | "TooManyRequestsException" => {
            AwsErrorKind::Throttled { code: owned }
        }
        _ if code.contains("Throttl") => AwsErrorKind::Throttled { code: owned },
        "ClientException"
            if message
                .to_ascii_lowercase()
                .contains("unable to describe task definition") =>
        {
            AwsErrorKind::NotFound { code: owned }
        }
        "ValidationError" if message.contains("does not exist") => {
            AwsErrorKind::NotFound { code: owned }
        }
        "NoSuchEntity" => AwsErrorKind::NotFound { code: owned },
        _ if code.contains("NotFound") => AwsErrorKind::NotFound { code: owned },
        "InvalidPermission.Duplicate" => AwsErrorKind::Conflict { code: owned },
        _ if code.contains("AlreadyExists") || code.contains("Conflict") => {
            AwsErrorKind::Conflict { code: owned }
        }
        _ => AwsErrorKind::Other { code: owned },
    }
}

/// Finds the action in `… is not authorized to perform: ecs:DescribeTasks on resource …`.
fn denied_action(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("to perform: ")?;
    let action = rest.split(|c: char| c.is_whitespace() || c == ',').next()?;
    let (service, name) = action.split_once(':')?;
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    (is_word(service) && is_word(name)).then_some(action)
}

fn chain<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn lacks_credentials<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: StdError + 'static,
{
    error
        .source()
        .is_some_and(|source| chain(source).any(|cause| cause.is::<CredentialsError>()))
}

fn innermost<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: StdError + 'static,
{
    error
        .source()
        .and_then(|source| chain(source).last())
        .map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str, status: u16, message: &str) -> AwsErrorKind {
        let cleaner = TextCleaner::new().unwrap();
        AwsError::from_code(
            "ecs:DescribeTasks",
            Some(code),
            Some(status),
            message,
            &cleaner,
        )
        .kind()
        .clone()
    }

    #[test]
    fn codes_have_one_class() {
        let code = |code: &str| code.to_owned();
        for (given, status, expected) in [
            (
                "ThrottlingException",
                400,
                AwsErrorKind::Throttled {
                    code: code("ThrottlingException"),
                },
            ),
            (
                "RequestLimitExceeded",
                503,
                AwsErrorKind::Throttled {
                    code: code("RequestLimitExceeded"),
                },
            ),
            (
                "ServiceNotFoundException",
                400,
                AwsErrorKind::NotFound {
                    code: code("ServiceNotFoundException"),
                },
            ),
            (
                "InvalidGroup.NotFound",
                400,
                AwsErrorKind::NotFound {
                    code: code("InvalidGroup.NotFound"),
                },
            ),
            (
                "ExpiredTokenException",
                400,
                AwsErrorKind::CredentialsRejected {
                    code: code("ExpiredTokenException"),
                },
            ),
            (
                "NotImplemented",
                501,
                AwsErrorKind::NotSupported {
                    code: code("NotImplemented"),
                },
            ),
            (
                "InternalFailure",
                501,
                AwsErrorKind::NotSupported {
                    code: code("InternalFailure"),
                },
            ),
            (
                "InternalFailure",
                500,
                AwsErrorKind::Other {
                    code: code("InternalFailure"),
                },
            ),
            (
                "InvalidPermission.Duplicate",
                400,
                AwsErrorKind::Conflict {
                    code: code("InvalidPermission.Duplicate"),
                },
            ),
            (
                "ServerException",
                500,
                AwsErrorKind::Other {
                    code: code("ServerException"),
                },
            ),
            (
                "com.amazon#AccessDeniedException",
                400,
                AwsErrorKind::Denied {
                    iam_action: code("ecs:DescribeTasks"),
                },
            ),
        ] {
            assert_eq!(kind(given, status, ""), expected, "{given}");
        }
    }

    #[test]
    fn the_missing_action_is_named() {
        let message = "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: \
                       ecs:ListTasks on resource: * because no session policy allows it";
        assert_eq!(
            kind("AccessDeniedException", 400, message),
            AwsErrorKind::Denied {
                iam_action: "ecs:ListTasks".to_owned()
            }
        );
        let hostile = "to perform: <script>:x on";
        assert_eq!(
            kind("AccessDenied", 403, hostile),
            AwsErrorKind::Denied {
                iam_action: "ecs:DescribeTasks".to_owned()
            }
        );
    }
}
