//! What a context's credentials are narrowed to for a phase.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::policy_size::{MOST_PACKED_BYTES, compressed, packed_bytes};

/// Longest inline session policy that STS takes, in characters.
///
/// Source: `AssumeRole` in the AWS STS API reference.
const LONGEST_POLICY_CHARS: usize = 2048;
/// The shortest session that STS grants.
///
/// Source: `AssumeRole` and `GetFederationToken` in the AWS STS API reference.
pub(crate) const SHORTEST_SESSION_SECONDS: i32 = 900;
/// The longest session of a role that another role assumed; no session of ours is longer.
///
/// Source: "Role chaining" in the IAM user guide.
const LONGEST_SESSION_SECONDS: i32 = 3600;

/// One `Allow` statement of a session policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statement {
    /// A name for the statement, letters and digits.
    pub sid: Option<String>,
    /// The actions allowed, such as `ecs:DescribeServices`.
    pub actions: Vec<String>,
    /// The ARNs the actions are allowed on; `*` where AWS offers no finer grain.
    pub resources: Vec<String>,
    /// Conditions: operator, then condition key, then accepted values.
    pub conditions: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// An STS session policy: the most that a session may do, whatever its role allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPolicy(String);

impl SessionPolicy {
    /// Writes the policy document and checks that STS would take it.
    ///
    /// What is too long as it is given is written again without names and repetitions before it is
    /// refused. It allows the same then: nothing is ever widened to make it fit.
    ///
    /// # Errors
    /// [`PolicyError`] names the statement that cannot be written, or the length that is too much.
    pub fn new(statements: Vec<Statement>) -> Result<Self, PolicyError> {
        if statements.is_empty() {
            return Err(PolicyError::Empty);
        }
        for (index, statement) in statements.iter().enumerate() {
            statement.check(index)?;
        }
        let as_given = Self::write(&statements);
        if as_given.check_size().is_ok() {
            return Ok(as_given);
        }
        let compressed = Self::write(&compressed(&statements));
        compressed.check_size()?;
        Ok(compressed)
    }

    fn write(statements: &[Statement]) -> Self {
        let written: Vec<_> = statements.iter().map(Statement::to_json).collect();
        let document = serde_json::json!({ "Version": "2012-10-17", "Statement": written });
        Self(document.to_string())
    }

    fn check_size(&self) -> Result<(), PolicyError> {
        let chars = self.0.chars().count();
        if chars > LONGEST_POLICY_CHARS {
            return Err(PolicyError::TooLong { chars });
        }
        let bytes = self.packed_bytes();
        if bytes > MOST_PACKED_BYTES {
            return Err(PolicyError::TooLongPacked { bytes });
        }
        Ok(())
    }

    /// Estimates, from above, how many bytes STS packs the policy into.
    ///
    /// STS has a second limit, for the packed form of policy and session tags, and publishes neither
    /// the packing nor the limit. A policy whose estimate is above 800 bytes is refused here.
    pub fn packed_bytes(&self) -> usize {
        packed_bytes(&self.0)
    }

    /// Returns the policy document, without insignificant white space.
    pub fn to_json(&self) -> &str {
        &self.0
    }
}

