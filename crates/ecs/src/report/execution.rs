//! `repair_plan.md`, `execution_log.md` and `final_report.md`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::markdown::{appendix, cites, gaps, safe};
use super::view::{self, MadeBy};
use crate::analyse::{CheckedClaim, Diagnosis, Role};
use crate::observation::{EvidenceId, Observation};
use crate::plan::{Approved, Plan, StepOutcome, StepStatus, needs, undo};
use crate::verify::{Baseline, Verification, VerificationState};

/// What `final_report.md` is written from.
#[derive(Debug)]
pub struct FinalReport<'a> {
    /// The service before the repair.
    pub observation: &'a Observation,
    /// What was wrong.
    pub diagnosis: &'a Diagnosis,
    /// What was approved.
    pub plan: &'a Plan<Approved>,
    /// What was done.
    pub carried_out: &'a [StepOutcome],
    /// What was undone.
    pub rolled_back: &'a [StepOutcome],
    /// The judgement, if there was one.
    pub verification: Option<&'a Verification>,
    /// The service as it was read last.
    pub last_observation: Option<&'a Observation>,
    /// What a language model claimed beside the diagnosis.
    pub claims: &'a [CheckedClaim],
    /// Who made it.
    pub made_by: &'a MadeBy,
}

/// A report and its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenReport {
    /// The outcome in one sentence.
    pub verdict: String,
    /// The document.
    pub text: String,
}

/// Writes `repair_plan.md`.
#[must_use]
pub fn repair_plan<S>(plan: &Plan<S>) -> String {
    let content = plan.content();
    let mut out = format!(
        "# Repair plan\n\nPlan `{}` for {} in account {}, {}. Repairs: {}.\n",
        plan.hash().short(),
        safe(&content.service),
        content.account,
        content.region,
        safe(&content.repairs.join(", ")),
    );
    if content.steps.is_empty() {
        out.push_str("\n**Needs a person.** Nothing here can be done by the program.\n");
    } else {
        out.push_str(&format!(
            "\n{} step(s), risk {}, to be decided by {}.\n",
            content.steps.len(),
            plan.risk().as_str(),
            content.expires_at.format("%Y-%m-%dT%H:%M:%SZ"),
        ));
    }
    for step in &content.steps {
        out.push_str(&format!(
            "\n## Step {}: {}\n\n{}\n\n```diff\n",
            step.number,
            safe(&step.effect),
            safe(&step.reason)
        ));
        for line in &step.diff {
            if let Some(before) = &line.before {
                out.push_str(&fenced(&format!("- {}: {before}", line.field)));
            }
            if let Some(after) = &line.after {
                out.push_str(&fenced(&format!("+ {}: {after}", line.field)));
            }
        }
        out.push_str("```\n\n");
        for unproven in &step.unproven {
            out.push_str(&format!("- **unproven**: {}\n", safe(unproven)));
        }
        for (name, text) in [
            (
                "risk",
                format!("{}: {}", step.risk.as_str(), step.risk_note),
            ),
            ("touches", step.blast_radius.clone()),
            ("calls", step.calls.join(", ")),
            ("needs", needs(&step.permissions)),
            ("check", step.effect_check.clone()),
            ("if asked twice", step.idempotency.clone()),
            ("undo", undo(&step.inverse)),
        ] {
            out.push_str(&format!("- {name}: {}\n", safe(&text)));
        }
    }
    for advice in &content.advice {
        out.push_str(&format!(
            "\n## For a person: {}\n\n{}.\n\n```sh\n",
            safe(&advice.title),
            safe(&advice.why_a_person)
        ));
        for command in &advice.commands {
            out.push_str(&fenced(command));
        }
        out.push_str("```\n");
        if let Some(cloudformation) = &advice.cloudformation {
            out.push_str(&format!(
                "\nIn CloudFormation:\n\n```yaml\n{}```\n",
                fenced(cloudformation)
            ));
        }
    }
    if !content.alternatives.is_empty() {
        out.push_str("\n## Not chosen\n\n");
        for alternative in &content.alternatives {
            out.push_str(&format!(
                "- {}: {}\n",
                safe(&alternative.title),
                safe(&alternative.trade_off)
            ));
        }
    }
    for warning in &content.warnings {
        out.push_str(&format!("\n> {}\n", safe(warning)));
    }
    out
}

