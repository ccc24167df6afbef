//! The tools that every deep agent has: their schemas, and reading a model's arguments for them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::agent::{AgentSpec, ToolSpec};
use crate::files::{EditScope, FileError, Grep, GrepOutput, VirtualFiles};
use crate::path::FilePath;
use crate::todo::Todo;

const MAX_TODOS: usize = 100;
const DEFAULT_READ_LINES: usize = 100;

/// The built-in tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    WriteTodos,
    Ls,
    ReadFile,
    WriteFile,
    EditFile,
    Glob,
    Grep,
    Task,
}

impl Builtin {
    const TODOS: [Self; 1] = [Self::WriteTodos];
    const FILES: [Self; 6] = [
        Self::Ls,
        Self::ReadFile,
        Self::WriteFile,
        Self::EditFile,
        Self::Glob,
        Self::Grep,
    ];
    const SUBAGENTS: [Self; 1] = [Self::Task];

    /// The built-in tools that an agent has.
    pub(crate) fn of(spec: &AgentSpec) -> impl Iterator<Item = Self> {
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
        todos.iter().chain(files).chain(subagents).copied()
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WriteTodos => "write_todos",
            Self::Ls => "ls",
            Self::ReadFile => "read_file",
            Self::WriteFile => "write_file",
            Self::EditFile => "edit_file",
            Self::Glob => "glob",
            Self::Grep => "grep",
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
            Self::Ls => "List a directory of the thread's files.".to_owned(),
            Self::ReadFile => "Read a file with line numbers. offset counts lines from 0; read a \
                               long file in pieces."
                .to_owned(),
            Self::WriteFile => "Create a file or replace all of it.".to_owned(),
            Self::EditFile => "Replace exact text in a file. old_string must be unique in it, \
                               unless replace_all is set."
                .to_owned(),
            Self::Glob => "Find files by pattern: a bare name matches at any depth; *, **, ? and \
                           {a,b} work."
                .to_owned(),
            Self::Grep => "Find lines that contain a literal text.".to_owned(),
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
        let path = json!({"type": "string", "description": "Absolute path."});
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
                    "limit": {"type": "integer", "minimum": 1, "default": DEFAULT_READ_LINES},
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

/// Every tool of an agent, built-in ones first, as a model request carries them.
#[must_use]
pub fn tools_of(agent: &AgentSpec) -> Vec<ToolSpec> {
    let builtin: Vec<ToolSpec> = Builtin::of(agent).map(|tool| tool.spec(agent)).collect();
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

#[derive(Debug, Deserialize)]
struct LsArguments {
    #[serde(default = "root")]
    path: String,
}

#[derive(Debug, Deserialize)]
struct ReadFileArguments {
    file_path: String,
    #[serde(default)]
    offset: usize,
    #[serde(default = "default_read_lines")]
    limit: usize,
}

#[derive(Debug, Deserialize)]
struct WriteFileArguments {
    file_path: String,
    content: String,
}

#[derive(Debug, Deserialize)]
struct EditFileArguments {
    file_path: String,
    old_string: String,
    new_string: String,
    #[serde(default)]
    replace_all: bool,
}

#[derive(Debug, Deserialize)]
struct GlobArguments {
    pattern: String,
    #[serde(default = "root")]
    path: String,
}

#[derive(Debug, Deserialize)]
struct GrepArguments {
    pattern: String,
    #[serde(default = "root")]
    path: String,
    #[serde(default)]
    glob: Option<String>,
    #[serde(default)]
    output_mode: OutputMode,
    #[serde(default)]
    max_count: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutputMode {
    #[default]
    FilesWithMatches,
    Content,
    Count,
}

fn root() -> String {
    "/".to_owned()
}

const fn default_read_lines() -> usize {
    DEFAULT_READ_LINES
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

/// The path that a call changes, if it is one that changes a file.
pub(crate) fn mutated_path(tool: Builtin, given: &Value) -> Option<FilePath> {
    match tool {
        Builtin::WriteFile | Builtin::EditFile => given.get("file_path")?.as_str()?.parse().ok(),
        Builtin::WriteTodos
        | Builtin::Ls
        | Builtin::ReadFile
        | Builtin::Glob
        | Builtin::Grep
        | Builtin::Task => None,
    }
}

/// A file tool, carried out; `None` if the tool is no file tool.
pub(crate) fn on_files(
    tool: Builtin,
    given: &Value,
    files: &mut VirtualFiles,
) -> Option<Result<String, BuiltinError>> {
    Some(match tool {
        Builtin::Ls => arguments(tool, given).and_then(|LsArguments { path }| Ok(files.ls(&path)?)),
        Builtin::ReadFile => arguments(tool, given).and_then(|read: ReadFileArguments| {
            Ok(files.read(&read.file_path, read.offset, read.limit)?)
        }),
        Builtin::WriteFile => arguments(tool, given).and_then(|write: WriteFileArguments| {
            Ok(files.write(&write.file_path, &write.content)?)
        }),
        Builtin::EditFile => arguments(tool, given).and_then(|edit: EditFileArguments| {
            let scope = if edit.replace_all {
                EditScope::All
            } else {
                EditScope::Unique
            };
            Ok(files.edit(&edit.file_path, &edit.old_string, &edit.new_string, scope)?)
        }),
        Builtin::Glob => arguments(tool, given)
            .and_then(|glob: GlobArguments| Ok(files.glob(&glob.pattern, &glob.path)?)),
        Builtin::Grep => arguments(tool, given).and_then(|grep: GrepArguments| {
            if grep.pattern.is_empty() {
                return Err(BuiltinError::EmptyPattern);
            }
            Ok(files.grep(&Grep {
                pattern: &grep.pattern,
                path: &grep.path,
                glob: grep.glob.as_deref(),
                output: match grep.output_mode {
                    OutputMode::FilesWithMatches => GrepOutput::FilesWithMatches,
                    OutputMode::Content => GrepOutput::Content,
                    OutputMode::Count => GrepOutput::Count,
                },
                max_count: grep.max_count,
            })?)
        }),
        Builtin::WriteTodos | Builtin::Task => return None,
    })
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
