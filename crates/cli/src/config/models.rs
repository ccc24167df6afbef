//! Which model answers which agent, and how its provider is reached: `model` and `[models]`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use ecs_agent_core::agent_definition;
use ecs_agent_models::{BaseUrl, Delivery, Effort, ModelName, ModelNameError, Provider};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::span::Span;

/// Which model drives agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum ModelChoice {
    /// The built-in deterministic expert: no key, no network.
    Runbook,
    /// A language model.
    Language(ModelName),
}

/// The word for [`ModelChoice::Runbook`].
const RUNBOOK: &str = "runbook";

/// Refusal of a text that names no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; `{RUNBOOK}` needs none")]
pub(crate) struct ModelChoiceError(ModelNameError);

impl FromStr for ModelChoice {
    type Err = ModelChoiceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == RUNBOOK {
            return Ok(Self::Runbook);
        }
        text.parse().map(Self::Language).map_err(ModelChoiceError)
    }
}

impl fmt::Display for ModelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runbook => f.write_str(RUNBOOK),
            Self::Language(name) => name.fmt(f),
        }
    }
}

impl TryFrom<String> for ModelChoice {
    type Error = ModelChoiceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ModelChoice> for String {
    fn from(choice: ModelChoice) -> Self {
        choice.to_string()
    }
}

/// The `[models]` table of the configuration file.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ModelsTable {
    /// Models of agents that do not take the usual one.
    #[serde(deserialize_with = "known_agents")]
    pub(crate) agents: BTreeMap<String, ModelChoice>,
    /// Who is asked where a language model does not answer, in order.
    pub(crate) fallbacks: Vec<ModelName>,
    /// A list of prices that is stronger than the built-in ones.
    pub(crate) prices: Option<PathBuf>,
    /// How providers are reached.
    pub(crate) providers: BTreeMap<Provider, ProviderEntry>,
}

impl fmt::Display for ModelsTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} agents with their own, {} fallbacks, {} providers",
            self.agents.len(),
            self.fallbacks.len(),
            self.providers.len()
        )
    }
}

/// One `[models.providers.NAME]` table. The key itself is never written down here.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(try_from = "WrittenProvider")]
pub(crate) struct ProviderEntry {
    pub(crate) base_url: Option<BaseUrl>,
    pub(crate) key: KeyPlace,
    pub(crate) max_output_tokens: Option<u64>,
    pub(crate) effort: Option<Effort>,
    pub(crate) delivery: Delivery,
    pub(crate) connect_timeout: Option<Span>,
    pub(crate) first_byte_timeout: Option<Span>,
    pub(crate) stall_timeout: Option<Span>,
}

/// Where a provider's key is.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum KeyPlace {
    /// In the provider's usual variable, if it has one and that is set.
    #[default]
    Usual,
    /// In this environment variable.
    Variable(String),
    /// In this file.
    File(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenProvider {
    base_url: Option<BaseUrl>,
    key_variable: Option<String>,
    key_file: Option<PathBuf>,
    max_output_tokens: Option<u64>,
    effort: Option<Effort>,
    #[serde(default)]
    delivery: Delivery,
    connect_timeout: Option<Span>,
    first_byte_timeout: Option<Span>,
    stall_timeout: Option<Span>,
}

/// Why an entry cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProviderEntryError {
    #[error("`key_variable` and `key_file` name two places of one key; keep one of them")]
    TwoPlaces,
    #[error("`key_variable` is the name of an environment variable, such as `ANTHROPIC_API_KEY`")]
    NoName,
    #[error("`key_variable` cannot be one of AWS's: those are never sent to a model provider")]
    Aws,
    #[error("`max_output_tokens` is 1 or more")]
    NoOutput,
}

impl TryFrom<WrittenProvider> for ProviderEntry {
    type Error = ProviderEntryError;

