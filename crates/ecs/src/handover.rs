//! Evidence as a language model is handed it: compact tables with evidence ids.
//!
//! Tabs part the columns, one row a line; what others wrote stays on its line with every active
//! character visible, and word for word, so that it can be quoted. Each table is bounded, and says
//! how to get the rest.

use ecs_agent_untrusted::escape_line;
use serde_json::Value;

use crate::analyse::{CheckedClaim, ClaimStanding, Diagnosis, Role, Verdict};
use crate::observation::{Evidence, Gap, GapReason, Observation};

/// Longest cell of a table, in characters.
const LONGEST_CELL: usize = 200;

/// Most rows of evidence that an overview lists.
const MOST_ROWS: usize = 120;

/// Lines of one piece of evidence that are shown at once.
const LINES_AT_ONCE: usize = 200;

/// Most lines that a piece of evidence is written as.
const MOST_LINES: usize = 10_000;

/// The service in a few lines, and what was read about it.
#[must_use]
pub fn observation_table(observation: &Observation) -> String {
    let service = &observation.service;
    let mut out = format!(
        "service\t{}\tdesired {}\trunning {}\tpending {}\t{}\n",
        cell(&service.name),
        service.desired_count,
        service.running_count,
        service.pending_count,
        service.evidence,
    );
    out.push_str("evidence\tcall\tabout\n");
    for evidence in observation.evidence.iter().take(MOST_ROWS) {
        out.push_str(&format!(
            "{}\t{}\t{}\n",
            evidence.id,
            cell(&evidence.call),
            cell(&evidence.subject),
        ));
    }
    let more = observation.evidence.len().saturating_sub(MOST_ROWS);
    if more > 0 {
        out.push_str(&format!(
            "({more} more, up to E{})\n",
            observation.evidence.len()
        ));
    }
    out.push_str(&gap_rows(&observation.gaps));
    out
}

/// What the analyses prove, and what could not be read.
#[must_use]
pub fn diagnosis_table(diagnosis: &Diagnosis) -> String {
    let mut out = format!(
        "verdict\t{}\t{}\n",
        verdict_word(diagnosis.verdict),
        cell(&diagnosis.summary)
    );
    if !diagnosis.findings.is_empty() {
        out.push_str("role\tmode\tconfidence\tfinding\n");
    }
    for finding in &diagnosis.findings {
        let role = match finding.role {
            Role::Root => "root cause",
            Role::Contributing => "contributing",
            Role::Symptom => "symptom",
        };
        out.push_str(&format!(
            "{role}\t{}\t{}\t{}\n",
            finding.mode,
            finding.confidence.as_str(),
            cell(&finding.root_cause),
        ));
        for citation in &finding.evidence {
            out.push_str(&format!(
                "\t{}\t{}\n",
                citation.evidence,
                cell(&citation.quote)
            ));
        }
    }
    out.push_str(&gap_rows(&diagnosis.gaps));
    out
}

/// One piece of evidence, from a line on (counted from 1): `field: value` lines, nested by two
/// spaces. Empty fields are left out.
#[must_use]
pub fn evidence_lines(evidence: &Evidence, from_line: usize) -> String {
    let mut lines = Vec::new();
    flatten(&evidence.content, 0, &mut lines);
    let from = from_line.max(1);
    let mut out = format!(
        "{}\t{}\t{}\n",
        evidence.id,
        cell(&evidence.call),
        cell(&evidence.subject)
    );
    let shown: Vec<&String> = lines.iter().skip(from - 1).take(LINES_AT_ONCE).collect();
    let last = from - 1 + shown.len();
    for line in shown {
        out.push_str(line);
        out.push('\n');
    }
    if last < lines.len() {
        out.push_str(&format!(
            "({} more lines: read on with from_line {})\n",
            lines.len() - last,
            last + 1
        ));
    }
    out
}

/// What became of each claim.
#[must_use]
pub fn claim_table(claims: &[CheckedClaim]) -> String {
    let mut out = String::new();
    for (number, claim) in (1..).zip(claims) {
        let (word, why) = match &claim.standing {
            ClaimStanding::Shared => ("shared", "the analyses find it too".to_owned()),
            ClaimStanding::Unshared => (
                "hypothesis",
                "its quotes are true; the analyses do not find it".to_owned(),
            ),
            ClaimStanding::Struck { why } => ("fails", why.join("; ")),
        };
        out.push_str(&format!("{number}\t{word}\t{}\n", escape_line(&why)));
    }
    out
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "healthy",
        Verdict::RootCauseFound => "root cause found",
        Verdict::Inconclusive => "inconclusive",
        Verdict::InProgress => "deployment in progress",
    }
}

fn gap_rows(gaps: &[Gap]) -> String {
    if gaps.is_empty() {
        return String::new();
    }
    let mut out = "not read\tabout\twhy\n".to_owned();
    for gap in gaps.iter().take(MOST_ROWS) {
        let why = match &gap.reason {
            GapReason::Denied { iam_action } => format!("denied, needs {iam_action}"),
            GapReason::Unavailable { code } => format!("unavailable, {code}"),
            GapReason::NotSupported { code } => format!("not offered here, {code}"),
            GapReason::Expired => "AWS no longer keeps it".to_owned(),
            GapReason::Truncated { read } => format!("only the first {read} items"),
        };
        out.push_str(&format!(
            "{}\t{}\t{}\n",
            cell(&gap.call),
            cell(&gap.subject),
            cell(&why)
        ));
    }
    out
}

fn flatten(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth.min(20));
    match value {
        Value::Object(fields) => {
            for (name, item) in fields.iter().filter(|(_, item)| !is_empty(item)) {
                let name = escape_line(name);
                if lines.len() >= MOST_LINES {
                    return;
                }
                match item {
                    Value::Object(_) | Value::Array(_) => {
                        lines.push(format!("{indent}{name}:"));
                        flatten(item, depth + 1, lines);
                    }
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                        lines.push(format!("{indent}{name}: {}", scalar(item)));
                    }
                }
            }
        }
        Value::Array(items) => {
            for item in items.iter().filter(|item| !is_empty(item)) {
                if lines.len() >= MOST_LINES {
                    return;
                }
                match item {
                    Value::Object(_) | Value::Array(_) => {
                        lines.push(format!("{indent}-"));
                        flatten(item, depth + 1, lines);
                    }
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                        lines.push(format!("{indent}- {}", scalar(item)));
                    }
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            lines.push(format!("{indent}{}", scalar(value)));
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => escape_line(text).into_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

fn cell(text: &str) -> String {
    let line = escape_line(text);
    let mut characters = line.chars();
    let mut shown: String = characters.by_ref().take(LONGEST_CELL).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
#[path = "handover_tests.rs"]
mod tests;
