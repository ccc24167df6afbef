//! What a person accepted of a server, and what is different now.
//!
//! Nothing here adopts a change: a tool that differs from what was accepted is quarantined until a
//! person accepts it as it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::definition::{FieldChange, Offer, ToolDefinition, Unusable};
use super::digest::Digest;
use super::identity::ServerIdentity;
use super::name::{ServerName, ToolName};

/// A server and its tools, as a person saw and accepted them.
///
/// The definitions are kept whole, since models are shown these and never what a server says later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The server's name here.
    pub server: ServerName,
    /// Which server it was.
    pub identity: ServerIdentity,
    /// Its tools.
    pub tools: BTreeMap<ToolName, ToolDefinition>,
}

impl Consent {
    /// Accepts what is offered.
    #[must_use]
    pub fn to(server: ServerName, identity: ServerIdentity, offer: Offer) -> Self {
        Self {
            server,
            identity,
            tools: offer.tools,
        }
    }

    /// Returns the hash of all of it: what a person who accepts without a terminal has to name.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let tools: BTreeMap<&str, Digest> = self
            .tools
            .iter()
            .map(|(name, definition)| (name.as_str(), definition.digest()))
            .collect();
        Digest::of(&json!({
            "server": self.server, "identity": self.identity, "tools": tools,
        }))
    }

    /// Compares with what is there now.
    #[must_use]
    pub fn difference(&self, identity: &ServerIdentity, offer: &Offer) -> Difference {
        let mut tools = BTreeMap::new();
        for (name, accepted) in &self.tools {
            match offer.tools.get(name) {
                Some(now) if now.digest() == accepted.digest() => {}
                Some(now) => {
                    let fields = accepted.changes_to(now);
                    tools.insert(name.clone(), Change::Changed { fields });
                }
                None => {
                    tools.insert(name.clone(), Change::Gone);
                }
            }
        }
        for name in offer.tools.keys() {
            if !self.tools.contains_key(name) {
                tools.insert(name.clone(), Change::New);
            }
        }
        Difference {
            identity: self.identity.changes_to(identity),
            tools,
            unusable: offer.unusable.clone(),
        }
    }
}

/// How a server differs from what was accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// That it is another server, in words. With one of these every tool is quarantined.
    pub identity: Vec<String>,
    /// Tools that differ.
    pub tools: BTreeMap<ToolName, Change>,
    /// Tools that cannot be used in any case. They change nothing.
    pub unusable: Vec<Unusable>,
}

/// How one tool differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Nobody has accepted it.
    New,
    /// It is no longer offered, or can no longer be told from another one.
    Gone,
    /// It says something else than before.
    Changed {
        /// What.
        fields: Vec<FieldChange>,
    },
}

impl Difference {
    /// The difference from nothing accepted.
    pub(super) fn from_nothing(offer: &Offer) -> Self {
        let tools = offer.tools.keys();
        Self {
            identity: Vec::new(),
            tools: tools.map(|name| (name.clone(), Change::New)).collect(),
            unusable: offer.unusable.clone(),
        }
    }

    /// Tells whether everything is as it was accepted.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.identity.is_empty() && self.tools.is_empty()
    }

    /// Says why an accepted tool must not be called, if it must not.
    #[must_use]
    pub fn quarantines(&self, tool: &ToolName) -> Option<String> {
        if let Some(change) = self.identity.first() {
            return Some(format!(
                "it is another server than the one that was accepted: {change}"
            ));
        }
        Some(match self.tools.get(tool)? {
            Change::New => "nobody has accepted it".to_owned(),
            Change::Gone => "the server no longer offers it".to_owned(),
            Change::Changed { fields } => {
                let fields: Vec<&str> = fields.iter().map(|change| change.field).collect();
                format!("since it was accepted it changed its {}", fields.join(", "))
            }
        })
    }
}

#[cfg(test)]
#[path = "consent_tests.rs"]
mod tests;
