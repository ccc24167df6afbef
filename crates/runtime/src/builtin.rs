//! The tools that every deep agent has: their schemas, and reading a model's arguments for them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::agent::{AgentSpec, ToolSpec};
use crate::configuration::Configuration;
use crate::file_operation::default_read_lines;
use crate::files::FileError;
use crate::todo::Todo;

const MAX_TODOS: usize = 100;

/// The built-in tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    WriteTodos,
    Ls,
    ReadFile,
    WriteFile,
    EditFile,
    Delete,
    Glob,
    Grep,
    CompactConversation,
    Task,
}

impl Builtin {
    const TODOS: [Self; 1] = [Self::WriteTodos];
    const FILES: [Self; 7] = [
        Self::Ls,
        Self::ReadFile,
        Self::WriteFile,
        Self::EditFile,
        Self::Delete,
        Self::Glob,
        Self::Grep,
    ];
    const CONTEXT: [Self; 1] = [Self::CompactConversation];
    const SUBAGENTS: [Self; 1] = [Self::Task];

    /// The built-in tools that an agent has.
    pub(crate) fn of(
        spec: &AgentSpec,
        configuration: &Configuration,
    ) -> impl Iterator<Item = Self> {
        let todos: &[Self] = if spec.builtin.todos {
            &Self::TODOS
        } else {
            &[]
        };
        let files: &[Self] = if spec.builtin.files {
            &Self::FILES
        } else {
            &[]
        };
        let subagents: &[Self] = if spec.subagents.is_empty() {
            &[]
        } else {
            &Self::SUBAGENTS
        };
        let context: &[Self] = if configuration.offer_compaction {
            &Self::CONTEXT
        } else {
            &[]
        };
        todos
            .iter()
            .chain(files)
            .chain(context)
            .chain(subagents)
            .copied()
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WriteTodos => "write_todos",
            Self::Ls => "ls",
            Self::ReadFile => "read_file",
            Self::WriteFile => "write_file",
            Self::EditFile => "edit_file",
            Self::Delete => "delete",
            Self::Glob => "glob",
            Self::Grep => "grep",
            Self::CompactConversation => "compact_conversation",
            Self::Task => "task",
        }
    }

    fn description(self, agent: &AgentSpec) -> String {
        match self {
            Self::WriteTodos => {
                "Replace your to-do list. Use it for work of three or more steps; keep one item \
                 in_progress. At most one call a turn."
                    .to_owned()
            }
            Self::Ls => {
                "List a directory of the thread's files; all paths are absolute.".to_owned()
            }
            Self::ReadFile => "Read a file with line numbers. offset counts lines from 0; read a \
                               long file in pieces."
                .to_owned(),
            Self::WriteFile => "Create a file or replace all of it.".to_owned(),
            Self::EditFile => "Replace exact text in a file. old_string must be unique in it, \
                               unless replace_all is set."
                .to_owned(),
            Self::Delete => "Delete a file, or a directory with all that is in it.".to_owned(),
            Self::Glob => "Find files by pattern: a bare name matches at any depth; *, **, ? and \
                           {a,b} work."
                .to_owned(),
            Self::Grep => "Find lines that contain a literal text.".to_owned(),
            Self::CompactConversation => {
                "Have your conversation so far replaced by a summary, between two pieces of work. \
                 The whole of it stays readable in a file."
                    .to_owned()
            }
            Self::Task => {
                let mut text = "Hand a task to a subagent. It sees only the description, shares \
                                the files, and returns one text. Several calls in one turn run \
                                side by side. Subagents:"
                    .to_owned();
                for subagent in &agent.subagents {
                    text.push_str(&format!("\n- {}: {}", subagent.name, subagent.description));
                }
                text
            }
        }
    }

    fn input_schema(self, agent: &AgentSpec) -> Value {
        let path = json!({"type": "string"});
        match self {
            Self::WriteTodos => object(
                json!({"todos": {"type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "content": {"type": "string"},
                        "status": {"type": "string", "enum": ["pending", "in_progress", "completed"]},
                    },
                    "required": ["content", "status"],
                }}}),
                &["todos"],
            ),
            Self::Ls => object(json!({"path": path}), &["path"]),
            Self::ReadFile => object(
                json!({
                    "file_path": path,
                    "offset": {"type": "integer", "minimum": 0, "default": 0},
                    "limit": {"type": "integer", "minimum": 1, "default": default_read_lines()},
                }),
                &["file_path"],
            ),
            Self::WriteFile => object(
                json!({"file_path": path, "content": {"type": "string"}}),
                &["file_path", "content"],
            ),
            Self::EditFile => object(
                json!({
                    "file_path": path,
                    "old_string": {"type": "string"},
                    "new_string": {"type": "string"},
                    "replace_all": {"type": "boolean", "default": false},
                }),
                &["file_path", "old_string", "new_string"],
            ),
            Self::Delete => object(json!({"file_path": path}), &["file_path"]),
            Self::CompactConversation => object(json!({}), &[]),
            Self::Glob => object(
                json!({"pattern": {"type": "string"}, "path": {"type": "string", "default": "/"}}),
                &["pattern"],
            ),
            Self::Grep => object(
                json!({
                    "pattern": {"type": "string"},
                    "path": {"type": "string", "default": "/"},
                    "glob": {"type": "string"},
                    "output_mode": {
                        "type": "string",
                        "enum": ["files_with_matches", "content", "count"],
                        "default": "files_with_matches",
                    },
                    "max_count": {"type": "integer", "minimum": 1},
                }),
                &["pattern"],
            ),
            Self::Task => {
                let names: Vec<&str> = agent
                    .subagents
                    .iter()
                    .map(|subagent| subagent.name.as_str())
                    .collect();
                object(
                    json!({
                        "description": {"type": "string"},
                        "subagent_type": {"type": "string", "enum": names},
                    }),
                    &["description", "subagent_type"],
                )
            }
        }
    }

    fn spec(self, agent: &AgentSpec) -> ToolSpec {
        ToolSpec {
            name: self.name().to_owned(),
            description: self.description(agent),
            input_schema: self.input_schema(agent),
        }
    }
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

