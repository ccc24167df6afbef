//! From an observation to findings: one small pure function a failure mode or tight family.
//!
//! Failures that are older than the last completed deployment and its steady state are history
//! and say nothing about now; what ECS or a person asked for (a scale-in, a stop) is no failure.
//! Text that anybody may write, such as log lines, is matched and quoted, never obeyed.

mod abrupt;
mod access;
mod answers;
mod balancer;
mod capacity;
mod claims;
mod deployment;
mod endpoints;
mod entrypoint;
mod exits;
mod finding;
mod grounding;
mod growth;
mod health;
mod image;
mod intended;
mod network;
mod ordering;
mod recurrence;
mod secrets;
mod startup;
mod stated;
mod view;

pub(crate) use balancer::{balancer_groups, registered_port};
pub use claims::{
    CheckedClaim, Claim, ClaimError, ClaimStanding, Disagreement, Quote, check_claims, disagreement,
};
pub use finding::{Citation, Confidence, Diagnosis, Finding, Role, TimelineEntry, Verdict};
pub use grounding::{GroundError, ground, ground_quote};
pub(crate) use health::slowest_start_seconds;
pub(crate) use network::{Outbound, outbound, route_table_of, service_groups};
pub(crate) use secrets::secret_arn;
use view::View;

use crate::catalogue::{Catalogue, Severity};
use crate::observation::{GapReason, Observation};
use deployment::listed;

