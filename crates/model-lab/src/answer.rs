//! What a script answers.

use serde::{Deserialize, Serialize};

use crate::figures::Figures;

/// What is answered to one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// What a model says.
    Reply(Reply),
    /// What a model says, of which not everything arrives.
    Cut(Reply, Cut),
    /// What a model says, until the provider reports an error in the middle of the stream. An answer
    /// that is not streamed is the error alone.
    FailsMidway(Reply, Failure),
    /// An error.
    Failure(Failure),
    /// Something that is no provider's answer, such as a proxy's page.
    Page {
        /// Its content type.
        content_type: String,
        /// Its text.
        text: String,
    },
}

impl Answer {
    /// An answer in words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Reply(Reply::text(text))
    }
}

/// What a model says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reply {
    /// Its words.
    pub text: String,
    /// The tools that it calls.
    pub calls: Vec<Call>,
    /// How it came to that, where the form shows such a thing.
    pub reasoning: Option<String>,
    /// Why it declines; its words are then not sent.
    pub refusal: Option<String>,
    /// Whether it ends at the limit of its output.
    pub is_truncated: bool,
    /// What it took; counted from the texts where nothing is said.
    pub figures: Option<Figures>,
}

impl Reply {
    /// An answer in words.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// An answer that calls tools.
    #[must_use]
    pub fn calls(calls: Vec<Call>) -> Self {
        Self {
            calls,
            ..Self::default()
        }
    }

    /// The same, having taken this.
    #[must_use]
    pub fn took(mut self, figures: Figures) -> Self {
        self.figures = Some(figures);
        self
    }
}

/// A tool call as a model writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Its id.
    pub id: String,
    /// The tool; may be none that exists.
    pub name: String,
    /// The arguments, letter by letter; may be no JSON.
    pub arguments: String,
}

impl Call {
    /// A call.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        arguments: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
        }
    }
}

/// Where an answer breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// How many bytes of its body arrive.
    pub after_bytes: usize,
    /// What comes instead of the others.
    pub end: End,
}

/// How a cut answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// As if it were complete, as a proxy does that has lost the provider.
    Closed,
    /// The connection breaks.
    Aborted,
    /// Nothing comes any more.
    Stalled,
}

/// A provider's error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// What it says.
    pub message: String,
    /// The value of the header `retry-after`.
    #[serde(default)]
    pub retry_after: Option<String>,
    /// A machine-readable code; the form's usual one for the status where nothing is said.
    #[serde(default)]
    pub code: Option<String>,
}

impl Failure {
    /// An error of this status.
    pub fn of(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            retry_after: None,
            code: None,
        }
    }

    /// The same, asking to wait.
    #[must_use]
    pub fn retry_after(mut self, value: impl Into<String>) -> Self {
        self.retry_after = Some(value.into());
        self
    }

    /// The same with a code.
    #[must_use]
    pub fn coded(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }
}
