//! A plan's life: proposed, hashed, approved by a person, granted.

use chrono::{DateTime, Utc};
use ecs_agent_credentials::{AccountId, OperateGrant, Region};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Advice, Alternative, Drift, Fingerprint, Permission, PlanSession, Risk, Step, StepOutcome,
    StepTooLarge, expected, sessions,
};

/// A plan nobody has decided on yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed;

/// A plan that a person approved as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    approval: Approval,
}

/// Ordered operations with everything that was derived about them.
///
/// The content cannot be changed; an edited plan is a new plan with a new hash. Only a
/// `Plan<Approved>` grants anything, and it is made by [`Plan::approve`] alone.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Plan<S> {
    content: PlanContent,
    state: S,
}

/// Everything that a plan's hash covers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanContent {
    /// Account that is changed.
    pub account: AccountId,
    /// Region that is changed.
    pub region: Region,
    /// Thread the plan belongs to; set by [`Plan::bind`].
    pub thread: Option<String>,
    /// Cluster ARN.
    pub cluster: String,
    /// Service ARN.
    pub service: String,
    /// When the state it rests on was observed, by AWS's clock.
    pub observed_at: DateTime<Utc>,
    /// After this it can no longer be approved.
    pub expires_at: DateTime<Utc>,
    /// Ids of the modes it repairs.
    pub repairs: Vec<String>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What a person has to do.
    pub advice: Vec<Advice>,
    /// Other ways, not chosen.
    pub alternatives: Vec<Alternative>,
    /// What else the person should know, such as an owner that will overwrite the change.
    pub warnings: Vec<String>,
    /// The state it was made for.
    pub fingerprint: Fingerprint,
    /// The permissions it runs under: nothing else is allowed. If they do not fit one session, each
    /// of several holds a part of them ([`Plan::sessions`]).
    pub session_policy: Vec<Permission>,
    /// The permissions that undoing it runs under, apart from those above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollback_policy: Vec<Permission>,
    /// The text that the person decides on.
    pub rendered: String,
}

/// SHA-256 over a plan's canonical encoding, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanHash(String);

impl PlanHash {
    /// The hexadecimal text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve characters, for a person to compare.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl std::fmt::Display for PlanHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for PlanHash {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// A person's decision to carry out one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The plan that was shown.
    pub plan_hash: PlanHash,
    /// Who decided.
    pub decided_by: String,
    /// When.
    pub decided_at: DateTime<Utc>,
    /// After this the plan may no longer be started.
    pub expires_at: DateTime<Utc>,
}

/// Why a decision does not make a plan executable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// The decision was about other content.
    #[error(
        "the approval is for plan `{approved}` and this is plan `{actual}`: show the plan again"
    )]
    OtherPlan {
        /// Hash in the decision.
        approved: String,
        /// Hash of the plan.
        actual: String,
    },
    /// The decision came too late.
    #[error("the plan expired at {expires_at}: diagnose again for a fresh one")]
    Expired {
        /// When it did.
        expires_at: DateTime<Utc>,
    },
    /// The plan was never bound to a thread.
    #[error("the plan belongs to no thread yet: bind it before asking a person")]
    Unbound,
    /// There is nothing to carry out.
    #[error("the plan has no executable step: its advice is for a person")]
    NothingToDo,
    /// Nobody is named.
    #[error("the approval names nobody: say who decided")]
    Anonymous,
}

/// Why there is no leave to carry out a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The plan has no such step, or the step needs nothing.
    #[error("the plan has no step {step} to carry out")]
    NoSuchStep {
        /// The number asked for.
        step: u32,
    },
    /// Its permissions fit no session.
    #[error(transparent)]
    TooLarge(#[from] StepTooLarge),
}

/// Longest time between approval and start.
///
/// Source: threat model of this project, I20.
pub const APPROVAL_MINUTES: i64 = 15;

impl<S> Plan<S> {
    /// Everything the plan says.
    pub fn content(&self) -> &PlanContent {
        &self.content
    }

    /// Whether there is anything for the program to do.
    pub fn is_executable(&self) -> bool {
        !self.content.steps.is_empty()
    }

