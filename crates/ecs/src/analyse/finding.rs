//! What an analysis says: findings, each resting on quoted evidence.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::catalogue::Severity;
use crate::observation::{EvidenceId, Gap};

/// One failure mode found in an observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Id of the mode in the catalogue.
    pub mode: String,
    /// The mode's title.
    pub title: String,
    /// How bad it is for users of the service.
    pub severity: Severity,
    /// How sure the analysis is.
    pub confidence: Confidence,
    /// What would make it surer; empty when nothing is missing.
    pub would_raise_confidence: Vec<String>,
    /// One sentence with the concrete names.
    pub root_cause: String,
    /// Its place in the chain of causes.
    pub role: Role,
    /// What it rests on.
    pub evidence: Vec<Citation>,
    /// ARNs and names of what is affected.
    pub affected: Vec<String>,
}

/// A quote from a piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// Which evidence.
    pub evidence: EvidenceId,
    /// Text that occurs in its content, word for word.
    pub quote: String,
}

/// How sure an analysis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// A symptom that other modes share.
    Low,
    /// The key symptom, without the read that decides.
    Medium,
    /// The read that decides was made, and it decided.
    High,
}

impl Confidence {
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

/// The place of a finding in the chain of causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Repair this.
    Root,
    /// Made it worse or hid it.
    Contributing,
    /// A consequence.
    Symptom,
}

/// Everything an analysis says about one observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// When the observation was made.
    pub observed_at: DateTime<Utc>,
    /// The answer in one word.
    pub verdict: Verdict,
    /// The answer in one sentence.
    pub summary: String,
    /// Whether the service is healthy: serves what it was asked to and nothing is under way.
    pub healthy: bool,
    /// Roots first, then contributing, then symptoms; within a role the surest first.
    pub findings: Vec<Finding>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// What happened when, oldest first.
    pub timeline: Vec<TimelineEntry>,
}

/// The answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is wrong.
    Healthy,
    /// At least one root cause was found.
    RootCauseFound,
    /// Something is wrong, and what was read does not decide why.
    Inconclusive,
    /// A deployment is under way without a failure so far.
    InProgress,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// What, in one line.
    pub what: String,
    /// Where it was read.
    pub evidence: EvidenceId,
}

impl Diagnosis {
    /// The root causes.
    pub fn roots(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.role == Role::Root)
    }

    /// The finding of one mode.
    #[must_use]
    pub fn finding(&self, mode: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.mode == mode)
    }
}
