//! What an agent is: its prompt, its tools, its subagents. A definition, never state.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::AgentName;

/// One tool as the model sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// The name to call it by.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON Schema of its arguments: an object.
    pub input_schema: Value,
}

/// Which built-in tools an agent has. `task` comes by itself with the first subagent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltinTools {
    /// `write_todos`.
    pub todos: bool,
    /// `ls`, `read_file`, `write_file`, `edit_file`, `delete`, `glob`, `grep`.
    pub files: bool,
}

impl BuiltinTools {
    /// Every built-in tool.
    pub const ALL: Self = Self {
        todos: true,
        files: true,
    };
    /// None of them.
    pub const NONE: Self = Self {
        todos: false,
        files: false,
    };
}

impl Default for BuiltinTools {
    fn default() -> Self {
        Self::ALL
    }
}

/// One agent's definition; subagents are definitions inside it.
///
/// A thread is folded against a definition: folding an old log against one that lost a tool or a
/// subagent may refuse events, so what a log was written with should stay available.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentSpec {
    /// Its name, which its caller passes to `task`.
    pub name: AgentName,
    /// What it is for, as its caller reads it.
    pub description: String,
    /// Its system prompt.
    pub system_prompt: String,
    /// Its own tools; a name that a built-in tool has is shadowed by the built-in.
    pub tools: Vec<ToolSpec>,
    /// Which built-in tools it has.
    pub builtin: BuiltinTools,
    /// The agents it may start with `task`.
    pub subagents: Vec<AgentSpec>,
}

impl AgentSpec {
    /// An agent with every built-in tool, no own tool and no subagent.
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
        system_prompt: impl Into<String>,
    ) -> Self {
        Self {
            name: AgentName::new(name),
            description: description.into(),
            system_prompt: system_prompt.into(),
            tools: Vec::new(),
            builtin: BuiltinTools::ALL,
            subagents: Vec::new(),
        }
    }

    /// The direct subagent of this name.
    #[must_use]
    pub fn subagent(&self, name: &str) -> Option<&AgentSpec> {
        self.subagents
            .iter()
            .find(|agent| agent.name.as_str() == name)
    }

    /// The own tool of this name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&ToolSpec> {
        self.tools.iter().find(|tool| tool.name == name)
    }
}