    /// The greatest risk of its steps.
    pub fn risk(&self) -> Risk {
        self.content
            .steps
            .iter()
            .map(|step| step.risk)
            .max()
            .unwrap_or(Risk::Low)
    }

    /// Values that nothing proves to be good.
    pub fn unproven(&self) -> impl Iterator<Item = &str> {
        self.content
            .steps
            .iter()
            .flat_map(|step| step.unproven.iter().map(String::as_str))
    }

    /// The sessions that carry the plan out, in order: one, unless its permissions do not fit one.
    ///
    /// Every step is in exactly one of them, with everything it needs; all of them together allow
    /// what the approved plan shows, and rest on the one approval.
    ///
    /// # Errors
    /// [`StepTooLarge`], which a plan of this program never is: such a one is not proposed.
    pub fn sessions(&self) -> Result<Vec<PlanSession>, StepTooLarge> {
        sessions::forward(&self.content.steps)
    }

    /// SHA-256 over the canonical encoding of the whole content.
    pub fn hash(&self) -> PlanHash {
        PlanHash(hex::encode(Sha256::digest(self.content.canonical())))
    }
}

impl Plan<Proposed> {
    pub(crate) fn propose(content: PlanContent) -> Self {
        Self {
            content,
            state: Proposed,
        }
    }

    /// Takes up a plan that was stored; nothing about it is trusted but what its hash proves.
    pub fn restore(content: PlanContent) -> Self {
        Self::propose(content)
    }

    /// Binds the plan to the thread that asks for it, and says until when it may be approved.
    pub fn bind(mut self, thread: impl Into<String>, expires_at: DateTime<Utc>) -> Self {
        self.content.thread = Some(thread.into());
        self.content.expires_at = expires_at;
        self
    }

    /// Turns a person's decision on exactly this plan into an executable one.
    ///
    /// # Errors
    /// [`ApprovalError`] if the decision is about other content, too late or anonymous, or if there
    /// is nothing to execute.
    pub fn approve(self, approval: Approval) -> Result<Plan<Approved>, ApprovalError> {
        let actual = self.hash();
        if approval.plan_hash != actual {
            return Err(ApprovalError::OtherPlan {
                approved: approval.plan_hash.0,
                actual: actual.0,
            });
        }
        if self.content.thread.is_none() {
            return Err(ApprovalError::Unbound);
        }
        if !self.is_executable() {
            return Err(ApprovalError::NothingToDo);
        }
        if approval.decided_by.trim().is_empty() {
            return Err(ApprovalError::Anonymous);
        }
        for expires_at in [self.content.expires_at, approval.expires_at] {
            if approval.decided_at > expires_at {
                return Err(ApprovalError::Expired { expires_at });
            }
        }
        Ok(Plan {
            content: self.content,
            state: Approved { approval },
        })
    }
}

impl Plan<Approved> {
    /// The decision it rests on.
    pub fn approval(&self) -> &Approval {
        &self.state.approval
    }

    /// The step with this number, counted from 1.
    pub fn step(&self, number: u32) -> Option<&Step> {
        self.content.steps.iter().find(|step| step.number == number)
    }

    /// Whether the plan may still be started at this moment.
    ///
    /// # Errors
    /// [`ApprovalError::Expired`] when the approval is too old.
    pub fn check_live(&self, now: DateTime<Utc>) -> Result<(), ApprovalError> {
        let expires_at = self.state.approval.expires_at;
        if now > expires_at {
            return Err(ApprovalError::Expired { expires_at });
        }
        Ok(())
    }

    /// What has moved since the plan was made, beyond what its own earlier steps changed.
    ///
    /// `now` needs the facts that [`facts_of_step`](Self::facts_of_step) names; an empty answer
    /// means that the step may be written.
    #[must_use]
    pub fn drift(&self, step: u32, done: &[StepOutcome], now: &Fingerprint) -> Vec<Drift> {
        let Some(step) = self.step(step) else {
            return Vec::new();
        };
        let facts = expected::facts_of(&step.operation);
        let mut planned = self
            .content
            .fingerprint
            .clone()
            .only(|fact| facts.covers(fact));
        for earlier in self
            .content
            .steps
            .iter()
            .filter(|earlier| earlier.number < step.number)
        {
            let applied = done
                .iter()
                .any(|outcome| outcome.step == earlier.number && outcome.status.in_effect());
            if applied {
                let changed = expected::changed_by(&earlier.operation);
                planned = planned.only(|fact| !changed.covers(fact));
            }
        }
        planned.drift_to(now)
    }

