//! Why a model did not answer.

use std::time::Duration;

use ecs_agent_runtime::{OrphanError, Usage};

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Try again later.
    Retry,
    /// Get access first.
    Denied,
    /// Send something else.
    Invalid,
    /// Report a bug.
    Internal,
}

/// Why a model did not answer. The words are for a person and hold no key and no prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The provider is overloaded, out of reach or too slow.
    #[error("model `{model}` is not available: {reason}")]
    Unavailable {
        /// The model's name.
        model: String,
        /// What happened.
        reason: String,
        /// How long the provider asked to wait.
        retry_after: Option<Duration>,
    },
    /// The provider refused the caller.
    #[error("model `{model}` refused access: {reason}; check the key and the account")]
    Denied {
        /// The model's name.
        model: String,
        /// What happened.
        reason: String,
    },
    /// The provider refused the request.
    #[error("model `{model}` refused the request: {reason}")]
    Invalid {
        /// The model's name.
        model: String,
        /// What happened.
        reason: String,
    },
    /// The request is larger than the model's window.
    #[error(
        "the conversation is too long for model `{model}`; start a new thread or take a model with a larger window"
    )]
    ContextTooLong {
        /// The model's name.
        model: String,
    },
    /// The model would not answer.
    #[error("model `{model}` declined to answer: {reason}")]
    Refused {
        /// The model's name.
        model: String,
        /// What it said, or how the provider names the reason.
        reason: String,
        /// What that took.
        usage: Usage,
    },
    /// The answer broke off or made no sense.
    #[error("model `{model}` did not finish its answer: {reason}")]
    Broken {
        /// The model's name.
        model: String,
        /// What happened.
        reason: String,
        /// What it had taken by then, as far as the provider said.
        usage: Usage,
    },
    /// The request is malformed on our side.
    #[error("malformed request to model `{model}`")]
    Orphan {
        /// The model's name.
        model: String,
        /// What is wrong with it.
        source: OrphanError,
    },
    /// A cassette cannot be written, or fits another run.
    #[error("the recording of model `{model}`: {reason}")]
    Cassette {
        /// The model's name.
        model: String,
        /// What happened.
        reason: String,
    },
    /// A script of a test ran out.
    #[error("the script of model `{model}` has no reply left for agent `{agent}`")]
    ScriptEnded {
        /// The model's name.
        model: String,
        /// The agent that asked.
        agent: String,
    },
}

impl ModelError {
    /// What the caller can do about it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable { .. } | Self::Broken { .. } => ErrorClass::Retry,
            Self::Denied { .. } => ErrorClass::Denied,
            Self::Invalid { .. } | Self::ContextTooLong { .. } | Self::Refused { .. } => {
                ErrorClass::Invalid
            }
            Self::Orphan { .. } | Self::ScriptEnded { .. } | Self::Cassette { .. } => {
                ErrorClass::Internal
            }
        }
    }

    /// Whether trying the same request again may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.class() == ErrorClass::Retry
    }

    /// How long the provider asked to wait before that.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Denied { .. }
            | Self::Invalid { .. }
            | Self::ContextTooLong { .. }
            | Self::Refused { .. }
            | Self::Broken { .. }
            | Self::Orphan { .. }
            | Self::Cassette { .. }
            | Self::ScriptEnded { .. } => None,
        }
    }

    /// The same, after other calls for the same answer took this.
    #[must_use]
    pub(crate) fn after(mut self, spent: Usage) -> Self {
        match &mut self {
            Self::Refused { usage, .. } | Self::Broken { usage, .. } => *usage = usage.plus(spent),
            Self::Unavailable { model, reason, .. } if !spent.is_nothing() => {
                return Self::Broken {
                    model: std::mem::take(model),
                    reason: std::mem::take(reason),
                    usage: spent,
                };
            }
            Self::Unavailable { .. }
            | Self::Denied { .. }
            | Self::Invalid { .. }
            | Self::ContextTooLong { .. }
            | Self::Orphan { .. }
            | Self::Cassette { .. }
            | Self::ScriptEnded { .. } => {}
        }
        self
    }

    /// What the call took all the same.
    #[must_use]
    pub fn usage(&self) -> Usage {
        match self {
            Self::Refused { usage, .. } | Self::Broken { usage, .. } => *usage,
            Self::Unavailable { .. }
            | Self::Denied { .. }
            | Self::Invalid { .. }
            | Self::ContextTooLong { .. }
            | Self::Orphan { .. }
            | Self::Cassette { .. }
            | Self::ScriptEnded { .. } => Usage::default(),
        }
    }
}
