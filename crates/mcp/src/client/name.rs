//! Names of servers and of their tools.
//!
//! A tool of another server is called `SERVER__tool` here. No tool of ours has two underscores in a
//! row, so none can be shadowed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What stands between a server's name and its tool's.
const BETWEEN: &str = "__";
/// Longest name of a server.
const LONGEST_SERVER: usize = 24;
/// Longest name of a tool, as the protocol recommends (2025-11-25, tools).
const LONGEST_TOOL: usize = 64;

/// What is wrong with a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not a server's name.
    #[error(
        "`{given}` is not a name for an MCP server: up to {LONGEST_SERVER} lower-case letters, digits \
         and single hyphens, the first one a letter"
    )]
    Server {
        /// What was given, made printable.
        given: String,
    },
    /// Not a tool's name.
    #[error(
        "`{given}` is not a name that a tool may have here: up to {LONGEST_TOOL} ASCII letters, digits, \
         `_`, `-` and `.`"
    )]
    Tool {
        /// What was given, made printable.
        given: String,
    },
    /// Not `SERVER__tool`.
    #[error("`{given}` is not a tool of another server: those are called `SERVER{BETWEEN}tool`")]
    Qualified {
        /// What was given, made printable.
        given: String,
    },
}

/// The name of a configured server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerName(String);

impl ServerName {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServerName {
    type Err = NameError;

    fn from_str(given: &str) -> Result<Self, NameError> {
        let fits = given.len() <= LONGEST_SERVER
            && given.starts_with(|c: char| c.is_ascii_lowercase())
            && !given.ends_with('-')
            && !given.contains("--")
            && given
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        match fits {
            true => Ok(Self(given.to_owned())),
            false => Err(NameError::Server {
                given: printable(given),
            }),
        }
    }
}

impl TryFrom<String> for ServerName {
    type Error = NameError;

    fn try_from(given: String) -> Result<Self, NameError> {
        given.parse()
    }
}

impl From<ServerName> for String {
    fn from(name: ServerName) -> Self {
        name.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a tool, as its server spells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ToolName(String);

impl ToolName {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what two names share that a person, or a provider of models, might take for one.
    pub(super) fn likeness(&self) -> String {
        let alike = |c: char| match c.to_ascii_lowercase() {
            '-' | '.' => '_',
            '0' => 'o',
            '1' | 'i' => 'l',
            other => other,
        };
        self.0.chars().map(alike).collect()
    }
}

impl FromStr for ToolName {
    type Err = NameError;

    fn from_str(given: &str) -> Result<Self, NameError> {
        let fits = (1..=LONGEST_TOOL).contains(&given.len())
            && given
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        match fits {
            true => Ok(Self(given.to_owned())),
            false => Err(NameError::Tool {
                given: printable(given),
            }),
        }
    }
}

impl TryFrom<String> for ToolName {
    type Error = NameError;

    fn try_from(given: String) -> Result<Self, NameError> {
        given.parse()
    }
}

impl From<ToolName> for String {
    fn from(name: ToolName) -> Self {
        name.0
    }
}

impl fmt::Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `SERVER__tool`: a tool of another server, as it is called here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName {
    /// The server.
    pub server: ServerName,
    /// Its tool.
    pub tool: ToolName,
}

impl FromStr for QualifiedName {
    type Err = NameError;

    fn from_str(given: &str) -> Result<Self, NameError> {
        let (server, tool) = given
            .split_once(BETWEEN)
            .ok_or_else(|| NameError::Qualified {
                given: printable(given),
            })?;
        Ok(Self {
            server: server.parse()?,
            tool: tool.parse()?,
        })
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{BETWEEN}{}", self.server, self.tool)
    }
}

/// A name that was refused, as a message may quote it.
fn printable(given: &str) -> String {
    let shown = given
        .chars()
        .take(80)
        .flat_map(|c| match c.is_ascii_graphic() {
            true => vec![c],
            false => c.escape_unicode().collect(),
        });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_what_looks_alike_is_refused() {
        for good in ["awslabs", "a", "my-tickets2"] {
            assert_eq!(good.parse::<ServerName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "A",
            "2a",
            "a_b",
            "a__b",
            "a--b",
            "a-",
            "-a",
            "ａws",
            "aws labs",
            &"a".repeat(25),
        ] {
            assert!(bad.parse::<ServerName>().is_err(), "{bad}");
        }
        for good in ["fetch", "fetch_task.logs-2", "_private", "a__b"] {
            assert_eq!(good.parse::<ToolName>().unwrap().as_str(), good);
        }
        // The second letter of the second one is Cyrillic.
        for bad in [
            "",
            "fеtch",
            "fetch\u{200b}",
            "a b",
            "a/b",
            "a\n",
            &"a".repeat(65),
        ] {
            assert!(bad.parse::<ToolName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_qualified_name_is_read_as_it_is_written() {
        let name: QualifiedName = "aws-labs__a__b".parse().unwrap();
        assert_eq!(
            (name.server.as_str(), name.tool.as_str()),
            ("aws-labs", "a__b")
        );
        assert_eq!(name.to_string(), "aws-labs__a__b");
        for ours in ["observe_service", "execute_operation", "task", "_a__b"] {
            assert!(ours.parse::<QualifiedName>().is_err(), "{ours}");
        }
    }

    #[test]
    fn likeness_is_wider_than_case() {
        let likeness = |name: &str| name.parse::<ToolName>().unwrap().likeness();
        for alike in [
            "Fetch_logs",
            "fetch-logs",
            "fetch.logs",
            "fetch_1ogs",
            "fetch_l0gs",
        ] {
            assert_eq!(likeness(alike), likeness("fetch_logs"), "{alike}");
        }
        assert_ne!(likeness("fetch_log"), likeness("fetch_logs"));
    }
}