/// All analyses; the order says nothing.
const ANALYSES: [fn(&View<'_>) -> Vec<Finding>; 24] = [
    image::reference,
    image::permission,
    secrets::secrets,
    secrets::log_group,
    network::egress,
    network::addresses,
    endpoints::endpoints,
    stated::stated,
    access::access,
    answers::answers,
    |view| listed(intended::stopped_by_user(view)),
    exits::exits,
    |view| listed(growth::growth(view)),
    ordering::ordering,
    health::container_checks,
    balancer::checks,
    answers::closed_balancers,
    |view| listed(capacity::none_registered(view)),
    capacity::too_small,
    |view| listed(capacity::agents(view)),
    |view| listed(capacity::draining(view)),
    |view| listed(deployment::alarm(view)),
    |view| listed(deployment::desired_count_zero(view)),
    |view| {
        let mut findings = listed(deployment::inactive_revision(view));
        findings.extend(deployment::wrappers(view));
        findings.extend(deployment::at_max_capacity(view));
        findings
    },
];

/// Finds what is wrong with the service, and why.
///
/// Pure: the same observation gives the same diagnosis. Every finding is grounded, which is checked
/// again by [`ground`] before it is returned.
#[must_use]
pub fn analyse(observation: &Observation, catalogue: &Catalogue) -> Diagnosis {
    let view = View::new(observation, catalogue);
    let mut findings: Vec<Finding> = ANALYSES
        .iter()
        .flat_map(|analysis| analysis(&view))
        .collect();
    if !findings.is_empty() {
        findings.extend(deployment::deaf_to_sigterm(&view));
        findings.extend(intended::notes(&view));
    }
    findings.retain(|finding| ground(observation, finding).is_ok());
    settle_roles(&mut findings);
    let trouble = trouble(&view);
    let (verdict, summary) = verdict(observation, &findings, &trouble);
    Diagnosis {
        observed_at: observation.observed_at,
        verdict,
        summary,
        healthy: verdict == Verdict::Healthy,
        findings,
        gaps: observation.gaps.clone(),
        timeline: timeline(observation),
    }
}

/// Finds the place of each finding in the chain of causes, and sorts: roots first.
fn settle_roles(findings: &mut [Finding]) {
    // Health checks are downstream of a program that does not run; tasks that cannot start make
    // everything after them a consequence.
    let rank = |mode: &str| match mode {
        "elb-hc-path-mismatch"
        | "elb-hc-port-mismatch"
        | "elb-hc-timeout-sg-ingress"
        | "elb-hc-timeout-slow-app"
        | "elb-hc-app-bound-to-localhost"
        | "elb-hc-grace-period-short"
        | "elb-hc-dependency-503" => 1,
        "app-dependency-unreachable" => 2,
        "app-crash-exit-nonzero" => 3,
        _ => 0,
    };
    let refused_root = findings
        .iter()
        .any(|finding| finding.mode == "task-role-permission-missing-app");
    let network_root = findings.iter().any(|finding| {
        finding.role == Role::Root
            && matches!(
                finding.mode.as_str(),
                "sg-egress-blocked"
                    | "route-blackhole-nat-deleted"
                    | "private-subnet-no-nat-or-endpoint"
                    | "fargate-public-subnet-no-public-ip"
                    | "vpce-sg-ingress-blocked"
                    | "nacl-blocks-traffic"
                    | "vpc-dns-disabled"
            )
    });
    let crash_root = findings.iter().any(|finding| {
        finding.role == Role::Root
            && matches!(
                finding.mode.as_str(),
                "app-crash-exit-nonzero"
                    | "required-env-var-missing"
                    | "exit-126-not-executable"
                    | "exit-127-command-not-found"
                    | "entrypoint-script-bad-shebang"
                    | "jvm-heap-misconfigured"
                    | "exec-format-error"
                    | "essential-sidecar-exited"
                    | "oom-kill-137"
                    | "elb-hc-protocol-mismatch"
                    | "firelens-config-or-router-crash"
                    | "exit-0-essential-container"
                    | "exit-134-abort"
                    | "exit-139-segfault"
                    | "privileged-port-permission-denied"
                    | "readonly-filesystem-write"
                    | "ulimit-nofile-exhausted"
                    | "ephemeral-storage-full-runtime"
                    | "dns-resolution-app-failure"
                    | "memory-leak"
            )
    });
    let other_root = findings
        .iter()
        .any(|finding| finding.role == Role::Root && finding.mode != "task-definition-inactive");
    let any_root = findings.iter().any(|finding| finding.role == Role::Root);
    for finding in findings.iter_mut() {
        let consequence = match rank(&finding.mode) {
            1 => crash_root && finding.confidence < Confidence::High,
            2 => network_root,
            3 => refused_root,
            _ => false,
        };
        if consequence {
            finding.role = Role::Symptom;
        }
        if finding.mode == "task-definition-inactive" && other_root {
            finding.role = Role::Contributing;
        }
        if finding.role == Role::Symptom && !any_root {
            finding.would_raise_confidence.push(
                "ecs:DescribeTasks of the stopped tasks, which AWS keeps for about an hour"
                    .to_owned(),
            );
        }
    }
    findings.sort_by(|left, right| {
        (
            left.role,
            std::cmp::Reverse(left.confidence),
            std::cmp::Reverse(left.severity),
            &left.mode,
        )
            .cmp(&(
                right.role,
                std::cmp::Reverse(right.confidence),
                std::cmp::Reverse(right.severity),
                &right.mode,
            ))
    });
}

/// What is not as it was asked to be, whatever the cause.
fn trouble(view: &View<'_>) -> Vec<String> {
    let service = &view.observation.service;
    let mut trouble = Vec::new();
    if service.status != "ACTIVE" {
        trouble.push(format!("the service is {}", service.status));
    }
    if service.running_count < service.desired_count {
        trouble.push(format!(
            "{} of {} tasks run",
            service.running_count, service.desired_count
        ));
    }
    let unhealthy = view
        .observation
        .target_groups
        .iter()
        .flat_map(|group| &group.targets)
        .filter(|target| target.state == "unhealthy")
        .count();
    if unhealthy > 0 {
        trouble.push(format!("{unhealthy} targets are unhealthy"));
    }
    let failed = view.failures().count();
    if failed > 0 {
        trouble.push(format!("{failed} tasks failed lately"));
    }
    if let Some(primary) = view.primary()
        && primary.rollout_state.as_deref() == Some("FAILED")
    {
        trouble.push("the last deployment failed".to_owned());
    }
    let sick = view.observation.tasks.iter().any(|task| {
        task.last_status == "RUNNING" && task.health_status.as_deref() == Some("UNHEALTHY")
    });
    if sick {
        trouble.push("a running task is unhealthy".to_owned());
    }
    trouble
}

fn verdict(
    observation: &Observation,
    findings: &[Finding],
    trouble: &[String],
) -> (Verdict, String) {
    let service = &observation.service;
    let name = &service.name;
    if let Some(root) = findings.iter().find(|finding| finding.role == Role::Root) {
        let more = findings
            .iter()
            .filter(|finding| finding.role == Role::Root)
            .count()
            - 1;
        let others = match more {
            0 => String::new(),
            1 => " There is one more root cause.".to_owned(),
            more => format!(" There are {more} more root causes."),
        };
        return (
            Verdict::RootCauseFound,
            format!("{}{others}", root.root_cause),
        );
    }
    if let Some(symptom) = findings.first() {
        return (
            Verdict::Inconclusive,
            format!(
                "{} What was read does not decide why.{}",
                symptom.root_cause,
                denied(observation)
            ),
        );
    }
    if trouble.is_empty() {
        let words = if service.desired_count == 0 {
            format!("`{name}` is asked to run nothing, and may scale to zero.")
        } else {
            format!(
                "`{name}` runs {} of {} tasks steadily.",
                service.running_count, service.desired_count
            )
        };
        return (Verdict::Healthy, words);
    }
    let under_way = service.deployments.iter().any(|deployment| {
        deployment.rollout_state.as_deref() == Some("IN_PROGRESS") && deployment.failed_tasks == 0
    });
    let only_counts = trouble.len() == 1 && trouble.iter().all(|one| one.ends_with("tasks run"));
    if under_way && only_counts {
        return (
            Verdict::InProgress,
            format!(
                "A deployment of `{name}` is under way: {}.",
                trouble.join(", ")
            ),
        );
    }
    (
        Verdict::Inconclusive,
        format!(
            "`{name}` is unwell ({}), and what was read does not decide why.{}",
            trouble.join(", "),
            denied(observation)
        ),
    )
}

/// Names the permissions that are missing.
fn denied(observation: &Observation) -> String {
    let mut actions: Vec<&str> = observation
        .gaps
        .iter()
        .filter_map(|gap| match &gap.reason {
            GapReason::Denied { iam_action } => Some(iam_action.as_str()),
            GapReason::Unavailable { .. }
            | GapReason::NotSupported { .. }
            | GapReason::Expired
            | GapReason::Truncated { .. } => None,
        })
        .collect();
    actions.sort_unstable();
    actions.dedup();
    if actions.is_empty() {
        return String::new();
    }
    format!(" Allow {} to see more.", actions.join(", "))
}

/// What happened when: events, deployments and ends of tasks, oldest first.
fn timeline(observation: &Observation) -> Vec<TimelineEntry> {
    const MOST: usize = 40;
    let service = observation.service.evidence;
    let mut entries: Vec<TimelineEntry> = observation
        .service
        .events
        .iter()
        .map(|event| TimelineEntry {
            at: event.at,
            what: event.message.clone(),
            evidence: service,
        })
        .collect();
    entries.extend(
        observation
            .service
            .deployments
            .iter()
            .filter_map(|deployment| {
                Some(TimelineEntry {
                    at: deployment.created_at?,
                    what: format!(
                        "deployment {} of {} begins",
                        deployment.id,
                        view::short(&deployment.task_definition)
                    ),
                    evidence: service,
                })
            }),
    );
    entries.extend(observation.tasks.iter().filter_map(|task| {
        Some(TimelineEntry {
            at: task.stopped_at?,
            what: format!(
                "task {} stops: {}",
                view::short(&task.arn),
                task.stopped_reason.as_deref().unwrap_or("no reason given")
            ),
            evidence: task.evidence,
        })
    }));
    entries.sort_by(|left, right| (left.at, &left.what).cmp(&(right.at, &right.what)));
    let surplus = entries.len().saturating_sub(MOST);
    entries.drain(..surplus);
    entries
}

impl Finding {
    /// Whether users of the service feel it now.
    #[must_use]
    pub fn is_felt(&self) -> bool {
        matches!(self.severity, Severity::Outage | Severity::Degraded)
    }
}

#[cfg(test)]
#[path = "analyse_tests.rs"]
mod tests;
