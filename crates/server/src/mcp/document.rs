//! What is read as a resource.

use ecs_agent_ecs::{Catalogue, Observation};
use ecs_agent_mcp::{BackendError, Document};
use ecs_agent_runtime::ThreadId;
use serde_json::{Value, json};

use super::AgentBackend;

impl AgentBackend {
    pub(super) async fn document_text(&self, document: Document) -> Result<String, BackendError> {
        let catalogue = || Catalogue::embedded().map_err(|error| BackendError::from_chain(&error));
        match document {
            Document::Evidence(thread) => self.evidence(thread).await,
            Document::FailureModes => Ok(catalogue()?.index()),
            Document::FailureMode(id) => catalogue()?
                .mode(&id)
                .map(ecs_agent_ecs::Mode::page)
                .ok_or_else(|| {
                    BackendError::new(
                        "there is no failure mode of that id; ecs-deep-agent://failure-modes lists them",
                    )
                }),
        }
    }

    async fn evidence(&self, thread: ThreadId) -> Result<String, BackendError> {
        let fold = self.fold(thread).await?;
        let state = fold.thread().state();
        let observation = state
            .value("observation")
            .ok_or_else(|| BackendError::new("nothing was read on this thread yet"))?;
        // Typed, so that what a later version keeps beside it is not shown unseen.
        let observation: Observation = serde_json::from_value(observation.clone())
            .map_err(|error| BackendError::from_chain(&error))?;
        let findings = state.value("findings").cloned().unwrap_or(Value::Null);
        let shown = json!({
            "observed_at": observation.observed_at,
            "findings": findings,
            "evidence": observation.evidence,
            "gaps": observation.gaps,
        });
        Ok(format!("{shown:#}"))
    }
}
