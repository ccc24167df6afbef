//! What the tools do, behind a trait.

use ecs_agent_runtime::ThreadId;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

pub use futures_util::future::BoxFuture;

use super::decision::PlanDecision;
use super::message::{
    DiagnoseParams, DiagnoseResponse, EcsQuestion, ExecuteResponse, IdentifyParams,
    IdentifyResponse, PlanResponse, ProposeParams, ProposeResponse, ReportResponse, ThreadsParams,
    ThreadsResponse, WaitingPlan,
};
use super::progress::Progress;

/// Why a tool has no result: one sentence that the assistant and its person read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BackendError(String);

impl BackendError {
    /// An error in words for the caller. They never hold a secret or another tenant's names.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// An error with everything that caused it, in one line.
    pub fn from_chain(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(source) = cause {
            let said = source.to_string();
            if !text.contains(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            cause = source.source();
        }
        Self(text)
    }
}

/// Something to read that a thread or the program has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// A thread's findings with the evidence they rest on and what could not be read, as JSON.
    Evidence(ThreadId),
    /// The failure modes there are, in Markdown.
    FailureModes,
    /// One of them, by its id, in Markdown.
    FailureMode(String),
}

/// What the tools do. Each call that reaches AWS is an invocation of its own, with credentials that
/// nobody else sees. Only [`Backend::decide`] may lead to a change, and it takes what only a
/// person's answer makes.
pub trait Backend: Send + Sync + 'static {
    /// From a person's words to a service.
    fn identify(
        &self,
        params: IdentifyParams,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<IdentifyResponse, BackendError>>;

    /// What is wrong with a service.
    fn diagnose(
        &self,
        params: DiagnoseParams,
        progress: Progress,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<DiagnoseResponse, BackendError>>;

    /// One question about an account, a cluster or a service. What would write is answered with the
    /// commands for a person.
    fn ask(
        &self,
        question: EcsQuestion,
        progress: Progress,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Map<String, Value>, BackendError>>;

    /// The threads there are.
    fn threads(
        &self,
        params: ThreadsParams,
    ) -> BoxFuture<'_, Result<ThreadsResponse, BackendError>>;

    /// A thread's report.
    fn report(&self, thread: ThreadId) -> BoxFuture<'_, Result<ReportResponse, BackendError>>;

    /// A document that is no tool's result.
    fn document(&self, document: Document) -> BoxFuture<'_, Result<String, BackendError>>;

    /// A plan for a service, up to the point where a person is asked.
    fn propose(
        &self,
        params: ProposeParams,
        progress: Progress,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<ProposeResponse, BackendError>>;

    /// The plan of a thread that a person may be asked about now, if the caller may decide on it.
    fn waiting(&self, thread: ThreadId) -> BoxFuture<'_, Result<WaitingPlan, BackendError>>;

    /// What a person decided: the plan is carried out, or turned down.
    fn decide(
        &self,
        decision: PlanDecision,
        progress: Progress,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<ExecuteResponse, BackendError>>;

    /// A thread's plan.
    fn plan(&self, thread: ThreadId) -> BoxFuture<'_, Result<PlanResponse, BackendError>>;
}
