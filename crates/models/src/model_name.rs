//! Which model is meant: `provider:model`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Who answers for a model, and in which form it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Anthropic's Messages API.
    Anthropic,
    /// OpenAI's Responses API.
    Openai,
    /// Anything that speaks OpenAI's Chat Completions: vLLM, LM Studio, LiteLLM, a gateway.
    OpenaiCompatible,
    /// Google's Gemini API.
    Gemini,
    /// Ollama, by its OpenAI-compatible endpoint.
    Ollama,
    /// Amazon Bedrock's `ConverseStream`.
    Bedrock,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 6] = [
        Self::Anthropic,
        Self::Openai,
        Self::OpenaiCompatible,
        Self::Gemini,
        Self::Ollama,
        Self::Bedrock,
    ];

    /// Its name, as it is configured.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Openai => "openai",
            Self::OpenaiCompatible => "openai-compatible",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::Bedrock => "bedrock",
        }
    }

    /// The environment variable that its key is usually in.
    #[must_use]
    pub const fn key_variable(self) -> Option<&'static str> {
        match self {
            Self::Anthropic => Some("ANTHROPIC_API_KEY"),
            Self::Openai => Some("OPENAI_API_KEY"),
            Self::OpenaiCompatible => Some("OPENAI_COMPATIBLE_API_KEY"),
            Self::Gemini => Some("GEMINI_API_KEY"),
            Self::Ollama | Self::Bedrock => None,
        }
    }

    /// Whether it answers nobody without a key.
    #[must_use]
    pub const fn needs_key(self) -> bool {
        match self {
            Self::Anthropic | Self::Openai | Self::Gemini => true,
            Self::OpenaiCompatible | Self::Ollama | Self::Bedrock => false,
        }
    }

    /// Where it is, when nothing else is configured.
    #[must_use]
    pub const fn usual_base_url(self) -> Option<&'static str> {
        match self {
            Self::Anthropic => Some("https://api.anthropic.com"),
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com"),
            Self::Ollama => Some("http://127.0.0.1:11434/v1"),
            Self::OpenaiCompatible | Self::Bedrock => None,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A model and who answers for it, written `provider:model`: `anthropic:claude-sonnet-5`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName {
    provider: Provider,
    model: String,
}

impl ModelName {
    /// Who answers for it.
    #[must_use]
    pub const fn provider(&self) -> Provider {
        self.provider
    }

    /// The model, in the provider's own words.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }
}

/// Why a text names no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelNameError {
    /// There is no provider in it.
    #[error(
        "`{given}` names no model: write `PROVIDER:MODEL`, with one of {}",
        providers()
    )]
    NoProvider {
        /// What was given.
        given: String,
    },
    /// There is no such provider.
    #[error("there is no model provider `{given}`; there are {}", providers())]
    UnknownProvider {
        /// What was given.
        given: String,
    },
    /// Nothing stands after the provider, or something that no provider would take.
    #[error("`{given}` lacks the name of a model after `:`, printable and without spaces")]
    NoModel {
        /// What was given.
        given: String,
    },
}

fn providers() -> String {
    Provider::ALL
        .map(|provider| format!("`{provider}`"))
        .join(", ")
}

impl FromStr for ModelName {
    type Err = ModelNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((provider, model)) = text.split_once(':') else {
            return Err(ModelNameError::NoProvider {
                given: text.to_owned(),
            });
        };
        let provider = Provider::ALL
            .into_iter()
            .find(|known| known.name() == provider)
            .ok_or_else(|| ModelNameError::UnknownProvider {
                given: provider.to_owned(),
            })?;
        // It becomes a part of a path with some providers.
        let is_fit = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\' | '%');
        if model.is_empty() || !model.chars().all(is_fit) || model.split('/').any(|p| p == "..") {
            return Err(ModelNameError::NoModel {
                given: text.to_owned(),
            });
        }
        Ok(Self {
            provider,
            model: model.to_owned(),
        })
    }
}

impl TryFrom<String> for ModelName {
    type Error = ModelNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider, self.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_with_its_provider() {
        for text in [
            "anthropic:claude-sonnet-5",
            "openai-compatible:Qwen/Qwen3-32B",
            "ollama:llama3.3:70b",
            "bedrock:eu.anthropic.claude-sonnet-5-v1:0",
        ] {
            let name: ModelName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
        }
        let name: ModelName = "ollama:llama3.3:70b".parse().unwrap();
        assert_eq!(
            (name.provider(), name.model()),
            (Provider::Ollama, "llama3.3:70b")
        );
    }

    #[test]
    fn what_names_no_model_is_refused_with_what_would() {
        for (text, said) in [
            ("claude", "write `PROVIDER:MODEL`, with one of `anthropic`"),
            (
                "claudius:x",
                "no model provider `claudius`; there are `anthropic`",
            ),
            ("openai:", "lacks the name of a model"),
            ("gemini:a b", "lacks the name of a model"),
            ("gemini:a/../b", "lacks the name of a model"),
            ("gemini:a?key=b", "lacks the name of a model"),
        ] {
            let refused = text.parse::<ModelName>().unwrap_err().to_string();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
