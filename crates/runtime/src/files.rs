//! A thread's virtual files and what the file tools do with them. Nothing here touches a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

use crate::configuration::is_within;
use crate::path::{FilePath, FilePathError, directory};

/// What a file tool's answer is cut to, in bytes.
pub(crate) const MAX_ANSWER_BYTES: usize = 80_000;
const MAX_LINE_CHARS: usize = 5_000;
const MAX_FILE_BYTES: usize = 1_000_000;
/// What the program itself may keep in one file: a tool's whole result, a conversation's history.
const MAX_KEPT_BYTES: usize = 32_000_000;
const MAX_TOTAL_BYTES: usize = 64_000_000;
const MAX_PATTERN_BYTES: usize = 256;
const MAX_HITS: usize = 1_000;

/// Why a file tool did not do what was asked; the text is for the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The path is none.
    #[error(transparent)]
    Path(#[from] FilePathError),
    /// There is no such file.
    #[error("file `{0}` not found; use ls or glob to see what there is")]
    NotFound(String),
    /// The offset lies behind the end.
    #[error("offset {offset} is behind the end of `{path}`, which has {lines} lines")]
    Offset {
        /// The file.
        path: String,
        /// The offset asked for.
        offset: usize,
        /// How many lines there are.
        lines: usize,
    },
    /// The text to replace is empty or equals its replacement.
    #[error("old_string must be non-empty and differ from new_string")]
    NothingToReplace,
    /// The text to replace is not there.
    #[error("old_string is not in `{0}`; read the file and copy the text exactly")]
    NoMatch(String),
    /// The text to replace is there more than once.
    #[error(
        "old_string is in `{path}` {count} times; add context to make it unique, or set replace_all"
    )]
    ManyMatches {
        /// The file.
        path: String,
        /// How often it is there.
        count: usize,
    },
    /// The file, or all files together, would be too large.
    #[error("`{0}` would be too large (a file may have 1 MB, a thread 64 MB); write less")]
    TooLarge(String),
    /// The files there are only to be looked at.
    #[error("files of `{0}` can be read, not changed; write elsewhere")]
    ReadOnly(String),
    /// The file is no text.
    #[error("`{0}` is a binary file, which cannot be read or edited as text")]
    Binary(String),
    /// The glob pattern cannot be read.
    #[error("glob pattern `{0}` cannot be read; use *, **, ?, [a-z] and {{a,b}}")]
    Pattern(String),
}

/// A thread's files, by path.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VirtualFiles {
    files: BTreeMap<FilePath, Arc<str>>,
    bytes: usize,
}

/// How `grep` tells what it found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrepOutput {
    /// The files, by name.
    #[default]
    FilesWithMatches,
    /// The lines.
    Content,
    /// How many lines a file has.
    Count,
}

/// What `grep` looks for, and where.
#[derive(Debug)]
pub(crate) struct Grep<'a> {
    pub(crate) pattern: &'a str,
    pub(crate) path: &'a str,
    pub(crate) glob: Option<&'a str>,
    pub(crate) output: GrepOutput,
    pub(crate) max_count: Option<usize>,
}

