//! One operation of a plan with everything a person needs to judge it, and its outcome.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ecs_agent_credentials::Statement;
use serde::{Deserialize, Serialize};

use super::{Drift, Operation, RevisionRef};

/// An operation together with what the program derived about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its number in the plan, counted from 1.
    pub number: u32,
    /// What is changed.
    pub operation: Operation,
    /// Why, naming the finding it repairs.
    pub reason: String,
    /// What will be different afterwards, in plain words.
    pub effect: String,
    /// The AWS calls, in order, as `service:Operation`.
    pub calls: Vec<String>,
    /// The permissions the step needs, reads for its checks included.
    pub permissions: Vec<Permission>,
    /// The permissions that undoing it needs, reads for its checks included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo_permissions: Vec<Permission>,
    /// How dangerous it is.
    pub risk: Risk,
    /// Why that risk.
    pub risk_note: String,
    /// Who and what it touches.
    pub blast_radius: String,
    /// What must hold before it runs, all of it checked by the program.
    pub preconditions: Vec<Precondition>,
    /// What the program reads afterwards to see that it worked.
    pub effect_check: String,
    /// How it is undone.
    pub inverse: Inverse,
    /// What happens if it is asked for twice.
    pub idempotency: String,
    /// Before and after, line by line.
    pub diff: Vec<DiffLine>,
    /// Values that nothing proves to be good; a person must have chosen them.
    pub unproven: Vec<String>,
}

/// How dangerous an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Additive or easily undone, no interruption.
    Low,
    /// Replaces running tasks or changes what is reachable.
    Medium,
    /// May interrupt the service or cannot be undone.
    High,
}

impl Risk {
    /// The word for a person.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Actions on resources under conditions: one `Allow` of the session policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Permission {
    /// IAM actions.
    pub actions: Vec<String>,
    /// ARNs, or `*` where AWS offers no finer grain.
    pub resources: Vec<String>,
    /// Operator, condition key, accepted values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl Permission {
    /// Permission for some actions on some resources.
    #[must_use]
    pub fn new(actions: &[&str], resources: Vec<String>) -> Self {
        Self {
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            resources,
            conditions: BTreeMap::new(),
        }
    }

    /// Adds a condition.
    #[must_use]
    pub fn when(mut self, operator: &str, key: &str, value: impl Into<String>) -> Self {
        self.conditions
            .entry(operator.to_owned())
            .or_default()
            .insert(key.to_owned(), vec![value.into()]);
        self
    }

    /// The statement of the session policy.
    #[must_use]
    pub fn to_statement(&self) -> Statement {
        Statement {
            sid: None,
            actions: self.actions.clone(),
            resources: self.resources.clone(),
            conditions: self.conditions.clone(),
        }
    }
}

/// One thing that must hold before a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Precondition {
    /// A fact of the plan's fingerprint is unchanged (or as an earlier step left it).
    FactUnchanged {
        /// Name of the fact.
        fact: String,
        /// Its value when the plan was made.
        value: String,
    },
    /// A task definition revision exists and is active.
    RevisionActive {
        /// Its ARN.
        arn: String,
    },
    /// An earlier step of the plan has been applied.
    StepApplied {
        /// Its number.
        step: u32,
    },
    /// A log group does not exist yet.
    LogGroupAbsent {
        /// Its name.
        name: String,
    },
}

/// How a step is undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Inverse {
    /// By this operation.
    Operation {
        /// The operation that restores the state before.
        operation: Operation,
    },
    /// There is nothing to undo: what remains is unused and harmless.
    NothingToUndo {
        /// What remains, and why it is harmless.
        why: String,
    },
    /// It cannot be undone.
    Irreversible {
        /// Why, and why it is acceptable.
        why: String,
    },
}

/// One line of a before-and-after comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    /// What is compared, such as `container web: image`.
    pub field: String,
    /// Value before; absent when the thing did not exist.
    pub before: Option<String>,
    /// Value after; absent when the thing is removed.
    pub after: Option<String>,
}

/// What a person has to do, because the program must not or cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// One line.
    pub title: String,
    /// Why the program does not do it.
    pub why_a_person: String,
    /// AWS CLI commands, one a line; placeholders in angle brackets.
    pub commands: Vec<String>,
    /// The CloudFormation change with the same effect.
    pub cloudformation: Option<String>,
    /// The finding it answers.
    pub mode: String,
}

/// Another way to repair, not chosen, with what it would cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// One line.
    pub title: String,
    /// What is better and worse than in the plan.
    pub trade_off: String,
    /// Its operations, ready for [`Plan::from_model`](super::Plan::from_model) once a person chose it.
    pub operations: Vec<Operation>,
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// Number of the step.
    pub step: u32,
    /// What became of it.
    pub status: StepStatus,
    /// What it brought into being, for later steps and for the rollback.
    #[serde(default)]
    pub produced: Produced,
    /// The AWS calls made, in order.
    #[serde(default)]
    pub requests: Vec<RequestRecord>,
    /// AWS's time at the beginning.
    pub started_at: DateTime<Utc>,
    /// AWS's time at the end.
    pub finished_at: DateTime<Utc>,
}

impl StepOutcome {
    /// The code of a step that failed without anybody knowing whether AWS made the change.
    pub(crate) const UNKNOWN: &str = "OutcomeUnknown";

    /// Whether the step may be in effect although it failed.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(&self.status, StepStatus::Failed { code, .. } if code == Self::UNKNOWN)
    }
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum StepStatus {
    /// The change was made and its effect was read back.
    Applied,
    /// The change was found already made: an earlier attempt with unknown outcome had succeeded.
    AlreadyApplied,
    /// Nothing was written, because the world is not as it was when the plan was made.
    Refused {
        /// What moved.
        drift: Vec<Drift>,
    },
    /// AWS refused or failed; nothing was changed as far as AWS says.
    Failed {
        /// AWS's error code.
        code: String,
        /// AWS's words.
        message: String,
    },
}

impl StepStatus {
    /// Whether the change is in effect.
    #[must_use]
    pub fn in_effect(&self) -> bool {
        match self {
            Self::Applied | Self::AlreadyApplied => true,
            Self::Refused { .. } | Self::Failed { .. } => false,
        }
    }
}

/// What a step brought into being.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Produced {
    /// ARN of a registered task definition revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition: Option<String>,
    /// Id of the deployment that an update started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
}

/// One AWS call of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The call as `service:Operation`.
    pub call: String,
    /// Request id.
    pub request_id: Option<String>,
    /// AWS's time of the answer.
    pub at: DateTime<Utc>,
}

impl RevisionRef {
    /// The ARN meant, once the steps before have run.
    #[must_use]
    pub fn resolve<'a>(&'a self, done: &'a [StepOutcome]) -> Option<&'a str> {
        match self {
            Self::Existing { arn } => Some(arn),
            Self::Step { step } => done
                .iter()
                .find(|outcome| outcome.step == *step && outcome.status.in_effect())
                .and_then(|outcome| outcome.produced.task_definition.as_deref()),
        }
    }
}
