//! Plays what a model answered.

use std::collections::{BTreeMap, VecDeque};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use ecs_agent_runtime::ModelRequest;

use super::{Header, Take, VERSION};
use crate::error::ModelError;
use crate::model::{BoxFuture, Delta, DeltaSink, Model, ModelReply};

/// A cassette that was read.
#[derive(Debug, Clone)]
pub struct Cassette {
    model: String,
    takes: BTreeMap<String, VecDeque<Take>>,
}

/// Why a text is no cassette.
#[derive(Debug, thiserror::Error)]
pub enum CassetteError {
    /// There is nothing in it.
    #[error("the cassette is empty; its first line is `{{\"cassette\":{VERSION},\"model\":…}}`")]
    Empty,
    /// A line cannot be read.
    #[error("line {line} of the cassette cannot be read")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A take is neither an answer nor an error, or both.
    #[error("line {line} of the cassette has to have one of `reply` and `error`")]
    NoAnswer {
        /// The line, from 1.
        line: usize,
    },
    /// It is of a version that is not known here.
    #[error("the cassette is of version {given}; this program plays {VERSION}")]
    Version {
        /// The version that it says.
        given: u32,
    },
}

impl FromStr for Cassette {
    type Err = CassetteError;

    fn from_str(text: &str) -> Result<Self, CassetteError> {
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(at, line)| (at.saturating_add(1), line))
            .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with("//"));
        let (line, first) = lines.next().ok_or(CassetteError::Empty)?;
        let header: Header =
            serde_json::from_str(first).map_err(|source| CassetteError::Line { line, source })?;
        if header.cassette != VERSION {
            return Err(CassetteError::Version {
                given: header.cassette,
            });
        }
        let mut takes: BTreeMap<String, VecDeque<Take>> = BTreeMap::new();
        for (line, text) in lines {
            let take: Take = serde_json::from_str(text)
                .map_err(|source| CassetteError::Line { line, source })?;
            if take.reply.is_some() == take.error.is_some() {
                return Err(CassetteError::NoAnswer { line });
            }
            takes.entry(take.agent.clone()).or_default().push_back(take);
        }
        Ok(Self {
            model: header.model,
            takes,
        })
    }
}

/// A model that answers what a cassette says.
#[derive(Debug)]
pub struct Player {
    name: String,
    takes: Mutex<BTreeMap<String, VecDeque<Take>>>,
}

impl Player {
    /// Plays a cassette from its start.
    #[must_use]
    pub fn new(cassette: Cassette) -> Self {
        Self {
            name: format!("cassette of {}", cassette.model),
            takes: Mutex::new(cassette.takes),
        }
    }

    /// How many answers were not asked for yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        let takes = self.takes.lock().unwrap_or_else(PoisonError::into_inner);
        takes.values().map(VecDeque::len).sum()
    }

    fn next(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        request
            .check_orphans()
            .map_err(|source| ModelError::Orphan {
                model: self.name.clone(),
                source,
            })?;
        let differs = |reason: String| ModelError::Cassette {
            model: self.name.clone(),
            reason,
        };
        let agent = request.agent.as_str();
        let mut takes = self.takes.lock().unwrap_or_else(PoisonError::into_inner);
        let take = takes
            .get_mut(agent)
            .and_then(VecDeque::pop_front)
            .ok_or_else(|| differs(format!("it has no answer left for agent `{agent}`")))?;
        let messages = request.messages.len();
        if let Some(recorded) = take.messages.filter(|recorded| *recorded != messages) {
            return Err(differs(format!(
                "agent `{agent}` asks with {messages} messages where {recorded} were recorded: this run \
                 goes another way"
            )));
        }
        match (take.reply, take.error) {
            (Some(reply), _) => Ok(reply),
            (None, Some(error)) => Err(error.of_model(&self.name)),
            (None, None) => Err(differs("a line without an answer".to_owned())),
        }
    }
}

impl Model for Player {
    fn name(&self) -> &str {
        &self.name
    }

    fn respond<'a>(
        &'a self,
        request: ModelRequest,
        deltas: &'a dyn DeltaSink,
    ) -> BoxFuture<'a, Result<ModelReply, ModelError>> {
        Box::pin(async move {
            let reply = self.next(&request)?;
            if !reply.text.is_empty() {
                deltas.delta(Delta::Text(&reply.text));
            }
            Ok(reply)
        })
    }
}
