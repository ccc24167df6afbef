//! What an error of AWS STS means, in fixed words.

use std::error::Error;
use std::sync::Arc;

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};

use crate::context::{ContextError, CredentialContext};
use crate::reference::CredentialReference;
use crate::source_error::{SourceError, causes};

/// What was asked of STS, for errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) action: &'static str,
    pub(crate) resource: &'a str,
    pub(crate) reference: &'a CredentialReference,
}

/// Says that an answer is not one of STS.
pub(crate) fn malformed(context: &Arc<CredentialContext>, action: &'static str) -> SourceError {
    SourceError::Malformed {
        action,
        endpoint: endpoint(context),
    }
}

fn endpoint(context: &Arc<CredentialContext>) -> String {
    let region = context.region().ok();
    region.map_or_else(
        || "sts".to_owned(),
        |region| context.endpoints().url_for("sts", &region),
    )
}

/// Says what an error of STS means.
pub(crate) fn explain<E, R>(
    context: &Arc<CredentialContext>,
    error: SdkError<E, R>,
    asked: &Asked<'_>,
) -> SourceError
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let reference = || asked.reference.clone();
    if let SdkError::ServiceError(answer) = &error {
        let code = answer.err().code().unwrap_or_default();
        return match code {
            "AccessDenied" | "AccessDeniedException" => {
                denied(answer.err().message().unwrap_or_default(), asked)
            }
            "ExpiredToken" | "ExpiredTokenException" => SourceError::Expired {
                reference: Some(reference()),
            },
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidAccessKeyId"
            | "AuthFailure"
            | "IncompleteSignature" => SourceError::KeyRefused {
                reference: reference(),
            },
            "InvalidIdentityToken" | "IDPRejectedClaim" => SourceError::TokenRefused {
                reference: reference(),
            },
            "IDPCommunicationError" => SourceError::ProviderUnreachable {
                reference: reference(),
            },
            "RequestExpired" | "RequestTimeTooSkewed" => SourceError::ClockSkewed,
            "RegionDisabledException" | "RegionDisabled" => SourceError::RegionDisabled,
            "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => SourceError::PolicyTooLarge,
            "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => {
                SourceError::PolicyRefused
            }
            "Throttling" | "ThrottlingException" | "RequestLimitExceeded" => SourceError::Throttled,
            "" => malformed(context, asked.action),
            code => SourceError::Service {
                action: asked.action,
                code: crate::text::excerpt(code),
            },
        };
    }
    if let Some(own) = cause_in_context(&error) {
        return own.into();
    }
    if matches!(error, SdkError::ResponseError(_)) {
        return malformed(context, asked.action);
    }
    SourceError::Unreachable {
        endpoint: endpoint(context),
    }
}

/// Tells which permission is missing. AWS's text names the action that was refused; it is looked
/// for in there and not repeated.
fn denied(message: &str, asked: &Asked<'_>) -> SourceError {
    const ATTRIBUTION: [(&str, &str); 2] = [
        ("sts:TagSession", "session_tags"),
        ("sts:SetSourceIdentity", "source_identity"),
    ];
    let refused = ATTRIBUTION
        .into_iter()
        .find(|(action, _)| message.contains(action));
    let resource = asked.resource.to_owned();
    match refused {
        Some((action, setting)) => SourceError::AttributionDenied {
            action,
            resource,
            setting,
        },
        None => SourceError::Denied {
            action: asked.action,
            resource,
        },
    }
}

/// Finds the context's own refusal under the SDK's layers.
fn cause_in_context(error: &(dyn Error + 'static)) -> Option<ContextError> {
    causes(error)
        .find_map(|error| error.downcast_ref::<ContextError>())
        .cloned()
}
