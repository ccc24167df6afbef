//! The file tools as values: what a call wants to do, apart from where the files are.

use serde::Deserialize;

use crate::builtin::{Builtin, BuiltinError, arguments};
use crate::configuration::{Mount, MountAccess, is_within};
use crate::files::{EditScope, FileError, Grep, GrepOutput, VirtualFiles};
use crate::path::directory;

const DEFAULT_READ_LINES: usize = 100;

/// What one call of a file tool wants. The same value does the same to a thread's own files and to
/// files that a driver has laid beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileOperation {
    /// `ls`
    List {
        /// The directory.
        path: String,
    },
    /// `read_file`
    Read {
        /// The file.
        path: String,
        /// Lines to leave out at the start.
        offset: usize,
        /// Lines to read.
        limit: usize,
    },
    /// `write_file`
    Write {
        /// The file.
        path: String,
        /// All that it is to contain.
        content: String,
    },
    /// `edit_file`
    Edit {
        /// The file.
        path: String,
        /// The text to replace.
        old: String,
        /// What replaces it.
        new: String,
        /// Whether every place may be replaced, and not only a single one.
        everywhere: bool,
    },
    /// `delete`
    Delete {
        /// The file or directory.
        path: String,
    },
    /// `glob`
    Glob {
        /// The pattern.
        pattern: String,
        /// The directory to search.
        path: String,
    },
    /// `grep`
    Grep {
        /// The literal text.
        pattern: String,
        /// The directory or file to search.
        path: String,
        /// Which files, if not all.
        glob: Option<String>,
        /// How to tell what was found.
        output: GrepOutput,
        /// Matches to tell at most.
        max_count: Option<usize>,
    },
}

/// How far an operation reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It looks at files, or below a directory.
    Looks,
    /// It changes a file, or all below a directory.
    Changes,
}

#[derive(Debug, Deserialize)]
struct ListArguments {
    #[serde(default = "root")]
    path: String,
}

#[derive(Debug, Deserialize)]
struct ReadArguments {
    file_path: String,
    #[serde(default)]
    offset: usize,
    #[serde(default = "default_read_lines")]
    limit: usize,
}

#[derive(Debug, Deserialize)]
struct WriteArguments {
    file_path: String,
    content: String,
}

#[derive(Debug, Deserialize)]
struct EditArguments {
    file_path: String,
    old_string: String,
    new_string: String,
    #[serde(default)]
    replace_all: bool,
}

#[derive(Debug, Deserialize)]
struct DeleteArguments {
    file_path: String,
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
    output_mode: GrepOutput,
    #[serde(default)]
    max_count: Option<usize>,
}

fn root() -> String {
    "/".to_owned()
}

pub(crate) const fn default_read_lines() -> usize {
    DEFAULT_READ_LINES
}

impl FileOperation {
    /// What a call of a file tool wants; `None` if the tool is no file tool.
    pub(crate) fn of(
        tool: Builtin,
        given: &serde_json::Value,
    ) -> Option<Result<Self, BuiltinError>> {
        let operation = match tool {
            Builtin::Ls => arguments(tool, given).map(|ListArguments { path }| Self::List { path }),
            Builtin::ReadFile => arguments(tool, given).map(|read: ReadArguments| Self::Read {
                path: read.file_path,
                offset: read.offset,
                limit: read.limit,
            }),
            Builtin::WriteFile => arguments(tool, given).map(|write: WriteArguments| Self::Write {
                path: write.file_path,
                content: write.content,
            }),
            Builtin::EditFile => arguments(tool, given).map(|edit: EditArguments| Self::Edit {
                path: edit.file_path,
                old: edit.old_string,
                new: edit.new_string,
                everywhere: edit.replace_all,
            }),
            Builtin::Delete => arguments(tool, given)
                .map(|DeleteArguments { file_path }| Self::Delete { path: file_path }),
            Builtin::Glob => arguments(tool, given)
                .map(|GlobArguments { pattern, path }| Self::Glob { pattern, path }),
            Builtin::Grep => arguments(tool, given).and_then(|grep: GrepArguments| {
                if grep.pattern.is_empty() {
                    return Err(BuiltinError::EmptyPattern);
                }
                Ok(Self::Grep {
                    pattern: grep.pattern,
                    path: grep.path,
                    glob: grep.glob,
                    output: grep.output_mode,
                    max_count: grep.max_count,
                })
            }),
            Builtin::WriteTodos | Builtin::CompactConversation | Builtin::Task => return None,
        };
        Some(operation)
    }

