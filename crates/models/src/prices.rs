//! What models cost and how large they are: data, never code.

use std::collections::BTreeMap;

use ecs_agent_runtime::{Cost, Usage};
use serde::Deserialize;

use crate::model_name::ModelName;
use crate::profile::ModelProfile;

/// The lists that are built in, one a provider.
const BUILT_IN: [&str; 4] = [
    include_str!("../prices/anthropic.toml"),
    include_str!("../prices/openai.toml"),
    include_str!("../prices/gemini.toml"),
    include_str!("../prices/bedrock.toml"),
];

/// What is known of models, by name. A later list is stronger than an earlier one.
#[derive(Debug, Clone, Default)]
pub struct PriceList {
    models: BTreeMap<String, Entry>,
}

/// Prices in picodollars a token, which is dollars per million tokens times 10⁶.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
}

impl Price {
    /// What this use costs, exactly.
    #[must_use]
    pub const fn of(&self, usage: &Usage) -> Cost {
        let total = usage
            .input_tokens
            .saturating_mul(self.input)
            .saturating_add(usage.output_tokens.saturating_mul(self.output))
            .saturating_add(usage.cache_read_tokens.saturating_mul(self.cache_read))
            .saturating_add(usage.cache_write_tokens.saturating_mul(self.cache_write));
        Cost::of_picodollars(total)
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    price: Price,
    context: u64,
    output: u64,
}

/// Why a list of prices cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PriceListError {
    /// It is no TOML, or has a field too many or too few.
    #[error("the list of prices cannot be read")]
    Malformed(#[from] toml::de::Error),
    /// A price or limit makes no sense.
    #[error("the list of prices: model `{model}`, field `{field}`: {problem}")]
    Value {
        /// The model.
        model: String,
        /// The field.
        field: &'static str,
        /// What is wrong and what would be right.
        problem: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListFile {
    provider: String,
    // Where the figures are from and of which day: for people, and required.
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "as_of")]
    _as_of: toml::value::Datetime,
    model: BTreeMap<String, ModelRow>,
}

/// Dollars per million tokens, and tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelRow {
    input: f64,
    output: f64,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
    context: u64,
    max_output: u64,
}

impl PriceList {
    /// The lists that are built in.
    ///
    /// # Errors
    /// Never with the files as they are; a test reads them.
    pub fn built_in() -> Result<Self, PriceListError> {
        BUILT_IN
            .iter()
            .try_fold(Self::default(), |list, text| list.with(text))
    }

    /// The same with another list over it.
    ///
    /// # Errors
    /// [`PriceListError`], with the model and the field.
    pub fn with(mut self, text: &str) -> Result<Self, PriceListError> {
        let file: ListFile = toml::from_str(text)?;
        for (model, row) in file.model {
            let entry = row.entry(&model)?;
            self.models
                .insert(format!("{}:{model}", file.provider), entry);
        }
        Ok(self)
    }

    /// The price of a model, if it is known. A name with a date or a region at its ends is the same
    /// model: `claude-haiku-4-5-20251001`, `eu.anthropic.claude-…-v1:0`.
    #[must_use]
    pub fn price(&self, name: &ModelName) -> Option<Price> {
        self.find(name).map(|(_, entry)| entry.price)
    }

    /// What is known of a model.
    #[must_use]
    pub fn profile(&self, name: &ModelName) -> ModelProfile {
        let found = self.find(name);
        ModelProfile {
            input_window: found.map(|(_, entry)| entry.context),
            output_limit: found.map(|(_, entry)| entry.output),
            price_key: found.map(|(key, _)| key.to_owned()),
        }
    }

    /// Every model's name, as `provider:model`.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }

    fn find(&self, name: &ModelName) -> Option<(&str, &Entry)> {
        let provider = name.provider().name();
        let whole = name.model();
        let region = whole
            .split_once('.')
            .filter(|(region, _)| matches!(*region, "us" | "eu" | "apac" | "global" | "jp" | "au"))
            .map_or(whole, |(_, rest)| rest);
        [whole, region, without_date(whole)]
            .into_iter()
            .find_map(|model| self.models.get_key_value(&format!("{provider}:{model}")))
            .map(|(key, entry)| (key.as_str(), entry))
    }
}

impl ModelRow {
    fn entry(&self, model: &str) -> Result<Entry, PriceListError> {
        let wrong = |field, problem| PriceListError::Value {
            model: model.to_owned(),
            field,
            problem,
        };
        let price = |field, dollars: f64| {
            per_token(dollars).ok_or_else(|| {
                wrong(
                    field,
                    "write dollars per million tokens, with at most six decimals",
                )
            })
        };
        if self.context == 0 || self.max_output == 0 {
            return Err(wrong("context", "write the tokens of the window, above 0"));
        }
        let input = price("input", self.input)?;
        let optional = |field, dollars: Option<f64>| dollars.map_or(Ok(input), |d| price(field, d));
        Ok(Entry {
            price: Price {
                input,
                output: price("output", self.output)?,
                // A provider without a price for them charges them as input.
                cache_read: optional("cache_read", self.cache_read)?,
                cache_write: optional("cache_write", self.cache_write)?,
            },
            context: self.context,
            output: self.max_output,
        })
    }
}

/// Dollars per million tokens as whole picodollars per token.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is checked to be a whole number in range"
)]
fn per_token(dollars: f64) -> Option<u64> {
    let exact = dollars * 1e6;
    let whole = exact.round();
    let is_fit =
        dollars.is_finite() && (0.0..=1e12).contains(&exact) && (exact - whole).abs() < 1e-3;
    is_fit.then_some(whole as u64)
}

/// A name without the date at its end.
fn without_date(model: &str) -> &str {
    let is_date = |text: &str| text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    if let Some((name, end)) = model.rsplit_once('-')
        && is_date(end)
    {
        return name;
    }
    // OpenAI's: `-2026-03-01`.
    let dashed = model
        .len()
        .checked_sub(11)
        .and_then(|at| model.split_at_checked(at));
    match dashed {
        Some((name, end)) if end.starts_with('-') && is_date(&end.replace('-', "")) => name,
        Some(_) | None => model,
    }
}

#[cfg(test)]
#[path = "prices_tests.rs"]
mod tests;