/// Writes `execution_log.md`.
#[must_use]
pub fn execution_log(
    plan: &Plan<Approved>,
    carried_out: &[StepOutcome],
    rolled_back: &[StepOutcome],
) -> String {
    let approval = plan.approval();
    let mut out = format!(
        "# Execution log\n\nPlan `{}`, approved by {} at {}.\n\n| step | outcome | calls (request id) | from | to |\n|---|---|---|---|---|\n",
        plan.hash().short(),
        safe(&approval.decided_by),
        approval.decided_at.format("%Y-%m-%dT%H:%M:%SZ"),
    );
    let effect = |number: u32| {
        plan.step(number).map_or_else(
            || format!("step {number}"),
            |step| format!("{number}. {}", step.effect),
        )
    };
    for outcome in carried_out {
        out.push_str(&row(&effect(outcome.step), outcome));
    }
    if !rolled_back.is_empty() {
        out.push_str("\n## Rolled back\n\n| undone | outcome | calls (request id) | from | to |\n|---|---|---|---|---|\n");
        for outcome in rolled_back {
            out.push_str(&row(&effect(outcome.step), outcome));
        }
    }
    out
}

fn row(what: &str, outcome: &StepOutcome) -> String {
    let calls: Vec<String> = outcome
        .requests
        .iter()
        .map(|request| {
            format!(
                "{} ({})",
                request.call,
                request.request_id.as_deref().unwrap_or("-")
            )
        })
        .collect();
    format!(
        "| {} | {} | {} | {} | {} |\n",
        safe(what),
        safe(&words(&outcome.status)),
        safe(&calls.join(", ")),
        outcome.started_at.format("%H:%M:%S"),
        outcome.finished_at.format("%H:%M:%S"),
    )
}

fn words(status: &StepStatus) -> String {
    match status {
        StepStatus::Applied => "applied".to_owned(),
        StepStatus::AlreadyApplied => "was already applied".to_owned(),
        StepStatus::Refused { drift } => {
            let drift: Vec<String> = drift.iter().map(ToString::to_string).collect();
            format!("refused, nothing written: {}", drift.join("; "))
        }
        StepStatus::Failed { code, message } => format!("failed: {code} {message}"),
    }
}

/// The verdict on a repair that was undone: what became of the changes, and of the service.
fn rolled_back(facts: &FinalReport<'_>, name: &str) -> String {
    if !facts
        .rolled_back
        .iter()
        .all(|outcome| outcome.status.in_effect())
    {
        return format!(
            "rolled back: {name} is not repaired, and not every change could be undone"
        );
    }
    // Only what was seen after the undoing counts.
    let undone_at = facts.rolled_back.iter().map(|outcome| outcome.finished_at);
    let undone_at = undone_at.max();
    let seen_since = |at: DateTime<Utc>| undone_at.is_some_and(|undone| at >= undone);
    let verification = facts.verification;
    let verification = verification.filter(|verification| seen_since(verification.observed_at));
    if verification.is_some_and(|verification| verification.state == VerificationState::Healthy) {
        return format!("rolled back: the changes to {name} were undone, and it is healthy");
    }
    let before = Baseline::of(facts.observation);
    let after = facts.last_observation;
    let after = after.filter(|after| seen_since(after.observed_at));
    let after = after.map(Baseline::of);
    if after.is_some_and(|after| after.serves_less_than(&before)) {
        return format!(
            "rolled back: {name} is not repaired; the changes were undone, and it still serves less than before them"
        );
    }
    format!("rolled back: {name} is not repaired, and the changes were undone")
}

