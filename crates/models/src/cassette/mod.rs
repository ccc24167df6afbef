//! Cassettes: what a model answered, kept so that a run can be played again without it.
//!
//! A cassette is a text file of JSON values, one a line: a [`Header`], then one [`Take`] for each
//! answer. Each agent's takes are played in the order in which they were recorded; how many messages
//! its request had is compared, so that a run that goes another way says so.

mod record;
mod replay;

pub use record::{CassetteSink, Recorder};
pub use replay::{Cassette, CassetteError, Player};

use ecs_agent_runtime::Usage;
use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::model::ModelReply;

/// The version that cassettes are written with.
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    cassette: u32,
    /// Whose answers these are.
    model: String,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Take {
    /// Who asked.
    agent: String,
    /// How many messages the request had; left out, any number will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    messages: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<ModelReply>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<KeptError>,
}

/// An error as it is kept: enough to be treated alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum KeptError {
    Unavailable {
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    Denied {
        reason: String,
    },
    Invalid {
        reason: String,
    },
    ContextTooLong {},
    Refused {
        reason: String,
        #[serde(default)]
        usage: Usage,
    },
    Broken {
        reason: String,
        #[serde(default)]
        usage: Usage,
    },
}

impl KeptError {
    fn of(error: &ModelError) -> Self {
        match error.clone() {
            ModelError::Unavailable {
                reason,
                retry_after,
                ..
            } => Self::Unavailable {
                reason,
                retry_after_ms: retry_after
                    .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            },
            ModelError::Denied { reason, .. } => Self::Denied { reason },
            ModelError::Invalid { reason, .. } => Self::Invalid { reason },
            ModelError::ContextTooLong { .. } => Self::ContextTooLong {},
            ModelError::Refused { reason, usage, .. } => Self::Refused { reason, usage },
            ModelError::Broken { reason, usage, .. } => Self::Broken { reason, usage },
            other @ (ModelError::Orphan { .. }
            | ModelError::ScriptEnded { .. }
            | ModelError::Cassette { .. }) => Self::Invalid {
                reason: other.to_string(),
            },
        }
    }

    fn of_model(self, model: &str) -> ModelError {
        let model = model.to_owned();
        match self {
            Self::Unavailable {
                reason,
                retry_after_ms,
            } => ModelError::Unavailable {
                model,
                reason,
                retry_after: retry_after_ms.map(std::time::Duration::from_millis),
            },
            Self::Denied { reason } => ModelError::Denied { model, reason },
            Self::Invalid { reason } => ModelError::Invalid { model, reason },
            Self::ContextTooLong {} => ModelError::ContextTooLong { model },
            Self::Refused { reason, usage } => ModelError::Refused {
                model,
                reason,
                usage,
            },
            Self::Broken { reason, usage } => ModelError::Broken {
                model,
                reason,
                usage,
            },
        }
    }
}

#[cfg(test)]
mod cassette_tests;
