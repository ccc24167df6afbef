//! The calls to AWS STS.

use std::sync::Arc;

use aws_sdk_sts::Client;
use aws_sdk_sts::types::{Credentials, Tag};
use chrono::{DateTime, TimeDelta, Utc};

use crate::arn::{Arn, RoleArn};
use crate::context::{CredentialContext, Lifetime};
use crate::identity::AccountId;
use crate::keys::Keys;
use crate::reference::CredentialReference;
use crate::scope::SessionPolicy;
use crate::secret::SecretText;
use crate::session::{Attribution, SessionIdentity};
use crate::source_error::SourceError;
use crate::sts_error::{Asked, explain, malformed};

const ASSUME_ROLE: &str = "sts:AssumeRole";
const WEB_IDENTITY: &str = "sts:AssumeRoleWithWebIdentity";
const FEDERATION_TOKEN: &str = "sts:GetFederationToken";
const CALLER_IDENTITY: &str = "sts:GetCallerIdentity";

/// What a new session is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Narrowing<'a> {
    pub(crate) policy: &'a SessionPolicy,
    pub(crate) seconds: i32,
}

/// A role to assume, and how.
#[derive(Debug)]
pub(crate) struct Assumption<'a> {
    pub(crate) role_arn: &'a RoleArn,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) session: &'a SessionIdentity,
    /// What AWS's audit trail is told beside the session's name.
    pub(crate) attribution: Attribution,
    /// The plan that the session is for.
    pub(crate) plan_hash: Option<&'a str>,
    /// What to narrow the session to; none for a role that only leads to another one.
    pub(crate) narrowing: Option<Narrowing<'a>>,
    /// The reference being resolved, for errors.
    pub(crate) reference: &'a CredentialReference,
}

/// Lifetime of a session that only leads to another one: the shortest that STS grants.
const CHAIN_SECONDS: i32 = crate::scope::SHORTEST_SESSION_SECONDS;

/// The tag that says which plan a session carries out.
const PLAN_TAG: &str = "plan";

/// Assumes a role with the credentials of `base`.
pub(crate) async fn assume_role(
    base: &Arc<CredentialContext>,
    assumption: Assumption<'_>,
) -> Result<(Keys, Lifetime), SourceError> {
    let seconds = assumption
        .narrowing
        .map_or(CHAIN_SECONDS, |narrowing| narrowing.seconds);
    let session = assumption.session;
    let told = assumption.attribution;
    let mut tags: Vec<(&str, &str)> = session.tags().collect();
    tags.extend(assumption.plan_hash.map(|hash| (PLAN_TAG, hash)));
    if !told.session_tags || tags.len() > MOST_TAGS {
        tags.clear();
    }
    let keys: Vec<String> = tags.iter().map(|(key, _)| (*key).to_owned()).collect();
    let tags = tags
        .into_iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tags: Result<Vec<Tag>, _> = tags.collect();
    let person = session.source_identity().filter(|_| told.source_identity);
    let asked = Asked {
        action: ASSUME_ROLE,
        resource: assumption.role_arn.as_str(),
        reference: assumption.reference,
    };
    let policy = assumption.narrowing.map(|narrowing| narrowing.policy);
    let answer = client(base)?
        .assume_role()
        .role_arn(assumption.role_arn.as_str())
        .role_session_name(session.name())
        .set_source_identity(person.map(str::to_owned))
        .set_external_id(assumption.external_id.map(str::to_owned))
        .set_policy(policy.map(|policy| policy.to_json().to_owned()))
        // INVARIANT: `SessionIdentity` has both halves of every tag, so none fails to build.
        .set_tags(tags.ok().filter(|tags| !tags.is_empty()))
        .set_transitive_tag_keys(Some(keys).filter(|keys| !keys.is_empty()))
        .duration_seconds(seconds)
        .send()
        .await
        .map_err(|error| explain(base, error, &asked))?;
    issued(base, answer.credentials(), seconds, &asked)
}

/// STS's limit of tags for one session.
const MOST_TAGS: usize = 50;

/// Assumes a role with the token of an identity provider. The request is not signed: the token is
/// the proof, and no key of this machine or of another invocation can get into it.
pub(crate) async fn assume_role_with_web_identity(
    unsigned: &Arc<CredentialContext>,
    token: &SecretText,
    assumption: Assumption<'_>,
) -> Result<(Keys, Lifetime), SourceError> {
    let seconds = assumption
        .narrowing
        .map_or(CHAIN_SECONDS, |narrowing| narrowing.seconds);
    let asked = Asked {
        action: WEB_IDENTITY,
        resource: assumption.role_arn.as_str(),
        reference: assumption.reference,
    };
    let policy = assumption.narrowing.map(|narrowing| narrowing.policy);
    // SECURITY: the SDK's request holds one more copy of the token on the cell's heap, for the
    // length of the call; the wiping allocator takes it away.
    let request = token.sign(|token| {
        client(unsigned).map(|client| {
            client
                .assume_role_with_web_identity()
                .role_arn(assumption.role_arn.as_str())
                .role_session_name(assumption.session.name())
                .web_identity_token(token)
                .set_policy(policy.map(|policy| policy.to_json().to_owned()))
                .duration_seconds(seconds)
        })
    })?;
    let answer = request
        .send()
        .await
        .map_err(|error| explain(unsigned, error, &asked))?;
    issued(unsigned, answer.credentials(), seconds, &asked)
}

/// Exchanges an IAM user's keys for a session that is held to a policy.
pub(crate) async fn federation_token(
    user: &Arc<CredentialContext>,
    name: &str,
    narrowing: Narrowing<'_>,
    reference: &CredentialReference,
) -> Result<(Keys, Lifetime), SourceError> {
    let asked = Asked {
        action: FEDERATION_TOKEN,
        resource: "*",
        reference,
    };
    let answer = client(user)?
        .get_federation_token()
        .name(name)
        .policy(narrowing.policy.to_json())
        .duration_seconds(narrowing.seconds)
        .send()
        .await
        .map_err(|error| explain(user, error, &asked))?;
    issued(user, answer.credentials(), narrowing.seconds, &asked)
}

/// Takes over the credentials that STS issued.
fn issued(
    asked_by: &Arc<CredentialContext>,
    issued: Option<&Credentials>,
    seconds: i32,
    asked: &Asked<'_>,
) -> Result<(Keys, Lifetime), SourceError> {
    let issued = issued.ok_or_else(|| malformed(asked_by, asked.action))?;
    let end = *issued.expiration();
    let expires_at = DateTime::from_timestamp(end.secs(), end.subsec_nanos());
    let keys = Keys::from_issuer(
        issued.access_key_id(),
        issued.secret_access_key(),
        Some(issued.session_token()),
        expires_at,
    )
    .map_err(|source| SourceError::Keys {
        reference: asked.reference.clone(),
        source,
    })?;
    let now = asked_by.aws_now().unwrap_or_else(Utc::now);
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
    let asked = Asked {
        action: CALLER_IDENTITY,
        resource: "*",
        reference,
    };
    let answer = client(context)?
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| explain(context, error, &asked))?;
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