impl VirtualFiles {
    /// One file's content.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(AsRef::as_ref)
    }

    /// Every file with its content, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&FilePath, &str)> {
        self.files
            .iter()
            .map(|(path, content)| (path, content.as_ref()))
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Creates a file or replaces all of it.
    ///
    /// # Errors
    /// [`FileError::TooLarge`], if the file or all files together would be.
    pub fn put(&mut self, path: FilePath, content: impl Into<Arc<str>>) -> Result<(), FileError> {
        self.put_within(path, content.into(), MAX_FILE_BYTES)
    }

    /// The same for what the program itself keeps, which may be larger.
    pub(crate) fn keep(
        &mut self,
        path: FilePath,
        content: impl Into<Arc<str>>,
    ) -> Result<(), FileError> {
        self.put_within(path, content.into(), MAX_KEPT_BYTES)
    }

    fn put_within(
        &mut self,
        path: FilePath,
        content: Arc<str>,
        limit: usize,
    ) -> Result<(), FileError> {
        let old = self.files.get(&path).map_or(0, |old| old.len());
        let total = self.bytes.saturating_sub(old).saturating_add(content.len());
        if content.len() > limit || total > MAX_TOTAL_BYTES {
            return Err(FileError::TooLarge(path.into()));
        }
        self.bytes = total;
        self.files.insert(path, content);
        Ok(())
    }

    pub(crate) fn remove(&mut self, path: &FilePath) {
        if let Some(old) = self.files.remove(path) {
            self.bytes = self.bytes.saturating_sub(old.len());
        }
    }

    pub(crate) fn ls(&self, path: &str) -> Result<String, FileError> {
        let directory = directory(path)?;
        let mut entries: Vec<String> = Vec::new();
        for file in self.files.keys() {
            let Some(rest) = below(file.as_str(), &directory) else {
                continue;
            };
            let entry = match rest.split_once('/') {
                Some((folder, _)) => format!("{}/{folder}/", directory.trim_end_matches('/')),
                None => file.as_str().to_owned(),
            };
            if entries.last() != Some(&entry) && !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        Ok(listing(&entries))
    }

    pub(crate) fn read(
        &self,
        path: &str,
        offset: usize,
        limit: usize,
    ) -> Result<String, FileError> {
        let path: FilePath = path.parse()?;
        let content = self.text(&path)?;
        if content.is_empty() {
            return Ok(format!("(`{path}` is empty)"));
        }
        let lines = content.lines().count();
        if offset >= lines {
            return Err(FileError::Offset {
                path: path.into(),
                offset,
                lines,
            });
        }
        let mut answer = String::new();
        let mut next = offset;
        for (index, line) in content.lines().enumerate().skip(offset).take(limit.max(1)) {
            let rendered = numbered(index + 1, line);
            // A first line is always given, cut if it has to be: reading must get on.
            if !answer.is_empty() && answer.len() + rendered.len() > MAX_ANSWER_BYTES {
                break;
            }
            answer.push_str(&rendered);
            next = index + 1;
        }
        if answer.len() > MAX_ANSWER_BYTES {
            answer = clipped(&answer, MAX_ANSWER_BYTES).to_owned();
            answer.push_str("\n(line cut here: it is too long to show whole; use grep)\n");
        }
        if next < lines {
            let _ = writeln!(
                answer,
                "({} more lines; go on with offset={next})",
                lines - next
            );
        }
        Ok(answer)
    }

    pub(crate) fn write(&mut self, path: &str, content: &str) -> Result<String, FileError> {
        let path: FilePath = path.parse()?;
        self.put(path.clone(), content.to_owned())?;
        Ok(format!(
            "Wrote `{path}` ({} lines).",
            content.lines().count()
        ))
    }

    pub(crate) fn edit(
        &mut self,
        path: &str,
        old: &str,
        new: &str,
        scope: EditScope,
    ) -> Result<String, FileError> {
        let path: FilePath = path.parse()?;
        let content = self.text(&path)?;
        if old.is_empty() || old == new {
            return Err(FileError::NothingToReplace);
        }
        let count = content.matches(old).count();
        match (count, scope) {
            (0, _) => return Err(FileError::NoMatch(path.into())),
            (2.., EditScope::Unique) => {
                return Err(FileError::ManyMatches {
                    path: path.into(),
                    count,
                });
            }
            (1.., EditScope::Unique | EditScope::All) => {}
        }
        let grown = new.len().saturating_sub(old.len()).saturating_mul(count);
        if content.len().saturating_add(grown) > MAX_FILE_BYTES {
            return Err(FileError::TooLarge(path.into()));
        }
        let edited = content.replace(old, new);
        self.put(path.clone(), edited)?;
        Ok(format!("Edited `{path}`: {count} replaced."))
    }

    /// Removes a file, or a directory with all that is in it.
    pub(crate) fn delete(&mut self, path: &str) -> Result<String, FileError> {
        let given = directory(path)?;
        if given == "/" {
            return Err(FileError::Path(FilePathError::Directory(path.to_owned())));
        }
        let doomed: BTreeSet<FilePath> = self
            .files
            .keys()
            .filter(|file| is_within(file.as_str(), &given))
            .cloned()
            .collect();
        if doomed.is_empty() {
            return Err(FileError::NotFound(given));
        }
        doomed.iter().for_each(|file| self.remove(file));
        Ok(format!("Deleted `{given}` ({} files).", doomed.len()))
    }

    /// A file's text.
    fn text(&self, path: &FilePath) -> Result<&str, FileError> {
        let content = self
            .files
            .get(path)
            .ok_or_else(|| FileError::NotFound(path.to_string()))?;
        if is_binary(content) {
            return Err(FileError::Binary(path.to_string()));
        }
        Ok(content)
    }

    pub(crate) fn glob(&self, pattern: &str, path: &str) -> Result<String, FileError> {
        let directory = directory(path)?;
        let matcher = Glob::new(pattern)?;
        let found: Vec<String> = self
            .files
            .keys()
            .map(FilePath::as_str)
            .filter(|file| below(file, &directory).is_some_and(|rest| matcher.matches(file, rest)))
            .map(str::to_owned)
            .collect();
        Ok(listing(&found))
    }

    pub(crate) fn grep(&self, query: &Grep<'_>) -> Result<String, FileError> {
        let directory = directory(query.path)?;
        let matcher = query.glob.map(Glob::new).transpose()?;
        let limit = query.max_count.unwrap_or(MAX_HITS).clamp(1, MAX_HITS);
        let mut lines: Vec<String> = Vec::new();
        let mut hits = 0;
        'files: for (file, content) in &self.files {
            let file = file.as_str();
            // A path that is a file itself searches just that file.
            let rest = if file == directory {
                Some(file)
            } else {
                below(file, &directory)
            };
            let Some(rest) = rest else { continue };
            if matcher
                .as_ref()
                .is_some_and(|matcher| !matcher.matches(file, rest))
            {
                continue;
            }
            if is_binary(content) {
                continue;
            }
            let mut in_file = 0;
            for (index, line) in content.lines().enumerate() {
                if !line.contains(query.pattern) {
                    continue;
                }
                if hits == limit {
                    if in_file > 0 && query.output == GrepOutput::Count {
                        lines.push(format!("{file}: {in_file}"));
                    }
                    lines.push(format!("(more than {limit} matches; narrow the search)"));
                    break 'files;
                }
                hits += 1;
                in_file += 1;
                match query.output {
                    GrepOutput::Content => {
                        lines.push(format!(
                            "{file}:{}:{}",
                            index + 1,
                            around(line, query.pattern)
                        ));
                    }
                    GrepOutput::FilesWithMatches if in_file == 1 => lines.push(file.to_owned()),
                    GrepOutput::FilesWithMatches | GrepOutput::Count => {}
                }
                if query.output == GrepOutput::FilesWithMatches {
                    break;
                }
            }
            if in_file > 0 && query.output == GrepOutput::Count {
                lines.push(format!("{file}: {in_file}"));
            }
        }
        if lines.is_empty() {
            let hint = if looks_like_a_regex(query.pattern) {
                " The pattern is taken literally, not as a regular expression."
            } else {
                ""
            };
            return Ok(format!("No matches found.{hint}"));
        }
        Ok(listing(&lines))
    }
}

