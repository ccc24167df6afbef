//! What a language model claims about a service, held against the evidence and the analyses.
//!
//! A claim is never believed. Its quotes are looked up word for word, its failure mode in the
//! catalogue; what fails is struck. What remains is a hypothesis beside the findings: it cannot
//! become a root cause, make a healthy service sick, or take a finding away.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::grounding::says;
use super::{Citation, Diagnosis, GroundError, Role, ground_quote};
use crate::catalogue::Catalogue;
use crate::observation::{EvidenceId, Observation};

/// Most claims of one submission.
const MOST_CLAIMS: usize = 10;

/// Most quotes of one claim.
const MOST_QUOTES: usize = 8;

/// Longest claim that is kept, in characters.
const LONGEST_CLAIM: usize = 400;

/// Fewest characters of a quote out of a longer text: shorter ones are found in almost anything.
const SHORTEST_QUOTE: usize = 8;

/// One claim as a language model submits it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline, transform = without_description)]
pub struct Claim {
    /// What is wrong, one sentence with the concrete names.
    pub claim: String,
    /// Id of the failure mode in the catalogue, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// What it rests on.
    pub quotes: Vec<Quote>,
}

/// Words of a piece of evidence, as a language model quotes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline, transform = without_description)]
pub struct Quote {
    /// Name of the evidence, such as `E12`.
    pub evidence: String,
    /// Its words, exactly; or `field: value`.
    pub quote: String,
}

/// The fields say it all.
fn without_description(schema: &mut schemars::Schema) {
    schema.remove("description");
}

/// A claim after it was held against evidence, catalogue and findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedClaim {
    /// What was claimed.
    pub claim: String,
    /// The failure mode that was named.
    pub mode: Option<String>,
    /// The quotes that the evidence holds.
    pub evidence: Vec<Citation>,
    /// What became of it.
    pub standing: ClaimStanding,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum ClaimStanding {
    /// The analyses find the same failure mode.
    Shared,
    /// Its quotes are true and the analyses do not find it: a hypothesis.
    Unshared,
    /// It does not rest on evidence.
    Struck {
        /// What failed, one sentence each.
        why: Vec<String>,
    },
}

/// What is wrong with a claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// It quotes nothing.
    #[error("it quotes no evidence")]
    Uncited,
    /// Its evidence is not named as evidence is.
    #[error("`{0}` is not the name of evidence, such as `E12`")]
    NotAName(String),
    /// A quote is not what the evidence says, or the evidence does not exist.
    #[error(transparent)]
    Untrue(#[from] GroundError),
    /// A quote is so short that it is found in almost anything.
    #[error(
        "`{0}` is too short to prove anything: quote a whole value or at least {SHORTEST_QUOTE} characters"
    )]
    TooShort(String),
    /// The catalogue has no such failure mode.
    #[error("there is no failure mode `{0}` in the catalogue; leave `mode` out if none fits")]
    UnknownMode(String),
}

/// Where a language model and the analyses differ about one diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement<'a> {
    /// Root causes that the analyses prove and the model does not name.
    pub unnamed: Vec<&'a str>,
    /// Hypotheses of the model that the analyses do not find.
    pub unshared: Vec<&'a CheckedClaim>,
}

/// Holds each claim against the evidence, the catalogue and the findings. What is more than
/// can be judged is left out.
#[must_use]
pub fn check_claims(
    claims: Vec<Claim>,
    observation: &Observation,
    diagnosis: &Diagnosis,
    catalogue: &Catalogue,
) -> Vec<CheckedClaim> {
    claims
        .into_iter()
        .take(MOST_CLAIMS)
        .map(|claim| check(claim, observation, diagnosis, catalogue))
        .collect()
}

fn check(
    claim: Claim,
    observation: &Observation,
    diagnosis: &Diagnosis,
    catalogue: &Catalogue,
) -> CheckedClaim {
    let mut evidence = Vec::new();
    let mut wrong = Vec::new();
    if claim.quotes.is_empty() {
        wrong.push(ClaimError::Uncited);
    }
    for quote in claim.quotes.into_iter().take(MOST_QUOTES) {
        match cited(observation, quote) {
            Ok(citation) => evidence.push(citation),
            Err(error) => wrong.push(error),
        }
    }
    if let Some(mode) = &claim.mode
        && catalogue.mode(mode).is_none()
    {
        wrong.push(ClaimError::UnknownMode(mode.chars().take(80).collect()));
    }
    let found = |mode: &String| diagnosis.finding(mode).is_some();
    let standing = if !wrong.is_empty() {
        ClaimStanding::Struck {
            why: wrong.iter().map(ToString::to_string).collect(),
        }
    } else if claim.mode.as_ref().is_some_and(found) {
        ClaimStanding::Shared
    } else {
        ClaimStanding::Unshared
    };
    CheckedClaim {
        claim: claim.claim.chars().take(LONGEST_CLAIM).collect(),
        mode: claim.mode.map(|mode| mode.chars().take(80).collect()),
        evidence,
        standing,
    }
}

/// The quote as a citation, if the evidence says it.
fn cited(observation: &Observation, quote: Quote) -> Result<Citation, ClaimError> {
    let Ok(id) = quote.evidence.trim().parse::<EvidenceId>() else {
        return Err(ClaimError::NotAName(
            quote.evidence.chars().take(80).collect(),
        ));
    };
    let citation = Citation {
        evidence: id,
        quote: quote.quote.trim().chars().take(2_000).collect(),
    };
    ground_quote(observation, &citation)?;
    let whole = |text: &str| {
        observation
            .evidence
            .find(id)
            .is_some_and(|evidence| is_whole_value(&evidence.content, text))
    };
    if citation.quote.chars().count() < SHORTEST_QUOTE && !whole(&citation.quote) {
        return Err(ClaimError::TooShort(citation.quote));
    }
    Ok(citation)
}

/// Whether the text is a whole string of the evidence, or `field: value`.
fn is_whole_value(content: &serde_json::Value, text: &str) -> bool {
    use serde_json::Value;
    match content {
        Value::String(own) => own == text && text.chars().count() > 2,
        Value::Array(items) => items.iter().any(|item| is_whole_value(item, text)),
        Value::Object(fields) => fields.iter().any(|(name, item)| {
            is_whole_value(item, text)
                || (text.starts_with(&format!("{name}: ")) && says_field(name, item, text))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn says_field(name: &str, item: &serde_json::Value, text: &str) -> bool {
    let object = serde_json::json!({ name: item });
    says(&object, text)
}

impl CheckedClaim {
    /// Whether it was struck.
    #[must_use]
    pub const fn is_struck(&self) -> bool {
        matches!(self.standing, ClaimStanding::Struck { .. })
    }
}

/// Says where the claims and the findings differ.
#[must_use]
pub fn disagreement<'a>(claims: &'a [CheckedClaim], diagnosis: &'a Diagnosis) -> Disagreement<'a> {
    let named = |mode: &str| {
        claims
            .iter()
            .any(|claim| !claim.is_struck() && claim.mode.as_deref() == Some(mode))
    };
    Disagreement {
        unnamed: diagnosis
            .findings
            .iter()
            .filter(|finding| finding.role == Role::Root && !named(&finding.mode))
            .map(|finding| finding.mode.as_str())
            .collect(),
        unshared: claims
            .iter()
            .filter(|claim| claim.standing == ClaimStanding::Unshared)
            .collect(),
    }
}

impl Disagreement<'_> {
    /// Whether both say the same.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.unnamed.is_empty() && self.unshared.is_empty()
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
