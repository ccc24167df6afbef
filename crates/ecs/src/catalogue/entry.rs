//! The schema of one catalogue entry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One way in which a workload fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mode {
    /// Unique, stable id in kebab case.
    pub id: String,
    /// One line.
    pub title: String,
    /// Family, such as `image-pull`.
    pub category: String,
    /// Where the life of a task or call breaks: api, register, place, provision, init, pull, start,
    /// run, health, deploy, scale.
    pub phase: String,
    /// How bad it is.
    pub severity: Severity,
    /// Launch types it can happen on.
    pub launch_types: Vec<String>,
    /// What the key symptom's wording rests on.
    pub grade: Grade,
    /// What is seen; any of them may be absent in a real case.
    pub symptoms: Vec<Symptom>,
    /// Reads in the order to make them.
    pub checks: Vec<Check>,
    /// Modes it is confused with.
    #[serde(default)]
    pub look_alikes: Vec<LookAlike>,
    /// Statement of the cause.
    pub root_cause: String,
    /// The smallest repair.
    pub fix: Fix,
    /// Risk of the repair.
    pub risk: ModeRisk,
    /// The way back.
    pub rollback: String,
    /// Proof that it worked.
    pub verify: String,
    /// Actions needed.
    pub iam: IamNeeds,
    /// Fault that a simulator has to produce.
    pub inject: String,
    /// Where the facts come from.
    pub sources: Vec<String>,
}

/// How bad a mode is for users of the service.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing is wrong.
    Benign,
    /// It will hurt later.
    Latent,
    /// Users are served by what ran before; nothing new can be deployed.
    BlockedDeploy,
    /// Served worse.
    Degraded,
    /// Not served.
    Outage,
}

impl Severity {
    /// The word for a person.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Latent => "latent",
            Self::BlockedDeploy => "blocked deployment",
            Self::Degraded => "degraded",
            Self::Outage => "outage",
        }
    }
}

/// What a wording rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Grade {
    /// AWS documentation, API model or source.
    A,
    /// Seen word for word in public reports.
    B,
    /// Engineering knowledge; wording may differ.
    C,
}

/// One thing that is seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Symptom {
    /// Call that shows it.
    pub api: String,
    /// Field of the answer.
    pub field: String,
    /// How the value is compared.
    #[serde(rename = "match")]
    pub matching: Matching,
    /// The value; `<name>` is a placeholder.
    pub value: String,
    /// Whether the wording is uncertain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approx: bool,
}

/// How a symptom's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// The whole value.
    Equals,
    /// A part of it.
    Contains,
    /// A regular expression.
    Regex,
    /// A condition in words.
    Is,
}

/// One read and what it decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The call.
    pub call: String,
    /// What to look at.
    pub look: String,
    /// What it decides.
    pub decides: String,
}

/// A mode that looks alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookAlike {
    /// Its id.
    pub id: String,
    /// What separates it.
    pub tell: String,
}

/// The smallest repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fix {
    /// Who may do it.
    pub mode: FixMode,
    /// Calls that repair, in order or as alternatives.
    #[serde(default)]
    pub ops: Vec<FixOperation>,
    /// What a person should know.
    #[serde(default)]
    pub advice: String,
}

/// A proposal of who may repair; never a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FixMode {
    /// Small and reversible.
    Auto,
    /// A person confirms.
    Approve,
    /// A person does it.
    Human,
}

/// One repairing call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixOperation {
    /// `service:Operation`.
    pub op: String,
    /// Field and direction.
    pub change: String,
}

/// Risk of a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModeRisk {
    /// How much.
    pub level: RiskLevel,
    /// Why.
    pub note: String,
}

/// How much risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RiskLevel {
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
}

/// Actions needed to see and to repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IamNeeds {
    /// To see.
    pub diagnose: Vec<String>,
    /// To repair.
    #[serde(default)]
    pub fix: Vec<String>,
}
