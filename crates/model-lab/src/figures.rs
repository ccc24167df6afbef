//! What a provider says that an answer took.

use serde::{Deserialize, Serialize};

use crate::form::Form;

/// Tokens of one answer, each kind apart: no token is in two of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Figures {
    /// Read, and neither from the prompt cache nor into it.
    pub input: u64,
    /// Read from the prompt cache.
    pub cache_read: u64,
    /// Read and written into the prompt cache.
    pub cache_write: u64,
    /// Written.
    pub output: u64,
}

impl Figures {
    /// All that was read.
    #[must_use]
    pub const fn prompt(&self) -> u64 {
        self.input + self.cache_read + self.cache_write
    }

    /// The sum with others.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            input: self.input + other.input,
            cache_read: self.cache_read + other.cache_read,
            cache_write: self.cache_write + other.cache_write,
            output: self.output + other.output,
        }
    }

    /// The same as this form can tell them: OpenAI's have no word for what goes into the cache.
    #[must_use]
    pub const fn told_in(self, form: Form) -> Self {
        match form {
            Form::Anthropic => self,
            Form::Chat | Form::Responses => Self {
                input: self.input + self.cache_write,
                cache_write: 0,
                ..self
            },
        }
    }
}
