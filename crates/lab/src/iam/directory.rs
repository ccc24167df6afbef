//! Access keys, users, roles and sessions of every account in the lab.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::evaluate::{Access, Verdict, authorize};
use super::policy::PolicyDocument;
use crate::wire::ApiError;
use crate::world::{Account, World};

/// The longest session policy that STS takes, in characters.
const MAX_SESSION_POLICY: usize = 2048;
const MIN_DURATION: i64 = 900;
/// `MaxSessionDuration` of every role in the lab: AWS's default is 1 hour, its limit 12.
const MAX_SESSION_DURATION: i64 = 7200;
/// AWS's limit for a role that is assumed with another role's session.
const MAX_CHAINED_DURATION: i64 = 3600;

/// Who a request comes from, once its signature is accepted.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) account: String,
    /// The ARN that AWS puts into access denied messages and `GetCallerIdentity`.
    pub(crate) arn: String,
    pub(crate) user_id: String,
    pub(crate) session: Option<SessionFacts>,
    policies: Arc<Vec<PolicyDocument>>,
    session_policy: Option<Arc<PolicyDocument>>,
}

/// What distinguishes one session of a role from another.
#[derive(Debug, Clone)]
pub(crate) struct SessionFacts {
    pub(crate) name: String,
    pub(crate) source_identity: Option<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) narrowed: bool,
}

impl Identity {
    /// IAM's decision for this caller.
    pub(crate) fn may(&self, access: &Access<'_>) -> Verdict {
        authorize(access, &self.policies, self.session_policy.as_deref())
    }

    /// The condition keys that depend on the caller alone.
    pub(crate) fn context(&self, region: &str) -> BTreeMap<String, Vec<String>> {
        let mut context = BTreeMap::from([
            ("aws:requestedregion".to_owned(), vec![region.to_owned()]),
            ("aws:principalarn".to_owned(), vec![self.arn.clone()]),
            (
                "aws:principalaccount".to_owned(),
                vec![self.account.clone()],
            ),
        ]);
        if let Some(session) = &self.session {
            if let Some(source) = &session.source_identity {
                context.insert("aws:sourceidentity".to_owned(), vec![source.clone()]);
            }
            for (key, value) in &session.tags {
                let key = format!("aws:principaltag/{}", key.to_ascii_lowercase());
                context.insert(key, vec![value.clone()]);
            }
        }
        context
    }
}

/// A key's secret and identity, before the signature is checked.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) secret: String,
    pub(crate) identity: Identity,
}

/// The parameters of `sts:AssumeRole`.
#[derive(Debug, Clone, Default)]
pub(crate) struct AssumeRole<'a> {
    pub(crate) role_arn: &'a str,
    pub(crate) session_name: &'a str,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) policy: Option<&'a str>,
    pub(crate) duration_seconds: Option<i64>,
    pub(crate) source_identity: Option<&'a str>,
    pub(crate) tags: Vec<(String, String)>,
}

/// Temporary credentials as STS hands them out.
#[derive(Debug)]
pub(crate) struct IssuedSession {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: String,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) arn: String,
    pub(crate) assumed_role_id: String,
    pub(crate) source_identity: Option<String>,
    pub(crate) packed_policy_percent: Option<usize>,
}

#[derive(Debug)]
struct Key {
    secret: String,
    identity: Identity,
    token: Option<String>,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Debug)]
struct Role {
    account: String,
    name: String,
    id: String,
    trust: PolicyDocument,
    policies: Arc<Vec<PolicyDocument>>,
    max_session_seconds: i64,
}

/// All principals of the lab.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    keys: HashMap<String, Key>,
    roles: HashMap<String, Role>,
    minted: u64,
}

impl Directory {
    /// The principals of a world as it is now.
    pub(crate) fn of(world: &World) -> Self {
        let mut directory = Self::default();
        world
            .accounts
            .values()
            .for_each(|account| directory.add(account));
        directory
    }

