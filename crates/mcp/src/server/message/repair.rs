//! Proposing a repair, and carrying an approved one out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::service::Question;

/// Arguments of `propose_repair`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeParams {
    /// What is wrong, in the person's words: "my api service keeps restarting".
    pub text: String,
    /// Cluster name or ARN, when it is known.
    #[serde(default)]
    pub cluster: Option<String>,
    /// Service name or ARN, when it is known.
    #[serde(default)]
    pub service: Option<String>,
}

/// A plan that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WaitingPlan {
    /// The plan's hash: it covers everything that would be carried out.
    pub plan_hash: String,
    /// The plan's typed operations.
    pub plan: Value,
    /// The plan as a person is shown it, with risk, effect and the way back of each step.
    pub rendered: String,
}

/// How a proposal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProposalStatus {
    /// A plan waits for a person: `execute_repair` asks them.
    Waiting,
    /// There is nothing that this program may carry out; `summary` and `document` say why.
    NoPlan,
    /// A question must be answered first: call again with `cluster` and `service`.
    Question,
    /// It was cancelled.
    Cancelled,
    /// A limit was reached; what was found is kept.
    BudgetExhausted,
}

/// Result of `propose_repair`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ProposeResponse {
    /// The thread that holds everything: for `execute_repair`, `get_report` and `get_plan`.
    pub thread: String,
    /// How it ended.
    pub status: ProposalStatus,
    /// The agent's last words; empty while a plan or a question waits.
    pub summary: String,
    /// The service that was meant.
    pub service_context: Option<Value>,
    /// What is wrong with it, with evidence.
    pub findings: Vec<Value>,
    /// The plan that waits.
    pub waiting: Option<WaitingPlan>,
    /// The plan or the advice in Markdown.
    pub document: Option<String>,
    /// What must be known to go on.
    pub question: Option<Question>,
}

/// Arguments of `execute_repair`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecuteParams {
    /// The thread whose plan it is.
    pub thread: String,
    /// The hash of the plan that is meant, as `propose_repair` gave it. The person is asked about
    /// this plan or about none.
    pub plan_hash: String,
}

/// How a repair ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RepairStatus {
    /// The approved plan was carried out as far as `summary` and `execution` say, and verified.
    Done,
    /// The person said no; nothing was changed.
    Rejected,
    /// The person gave no answer: the plan goes on waiting, and nothing was changed.
    Unanswered,
    /// A further question waits for a person.
    Question,
    /// It was cancelled between two steps; `execution` says which were carried out.
    Cancelled,
    /// A limit was reached; `execution` says what was carried out.
    BudgetExhausted,
}

/// Result of `execute_repair`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ExecuteResponse {
    /// The thread.
    pub thread: String,
    /// The plan that was asked about.
    pub plan_hash: String,
    /// How it ended.
    pub status: RepairStatus,
    /// The agent's last words.
    pub summary: String,
    /// The outcome of each step, with AWS's request ids.
    pub execution: Option<Value>,
    /// What undoing came to, when the service got worse.
    pub rollback: Option<Value>,
    /// What the watch of the service ended with.
    pub verification: Option<Value>,
    /// The final report in Markdown.
    pub report: Option<String>,
}
