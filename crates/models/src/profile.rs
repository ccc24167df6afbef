//! What is known of a model.

/// What is known of a model; a limit that is not known is not guessed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelProfile {
    /// Tokens that a request may have, its answer included.
    pub input_window: Option<u64>,
    /// Tokens that an answer may have.
    pub output_limit: Option<u64>,
    /// What its prices are found by: `provider:model`. `None` for one that costs nothing.
    pub price_key: Option<String>,
}
