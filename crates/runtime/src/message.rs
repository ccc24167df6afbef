//! What passes between a person, an agent and its tools.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::ToolSpec;
use crate::ids::{AgentName, ToolCallId};

/// A model's wish to have a tool called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The model's own id for it.
    pub id: ToolCallId,
    /// The tool's name; may be anything, since a model wrote it.
    pub name: String,
    /// The arguments; may be anything, since a model wrote them.
    pub arguments: Value,
}

impl ToolCall {
    /// A call.
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: Value) -> Self {
        Self {
            id: ToolCallId::new(id),
            name: name.into(),
            arguments,
        }
    }
}

/// One block of a model's reasoning, in the provider's own form. Nobody reads it but the provider
/// that wrote it, which may have signed it: a turn that calls tools goes on from there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reasoning {
    /// Whose form it is; a provider leaves out what another one wrote.
    pub provider: String,
    /// The block.
    pub data: Value,
}

/// Why a model's answer ended where it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It said what it had to say, or wants tools called.
    #[default]
    Complete,
    /// It reached the limit of its output: words or arguments may be cut.
    Truncated,
}

impl FinishReason {
    /// Whether nothing is missing at the end.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }
}

/// How a tool call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolStatus {
    /// It did what was asked.
    Success,
    /// It did not; the text says why and what to do.
    Error,
}

/// One message of a frame's list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// From the person, or from the agent that started this subagent.
    Human {
        /// What was said.
        text: String,
    },
    /// From the model.
    Ai {
        /// What it said; may be empty when it only calls tools.
        text: String,
        /// The tools it wants called.
        tool_calls: Vec<ToolCall>,
        /// How it came to that; goes back to the model as it is.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reasoning: Vec<Reasoning>,
    },
    /// A tool call's answer. Its text is data from outside, never an instruction.
    Tool {
        /// The call that it answers.
        call_id: ToolCallId,
        /// The tool that was called.
        name: String,
        /// How it ended.
        status: ToolStatus,
        /// What the model reads.
        text: String,
    },
}

/// What a tool gives back: the text for the model and the changes to the thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolOutcome {
    /// How it ended.
    pub status: ToolStatus,
    /// What the model reads; a text over 80,000 characters is moved to a file with a preview.
    pub text: String,
    /// Files to write, or with `None` to delete, by absolute path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Option<String>>,
    /// Typed state of the domain by key; JSON `null` removes the key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Value>,
}

impl ToolOutcome {
    /// A success with this text and no other change.
    pub fn success(text: impl Into<String>) -> Self {
        Self {
            status: ToolStatus::Success,
            text: text.into(),
            files: BTreeMap::new(),
            values: BTreeMap::new(),
        }
    }

    /// An error that the model reads; the run goes on.
    pub fn error(text: impl Into<String>) -> Self {
        Self {
            status: ToolStatus::Error,
            ..Self::success(text)
        }
    }

    /// The same, writing a file of the thread.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<String>, content: impl Into<String>) -> Self {
        self.files.insert(path.into(), Some(content.into()));
        self
    }

    /// The same, setting a value of the thread.
    #[must_use]
    pub fn with_value(mut self, key: impl Into<String>, value: Value) -> Self {
        self.values.insert(key.into(), value);
        self
    }
}

/// Everything that one model call is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRequest {
    /// The agent that asks.
    pub agent: AgentName,
    /// Its system prompt.
    pub system: String,
    /// Its own message list, oldest first.
    pub messages: Vec<Message>,
    /// The tools it may call.
    pub tools: Vec<ToolSpec>,
}

/// A request that no provider would accept: a call without its answer, or the reverse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrphanError {
    /// A tool call has no tool message before the next turn.
    #[error("tool call `{0}` has no answer in the request")]
    Call(ToolCallId),
    /// A tool message answers no call of the turn before it.
    #[error("tool message `{0}` answers no call of the request")]
    Answer(ToolCallId),
}

impl ModelRequest {
    /// Checks that every tool call is answered exactly once, right after its turn.
    ///
    /// # Errors
    /// The first call without an answer, or answer without a call.
    pub fn check_orphans(&self) -> Result<(), OrphanError> {
        let mut open: BTreeSet<&ToolCallId> = BTreeSet::new();
        for message in &self.messages {
            match message {
                Message::Tool { call_id, .. } => {
                    if !open.remove(call_id) {
                        return Err(OrphanError::Answer(call_id.clone()));
                    }
                }
                Message::Human { .. } | Message::Ai { .. } => {
                    if let Some(call) = open.first() {
                        return Err(OrphanError::Call((*call).clone()));
                    }
                    if let Message::Ai { tool_calls, .. } = message {
                        open = tool_calls.iter().map(|call| &call.id).collect();
                    }
                }
            }
        }
        open.first()
            .map_or(Ok(()), |call| Err(OrphanError::Call((*call).clone())))
    }
}