    /// The file or directory that it is about, as the model wrote it.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::List { path }
            | Self::Read { path, .. }
            | Self::Write { path, .. }
            | Self::Edit { path, .. }
            | Self::Delete { path }
            | Self::Glob { path, .. }
            | Self::Grep { path, .. } => path,
        }
    }

    /// Whether it changes anything.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        match self {
            Self::List { .. } | Self::Read { .. } | Self::Glob { .. } | Self::Grep { .. } => {
                Reach::Looks
            }
            Self::Write { .. } | Self::Edit { .. } | Self::Delete { .. } => Reach::Changes,
        }
    }

    /// Does it to these files and returns what the model reads.
    ///
    /// # Errors
    /// [`FileError`], in words for the model; nothing was changed then.
    pub fn carry_out(&self, files: &mut VirtualFiles) -> Result<String, FileError> {
        match self {
            Self::List { path } => files.ls(path),
            Self::Read {
                path,
                offset,
                limit,
            } => files.read(path, *offset, *limit),
            Self::Write { path, content } => files.write(path, content),
            Self::Edit {
                path,
                old,
                new,
                everywhere,
            } => {
                let scope = if *everywhere {
                    EditScope::All
                } else {
                    EditScope::Unique
                };
                files.edit(path, old, new, scope)
            }
            Self::Delete { path } => files.delete(path),
            Self::Glob { pattern, path } => files.glob(pattern, path),
            Self::Grep {
                pattern,
                path,
                glob,
                output,
                max_count,
            } => files.grep(&Grep {
                pattern,
                path,
                glob: glob.as_deref(),
                output: *output,
                max_count: *max_count,
            }),
        }
    }

    /// Whether it concerns files of a mount, or may not be done because of one.
    ///
    /// # Errors
    /// [`FileError::ReadOnly`], if it would change what may only be looked at.
    pub(crate) fn touches(&self, mounts: &[Mount]) -> Result<bool, FileError> {
        // A path that cannot be read is told by the operation itself.
        let Ok(path) = directory(self.path()) else {
            return Ok(false);
        };
        let above = |mount: &Mount| is_within(mount.directory.as_str(), &path);
        let touched = |mount: &&Mount| mount.holds(&path) || above(mount);
        for mount in mounts.iter().filter(touched) {
            let forbidden = mount.access == MountAccess::ReadOnly || above(mount);
            if self.reach() == Reach::Changes && forbidden {
                return Err(FileError::ReadOnly(mount.directory.to_string()));
            }
        }
        Ok(mounts.iter().any(|mount| touched(&mount)))
    }

    /// What it changes, if anything and if the path is one.
    pub(crate) fn changed_path(&self) -> Option<String> {
        match self.reach() {
            Reach::Looks => None,
            Reach::Changes => directory(self.path()).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mounts() -> Vec<Mount> {
        [
            ("/skills", MountAccess::ReadOnly),
            ("/memories", MountAccess::ReadWrite),
        ]
        .map(|(directory, access)| Mount {
            directory: directory.parse().unwrap(),
            access,
        })
        .to_vec()
    }

    #[test]
    fn an_operation_knows_whether_a_mount_is_concerned() {
        let cases = [
            (Builtin::Ls, json!({"path": "/"}), Ok(true)),
            (Builtin::Ls, json!({"path": "/notes"}), Ok(false)),
            (
                Builtin::ReadFile,
                json!({"file_path": "/skills/a.md"}),
                Ok(true),
            ),
            (
                Builtin::WriteFile,
                json!({"file_path": "/memories/a.md", "content": ""}),
                Ok(true),
            ),
            (
                Builtin::WriteFile,
                json!({"file_path": "/skills/a.md", "content": ""}),
                Err("/skills"),
            ),
            (
                Builtin::Delete,
                json!({"file_path": "/memories"}),
                Err("/memories"),
            ),
            (Builtin::Grep, json!({"pattern": "x"}), Ok(true)),
        ];
        for (tool, arguments, expected) in cases {
            let operation = FileOperation::of(tool, &arguments).unwrap().unwrap();
            let expected = expected.map_err(|directory| FileError::ReadOnly(directory.to_owned()));
            assert_eq!(operation.touches(&mounts()), expected, "{arguments}");
        }
    }
}
