//! What a language model said beside the findings, and who made a document.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::markdown::{cites, code, safe};
use crate::analyse::{CheckedClaim, Citation, ClaimStanding, Diagnosis, Verdict, disagreement};
use crate::observation::{EvidenceId, Observation};

/// Who made a document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeBy {
    /// Name of the model that drove the agents.
    pub model: String,
    /// The prompts that it was given.
    pub prompts: Vec<PromptVersion>,
    /// Why and where the runbook took over from it, oldest first.
    pub takeovers: Vec<String>,
}

/// Which text an agent was given as its prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptVersion {
    /// The agent.
    pub agent: String,
    /// Version of the built-in prompt.
    pub version: u32,
    /// First 12 hexadecimal digits of the SHA-256 of the prompt as it was sent.
    pub hash: String,
    /// Whether the deployer's text stands in place of the built-in one.
    pub replaced: bool,
}

/// Writes what the language model claims, where it differs, and what was struck. Nothing without a
/// claim.
pub(crate) fn claims(
    claims: &[CheckedClaim],
    diagnosis: &Diagnosis,
    observation: &Observation,
    cited: &mut BTreeSet<EvidenceId>,
) -> String {
    if claims.is_empty() {
        return String::new();
    }
    let mut out = "\n## The language model's view\n\n".to_owned();
    let kept = claims.iter().any(|claim| !claim.is_struck());
    let differ = disagreement(claims, diagnosis);
    if !kept {
        out.push_str("None of its claims rests on evidence.\n");
    } else if differ.is_none() {
        out.push_str("It comes to the same root causes.\n");
    } else {
        out.push_str(
            "It differs from the analyses. The verdict is the analyses'; of the model's claims the \
             quotes were checked and the conclusions were not.\n\n| who | says | evidence |\n|---|---|---|\n",
        );
        let mut row = |who: &str, says: &str, evidence: &[Citation]| {
            cited.extend(evidence.iter().map(|citation| citation.evidence));
            out.push_str(&format!("| {who} | {says} | {} |\n", quotes(evidence)));
        };
        let mut roots = diagnosis.roots().peekable();
        if roots.peek().is_none() {
            let service = Citation {
                evidence: observation.service.evidence,
                quote: String::new(),
            };
            row("analyses", &without_root(diagnosis), &[service]);
        }
        for root in roots {
            let says = format!("`{}`: {}", root.mode, safe(&root.root_cause));
            row("analyses", &says, &root.evidence);
        }
        for claim in claims.iter().filter(|claim| !claim.is_struck()) {
            row("model", &said(claim), &claim.evidence);
        }
    }
    let struck = |claim: &&CheckedClaim| claim.is_struck();
    if claims.iter().any(|claim| claim.is_struck()) {
        out.push_str("\nStruck, since evidence does not hold them:\n\n");
    }
    for claim in claims.iter().filter(struck) {
        if let ClaimStanding::Struck { why } = &claim.standing {
            out.push_str(&format!(
                "- ~~{}~~: {}\n",
                said(claim),
                safe(&why.join("; "))
            ));
        }
    }
    out
}

fn said(claim: &CheckedClaim) -> String {
    let mode = claim
        .mode
        .as_ref()
        .map(|mode| format!("{}: ", code(mode)))
        .unwrap_or_default();
    // A tilde could end the line that strikes the claim out.
    format!("{mode}{}", safe(&claim.claim).replace('~', "\\~"))
}

fn without_root(diagnosis: &Diagnosis) -> String {
    let word = match diagnosis.verdict {
        Verdict::Healthy => "healthy",
        Verdict::InProgress => "a deployment is in progress",
        Verdict::Inconclusive | Verdict::RootCauseFound => "no root cause is proven",
    };
    format!("{word}: {}", safe(&diagnosis.summary))
}

fn quotes(evidence: &[Citation]) -> String {
    evidence
        .iter()
        .map(|citation| {
            let quote = if citation.quote.is_empty() {
                String::new()
            } else {
                // A bar would end the cell.
                format!(" {}", code(&citation.quote.replace('|', "¦")))
            };
            format!("{}{quote}", cites(std::slice::from_ref(citation)))
        })
        .collect::<Vec<_>>()
        .join("; ")
}

/// Writes who made a document: the section at its end.
#[must_use]
pub fn made_by(made_by: &MadeBy) -> String {
    if made_by.model.is_empty() {
        return String::new();
    }
    let mut out = format!("\n## Made by\n\nModel {}", code(&made_by.model));
    if !made_by.prompts.is_empty() {
        let prompts: Vec<String> = made_by
            .prompts
            .iter()
            .map(|prompt| {
                let replaced = if prompt.replaced { ", replaced" } else { "" };
                format!(
                    "{} v{} ({}{replaced})",
                    prompt.agent, prompt.version, prompt.hash
                )
            })
            .collect();
        out.push_str(&format!(", with the prompts {}", prompts.join(", ")));
    }
    out.push_str(".\n");
    if !made_by.takeovers.is_empty() {
        out.push_str("\nThe runbook took over where the model did not do its work:\n\n");
        for takeover in &made_by.takeovers {
            out.push_str(&format!("- {}\n", safe(takeover)));
        }
    }
    out
}
