//! What a server says about a tool of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::digest::Digest;
use super::name::ToolName;

/// Most bytes that a definition may have, written as JSON.
const LONGEST: usize = 64 * 1024;

/// Everything about a tool that a model, a person or a program could be led by.
///
/// What the protocol calls `_meta` is left out: nothing here reads it. Annotations are kept, so that
/// a change of them is seen, and decide nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolDefinition {
    /// Its name.
    pub name: ToolName,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it says that it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of its arguments.
    pub input_schema: Map<String, Value>,
    /// JSON Schema of its results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Map<String, Value>>,
    /// Hints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Value>,
    /// Pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icons: Option<Value>,
}

impl ToolDefinition {
    /// Returns the hash that a person accepts.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&json!(self))
    }

    /// Lists the members that differ, each as it was and as it is.
    #[must_use]
    pub fn changes_to(&self, now: &Self) -> Vec<FieldChange> {
        let (was, is) = (json!(self), json!(now));
        let text = |value: Option<&Value>| match value {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let fields = [
            "title",
            "description",
            "inputSchema",
            "outputSchema",
            "annotations",
            "icons",
        ];
        fields
            .into_iter()
            .filter(|field| digest_of(was.get(field)) != digest_of(is.get(field)))
            .map(|field| FieldChange {
                field,
                was: text(was.get(field)),
                is: text(is.get(field)),
            })
            .collect()
    }
}

fn digest_of(value: Option<&Value>) -> Option<Digest> {
    value.map(Digest::of)
}

/// A member of a definition that changed. The texts are the server's: untrusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Which, as the protocol names it.
    pub field: &'static str,
    /// What it was; empty if it was not there.
    pub was: String,
    /// What it is; empty if it is gone.
    pub is: String,
}

/// The tools that a server offers at one time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offer {
    /// Those that could be used, by name.
    pub tools: BTreeMap<ToolName, ToolDefinition>,
    /// Those that cannot, and why.
    pub unusable: Vec<Unusable>,
}

/// A tool that cannot be used whatever a person accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unusable {
    /// Its name, made printable.
    pub name: String,
    /// Why.
    pub reason: &'static str,
}

impl Offer {
    /// Reads what a server listed.
    pub(super) fn of(listed: Vec<rmcp::model::Tool>) -> Self {
        let mut offer = Self::default();
        let mut alike: BTreeMap<String, Vec<ToolName>> = BTreeMap::new();
        for tool in listed {
            let definition = match define(tool) {
                Ok(definition) => definition,
                Err(unusable) => {
                    offer.unusable.push(unusable);
                    continue;
                }
            };
            let name = definition.name.clone();
            alike.entry(name.likeness()).or_default().push(name.clone());
            offer.tools.insert(name, definition);
        }
        // Names that could be taken for each other, the same name twice included.
        for names in alike.into_values().filter(|names| names.len() > 1) {
            for name in names {
                if offer.tools.remove(&name).is_some() {
                    offer.unusable.push(Unusable {
                        name: name.to_string(),
                        reason: "another tool of this server has the same name, or one that looks like it",
                    });
                }
            }
        }
        offer
    }
}

fn define(tool: rmcp::model::Tool) -> Result<ToolDefinition, Unusable> {
    let name: ToolName = match tool.name.parse() {
        Ok(name) => name,
        Err(_) => {
            return Err(Unusable {
                name: tool
                    .name
                    .chars()
                    .take(80)
                    .flat_map(char::escape_default)
                    .collect(),
                reason: "its name has other characters than ASCII letters, digits, `_`, `-` and `.`, or more than 64",
            });
        }
    };
    let definition = ToolDefinition {
        name,
        title: tool.title,
        description: tool.description.map(Into::into),
        input_schema: (*tool.input_schema).clone(),
        output_schema: tool.output_schema.map(|schema| (*schema).clone()),
        annotations: tool.annotations.map(|annotations| json!(annotations)),
        icons: tool.icons.map(|icons| json!(icons)),
    };
    match json!(definition).to_string().len() {
        0..=LONGEST => Ok(definition),
        _ => Err(Unusable {
            name: definition.name.to_string(),
            reason: "its definition is longer than 64 KiB",
        }),
    }
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
