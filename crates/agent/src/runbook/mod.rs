//! The runbook: a deterministic expert behind the same trait as every language model.
//!
//! It reads what a language model would read (the request's messages) and calls the same tools, so
//! the whole product runs end to end without a key or a network, and a language model has a base
//! line to beat.

pub(crate) mod conversation;
mod executor;
mod identifier;
pub(crate) mod lead;
mod planner;
mod triage;
mod verifier;

use ecs_agent_models::{DeltaSink, Model, ModelError, ModelReply};
use ecs_agent_runtime::{ModelRequest, ToolCall};
use futures_util::future::BoxFuture;
use serde_json::Value;

use conversation::Conversation;

/// The deterministic model.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunbookModel;

impl RunbookModel {
    /// Its name as a model.
    pub(crate) const NAME: &str = "runbook";
}

impl Model for RunbookModel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn respond<'a>(
        &'a self,
        request: ModelRequest,
        _deltas: &'a dyn DeltaSink,
    ) -> BoxFuture<'a, Result<ModelReply, ModelError>> {
        Box::pin(async move { Ok(reply(&request)) })
    }
}

/// What the runbook does next.
#[derive(Debug, PartialEq)]
pub(crate) enum Move {
    /// Calls tools.
    Call(Vec<(&'static str, Value)>),
    /// Ends its turn with this answer.
    Say(String),
}

impl Move {
    pub(crate) fn call(tool: &'static str, arguments: Value) -> Self {
        Self::Call(vec![(tool, arguments)])
    }
}

fn reply(request: &ModelRequest) -> ModelReply {
    let conversation = Conversation::of(&request.messages);
    as_reply(request, next_move(request.agent.as_str(), &conversation))
}

/// What the runbook does next in an agent's place, whoever did what came before.
pub(crate) fn next_move(agent: &str, conversation: &Conversation<'_>) -> Move {
    match agent {
        "service-identifier" => identifier::next(conversation),
        "triage-specialist" => triage::next(conversation),
        "repair-planner" => planner::next(conversation),
        "fix-executor" => executor::next(conversation),
        "verification-specialist" => verifier::next(conversation),
        _ => lead::next(conversation),
    }
}

/// The move in the words of a model.
pub(crate) fn as_reply(request: &ModelRequest, next: Move) -> ModelReply {
    match next {
        Move::Say(text) => ModelReply::text(text),
        Move::Call(calls) => ModelReply::calls(
            calls
                .into_iter()
                .enumerate()
                .map(|(index, (tool, arguments))| {
                    let id = format!("{}-{}-{index}", request.agent, request.messages.len());
                    ToolCall::new(id, tool, arguments)
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod runbook_tests;