    /// Which facts have to be read again before a step.
    #[must_use]
    pub fn facts_of_step(&self, step: u32) -> Vec<String> {
        self.step(step).map_or_else(Vec::new, |step| {
            let facts = expected::facts_of(&step.operation);
            self.content
                .fingerprint
                .facts()
                .filter(|(fact, _)| facts.covers(fact))
                .map(|(fact, _)| fact.to_owned())
                .collect()
        })
    }

    /// The sessions that undo the steps in effect, the last step first.
    ///
    /// # Errors
    /// [`StepTooLarge`], as above.
    pub fn rollback_sessions(
        &self,
        done: &[StepOutcome],
    ) -> Result<Vec<PlanSession>, StepTooLarge> {
        let in_effect = |step: &&Step| {
            done.iter()
                .any(|outcome| outcome.step == step.number && outcome.status.in_effect())
        };
        sessions::backward(self.content.steps.iter().filter(in_effect))
    }

    /// Leave to carry out the session of this step, and nothing else.
    ///
    /// # Errors
    /// [`GrantError`], when there is no such step; one that is too large is never proposed.
    ///
    /// # Security
    /// With [`rollback_grants`](Self::rollback_grants) the only place that makes an
    /// [`OperateGrant`]: a person decided on exactly the bytes whose hash it carries.
    pub fn grant(&self, step: u32) -> Result<OperateGrant, GrantError> {
        let session = self
            .sessions()?
            .into_iter()
            .find(|session| session.steps.contains(&step))
            .ok_or(GrantError::NoSuchStep { step })?;
        Ok(self.grant_of(&session, &session.name()))
    }

    /// Leave to undo the steps in effect, session by session, the last step first.
    ///
    /// # Errors
    /// [`GrantError::TooLarge`], which a plan of this program never is.
    pub fn rollback_grants(
        &self,
        done: &[StepOutcome],
    ) -> Result<Vec<(PlanSession, OperateGrant)>, GrantError> {
        let sessions = self.rollback_sessions(done)?.into_iter();
        Ok(sessions
            .map(|session| {
                let grant = self.grant_of(&session, &format!("undo {}", session.name()));
                (session, grant)
            })
            .collect())
    }

    fn grant_of(&self, session: &PlanSession, part: &str) -> OperateGrant {
        OperateGrant::new(self.hash().0, session.policy().clone()).for_part(part)
    }
}

impl PlanContent {
    /// The bytes that are hashed: JSON with sorted keys and a version, so that equal plans encode
    /// equally whatever order their maps had.
    fn canonical(&self) -> Vec<u8> {
        let value = serde_json::to_value(self).unwrap_or_default();
        let mut bytes = b"ecs-deep-agent plan v1\n".to_vec();
        write_canonical(&value, &mut bytes);
        bytes
    }
}

/// Writes a JSON value without white space and with sorted keys.
fn write_canonical(value: &serde_json::Value, out: &mut Vec<u8>) {
    match value {
        serde_json::Value::Array(items) => {
            out.push(b'[');
            for item in items {
                write_canonical(item, out);
                out.push(b',');
            }
            out.push(b']');
        }
        serde_json::Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|left, right| left.0.cmp(right.0));
            out.push(b'{');
            for (name, item) in fields {
                out.extend_from_slice(
                    serde_json::Value::from(name.as_str())
                        .to_string()
                        .as_bytes(),
                );
                out.push(b':');
                write_canonical(item, out);
                out.push(b',');
            }
            out.push(b'}');
        }
        scalar @ (serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_)) => out.extend_from_slice(scalar.to_string().as_bytes()),
    }
}
