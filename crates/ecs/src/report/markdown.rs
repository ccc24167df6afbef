//! Making text safe to stand in a document.

use std::collections::BTreeSet;

use crate::analyse::Citation;
use crate::observation::{EvidenceId, EvidenceLog, Gap, GapReason};
use crate::plan::shown;

/// Longest quote in a document, in characters.
const LONGEST_QUOTE: usize = 300;

/// Text of AWS, a program or a person, on one line, with nothing that Markdown or a terminal acts on.
pub(crate) fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars().take(2000) {
        let letter = if letter == '\n' || letter == '\t' {
            ' '
        } else {
            shown(letter)
        };
        if matches!(letter, '<' | '>' | '[' | ']' | '!' | '|' | '*' | '_' | '#') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// Text as code: it cannot end its own quotation.
pub(crate) fn code(text: &str) -> String {
    let text: String = text
        .chars()
        .take(LONGEST_QUOTE)
        .map(|letter| match letter {
            '`' => '\'',
            '\n' | '\t' => ' ',
            other => shown(other),
        })
        .collect();
    format!("`{}`", text.trim())
}

/// `[E3, E7]`, in order and once each.
pub(crate) fn cites(citations: &[Citation]) -> String {
    let ids: BTreeSet<EvidenceId> = citations.iter().map(|citation| citation.evidence).collect();
    if ids.is_empty() {
        return String::new();
    }
    format!(
        "[{}]",
        ids.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    )
}

/// The table of all evidence that a document cites.
pub(crate) fn appendix(log: &EvidenceLog, cited: &BTreeSet<EvidenceId>) -> String {
    let mut out =
        "\n## Evidence\n\n| id | call | subject | request id | time |\n|---|---|---|---|---|\n"
            .to_owned();
    for evidence in log.iter().filter(|evidence| cited.contains(&evidence.id)) {
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            evidence.id,
            safe(&evidence.call),
            safe(&evidence.subject),
            safe(evidence.request_id.as_deref().unwrap_or("-")),
            evidence.read_at.format("%Y-%m-%dT%H:%M:%SZ"),
        ));
    }
    let rest = log.len().saturating_sub(cited.len());
    if rest > 0 {
        out.push_str(&format!(
            "\n{rest} more reads were made and are not cited here.\n"
        ));
    }
    out
}

/// What could not be read, as list items.
pub(crate) fn gaps(gaps: &[Gap]) -> String {
    gaps.iter()
        .map(|gap| {
            let why = match &gap.reason {
                GapReason::Denied { iam_action } => {
                    format!("denied: the permission `{iam_action}` is missing")
                }
                GapReason::Unavailable { code } => format!("unavailable: {}", safe(code)),
                GapReason::NotSupported { code } => {
                    format!("not offered by this endpoint: {}", safe(code))
                }
                GapReason::Expired => "AWS no longer keeps it".to_owned(),
                GapReason::Truncated { read } => format!("only the first {read} items were read"),
            };
            format!("- {} of {}: {why}\n", safe(&gap.call), safe(&gap.subject))
        })
        .collect()
}
