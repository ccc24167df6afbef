//! Paths of a thread's virtual files.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const MAX_PATH_BYTES: usize = 512;

/// An absolute path of a virtual file, in its only spelling: no `.`, no `..`, no empty part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(String);

/// Why a text is not a path of a virtual file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilePathError {
    /// It does not begin with `/`.
    #[error("path `{0}` is not absolute; begin it with `/`")]
    NotAbsolute(String),
    /// It has a part that could lead elsewhere.
    #[error("path `{0}` has a `..` or `~` part, which is not allowed; write the whole path")]
    Traversal(String),
    /// It names no file.
    #[error("path `{0}` names a directory; add a file name")]
    Directory(String),
    /// It has a character that no path here has.
    #[error("path has a control character or a backslash; use plain names and `/`")]
    Character,
    /// It is too long.
    #[error("path is longer than 512 bytes; use a shorter one")]
    TooLong,
}

impl FilePath {
    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FilePath {
    type Err = FilePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let normal = normalised(text)?;
        if normal == "/" || text.ends_with('/') {
            return Err(FilePathError::Directory(text.to_owned()));
        }
        Ok(Self(normal))
    }
}

/// A directory's text in its only spelling: `/` or `/a/b`, without a last slash.
pub(crate) fn directory(text: &str) -> Result<String, FilePathError> {
    normalised(text)
}

fn normalised(text: &str) -> Result<String, FilePathError> {
    if text.len() > MAX_PATH_BYTES {
        return Err(FilePathError::TooLong);
    }
    if text.chars().any(|c| c.is_control() || c == '\\') {
        return Err(FilePathError::Character);
    }
    if text.starts_with('~') {
        return Err(FilePathError::Traversal(text.to_owned()));
    }
    if !text.starts_with('/') {
        return Err(FilePathError::NotAbsolute(text.to_owned()));
    }
    let mut normal = String::with_capacity(text.len());
    for part in text
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        if part == ".." || part.starts_with('~') {
            return Err(FilePathError::Traversal(text.to_owned()));
        }
        normal.push('/');
        normal.push_str(part);
    }
    if normal.is_empty() {
        normal.push('/');
    }
    Ok(normal)
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for FilePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FilePath {
    type Error = FilePathError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for (given, expected) in [
            ("/a.md", "/a.md"),
            ("//a/./b.md", "/a/b.md"),
            ("/a/..b", "/a/..b"),
        ] {
            assert_eq!(given.parse::<FilePath>().unwrap().as_str(), expected);
        }
    }

    #[test]
    fn a_path_that_could_lead_elsewhere_is_refused() {
        for given in [
            "", "a.md", "~/a", "/a/../b", "/..", "/~root/x", "C:\\a", "/a\\b", "/a\n", "/", "/a/",
        ] {
            assert!(given.parse::<FilePath>().is_err(), "{given}");
        }
        assert!(format!("/{}", "x".repeat(600)).parse::<FilePath>().is_err());
    }
}