/// Writes `final_report.md`.
#[must_use]
pub fn final_report(facts: &FinalReport<'_>) -> WrittenReport {
    let name = safe(&facts.observation.service.name);
    let applied = facts
        .carried_out
        .iter()
        .filter(|outcome| outcome.status.in_effect())
        .count();
    let all = facts.plan.content().steps.len();
    let verdict = match facts.verification.map(|verification| verification.state) {
        _ if !facts.rolled_back.is_empty() => rolled_back(facts, &name),
        Some(VerificationState::Healthy) if applied == all => {
            format!("repaired: {name} is healthy")
        }
        Some(VerificationState::Healthy) => {
            format!("repaired: {name} is healthy, with {applied} of {all} steps applied")
        }
        Some(VerificationState::Progressing) => {
            format!("not repaired: {name} is changed and still on its way; it was not seen healthy")
        }
        Some(VerificationState::Worse) => format!("not repaired: {name} does worse than before"),
        Some(VerificationState::Unchanged) => {
            format!("not repaired: {name} is as unwell as before")
        }
        None => format!(
            "not repaired: {applied} of {all} steps were applied to {name}, and the result was not verified"
        ),
    };
    let mut cited: BTreeSet<EvidenceId> = BTreeSet::new();
    let mut out = format!("# Final report: {name}\n\n**{verdict}.**\n\n## What was wrong\n\n");
    for finding in &facts.diagnosis.findings {
        cited.extend(finding.evidence.iter().map(|citation| citation.evidence));
        let role = match finding.role {
            Role::Root => "root cause",
            Role::Contributing => "contributing",
            Role::Symptom => "symptom",
        };
        out.push_str(&format!(
            "- {role} `{}`: {} {}\n",
            finding.mode,
            safe(&finding.root_cause),
            cites(&finding.evidence)
        ));
    }
    out.push_str(&view::claims(
        facts.claims,
        facts.diagnosis,
        facts.observation,
        &mut cited,
    ));
    out.push_str("\n## What was done\n\n");
    let approval = facts.plan.approval();
    out.push_str(&format!(
        "Plan `{}` was approved by {} at {}.\n\n",
        facts.plan.hash().short(),
        safe(&approval.decided_by),
        approval.decided_at.format("%Y-%m-%dT%H:%M:%SZ")
    ));
    out.push_str("| step | outcome | calls (request id) | from | to |\n|---|---|---|---|---|\n");
    for outcome in facts.carried_out {
        let effect = facts
            .plan
            .step(outcome.step)
            .map_or("", |step| step.effect.as_str());
        out.push_str(&row(&format!("{}. {effect}", outcome.step), outcome));
    }
    for outcome in facts.rolled_back {
        out.push_str(&row(&format!("undo of step {}", outcome.step), outcome));
    }
    out.push_str("\n## Before and after\n\n");
    let service = &facts.observation.service;
    cited.insert(service.evidence);
    out.push_str(&format!(
        "- before: {} of {} tasks running [{}]\n",
        service.running_count, service.desired_count, service.evidence
    ));
    if let Some(last) = facts.last_observation {
        out.push_str(&format!(
            "- after: {} of {} tasks running [after {}]\n",
            last.service.running_count, last.service.desired_count, last.service.evidence
        ));
    }
    if let Some(verification) = facts.verification {
        for why in &verification.why {
            let cites = cites(&verification.evidence).replace('[', "[after ");
            out.push_str(&format!("- {} {cites}\n", safe(why)));
        }
    }
    if !facts.observation.gaps.is_empty() {
        out.push_str("\n## Not read\n\n");
        out.push_str(&gaps(&facts.observation.gaps));
    }
    out.push_str("\n## Left for people\n\n");
    let content = facts.plan.content();
    let left: Vec<String> = content
        .advice
        .iter()
        .map(|advice| advice.title.clone())
        .chain(content.warnings.iter().cloned())
        .collect();
    if left.is_empty() {
        out.push_str("Nothing.\n");
    }
    for item in left {
        out.push_str(&format!("- {}\n", safe(&item)));
    }
    out.push_str(&appendix(&facts.observation.evidence, &cited));
    if let (Some(last), Some(verification)) = (facts.last_observation, facts.verification) {
        let after: BTreeSet<EvidenceId> = verification
            .evidence
            .iter()
            .map(|citation| citation.evidence)
            .chain([last.service.evidence])
            .collect();
        out.push_str(
            &appendix(&last.evidence, &after)
                .replace("## Evidence", "## Evidence after the repair"),
        );
    }
    out.push_str(&view::made_by(facts.made_by));
    WrittenReport { verdict, text: out }
}

/// A line inside a fence, which it cannot end.
fn fenced(line: &str) -> String {
    let mut line: String = line
        .chars()
        .take(1000)
        .map(|letter| {
            if letter == '\n' {
                ' '
            } else {
                crate::plan::shown(letter)
            }
        })
        .collect();
    line = line.replace("```", "'''");
    line.push('\n');
    line
}