/// Every tool of an agent, built-in ones first, as a model request carries them when nothing is
/// configured.
#[must_use]
pub fn tools_of(agent: &AgentSpec) -> Vec<ToolSpec> {
    configured_tools_of(agent, &Configuration::default())
}

/// The same, as configured.
pub(crate) fn configured_tools_of(
    agent: &AgentSpec,
    configuration: &Configuration,
) -> Vec<ToolSpec> {
    let builtin: Vec<ToolSpec> = Builtin::of(agent, configuration)
        .map(|tool| tool.spec(agent))
        .collect();
    let own = agent
        .tools
        .iter()
        .filter(|tool| builtin.iter().all(|b| b.name != tool.name));
    builtin.iter().chain(own).cloned().collect()
}

/// The arguments of a `task` call.
#[derive(Debug, Deserialize)]
pub(crate) struct TaskArguments {
    pub(crate) description: String,
    pub(crate) subagent_type: String,
}

#[derive(Debug, Deserialize)]
struct WriteTodosArguments {
    todos: Vec<Todo>,
}

/// Why a built-in tool did nothing; the text is for the model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuiltinError {
    #[error("arguments of `{tool}` cannot be read: {source}")]
    Arguments {
        tool: &'static str,
        source: serde_json::Error,
    },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the to-do list has more than {MAX_TODOS} items; shorten it")]
    TooManyTodos,
    #[error("the grep pattern is empty; say what to look for")]
    EmptyPattern,
}

pub(crate) fn arguments<T: DeserializeOwned>(
    tool: Builtin,
    arguments: &Value,
) -> Result<T, BuiltinError> {
    T::deserialize(arguments).map_err(|source| BuiltinError::Arguments {
        tool: tool.name(),
        source,
    })
}

pub(crate) fn todos(given: &Value) -> Result<Vec<Todo>, BuiltinError> {
    let WriteTodosArguments { todos } = arguments(Builtin::WriteTodos, given)?;
    if todos.len() > MAX_TODOS {
        return Err(BuiltinError::TooManyTodos);
    }
    Ok(todos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::BuiltinTools;

    #[test]
    fn what_a_model_reads_about_the_built_in_tools() {
        let mut agent = AgentSpec::new("main", "does", "You do.");
        agent
            .subagents
            .push(AgentSpec::new("helper", "helps", "You help."));
        insta::assert_json_snapshot!(tools_of(&agent));
    }

    #[test]
    fn an_agent_has_the_tools_it_was_given() {
        let names = |agent: &AgentSpec| -> Vec<String> {
            tools_of(agent).into_iter().map(|tool| tool.name).collect()
        };
        let mut agent = AgentSpec::new("main", "does", "You do.");
        agent.builtin = BuiltinTools {
            todos: true,
            files: false,
        };
        agent.tools = ["lookup", "write_todos"]
            .map(|name| ToolSpec {
                name: name.to_owned(),
                description: String::new(),
                input_schema: json!({}),
            })
            .to_vec();
        assert_eq!(names(&agent), ["write_todos", "lookup"]);
        agent.builtin = BuiltinTools::NONE;
        assert_eq!(names(&agent), ["lookup", "write_todos"]);
    }
}
