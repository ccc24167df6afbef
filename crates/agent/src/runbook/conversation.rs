//! A frame's messages as the runbook reads them: what was asked, and what each tool answered since.

use ecs_agent_runtime::{Message, ToolCall, ToolStatus};
use ecs_agent_untrusted::framed_content;
use serde_json::Value;

/// One tool call with its answer.
#[derive(Debug)]
pub(crate) struct Answered<'a> {
    pub(crate) call: &'a ToolCall,
    pub(crate) status: ToolStatus,
    pub(crate) text: &'a str,
}

impl Answered<'_> {
    pub(crate) fn succeeded(&self) -> bool {
        self.status == ToolStatus::Success
    }

    /// Whether the call had no arguments. What a model made up fails where the call itself does not.
    pub(crate) fn is_plain(&self) -> bool {
        match &self.call.arguments {
            Value::Null => true,
            Value::Object(members) => members.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
        }
    }

    /// The answer as JSON, or null.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text).unwrap_or(Value::Null)
    }

    /// The sentence that says what went wrong, when the answer is an error.
    pub(crate) fn error(&self) -> String {
        self.json()
            .get("error")
            .and_then(Value::as_str)
            .map_or_else(|| self.text.to_owned(), str::to_owned)
    }
}

/// The turn at hand.
#[derive(Debug)]
pub(crate) struct Conversation<'a> {
    /// What the person, or the calling agent, said last.
    pub(crate) asked: &'a str,
    /// Tool calls since then, in order.
    pub(crate) answered: Vec<Answered<'a>>,
}

impl<'a> Conversation<'a> {
    pub(crate) fn of(messages: &'a [Message]) -> Self {
        let mut asked = "";
        let mut calls: Vec<&ToolCall> = Vec::new();
        let mut answered = Vec::new();
        for message in messages {
            match message {
                Message::Human { text } => {
                    asked = text;
                    calls.clear();
                    answered.clear();
                }
                Message::Ai { tool_calls, .. } => calls.extend(tool_calls),
                Message::Tool {
                    call_id,
                    status,
                    text,
                    ..
                } => {
                    if let Some(call) = calls.iter().rfind(|call| call.id == *call_id) {
                        answered.push(Answered {
                            call,
                            status: *status,
                            text: framed_content(text),
                        });
                    }
                }
            }
        }
        Self { asked, answered }
    }

    /// The last answer of a tool.
    pub(crate) fn last(&self, tool: &str) -> Option<&Answered<'a>> {
        self.answered
            .iter()
            .rfind(|answer| answer.call.name == tool)
    }

    /// Where the last answer of a tool stands that was called as it should be: without arguments.
    pub(crate) fn plain_place(&self, tool: &str) -> Option<usize> {
        self.answered
            .iter()
            .rposition(|answer| answer.call.name == tool && answer.is_plain())
    }

    /// That answer.
    pub(crate) fn plain(&self, tool: &str) -> Option<&Answered<'a>> {
        self.answered.get(self.plain_place(tool)?)
    }

    /// Where the last answer of a tool stands.
    pub(crate) fn place(&self, tool: &str) -> Option<usize> {
        self.answered
            .iter()
            .rposition(|answer| answer.call.name == tool)
    }

    /// How often a tool has answered.
    pub(crate) fn count(&self, tool: &str) -> usize {
        self.answered
            .iter()
            .filter(|answer| answer.call.name == tool)
            .count()
    }
}

/// A string member of an object, or nothing.
pub(crate) fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
