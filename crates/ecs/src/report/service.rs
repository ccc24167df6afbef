//! `service_context.md` and `diagnostic_report.md`.

use std::collections::BTreeSet;

use ecs_agent_credentials::ContextDescription;

use super::credentials::limits;
use super::markdown::{appendix, cites, code, gaps, safe};
use super::view::{self, MadeBy};
use crate::analyse::{CheckedClaim, Diagnosis, Finding, Role, Verdict};
use crate::observation::{EvidenceId, Observation};
use crate::observe::ServiceTarget;

/// What `service_context.md` says.
#[derive(Debug)]
pub struct ServiceContextFacts<'a> {
    /// The service.
    pub target: &'a ServiceTarget,
    /// Region.
    pub region: &'a str,
    /// Masked description of the credentials.
    pub credentials: &'a ContextDescription,
    /// Why this service is meant.
    pub reason: &'a str,
}

/// What `diagnostic_report.md` is written from.
#[derive(Debug)]
pub struct DiagnosticReport<'a> {
    /// What was read.
    pub observation: &'a Observation,
    /// What the analyses prove.
    pub diagnosis: &'a Diagnosis,
    /// What a language model claims beside that.
    pub claims: &'a [CheckedClaim],
    /// Who made it.
    pub made_by: &'a MadeBy,
}

/// Writes `service_context.md`.
#[must_use]
pub fn service_context(facts: &ServiceContextFacts<'_>) -> String {
    let account = facts
        .credentials
        .account
        .as_ref()
        .map_or("-", |account| account.as_str());
    let principal = facts
        .credentials
        .principal_arn
        .as_ref()
        .map_or_else(|| "-".to_owned(), ToString::to_string);
    let reference = facts
        .credentials
        .reference
        .as_ref()
        .map_or_else(|| "-".to_owned(), ToString::to_string);
    let expires = facts.credentials.expires_at.map_or_else(
        || "-".to_owned(),
        |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    );
    format!(
        "# Service\n\n| | |\n|---|---|\n| service | {} |\n| cluster | {} |\n| region | {} |\n| account | {} |\n| acting as | {} |\n| credentials from | {} |\n| credentials end | {expires} |\n| limited by | {} |\n| chosen because | {} |\n",
        safe(facts.target.service_name()),
        safe(facts.target.cluster_name()),
        safe(facts.region),
        safe(account),
        safe(&principal),
        safe(&reference),
        limits(facts.credentials),
        safe(facts.reason),
    )
}

/// Writes `diagnostic_report.md`.
#[must_use]
pub fn diagnostic_report(facts: &DiagnosticReport<'_>) -> String {
    let (observation, diagnosis) = (facts.observation, facts.diagnosis);
    let service = &observation.service;
    let mut cited: BTreeSet<EvidenceId> = BTreeSet::from([service.evidence]);
    let verdict = match diagnosis.verdict {
        Verdict::Healthy => "Healthy",
        Verdict::RootCauseFound => "Root cause found",
        Verdict::Inconclusive => "Inconclusive",
        Verdict::InProgress => "Deployment in progress",
    };
    let mut out = format!(
        "# Diagnosis of {}\n\n**{verdict}.** {} {}\n\nObserved {} in account {}, {}: {} of {} tasks running, {} pending [{}].\n",
        safe(&service.name),
        safe(&diagnosis.summary),
        diagnosis.roots().next().map_or_else(
            || format!("[{}]", service.evidence),
            |root| cites(&root.evidence)
        ),
        diagnosis.observed_at.format("%Y-%m-%dT%H:%M:%SZ"),
        observation.account,
        observation.region,
        service.running_count,
        service.desired_count,
        service.pending_count,
        service.evidence,
    );
    for (role, title) in [
        (Role::Root, "Root causes"),
        (Role::Contributing, "Contributing"),
        (Role::Symptom, "Symptoms"),
    ] {
        let of_role: Vec<&Finding> = diagnosis
            .findings
            .iter()
            .filter(|finding| finding.role == role)
            .collect();
        if of_role.is_empty() {
            continue;
        }
        out.push_str(&format!("\n## {title}\n"));
        for finding in of_role {
            cited.extend(finding.evidence.iter().map(|citation| citation.evidence));
            out.push_str(&one(finding));
        }
    }
    out.push_str(&view::claims(
        facts.claims,
        diagnosis,
        observation,
        &mut cited,
    ));
    if !diagnosis.gaps.is_empty() {
        out.push_str("\n## Not read\n\n");
        out.push_str(&gaps(&diagnosis.gaps));
    }
    if !diagnosis.timeline.is_empty() {
        out.push_str("\n## Timeline\n\n");
        for entry in diagnosis.timeline.iter().rev().take(20).rev() {
            cited.insert(entry.evidence);
            out.push_str(&format!(
                "- {} {} [{}]\n",
                entry.at.format("%Y-%m-%dT%H:%M:%SZ"),
                safe(&entry.what),
                entry.evidence
            ));
        }
    }
    out.push_str(&appendix(&observation.evidence, &cited));
    out.push_str(&view::made_by(facts.made_by));
    out
}

fn one(finding: &Finding) -> String {
    let mut out = format!(
        "\n### {}\n\n{} {}\n\n`{}`, {}, confidence {}\n\n",
        safe(&finding.title),
        safe(&finding.root_cause),
        cites(&finding.evidence),
        finding.mode,
        finding.severity.as_str(),
        finding.confidence.as_str(),
    );
    for citation in &finding.evidence {
        out.push_str(&format!(
            "- [{}] {}\n",
            citation.evidence,
            code(&citation.quote)
        ));
    }
    if !finding.would_raise_confidence.is_empty() {
        out.push_str(&format!(
            "\nWould make it surer: {}.\n",
            safe(&finding.would_raise_confidence.join("; "))
        ));
    }
    out
}
