//! Finding, diagnosing and scanning services.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Arguments of `identify_service`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifyParams {
    /// The person's words: a name, a sentence, an ARN, a task id, an image.
    pub query: String,
    /// Cluster name or ARN, when it is known.
    #[serde(default)]
    pub cluster: Option<String>,
}

/// How many services fit the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// One, without doubt.
    One,
    /// Several: a person chooses.
    Several,
    /// None.
    None,
}

/// A service that fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FoundService {
    /// Its cluster's name.
    pub cluster: String,
    /// Its name.
    pub service: String,
    /// Its ARN.
    pub arn: String,
    /// Why it fits.
    pub reasons: Vec<String>,
}

/// Result of `identify_service`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IdentifyResponse {
    /// How many fit.
    #[serde(rename = "match")]
    pub matched: Match,
    /// The services that fit, best first.
    pub services: Vec<FoundService>,
    /// What was searched, when none fits.
    pub searched: Option<String>,
}

/// Arguments of `diagnose_service`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiagnoseParams {
    /// What is wrong, in the person's words: "my api service keeps restarting".
    pub text: String,
    /// Cluster name or ARN, when it is known.
    #[serde(default)]
    pub cluster: Option<String>,
    /// Service name or ARN, when it is known.
    #[serde(default)]
    pub service: Option<String>,
}

/// How a diagnosis ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiagnosisStatus {
    /// With a verdict.
    Done,
    /// A question must be answered first: call again with `cluster` and `service`.
    Question,
    /// It was cancelled.
    Cancelled,
    /// A limit was reached; what was found is kept.
    BudgetExhausted,
}

/// What must be known to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// The question.
    pub question: String,
    /// The answers to choose from.
    #[serde(default)]
    pub options: Vec<QuestionOption>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuestionOption {
    /// Its id.
    pub id: String,
    /// What a person reads.
    pub label: String,
}

/// Result of `diagnose_service`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DiagnoseResponse {
    /// The thread that holds everything: for `get_report` and `get_plan`.
    pub thread: String,
    /// How it ended.
    pub status: DiagnosisStatus,
    /// The agent's last words.
    pub summary: String,
    /// The service that was meant.
    pub service_context: Option<Value>,
    /// The findings with their evidence.
    pub findings: Vec<Value>,
    /// What must be known to go on.
    pub question: Option<Question>,
    /// The diagnostic report in Markdown.
    pub report: Option<String>,
}

/// Arguments of `scan_services`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanParams {
    /// Cluster name or ARN; every cluster unless told.
    #[serde(default)]
    pub cluster: Option<String>,
    /// How many services at most; 20 unless told, 100 at most.
    #[serde(default)]
    pub limit: Option<u32>,
}
