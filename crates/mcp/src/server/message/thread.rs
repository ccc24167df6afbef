//! Threads and their documents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// The thread's id, as `list_threads` and `diagnose_service` give it.
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
