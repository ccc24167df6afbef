//! How one model is reached and asked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api_key::ApiKey;
use crate::model_name::ModelName;
use crate::profile::ModelProfile;

/// How one model is reached and asked.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// Which model.
    pub name: ModelName,
    /// Where it is.
    pub base_url: BaseUrl,
    /// What opens it.
    pub key: Option<Arc<ApiKey>>,
    /// What is known of it.
    pub profile: ModelProfile,
    /// Tokens that one answer may have.
    pub max_output_tokens: Option<u64>,
    /// How long it thinks before it answers; `None` leaves that to the provider.
    pub effort: Option<Effort>,
    /// Whether the answer comes piece by piece.
    pub delivery: Delivery,
    /// How long it may be waited for.
    pub timeouts: Timeouts,
}

/// How an answer comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Piece by piece.
    #[default]
    Streamed,
    /// In one piece; for a gateway that cannot stream.
    Whole,
}

/// How long a model thinks before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// Shortly.
    Low,
    /// Neither.
    Medium,
    /// Long.
    High,
}

/// How long a model may be waited for. There is no limit of the whole: the run's own time is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection is there.
    pub connect: Duration,
    /// From then until the first byte of an answer, or all of one that is not streamed.
    pub first_byte: Duration,
    /// From one piece of a streamed answer to the next.
    pub between_chunks: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(300),
            between_chunks: Duration::from_secs(60),
        }
    }
}

/// Where a provider is: https, or http on the loopback interface.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BaseUrl(String);

impl BaseUrl {
    /// It as a text, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// It is no URL.
    #[error("the base URL cannot be read: {0}; write one such as `https://llm.example.com/v1`")]
    Malformed(String),
    /// It has parts that a base URL does not have; a user or password would be shown in logs.
    #[error("the base URL has a user, a password, a query or a fragment; remove it")]
    TooMuch,
    /// A key and a prompt would travel in the clear.
    #[error("`{0}` is plain http to another machine; use https, or a tunnel to 127.0.0.1")]
    InTheClear(String),
}

impl std::str::FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = reqwest::Url::parse(text)
            .map_err(|error| BaseUrlError::Malformed(error.to_string()))?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !is_plain {
            return Err(BaseUrlError::TooMuch);
        }
        let host = url.host_str().unwrap_or_default();
        let is_loopback = host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if is_loopback => {}
            "http" => return Err(BaseUrlError::InTheClear(text.to_owned())),
            other => {
                return Err(BaseUrlError::Malformed(format!(
                    "`{other}` is neither https nor http"
                )));
            }
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = BaseUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<BaseUrl> for String {
    fn from(url: BaseUrl) -> Self {
        url.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_https_or_on_this_machine() {
        for (text, kept) in [
            ("https://llm.example.com/v1/", "https://llm.example.com/v1"),
            ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
            ("http://localhost:1234", "http://localhost:1234"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        ] {
            assert_eq!(text.parse::<BaseUrl>().unwrap().as_str(), kept);
        }
        for (text, said) in [
            ("http://llm.example.com/v1", "plain http to another machine"),
            ("http://127.0.0.1.example.com", "plain http"),
            ("https://me:word@llm.example.com", "has a user"),
            ("https://llm.example.com/?key=word", "a query"),
            ("llm.example.com", "cannot be read"),
            ("ftp://llm.example.com", "neither https nor http"),
        ] {
            let refused = text.parse::<BaseUrl>().unwrap_err().to_string();
            assert!(refused.contains(said), "{text}: {refused}");
            assert!(!refused.contains("word@"), "{refused}");
        }
    }
}
