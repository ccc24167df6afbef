//! The one trait.

use std::fmt;

use ecs_agent_runtime::{ModelRequest, ToolCall, Usage};
pub use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// A language model, or anything that answers like one.
pub trait Model: fmt::Debug + Send + Sync {
    /// Its name, as it is shown and configured.
    fn name(&self) -> &str;

    /// Answers one request.
    ///
    /// # Errors
    /// Resolves to a [`ModelError`], whose class says whether trying again may help. Waiting
    /// between tries is the caller's.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the call; the model keeps nothing of it.
    fn respond(&self, request: ModelRequest) -> BoxFuture<'_, Result<ModelReply, ModelError>>;
}

/// A model's answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelReply {
    /// What it said; may be empty when it calls tools.
    pub text: String,
    /// The tools it wants called; none ends the agent's turn. Arguments that were not JSON are
    /// passed on as a JSON string, so that the model is told.
    pub tool_calls: Vec<ToolCall>,
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
}