    fn add(&mut self, account: &Account) {
        for role in account.roles.values() {
            let Ok(trust) = PolicyDocument::from_value(&role.trust) else {
                continue;
            };
            let policies = account.policies_of(role);
            let entry = Role {
                account: account.id.clone(),
                name: role.name.clone(),
                id: role.id.clone(),
                trust,
                policies: Arc::new(documents(policies)),
                max_session_seconds: MAX_SESSION_DURATION,
            };
            self.roles.insert(role.arn.clone(), entry);
        }
        for user in account.users.values() {
            let policies = Arc::new(documents(
                user.inline_policies.iter().map(|one| &one.document),
            ));
            for key in &user.access_keys {
                let identity = Identity {
                    account: account.id.clone(),
                    arn: user.arn.clone(),
                    user_id: user.id.clone(),
                    session: None,
                    policies: Arc::clone(&policies),
                    session_policy: None,
                };
                let secret = key.secret_access_key.clone();
                let entry = Key {
                    secret,
                    identity,
                    token: None,
                    expires_at: None,
                };
                self.keys.insert(key.access_key_id.clone(), entry);
            }
        }
    }

    /// Looks a key up; the caller still has to check the signature with the returned secret.
    pub(crate) fn present(
        &self,
        access_key_id: &str,
        token: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Presented, ApiError> {
        let key = self.keys.get(access_key_id).ok_or(ApiError::UnknownKey)?;
        let token_fits = match (&key.token, token) {
            (None, None) => true,
            (Some(issued), Some(sent)) => bool::from(issued.as_bytes().ct_eq(sent.as_bytes())),
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !token_fits {
            return Err(ApiError::UnknownKey);
        }
        if key.expires_at.is_some_and(|at| at <= now) {
            return Err(ApiError::ExpiredToken);
        }
        Ok(Presented {
            secret: key.secret.clone(),
            identity: key.identity.clone(),
        })
    }

    /// Lists the temporary credentials that were issued, in no order: key id, secret, token, whose.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = (&str, &str, &str, &Identity)> {
        self.keys.iter().filter_map(|(id, key)| {
            let token = key.token.as_deref()?;
            Some((id.as_str(), key.secret.as_str(), token, &key.identity))
        })
    }

    /// Ends temporary credentials now; with `None` all of them. Returns how many ended.
    pub(crate) fn expire(&mut self, access_key_id: Option<&str>, now: DateTime<Utc>) -> usize {
        let sessions = self.keys.iter_mut().filter(|(id, key)| {
            key.token.is_some() && access_key_id.is_none_or(|wanted| wanted == id.as_str())
        });
        sessions.map(|(_, key)| key.expires_at = Some(now)).count()
    }

    /// Performs `sts:AssumeRole` for `caller`.
    pub(crate) fn assume_role(
        &mut self,
        caller: &Identity,
        region: &str,
        request: &AssumeRole<'_>,
        now: DateTime<Utc>,
    ) -> Result<IssuedSession, ApiError> {
        check_names(request)?;
        let session_policy = match request.policy {
            None => None,
            Some(text) if text.chars().count() > MAX_SESSION_POLICY => {
                return Err(validation(format!(
                    "1 validation error detected: Value at 'policy' failed to satisfy \
                     constraint: Member must have length less than or equal to \
                     {MAX_SESSION_POLICY}"
                )));
            }
            Some(text) => Some(PolicyDocument::parse(text).map_err(|problem| {
                ApiError::invalid("MalformedPolicyDocument", problem.to_string())
            })?),
        };
        let denied = |action: &str| ApiError::Denied {
            message: format!(
                "User: {} is not authorized to perform: {action} on resource: {}",
                caller.arn, request.role_arn
            ),
        };
        let role = self
            .roles
            .get(request.role_arn)
            .ok_or_else(|| denied("sts:AssumeRole"))?;

        let inherited = caller
            .session
            .as_ref()
            .and_then(|facts| facts.source_identity.clone());
        let source_identity = request
            .source_identity
            .map(str::to_owned)
            .or(inherited.clone());
        let mut actions = vec!["sts:AssumeRole"];
        if request.source_identity.is_some() {
            actions.push("sts:SetSourceIdentity");
        }
        if !request.tags.is_empty() {
            actions.push("sts:TagSession");
        }
        let mut context = caller.context(region);
        let mut set = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                context.insert(key.to_owned(), vec![value.to_owned()]);
            }
        };
        set("sts:externalid", request.external_id);
        set("sts:rolesessionname", Some(request.session_name));
        set("sts:sourceidentity", request.source_identity);
        for action in actions {
            let access = Access {
                action,
                resource: request.role_arn,
                context: &context,
            };
            if caller.may(&access) != Verdict::Allowed
                || !role.trust.trusts(&caller.arn, &caller.account, &access)
            {
                return Err(denied(action));
            }
        }
        if inherited.is_some() && source_identity != inherited {
            return Err(denied("sts:SetSourceIdentity"));
        }
        let duration = duration(request, role, caller)?;

