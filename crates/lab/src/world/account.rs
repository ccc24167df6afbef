use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::Region;

/// One AWS account: its identities, and what it holds in each region.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Account {
    pub(crate) id: String,
    /// The external id that the trust of the role `ecs-deep-agent` asks for.
    pub(crate) external_id: String,
    pub(crate) regions: BTreeMap<String, Region>,
    /// IAM roles by name.
    pub(crate) roles: BTreeMap<String, Role>,
    /// IAM users by name.
    pub(crate) users: BTreeMap<String, User>,
    /// Managed policies (AWS's and the account's) by ARN.
    pub(crate) managed_policies: BTreeMap<String, ManagedPolicy>,
    /// Actions that the organization's service control policy denies to every task role.
    pub(crate) service_control_denies: Vec<String>,
}

/// An IAM role.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) arn: String,
    /// Unique id, `AROA...`.
    pub(crate) id: String,
    /// The trust policy document.
    pub(crate) trust: Value,
    pub(crate) inline_policies: Vec<RolePolicy>,
    /// ARNs into [`Account::managed_policies`].
    pub(crate) attached_policies: Vec<String>,
    pub(crate) created_at: DateTime<Utc>,
}

/// A named inline policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RolePolicy {
    pub(crate) name: String,
    pub(crate) document: Value,
}

/// A managed policy in its default version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ManagedPolicy {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) document: Value,
}

/// An IAM user with long-lived keys.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) arn: String,
    /// Unique id, `AIDA...`.
    pub(crate) id: String,
    pub(crate) access_keys: Vec<AccessKey>,
    pub(crate) inline_policies: Vec<RolePolicy>,
}

/// A generated key pair; it opens nothing but this lab.
#[derive(Clone, PartialEq, Serialize)]
pub(crate) struct AccessKey {
    pub(crate) access_key_id: String,
    #[serde(skip)]
    pub(crate) secret_access_key: String,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl Account {
    pub(crate) fn new(id: &str, external_id: &str) -> Self {
        Self {
            id: id.to_owned(),
            external_id: external_id.to_owned(),
            regions: BTreeMap::new(),
            roles: BTreeMap::new(),
            users: BTreeMap::new(),
            managed_policies: BTreeMap::new(),
            service_control_denies: Vec::new(),
        }
    }

    /// The role behind an ARN or a bare name.
    pub(crate) fn role(&self, reference: &str) -> Option<&Role> {
        let name = reference
            .rsplit_once('/')
            .map_or(reference, |(_, name)| name);
        self.roles.get(name)
    }

    /// The policy documents in force for a role, inline first.
    pub(crate) fn policies_of<'a>(
        &'a self,
        role: &'a Role,
    ) -> impl Iterator<Item = &'a Value> + 'a {
        let inline = role.inline_policies.iter().map(|policy| &policy.document);
        let attached = role
            .attached_policies
            .iter()
            .filter_map(|arn| self.managed_policies.get(arn))
            .map(|policy| &policy.document);
        inline.chain(attached)
    }

    /// Why a role may not do this, in IAM's words; `None` when it may (identity policies without
    /// conditions, and the organization's).
    pub(crate) fn refuses(&self, role: &Role, action: &str, resource: &str) -> Option<String> {
        if self
            .service_control_denies
            .iter()
            .any(|denied| matches_action(denied, action))
        {
            return Some("with an explicit deny in a service control policy".to_owned());
        }
        match decide(self.policies_of(role), action, resource) {
            Decision::Allowed => None,
            Decision::Denied => {
                Some("with an explicit deny in an identity-based policy".to_owned())
            }
            Decision::Silent => Some(not_allowed(action)),
        }
    }
}

/// IAM's words when no policy speaks of an action.
pub(crate) fn not_allowed(action: &str) -> String {
    format!("because no identity-based policy allows the {action} action")
}

/// What identity policies say about an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Allowed,
    Denied,
    Silent,
}

/// Identity-policy evaluation without conditions: an allow, and no deny.
fn decide<'a>(
    documents: impl Iterator<Item = &'a Value>,
    action: &str,
    resource: &str,
) -> Decision {
    let mut decision = Decision::Silent;
    for statement in documents.flat_map(statements) {
        let covers = one_or_many(statement.get("Action")).any(|p| matches_action(p, action))
            && one_or_many(statement.get("Resource")).any(|p| glob(p, resource));
        if covers {
            if statement.get("Effect").and_then(Value::as_str) == Some("Deny") {
                return Decision::Denied;
            }
            decision = Decision::Allowed;
        }
    }
    decision
}

fn statements(document: &Value) -> Vec<&Value> {
    match document.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn one_or_many(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, many) = match value {
        Some(Value::String(text)) => (Some(text.as_str()), [].as_slice()),
        Some(Value::Array(list)) => (None, list.as_slice()),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
            (None, [].as_slice())
        }
    };
    one.into_iter().chain(many.iter().filter_map(Value::as_str))
}

fn matches_action(pattern: &str, action: &str) -> bool {
    glob(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}

/// `*` any run of characters, `?` one character.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&expected) if expected == byte || expected == b'?' => {
                p += 1;
                t += 1;
            }
            Some(_) | None => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_iam_does() {
        for (pattern, text, expected) in [
            ("*", "anything", true),
            ("ecr:*", "ecr:BatchGetImage", true),
            (
                "arn:aws:ecr:*:*:repository/api",
                "arn:aws:ecr:us-east-1:1:repository/api",
                true,
            ),
            (
                "arn:aws:ecr:*:*:repository/api",
                "arn:aws:ecr:us-east-1:1:repository/apis",
                false,
            ),
            ("a?c", "abc", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_deny_outweighs_an_allow() {
        let allow = serde_json::json!({"Statement": [{"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}]});
        let deny = serde_json::json!({"Statement": {"Effect": "Deny", "Action": ["ecr:BatchGetImage"], "Resource": "*"}});
        for (policies, action, expected) in [
            (vec![&allow], "ecr:BatchGetImage", Decision::Allowed),
            (vec![&allow, &deny], "ecr:BatchGetImage", Decision::Denied),
            (vec![&deny], "ecr:GetAuthorizationToken", Decision::Silent),
        ] {
            assert_eq!(decide(policies.into_iter(), action, "x"), expected);
        }
    }
}