impl Statement {
    fn check(&self, index: usize) -> Result<(), PolicyError> {
        let refused = |field, flaw| Err(PolicyError::Statement { index, field, flaw });
        let sid_ok =
            |sid: &String| !sid.is_empty() && sid.bytes().all(|b| b.is_ascii_alphanumeric());
        if !self.sid.as_ref().is_none_or(sid_ok) {
            return refused("sid", "letters and digits only");
        }
        if self.actions.is_empty() {
            return refused("actions", "at least one is needed");
        }
        if !self.actions.iter().all(|action| is_action(action)) {
            return refused("actions", "each is `service:Action`, `*` only at its end");
        }
        if self.resources.is_empty() {
            return refused("resources", "at least one is needed");
        }
        let resource_ok = |r: &String| r == "*" || (r.starts_with("arn:") && is_printable(r));
        if !self.resources.iter().all(resource_ok) {
            return refused("resources", "each is an ARN pattern, or `*` alone");
        }
        let values_ok = |(key, values): (&String, &Vec<String>)| {
            is_printable(key) && !values.is_empty() && values.iter().all(|v| is_printable(v))
        };
        let operator_ok = |(operator, tests): (&String, &BTreeMap<String, Vec<String>>)| {
            is_printable(operator) && !tests.is_empty() && tests.iter().all(values_ok)
        };
        if !self.conditions.iter().all(operator_ok) {
            return refused(
                "conditions",
                "each needs an operator, a key and printable values",
            );
        }
        Ok(())
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        let mut fields = serde_json::Map::new();
        if let Some(sid) = &self.sid {
            fields.insert("Sid".to_owned(), sid.as_str().into());
        }
        fields.insert("Effect".to_owned(), "Allow".into());
        fields.insert("Action".to_owned(), one_or_many(&self.actions));
        fields.insert("Resource".to_owned(), one_or_many(&self.resources));
        if !self.conditions.is_empty() {
            let written = self.conditions.iter().map(|(operator, tests)| {
                let tests: serde_json::Map<_, _> = tests
                    .iter()
                    .map(|(key, values)| (key.clone(), one_or_many(values)))
                    .collect();
                (operator.clone(), tests.into())
            });
            let written: serde_json::Map<String, serde_json::Value> = written.collect();
            fields.insert("Condition".to_owned(), written.into());
        }
        fields.into()
    }
}

/// Writes a list of one as its element, which IAM reads the same and counts as fewer characters.
fn one_or_many(values: &[String]) -> serde_json::Value {
    match values {
        [one] => one.as_str().into(),
        many => many.into(),
    }
}

/// Tells whether `action` names a service and an action, with a wildcard at most at the end.
fn is_action(action: &str) -> bool {
    let Some((service, name)) = action.split_once(':') else {
        return false;
    };
    let stem = name.strip_suffix('*').unwrap_or(name);
    let service_ok = service
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    !service.is_empty()
        && service_ok
        && !stem.is_empty()
        && stem.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// STS takes the printable characters of Latin-1; ASCII is all that is needed here.
fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

/// Why a session policy cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A policy without statements would allow nothing.
    #[error("a session policy needs at least one statement")]
    Empty,
    /// A statement has a field that IAM would not take.
    #[error("statement {index} of the session policy has unusable `{field}`: {flaw}")]
    Statement {
        /// The statement's position, counted from 0.
        index: usize,
        /// The field at fault.
        field: &'static str,
        /// What it must look like.
        flaw: &'static str,
    },
    /// The document is longer than STS takes.
    #[error(
        "the session policy is {chars} characters long and STS takes {LONGEST_POLICY_CHARS}: split \
         the plan into several sessions, never widen the policy"
    )]
    TooLong {
        /// Its length in characters.
        chars: usize,
    },
    /// The document is likely longer than STS takes once it is packed.
    #[error(
        "the session policy takes about {bytes} bytes packed and {MOST_PACKED_BYTES} is the most: \
         split the plan into several sessions, never widen the policy"
    )]
    TooLongPacked {
        /// Its estimated packed size.
        bytes: usize,
    },
}

impl PolicyError {
    /// Tells whether fewer permissions would make it fit.
    pub fn is_too_long(&self) -> bool {
        match self {
            Self::TooLong { .. } | Self::TooLongPacked { .. } => true,
            Self::Empty | Self::Statement { .. } => false,
        }
    }
}

/// What a context's credentials may be used for at the moment.
///
/// Being handed this value proves nothing; it describes. [`Scope::Operate`] cannot be written
/// outside this crate, so the only way to get into it is an [`OperateGrant`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Scope {
    /// Reading only.
    Observe,
    /// Carrying out one approved plan.
    #[non_exhaustive]
    Operate {
        /// The hash of the approved plan.
        plan_hash: String,
        /// Which part of it, if it does not fit one session: `steps 1-3`.
        #[serde(skip_serializing_if = "Option::is_none")]
        part: Option<String>,
    },
}

/// Leave to carry out one approved plan.
///
/// # Security
/// [`OperateGrant::new`] is for `Plan<Approved>::grant` in the `ecs` crate and nothing else: the
/// value stands for a person's recorded decision.
#[derive(Debug)]
#[must_use]
pub struct OperateGrant {
    plan_hash: String,
    part: Option<String>,
    policy: SessionPolicy,
}

