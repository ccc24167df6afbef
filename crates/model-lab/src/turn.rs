//! What a request says, whatever form it came in, and whether a provider would take it.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::answer::{Call, Failure};
use crate::form::Form;

/// What one request says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Turn {
    /// Which request of the lab it is, from 0.
    pub number: usize,
    /// The form that it came in.
    pub form: Form,
    /// The model that is asked.
    pub model: String,
    /// Whether the answer is to come piece by piece.
    pub streamed: bool,
    /// The system prompt.
    pub system: String,
    /// The conversation, oldest first.
    pub items: Vec<Item>,
    /// The names of the tools on offer.
    pub tools: Vec<String>,
    /// Tokens of the request: a token is four bytes here.
    pub tokens: u64,
    /// The body as it came.
    #[serde(skip)]
    pub body: Value,
}

/// One thing that was said.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// By the person.
    Said(String),
    /// By the model.
    Answered {
        /// Its words.
        text: String,
        /// Its calls.
        calls: Vec<Call>,
    },
    /// By a tool.
    Result {
        /// The call that it answers.
        call: String,
        /// What it says.
        text: String,
    },
}

/// What no provider takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Orphan {
    /// A call without its answer right after it.
    NoResult(String),
    /// An answer to nothing.
    NoCall(String),
}

impl Turn {
    /// What was said last.
    #[must_use]
    pub fn last(&self) -> Option<&Item> {
        self.items.last()
    }

    /// What the person said last.
    #[must_use]
    pub fn said(&self) -> &str {
        let said = self.items.iter().rev().find_map(|item| match item {
            Item::Said(text) => Some(text.as_str()),
            Item::Answered { .. } | Item::Result { .. } => None,
        });
        said.unwrap_or_default()
    }

    /// What tools answered since the model spoke last.
    #[must_use]
    pub fn results(&self) -> Vec<(&str, &str)> {
        let mut results: Vec<(&str, &str)> = self
            .items
            .iter()
            .rev()
            .map_while(|item| match item {
                Item::Result { call, text } => Some((call.as_str(), text.as_str())),
                Item::Said(_) | Item::Answered { .. } => None,
            })
            .collect();
        results.reverse();
        results
    }

    /// Puts an item behind the others; what a model says in several pieces is one answer.
    pub(crate) fn push(&mut self, item: Item) {
        if let (
            Item::Answered {
                text: more,
                calls: further,
            },
            Some(Item::Answered { text, calls }),
        ) = (&item, self.items.last_mut())
        {
            text.push_str(more);
            calls.extend(further.iter().cloned());
            return;
        }
        self.items.push(item);
    }

    /// Every call has exactly one answer, after it and before anything else.
    pub(crate) fn check_orphans(&self) -> Result<(), Orphan> {
        let mut open: BTreeSet<&str> = BTreeSet::new();
        for item in &self.items {
            match item {
                Item::Result { call, .. } => {
                    if !open.remove(call.as_str()) {
                        return Err(Orphan::NoCall(call.clone()));
                    }
                }
                Item::Said(_) | Item::Answered { .. } => {
                    if let Some(call) = open.first() {
                        return Err(Orphan::NoResult((*call).to_owned()));
                    }
                    if let Item::Answered { calls, .. } = item {
                        open = calls.iter().map(|call| call.id.as_str()).collect();
                    }
                }
            }
        }
        open.first()
            .map_or(Ok(()), |call| Err(Orphan::NoResult((*call).to_owned())))
    }

    /// No two calls have one id, and every id and name is made of what providers take.
    pub(crate) fn check_names(&self, longest_id: usize) -> Result<(), Failure> {
        let mut seen = BTreeSet::new();
        for item in &self.items {
            let Item::Answered { calls, .. } = item else {
                continue;
            };
            for call in calls {
                if !is_plain(&call.id, longest_id) {
                    return Err(Failure::of(
                        400,
                        format!(
                            "tool call id `{}`: String should match pattern \
                             '^[a-zA-Z0-9_-]+$' and have at most {longest_id} characters",
                            call.id
                        ),
                    ));
                }
                if !is_plain(&call.name, 64) {
                    return Err(Failure::of(
                        400,
                        format!(
                            "tool name `{}`: String should match pattern \
                             '^[a-zA-Z0-9_-]{{1,64}}$'",
                            call.name
                        ),
                    ));
                }
                if !seen.insert(call.id.as_str()) {
                    return Err(Failure::of(
                        400,
                        format!("`tool_use` ids must be unique: {}", call.id),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn is_plain(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Tokens of a text: four bytes each.
pub(crate) fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}
