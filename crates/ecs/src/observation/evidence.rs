//! Evidence: what was asked, what was answered, when, and what is missing.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Names one [`Evidence`] within an observation, shown as `E1`, `E2`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EvidenceId(u32);

impl fmt::Display for EvidenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{}", self.0)
    }
}

impl std::str::FromStr for EvidenceId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix('E').unwrap_or(text).parse().map(Self)
    }
}

/// One answer of AWS, masked and ready to be cited.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Evidence {
    /// Its name within the observation.
    pub id: EvidenceId,
    /// The call in IAM's form, such as `ecs:DescribeServices`.
    pub call: String,
    /// What was asked about: an ARN, a name, a filter.
    pub subject: String,
    /// The request id AWS answered with.
    pub request_id: Option<String>,
    /// AWS's time of the answer.
    pub read_at: DateTime<Utc>,
    /// The part of the answer that is kept, by an allow list of fields: secrets are masked.
    pub content: serde_json::Value,
}

/// The append-only list of an observation's evidence.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EvidenceLog {
    items: Vec<Evidence>,
}

impl EvidenceLog {
    /// Adds an answer and names it.
    pub fn record(
        &mut self,
        call: impl Into<String>,
        subject: impl Into<String>,
        request_id: Option<String>,
        read_at: DateTime<Utc>,
        content: serde_json::Value,
    ) -> EvidenceId {
        let id = EvidenceId(
            u32::try_from(self.items.len())
                .unwrap_or(u32::MAX)
                .saturating_add(1),
        );
        self.items.push(Evidence {
            id,
            call: call.into(),
            subject: subject.into(),
            request_id,
            read_at,
            content,
        });
        id
    }

    /// The evidence of that name, if it exists.
    #[must_use]
    pub fn find(&self, id: EvidenceId) -> Option<&Evidence> {
        self.items.iter().find(|evidence| evidence.id == id)
    }

    /// All evidence in the order it was read.
    pub fn iter(&self) -> impl Iterator<Item = &Evidence> {
        self.items.iter()
    }

    /// How many pieces of evidence there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// A value together with the evidence it was read from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cited<T> {
    /// The value.
    pub value: T,
    /// Where it was read.
    pub evidence: EvidenceId,
}

impl<T> std::ops::Deref for Cited<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The call in IAM's form, such as `logs:FilterLogEvents`.
    pub call: String,
    /// What was asked about.
    pub subject: String,
    /// Why there is no answer.
    pub reason: GapReason,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GapReason {
    /// The identity lacks this IAM action.
    Denied {
        /// The missing action, such as `logs:FilterLogEvents`.
        iam_action: String,
    },
    /// Throttled, timed out or failing after bounded retries.
    Unavailable {
        /// The error code or class.
        code: String,
    },
    /// The endpoint does not offer the call (a simulator, an old region).
    NotSupported {
        /// The error code.
        code: String,
    },
    /// AWS keeps it only for a while, and that is over.
    Expired,
    /// More existed than the bounded read took.
    Truncated {
        /// How many items were read.
        read: u64,
    },
}
