//! Checking that findings say what the evidence says.

use serde_json::Value;

use super::{Citation, Finding};
use crate::observation::{EvidenceId, Observation};

/// Why a finding is not grounded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroundError {
    /// It cites nothing.
    #[error("the finding `{mode}` cites no evidence")]
    Uncited {
        /// Id of the mode.
        mode: String,
    },
    /// It cites evidence that does not exist.
    #[error("there is no evidence `{evidence}`")]
    Missing {
        /// The id cited.
        evidence: EvidenceId,
    },
    /// It quotes what the evidence does not say.
    #[error("`{evidence}` does not say `{quote}`")]
    Misquoted {
        /// The evidence cited.
        evidence: EvidenceId,
        /// The quote.
        quote: String,
    },
}

/// Checks that every quote of a finding occurs in the evidence it cites.
///
/// # Errors
/// [`GroundError`] names the first citation that is not true.
pub fn ground(observation: &Observation, finding: &Finding) -> Result<(), GroundError> {
    if finding.evidence.is_empty() {
        return Err(GroundError::Uncited {
            mode: finding.mode.clone(),
        });
    }
    finding
        .evidence
        .iter()
        .try_for_each(|citation| ground_quote(observation, citation))
}

/// Checks that a quote occurs in the evidence it cites.
///
/// # Errors
/// [`GroundError`] says that the evidence does not exist, or what it does not say.
pub fn ground_quote(observation: &Observation, citation: &Citation) -> Result<(), GroundError> {
    let evidence = observation
        .evidence
        .find(citation.evidence)
        .ok_or(GroundError::Missing {
            evidence: citation.evidence,
        })?;
    if says(&evidence.content, &citation.quote) {
        return Ok(());
    }
    Err(GroundError::Misquoted {
        evidence: citation.evidence,
        quote: citation.quote.clone(),
    })
}

/// Whether the evidence contains the quote: in a text, as a whole scalar, or, written
/// `field: value`, as a field of one of its objects.
pub(crate) fn says(content: &Value, quote: &str) -> bool {
    !quote.is_empty() && contains(content, quote)
}

fn contains(value: &Value, quote: &str) -> bool {
    match value {
        Value::String(text) => text.contains(quote),
        Value::Array(items) => items.iter().any(|item| contains(item, quote)),
        Value::Object(fields) => fields.iter().any(|(name, item)| {
            contains(item, quote)
                || quote
                    .strip_prefix(name.as_str())
                    .and_then(|rest| rest.strip_prefix(": "))
                    .is_some_and(|rest| is_scalar(item, rest))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => is_scalar(value, quote),
    }
}

fn is_scalar(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own == text,
        Value::Bool(_) | Value::Number(_) | Value::Null => format!("{value}") == text,
        Value::Array(items) => items.is_empty() && text == "[]",
        Value::Object(_) => false,
    }
}