        let (account, role_name, role_id) =
            (role.account.clone(), role.name.clone(), role.id.clone());
        let policies = Arc::clone(&role.policies);
        let arn = format!(
            "arn:aws:sts::{account}:assumed-role/{role_name}/{}",
            request.session_name
        );
        let assumed_role_id = format!("{role_id}:{}", request.session_name);
        let issued = IssuedSession {
            access_key_id: self.mint("ASIA", "session"),
            secret_access_key: self.secret(40),
            session_token: self.secret(344),
            expires_at: now + duration,
            arn: arn.clone(),
            assumed_role_id: assumed_role_id.clone(),
            source_identity: source_identity.clone(),
            packed_policy_percent: request
                .policy
                .map(|text| (text.len() * 100).div_ceil(MAX_SESSION_POLICY).min(100)),
        };
        let identity = Identity {
            account,
            arn,
            user_id: assumed_role_id,
            session: Some(SessionFacts {
                name: request.session_name.to_owned(),
                source_identity,
                tags: request.tags.clone(),
                narrowed: session_policy.is_some(),
            }),
            policies,
            session_policy: session_policy.map(Arc::new),
        };
        let key = Key {
            secret: issued.secret_access_key.clone(),
            identity,
            token: Some(issued.session_token.clone()),
            expires_at: Some(issued.expires_at),
        };
        self.keys.insert(issued.access_key_id.clone(), key);
        Ok(issued)
    }

    fn mint(&mut self, prefix: &str, purpose: &str) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bytes = self.random(purpose);
        let letters = bytes.iter().take(16).filter_map(|byte| {
            ALPHABET
                .get(usize::from(byte & 31))
                .map(|letter| char::from(*letter))
        });
        prefix.chars().chain(letters).collect()
    }

    fn secret(&mut self, length: usize) -> String {
        let mut text = String::new();
        while text.len() < length {
            text.push_str(&STANDARD_NO_PAD.encode(self.random("secret")));
        }
        text.truncate(length);
        text
    }

    /// Unpredictable enough for a loopback test endpoint: version 7 UUIDs carry 74 random bits.
    fn random(&mut self, purpose: &str) -> [u8; 32] {
        self.minted += 1;
        let mut digest = Sha256::new();
        digest.update(Uuid::now_v7().as_bytes());
        digest.update(Uuid::now_v7().as_bytes());
        digest.update(self.minted.to_be_bytes());
        digest.update(purpose.as_bytes());
        digest.finalize().into()
    }
}

/// A malformed document in a scenario allows nothing, as in AWS it could not exist.
fn documents<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<PolicyDocument> {
    values
        .filter_map(|value| PolicyDocument::from_value(value).ok())
        .collect()
}

fn check_names(request: &AssumeRole<'_>) -> Result<(), ApiError> {
    let fits = |text: &str| {
        (2..=64).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
    };
    let names = [
        ("roleSessionName", Some(request.session_name)),
        ("sourceIdentity", request.source_identity),
    ];
    for (field, value) in names {
        if let Some(value) = value
            && !fits(value)
        {
            return Err(validation(format!(
                "1 validation error detected: Value '{value}' at '{field}' failed to satisfy \
                 constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
            )));
        }
    }
    Ok(())
}

fn duration(
    request: &AssumeRole<'_>,
    role: &Role,
    caller: &Identity,
) -> Result<TimeDelta, ApiError> {
    let seconds = request
        .duration_seconds
        .unwrap_or(3600.min(role.max_session_seconds));
    if seconds < MIN_DURATION {
        return Err(validation(format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to \
             satisfy constraint: Member must have value greater than or equal to {MIN_DURATION}"
        )));
    }
    if caller.session.is_some() && seconds > MAX_CHAINED_DURATION {
        return Err(validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining"
                .to_owned(),
        ));
    }
    if seconds > role.max_session_seconds {
        return Err(validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
                .to_owned(),
        ));
    }
    Ok(TimeDelta::seconds(seconds))
}

fn validation(message: String) -> ApiError {
    ApiError::invalid("ValidationError", message)
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
