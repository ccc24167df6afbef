//! The two calls to AWS STS, and what their errors mean.

use std::error::Error;
use std::sync::Arc;

use aws_sdk_sts::Client;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::types::Tag;
use chrono::{DateTime, TimeDelta, Utc};

use crate::arn::{Arn, RoleArn};
use crate::context::{ContextError, CredentialContext, Lifetime};
use crate::identity::AccountId;
use crate::keys::Keys;
use crate::reference::CredentialReference;
use crate::scope::ScopeRequest;
use crate::session::SessionIdentity;
use crate::source_error::{SourceError, causes};

const ASSUME_ROLE: &str = "sts:AssumeRole";
const CALLER_IDENTITY: &str = "sts:GetCallerIdentity";

/// A role to assume, and how.
#[derive(Debug)]
pub(crate) struct Assumption<'a> {
    pub(crate) role_arn: &'a RoleArn,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) session: &'a SessionIdentity,
    /// What to narrow the session to; none for a role that only leads to another one.
    pub(crate) request: Option<&'a ScopeRequest>,
    /// The reference being resolved, for errors.
    pub(crate) reference: &'a CredentialReference,
}

/// Lifetime of a session that only leads to another one: the shortest that STS grants.
const CHAIN_SECONDS: i32 = 900;

/// Assumes a role with the credentials of `base`.
pub(crate) async fn assume_role(
    base: &Arc<CredentialContext>,
    assumption: Assumption<'_>,
) -> Result<(Keys, Lifetime), SourceError> {
    let seconds = assumption
        .request
        .map_or(CHAIN_SECONDS, ScopeRequest::session_seconds);
    let session = assumption.session;
    let tags = session
        .tags()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tags: Result<Vec<Tag>, _> = tags.collect();
    let answer = client(base)?
        .assume_role()
        .role_arn(assumption.role_arn.as_str())
        .role_session_name(session.name())
        .set_source_identity(session.source_identity().map(str::to_owned))
        .set_external_id(assumption.external_id.map(str::to_owned))
        .set_policy(
            assumption
                .request
                .map(|request| request.policy().to_json().to_owned()),
        )
        // INVARIANT: `SessionIdentity` has both halves of every tag, so none fails to build.
        .set_tags(tags.ok().filter(|tags| !tags.is_empty()))
        .duration_seconds(seconds)
        .send()
        .await
        .map_err(|error| {
            let resource = assumption.role_arn.as_str();
            explain(base, error, ASSUME_ROLE, resource, assumption.reference)
        })?;
    let malformed = || malformed(base, ASSUME_ROLE);
    let issued = answer.credentials().ok_or_else(malformed)?;
    let end = *issued.expiration();
    let expires_at = DateTime::from_timestamp(end.secs(), end.subsec_nanos());
    let keys = Keys::from_issuer(
        issued.access_key_id(),
        issued.secret_access_key(),
        Some(issued.session_token()),
        expires_at,
    )
    .map_err(|source| SourceError::Keys {
        reference: assumption.reference.clone(),
        source,
    })?;
    let now = base.aws_now().unwrap_or_else(Utc::now);
    let longest = TimeDelta::seconds(seconds.into());
    Ok((keys, Lifetime::measured(expires_at, now, longest)))
}

/// Whose credentials they are.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) account: AccountId,
    pub(crate) principal: Arn,
}

/// Asks STS whose the credentials of `context` are.
pub(crate) async fn caller(
    context: &Arc<CredentialContext>,
    reference: &CredentialReference,
) -> Result<Caller, SourceError> {
    let answer = client(context)?
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| explain(context, error, CALLER_IDENTITY, "*", reference))?;
    let account = answer.account().and_then(|account| account.parse().ok());
    let principal = answer.arn().and_then(|arn| arn.parse().ok());
    account
        .zip(principal)
        .map(|(account, principal)| Caller { account, principal })
        .ok_or_else(|| malformed(context, CALLER_IDENTITY))
}

fn client(context: &Arc<CredentialContext>) -> Result<Client, SourceError> {
    let config = aws_sdk_sts::config::Builder::from(&context.sdk_config()?)
        .retry_partition(context.retry_partition())
        .build();
    Ok(Client::from_conf(config))
}

fn malformed(context: &Arc<CredentialContext>, action: &'static str) -> SourceError {
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

/// Says what an error of STS means, in fixed words.
fn explain<E, R>(
    context: &Arc<CredentialContext>,
    error: SdkError<E, R>,
    action: &'static str,
    resource: &str,
    reference: &CredentialReference,
) -> SourceError
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let reference = || reference.clone();
    if let SdkError::ServiceError(answer) = &error {
        let code = answer.err().code().unwrap_or_default();
        return match code {
            "AccessDenied" | "AccessDeniedException" => SourceError::Denied {
                action,
                resource: resource.to_owned(),
            },
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
            "RequestExpired" | "RequestTimeTooSkewed" => SourceError::ClockSkewed,
            "RegionDisabledException" | "RegionDisabled" => SourceError::RegionDisabled,
            "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => SourceError::PolicyTooLarge,
            "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => {
                SourceError::PolicyRefused
            }
            "Throttling" | "ThrottlingException" | "RequestLimitExceeded" => SourceError::Throttled,
            "" => malformed(context, action),
            code => SourceError::Service {
                action,
                code: crate::text::excerpt(code),
            },
        };
    }
    if let Some(own) = cause_in_context(&error) {
        return own.into();
    }
    if matches!(error, SdkError::ResponseError(_)) {
        return malformed(context, action);
    }
    SourceError::Unreachable {
        endpoint: endpoint(context),
    }
}

/// Finds the context's own refusal under the SDK's layers.
fn cause_in_context(error: &(dyn Error + 'static)) -> Option<ContextError> {
    causes(error)
        .find_map(|error| error.downcast_ref::<ContextError>())
        .cloned()
}