/// How many places `edit_file` may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EditScope {
    Unique,
    All,
}

/// A glob: a bare name matches at any depth, a leading `/` starts at the root, anything else at
/// the directory that is searched.
struct Glob {
    matcher: GlobMatcher,
    rooted: bool,
}

impl Glob {
    fn new(pattern: &str) -> Result<Self, FileError> {
        let refusal = || FileError::Pattern(pattern.chars().take(80).collect());
        if pattern.is_empty() || pattern.len() > MAX_PATTERN_BYTES || pattern.contains("..") {
            return Err(refusal());
        }
        let rooted = pattern.starts_with('/');
        let whole = if pattern.contains('/') {
            pattern.to_owned()
        } else {
            format!("**/{pattern}")
        };
        let matcher = GlobBuilder::new(&whole)
            .literal_separator(true)
            .build()
            .map_err(|_| refusal())?
            .compile_matcher();
        Ok(Self { matcher, rooted })
    }

    fn matches(&self, file: &str, rest: &str) -> bool {
        self.matcher.is_match(if self.rooted { file } else { rest })
    }
}

/// The part of `file` under `directory`, if it lies there.
fn below<'a>(file: &'a str, directory: &str) -> Option<&'a str> {
    if directory == "/" {
        return file.strip_prefix('/');
    }
    file.strip_prefix(directory)?.strip_prefix('/')
}

fn listing(entries: &[String]) -> String {
    if entries.is_empty() {
        return "No files found".to_owned();
    }
    let mut answer = String::new();
    for (shown, entry) in entries.iter().enumerate() {
        if answer.len() + entry.len() > MAX_ANSWER_BYTES {
            let _ = writeln!(
                answer,
                "({} more not shown; narrow the path)",
                entries.len() - shown
            );
            break;
        }
        answer.push_str(entry);
        answer.push('\n');
    }
    answer
}

/// A line with its number; a long one continues as `5.1`, `5.2`, …
fn numbered(number: usize, line: &str) -> String {
    if line.chars().nth(MAX_LINE_CHARS).is_none() {
        return format!("{number:>6}\t{line}\n");
    }
    let mut rendered = String::new();
    let mut rest = line;
    let mut part = 0;
    while !rest.is_empty() {
        let end = rest
            .char_indices()
            .nth(MAX_LINE_CHARS)
            .map_or(rest.len(), |(end, _)| end);
        let (head, tail) = rest.split_at(end);
        let label = if part == 0 {
            number.to_string()
        } else {
            format!("{number}.{part}")
        };
        let _ = writeln!(rendered, "{label:>6}\t{head}");
        rest = tail;
        part += 1;
    }
    rendered
}

/// A line, or the part of a long one around its first match.
fn around(line: &str, pattern: &str) -> String {
    const BEFORE: usize = 120;
    const SHOWN: usize = 500;
    if line.len() <= SHOWN {
        return line.to_owned();
    }
    let start = line.find(pattern).unwrap_or(0).saturating_sub(BEFORE);
    let start = line.floor_char_boundary(start);
    let tail = line.get(start..).unwrap_or(line);
    let shown = clipped(tail, SHOWN);
    let dots = |cut: bool| if cut { "…" } else { "" };
    format!(
        "{}{shown}{}",
        dots(start > 0),
        dots(shown.len() < tail.len())
    )
}

/// Whether a content is no text: no text has a zero character.
fn is_binary(content: &str) -> bool {
    content.contains('\0')
}

/// The longest start of `text` that has at most `bytes` bytes and ends at a character.
pub(crate) fn clipped(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

fn looks_like_a_regex(pattern: &str) -> bool {
    [".*", ".+", "\\", "|", "[", "^", "$", "(?"]
        .iter()
        .any(|sign| pattern.contains(sign))
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