impl OperateGrant {
    /// Grants what `policy` allows, for the approved plan with this hash.
    ///
    /// # Security
    /// Call this from `Plan<Approved>::grant` only.
    pub fn new(plan_hash: impl Into<String>, policy: SessionPolicy) -> Self {
        Self {
            plan_hash: plan_hash.into(),
            part: None,
            policy,
        }
    }

    /// Says which part of the plan the grant is for, in words for the audit record.
    pub fn for_part(mut self, part: impl Into<String>) -> Self {
        self.part = Some(part.into());
        self
    }

    /// Returns which part of the plan this grant is for; none for the whole.
    pub fn part(&self) -> Option<&str> {
        self.part.as_deref()
    }

    /// Returns the scope that credentials have once they are narrowed to this grant.
    pub fn scope(&self) -> Scope {
        Scope::Operate {
            plan_hash: self.plan_hash.clone(),
            part: self.part.clone(),
        }
    }

    /// Returns the hash of the plan this grant is for.
    pub fn plan_hash(&self) -> &str {
        &self.plan_hash
    }

    /// Returns the policy that the session will be narrowed to.
    pub fn policy(&self) -> &SessionPolicy {
        &self.policy
    }
}

/// What credentials are asked for, and for how long.
#[derive(Debug)]
pub struct ScopeRequest {
    phase: PhaseRequest,
    /// When the work that they are for is over at the latest.
    until: Option<Instant>,
}

#[derive(Debug)]
enum PhaseRequest {
    Observe(SessionPolicy),
    Operate(OperateGrant),
}

impl ScopeRequest {
    /// Asks for credentials that read, narrowed to `policy`.
    pub const fn observe(policy: SessionPolicy) -> Self {
        Self {
            phase: PhaseRequest::Observe(policy),
            until: None,
        }
    }

    /// Asks for credentials that carry out an approved plan.
    pub const fn operate(grant: OperateGrant) -> Self {
        Self {
            phase: PhaseRequest::Operate(grant),
            until: None,
        }
    }

    /// Says how long the work that they are for may still take, from now. A session ends with it,
    /// rounded up to STS's shortest, 900 s; it is never longer than the phase's own limit.
    #[must_use]
    pub fn lasting(mut self, wanted: Duration) -> Self {
        self.until = Instant::now().checked_add(wanted);
        self
    }

    pub(crate) fn policy(&self) -> &SessionPolicy {
        match &self.phase {
            PhaseRequest::Observe(policy) => policy,
            PhaseRequest::Operate(grant) => &grant.policy,
        }
    }

    pub(crate) fn scope(&self) -> Scope {
        match &self.phase {
            PhaseRequest::Observe(_) => Scope::Observe,
            PhaseRequest::Operate(grant) => grant.scope(),
        }
    }

    /// The hash of the plan that they are for.
    pub(crate) fn plan_hash(&self) -> Option<&str> {
        match &self.phase {
            PhaseRequest::Observe(_) => None,
            PhaseRequest::Operate(grant) => Some(&grant.plan_hash),
        }
    }

    /// Returns how long a session of this scope lives, in seconds: long enough for the phase, and
    /// no longer, since AWS cannot revoke one session. Never more than a chained role may have.
    pub(crate) fn session_seconds(&self) -> i32 {
        let longest = match self.phase {
            PhaseRequest::Observe(_) => LONGEST_SESSION_SECONDS,
            PhaseRequest::Operate(_) => SHORTEST_SESSION_SECONDS,
        };
        let Some(until) = self.until else {
            return longest;
        };
        let left = until.saturating_duration_since(Instant::now());
        let shortest = Duration::from_secs(SHORTEST_SESSION_SECONDS.unsigned_abs().into());
        let sessions = left.as_millis().div_ceil(shortest.as_millis());
        i32::try_from(sessions)
            .unwrap_or(i32::MAX)
            .max(1)
            .saturating_mul(SHORTEST_SESSION_SECONDS)
            .min(longest)
    }
}

#[cfg(test)]
#[path = "scope_tests.rs"]
mod tests;
