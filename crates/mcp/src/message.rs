//! What goes in and out of the tools. Schemas are generated from these types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Arguments of `find_ecs_service`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindParams {
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

/// Result of `find_ecs_service`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FindResponse {
    /// How many fit.
    #[serde(rename = "match")]
    pub matched: Match,
    /// The services that fit, best first.
    pub services: Vec<FoundService>,
    /// What was searched, when none fits.
    pub searched: Option<String>,
}

/// Arguments of `diagnose_ecs_service`.
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

/// Result of `diagnose_ecs_service`.
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

/// Arguments of `list_threads`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreadsParams {
    /// How many at most; 20 unless told, 100 at most.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// One thread of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ThreadSummary {
    /// Its id.
    pub thread: String,
    /// What it is about.
    pub title: String,
    /// Where it stands.
    pub status: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When something last happened, RFC 3339.
    pub updated_at: String,
}

/// Result of `list_threads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ThreadsResponse {
    /// The threads, newest first.
    pub threads: Vec<ThreadSummary>,
}

/// Arguments of `get_report` and `get_plan`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreadParams {
    /// The thread's id, as `list_threads` and `diagnose_ecs_service` give it.
    pub thread: String,
}

/// Result of `get_report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReportResponse {
    /// The thread.
    pub thread: String,
    /// Which document it is: the final report, or the diagnostic one while there is no final one.
    pub path: String,
    /// Its text in Markdown.
    pub report: String,
}

/// Result of `get_plan`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PlanResponse {
    /// The thread.
    pub thread: String,
    /// The plan's typed operations, or `null` when there is none.
    pub plan: Option<Value>,
    /// Whether a person is being asked to approve it now.
    pub awaiting_approval: bool,
    /// The plan in Markdown.
    pub document: Option<String>,
}