    fn try_from(written: WrittenProvider) -> Result<Self, Self::Error> {
        let key = match (written.key_variable, written.key_file) {
            (Some(_), Some(_)) => return Err(ProviderEntryError::TwoPlaces),
            (Some(name), None) => KeyPlace::Variable(variable(name)?),
            (None, Some(path)) => KeyPlace::File(path),
            (None, None) => KeyPlace::Usual,
        };
        if written.max_output_tokens == Some(0) {
            return Err(ProviderEntryError::NoOutput);
        }
        Ok(Self {
            base_url: written.base_url,
            key,
            max_output_tokens: written.max_output_tokens,
            effort: written.effort,
            delivery: written.delivery,
            connect_timeout: written.connect_timeout,
            first_byte_timeout: written.first_byte_timeout,
            stall_timeout: written.stall_timeout,
        })
    }
}

/// A key that was pasted in place of its variable's name is not repeated in the error.
fn variable(name: String) -> Result<String, ProviderEntryError> {
    if name.starts_with("AWS_") {
        return Err(ProviderEntryError::Aws);
    }
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    match !name.is_empty() && name.chars().all(is_name) {
        true => Ok(name),
        false => Err(ProviderEntryError::NoName),
    }
}

fn known_agents<'de, D>(from: D) -> Result<BTreeMap<String, ModelChoice>, D::Error>
where
    D: Deserializer<'de>,
{
    let agents: BTreeMap<String, ModelChoice> = BTreeMap::deserialize(from)?;
    let main = agent_definition();
    let known: Vec<String> = std::iter::once(&main)
        .chain(&main.subagents)
        .map(|agent| agent.name.to_string())
        .collect();
    match agents.keys().find(|name| !known.contains(name)) {
        Some(unknown) => Err(D::Error::custom(format!(
            "there is no agent `{unknown}`; there are `{}`",
            known.join("`, `")
        ))),
        None => Ok(agents),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ModelsTable, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn every_field_is_read() {
        let table = read(
            "fallbacks = [\"openai:gpt-5.2\"]\n\
             agents.triage-specialist = \"anthropic:claude-haiku-4-5\"\n\
             agents.fix-executor = \"runbook\"\n\
             [providers.openai-compatible]\n\
             base_url = \"https://llm.example.com/v1\"\nkey_variable = \"LLM_KEY\"\n\
             max_output_tokens = 9000\neffort = \"low\"\ndelivery = \"whole\"\n\
             connect_timeout = \"5s\"\nfirst_byte_timeout = \"2m\"\nstall_timeout = \"30s\"\n\
             [providers.anthropic]\nkey_file = \"/run/secrets/anthropic\"\n",
        )
        .unwrap();
        assert_eq!((table.agents.len(), table.fallbacks.len()), (2, 1));
        let entry = &table.providers[&Provider::OpenaiCompatible];
        assert_eq!(entry.key, KeyPlace::Variable("LLM_KEY".to_owned()));
        assert_eq!(entry.delivery, Delivery::Whole);
        assert_eq!(
            table.providers[&Provider::Anthropic].key,
            KeyPlace::File("/run/secrets/anthropic".into())
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_word_on_it() {
        for (text, said) in [
            ("agents.triage = \"runbook\"", "there is no agent `triage`"),
            ("agents.main = \"gpt\"", "write `PROVIDER:MODEL`"),
            ("providers.claudius = {}", "`anthropic`"),
            ("providers.openai = { key = \"x\" }", "unknown field `key`"),
            (
                "providers.openai = { key_variable = \"A\", key_file = \"/a\" }",
                "two places",
            ),
            (
                "providers.openai = { key_variable = \"AWS_SESSION_TOKEN\" }",
                "one of AWS's",
            ),
            (
                "providers.openai = { key_variable = \"pasted-key-itself\" }",
                "name of an environment variable",
            ),
            ("providers.openai = { effort = \"most\" }", "`medium`"),
            (
                "providers.openai = { base_url = \"http://llm.example.com\" }",
                "plain http",
            ),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
            assert!(!refused.contains("pasted"), "{refused}");
        }
    }
}
