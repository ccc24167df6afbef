//! What the tools do, behind a trait.

use ecs_agent_runtime::ThreadId;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

pub use futures_util::future::BoxFuture;

use super::message::{
    DiagnoseParams, DiagnoseResponse, EcsQuestion, IdentifyParams, IdentifyResponse, PlanResponse,
    ReportResponse, ThreadsParams, ThreadsResponse,
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

/// What the tools do. Every method reads, and each call that reaches AWS is an invocation of its
/// own, with credentials that nobody else sees.
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

    /// A thread's plan.
    fn plan(&self, thread: ThreadId) -> BoxFuture<'_, Result<PlanResponse, BackendError>>;
}
