//! What model calls took: tokens and money.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Picodollars in one US dollar.
const PER_DOLLAR: u64 = 1_000_000_000_000;

/// Tokens that model calls took, as the provider counted them, and what they cost.
///
/// The four kinds of tokens do not overlap: a token that was read from the provider's prompt cache is
/// no input token, whatever a provider's own figures add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read at the full price.
    pub input_tokens: u64,
    /// Tokens written, those of the model's reasoning included.
    pub output_tokens: u64,
    /// Tokens read from the provider's prompt cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_read_tokens: u64,
    /// Tokens read and written into the provider's prompt cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write_tokens: u64,
    /// What they cost.
    #[serde(default, skip_serializing_if = "Cost::is_nothing")]
    pub cost: Cost,
}

impl Usage {
    /// All tokens together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.prompt_tokens().saturating_add(self.output_tokens)
    }

    /// All tokens that were read, from a cache or not: the size of the request.
    #[must_use]
    pub const fn prompt_tokens(&self) -> u64 {
        self.input_tokens
            .saturating_add(self.cache_read_tokens)
            .saturating_add(self.cache_write_tokens)
    }

    /// The sum with another.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cache_read_tokens: self
                .cache_read_tokens
                .saturating_add(other.cache_read_tokens),
            cache_write_tokens: self
                .cache_write_tokens
                .saturating_add(other.cache_write_tokens),
            cost: self.cost.plus(other.cost),
        }
    }

    /// Whether nothing was used.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What model calls cost, in US dollars. A call of a model without a known price makes it a lower
/// bound: what is unknown never counts as nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// What is known, in units of 10⁻¹² US dollars: a price per million tokens with up to six
    /// decimals is a whole number of them per token.
    picodollars: u64,
    /// Whether every call's price was known.
    complete: bool,
}

impl Cost {
    /// Nothing was paid.
    pub const NOTHING: Self = Self {
        picodollars: 0,
        complete: true,
    };
    /// The price of a call is not known.
    pub const UNKNOWN: Self = Self {
        picodollars: 0,
        complete: false,
    };

    /// A known cost, in units of 10⁻¹² US dollars.
    #[must_use]
    pub const fn of_picodollars(picodollars: u64) -> Self {
        Self {
            picodollars,
            complete: true,
        }
    }

    /// What is known of it, in units of 10⁻¹² US dollars.
    #[must_use]
    pub const fn picodollars(&self) -> u64 {
        self.picodollars
    }

    /// Whether every call's price was known; if not, the cost is a lower bound.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// The cost in US dollars, unless a part of it is unknown.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a figure for people and programs to show; sums are made in whole picodollars"
    )]
    pub fn dollars(&self) -> Option<f64> {
        self.complete
            .then(|| self.picodollars as f64 / PER_DOLLAR as f64)
    }

    /// The sum with another.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            picodollars: self.picodollars.saturating_add(other.picodollars),
            complete: self.complete && other.complete,
        }
    }

    fn is_nothing(&self) -> bool {
        *self == Self::NOTHING
    }
}

impl Default for Cost {
    fn default() -> Self {
        Self::NOTHING
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.complete {
            if self.picodollars == 0 {
                return f.write_str("unknown");
            }
            f.write_str("at least ")?;
        }
        // Rounded up to a hundredth of a cent, so that something never shows as nothing.
        let units = self.picodollars.div_ceil(PER_DOLLAR / 10_000);
        write!(f, "${}.{:04}", units / 10_000, units % 10_000)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde calls"
)]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_price_is_never_nothing() {
        let known = Cost::of_picodollars(3 * PER_DOLLAR / 2);
        let sum = known.plus(Cost::UNKNOWN);
        assert_eq!((sum.dollars(), sum.is_complete()), (None, false));
        let shown = [
            Cost::NOTHING,
            known,
            Cost::UNKNOWN,
            sum,
            Cost::of_picodollars(1),
        ];
        assert_eq!(
            shown.map(|cost| cost.to_string()),
            [
                "$0.0000",
                "$1.5000",
                "unknown",
                "at least $1.5000",
                "$0.0001"
            ]
        );
        assert_eq!(known.plus(Cost::NOTHING), known);
    }

    #[test]
    fn the_kinds_of_tokens_are_kept_apart_and_added_up() {
        let usage = Usage {
            input_tokens: 1,
            output_tokens: 20,
            cache_read_tokens: 300,
            cache_write_tokens: 4_000,
            cost: Cost::UNKNOWN,
        };
        assert_eq!((usage.total(), usage.prompt_tokens()), (4_321, 4_301));
        let twice = usage.plus(usage);
        assert_eq!((twice.total(), twice.cost), (8_642, Cost::UNKNOWN));
        let written = serde_json::to_value(usage).unwrap();
        assert_eq!(serde_json::from_value::<Usage>(written).unwrap(), usage);
    }

    #[test]
    fn what_an_older_log_says_is_understood() {
        let read: Usage =
            serde_json::from_value(json!({"input_tokens": 1, "output_tokens": 2})).unwrap();
        assert_eq!(read.total(), 3);
        assert_eq!(
            serde_json::to_value(read).unwrap(),
            json!({"input_tokens": 1, "output_tokens": 2})
        );
    }
}
