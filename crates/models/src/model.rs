//! The one trait.

use std::fmt;

use ecs_agent_runtime::{AgentName, FinishReason, ModelRequest, Reasoning, ToolCall, Usage};
pub use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::profile::ModelProfile;

/// A language model, or anything that answers like one.
pub trait Model: fmt::Debug + Send + Sync {
    /// Its name, as it is shown and configured.
    fn name(&self) -> &str;

    /// What is known of the model that answers this agent.
    fn profile(&self, _agent: &AgentName) -> ModelProfile {
        ModelProfile::default()
    }

    /// Answers one request, and tells `deltas` each piece of the answer as it comes.
    ///
    /// What was told belongs to this answer alone. If it fails halfway, whoever showed the pieces takes
    /// them back.
    ///
    /// # Errors
    /// Resolves to a [`ModelError`], whose class says whether trying again may help. Waiting
    /// between tries is the caller's.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the call; the model keeps nothing of it.
    fn respond<'a>(
        &'a self,
        request: ModelRequest,
        deltas: &'a dyn DeltaSink,
    ) -> BoxFuture<'a, Result<ModelReply, ModelError>>;
}

/// Who is told pieces of an answer as they come.
pub trait DeltaSink: Send + Sync {
    /// Takes one piece. It must not block: the model waits for it.
    fn delta(&self, delta: Delta<'_>);
}

/// A piece of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delta<'a> {
    /// More of what it says.
    Text(&'a str),
    /// More of how it comes to that, where the provider shows it.
    Reasoning(&'a str),
    /// It begins to write the call of a tool.
    ToolCall {
        /// The tool's name; may be anything, since a model wrote it.
        name: &'a str,
    },
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDeltas;

impl DeltaSink for NoDeltas {
    fn delta(&self, _delta: Delta<'_>) {}
}

/// A model's answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelReply {
    /// What it said; may be empty when it calls tools.
    pub text: String,
    /// The tools it wants called; none ends the agent's turn. Arguments that were not JSON are
    /// passed on as a JSON string, so that the model is told.
    pub tool_calls: Vec<ToolCall>,
    /// How it came to that; goes back with the next request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasoning: Vec<Reasoning>,
    /// Why it ended where it did. A refusal is an error.
    #[serde(default)]
    pub finish: FinishReason,
    /// What it took.
    pub usage: Usage,
}

impl ModelReply {
    /// An answer in words, which ends the agent's turn.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// An answer that calls tools.
    #[must_use]
    pub fn calls(tool_calls: Vec<ToolCall>) -> Self {
        Self {
            tool_calls,
            ..Self::default()
        }
    }

    /// The same, with words.
    #[must_use]
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// The same, with a use of tokens.
    #[must_use]
    pub const fn using(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// The same, cut off at the limit of its output.
    #[must_use]
    pub const fn truncated(mut self) -> Self {
        self.finish = FinishReason::Truncated;
        self
    }
}
