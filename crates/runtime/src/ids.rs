//! Typed identifiers: one kind never fits where another is wanted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Refusal of a text that is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a {kind} id; expected `{prefix}-` and a UUID")]
pub struct ParseIdError {
    given: String,
    kind: &'static str,
    prefix: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that the caller made: this crate has no clock and no randomness.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID without its prefix.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            /// Reads the printed form; a bare UUID is accepted too, for people who type.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let bare = text.strip_prefix(concat!($prefix, "-")).unwrap_or(text);
                Uuid::try_parse(bare).map(Self).map_err(|_| ParseIdError {
                    given: text.chars().take(80).collect(),
                    kind: $kind,
                    prefix: $prefix,
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

uuid_id!(
    /// A conversation: the unit that is stored, listed and resumed.
    ThreadId, "thread", "thread"
);
uuid_id!(
    /// One run of the agent on a thread, from its start to a result.
    RunId, "run", "run"
);
uuid_id!(
    /// One question to a person, raised by one tool call.
    InterruptId, "interrupt", "interrupt"
);
uuid_id!(
    /// One message that a person sent.
    MessageId, "message", "message"
);

/// A tool call's id, as the model chose it; unique within its frame.
///
/// A model that repeats an id gets the later one renamed, so nobody downstream has to care.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ToolCallId(String);

impl ToolCallId {
    /// Wraps an id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ToolCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ToolCallId {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

/// An agent's name, as it is used in `task` calls and shown to people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentName(String);

impl AgentName {
    /// Wraps a name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for AgentName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// Where a message list lives: empty is the main agent, `[call]` the subagent that this `task`
/// call of the main agent started, and so on inwards.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FramePath(Vec<ToolCallId>);

impl FramePath {
    /// The main agent's frame.
    #[must_use]
    pub const fn main() -> Self {
        Self(Vec::new())
    }

    /// The frame of the subagent that `call` started from here.
    #[must_use]
    pub fn child(&self, call: ToolCallId) -> Self {
        let mut calls = self.0.clone();
        calls.push(call);
        Self(calls)
    }

    /// The frame whose `task` call started this one, with that call's id.
    #[must_use]
    pub fn parent(&self) -> Option<(Self, &ToolCallId)> {
        let (call, rest) = self.0.split_last()?;
        Some((Self(rest.to_vec()), call))
    }

    /// Whether this is the main agent's frame.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this frame was started, directly or not, from `other`.
    #[must_use]
    pub fn is_inside(&self, other: &Self) -> bool {
        self.0.len() > other.0.len() && self.0.starts_with(&other.0)
    }

    /// The `task` calls that lead here, outermost first.
    #[must_use]
    pub fn calls(&self) -> &[ToolCallId] {
        &self.0
    }
}

impl fmt::Display for FramePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("main")?;
        self.0.iter().try_for_each(|call| write!(f, "/{call}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_prints_with_its_prefix_and_reads_back() {
        let id = ThreadId::new(Uuid::from_u128(7));
        assert_eq!(
            id.to_string(),
            "thread-00000000-0000-0000-0000-000000000007"
        );
        assert_eq!(id.to_string().parse::<ThreadId>().unwrap(), id);
        assert_eq!(
            serde_json::from_str::<ThreadId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let text = RunId::new(Uuid::from_u128(7)).to_string();
        let error = text.parse::<ThreadId>().unwrap_err();
        assert!(error.to_string().contains("is not a thread id"), "{error}");
    }

    #[test]
    fn frames_know_their_place() {
        let outer = FramePath::main().child("a".into());
        let inner = outer.child("b".into());
        assert_eq!(inner.to_string(), "main/a/b");
        assert_eq!(
            inner.parent().unwrap(),
            (outer.clone(), &ToolCallId::from("b"))
        );
        assert!(inner.is_inside(&outer) && !outer.is_inside(&outer));
    }
}
