//! A language model that insists on its own fix, and notes what the watch over it said.

use std::sync::{Mutex, PoisonError};

use ecs_agent_core::RunbookModel;
use ecs_agent_models::{
    BoxFuture, DeltaSink, Model, ModelError, ModelReply, ModelRequest, ToolCall,
};
use ecs_agent_runtime::Message;
use serde_json::{Value, json};

/// The model.
#[derive(Debug, Default)]
pub(crate) struct Stubborn {
    operations: Mutex<Option<Value>>,
    watched: Mutex<Vec<String>>,
}

impl Stubborn {
    /// From now on it proposes these.
    pub(crate) fn insist_on(&self, operations: Value) {
        *self
            .operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(operations);
    }

    /// The states that `verify_service` gave, in order.
    pub(crate) fn watched(&self) -> Vec<String> {
        let watched = self.watched.lock();
        watched.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn proposal(&self, request: &ModelRequest) -> Option<ModelReply> {
        let operations = self.operations.lock();
        let operations = operations.unwrap_or_else(PoisonError::into_inner).clone()?;
        // Once: whatever came of it is told by the runbook.
        let call = format!("insists-{}", request.messages.len());
        let last = request.messages.iter().rev().find_map(|message| {
            let Message::Tool { name, text, .. } = message else {
                return None;
            };
            (name == "propose_plan").then(|| text.clone())
        });
        let rejected = last.is_none_or(|last| last.contains("rejected:"));
        (request.agent.as_str() == "repair-planner" && rejected).then(|| {
            let arguments = json!({ "operations": operations });
            ModelReply::calls(vec![ToolCall::new(call, "propose_plan", arguments)])
        })
    }

    fn notes(&self, request: &ModelRequest) {
        let Some(Message::Tool { name, text, .. }) = request.messages.last() else {
            return;
        };
        if name != "verify_service" {
            return;
        }
        let states = ["healthy", "progressing", "worse", "unchanged"];
        let said = |state: &&str| text.contains(&format!("\"state\":\"{state}\""));
        let state = states.into_iter().find(said).unwrap_or("no state");
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.push(state.to_owned());
    }
}

impl Model for Stubborn {
    fn name(&self) -> &str {
        "stubborn"
    }

    fn respond<'a>(
        &'a self,
        request: ModelRequest,
        deltas: &'a dyn DeltaSink,
    ) -> BoxFuture<'a, Result<ModelReply, ModelError>> {
        Box::pin(async move {
            self.notes(&request);
            if let Some(reply) = self.proposal(&request) {
                return Ok(reply);
            }
            RunbookModel.respond(request, deltas).await
        })
    }
}
