//! Comparing the service now with the service before the repair.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::analyse::{Citation, ground_quote};
use crate::observation::{EvidenceId, Observation};

/// How long a refusal to scale counts after scaling last said it.
const REFUSAL_LASTS: TimeDelta = TimeDelta::minutes(15);

/// What the service was like before the repair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// When it was observed.
    pub observed_at: DateTime<Utc>,
    /// Tasks wanted.
    pub desired: i32,
    /// Tasks running.
    pub running: i32,
    /// Healthy load balancer targets.
    pub healthy_targets: usize,
    /// Revision the service asked for.
    pub task_definition: String,
    /// Ids of the deployments there were.
    pub deployments: Vec<String>,
    /// Newest stop of a task of the service.
    pub last_stop_at: Option<DateTime<Utc>>,
}

/// A judgement on the service after a repair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The judgement.
    pub state: VerificationState,
    /// When the judged observation was made.
    pub observed_at: DateTime<Utc>,
    /// Why, one sentence each.
    pub why: Vec<String>,
    /// What it rests on.
    pub evidence: Vec<Citation>,
}

/// The judgement in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerificationState {
    /// Serves what it was asked to, steadily.
    Healthy,
    /// On its way; look again.
    Progressing,
    /// Serves less than before the repair: undo it.
    Worse,
    /// As unwell as before.
    Unchanged,
}

impl Baseline {
    /// What the observation says about how well the service does.
    #[must_use]
    pub fn of(observation: &Observation) -> Self {
        let service = &observation.service;
        Self {
            observed_at: observation.observed_at,
            desired: service.desired_count,
            running: service.running_count,
            healthy_targets: observation
                .target_groups
                .iter()
                .flat_map(|group| &group.targets)
                .filter(|target| target.state == "healthy")
                .count(),
            task_definition: service.task_definition.clone(),
            deployments: service.deployments.iter().map(|d| d.id.clone()).collect(),
            last_stop_at: observation
                .tasks
                .iter()
                .filter_map(|task| task.stopped_at)
                .max(),
        }
    }

    /// Whether fewer tasks run, or fewer targets are healthy, than before.
    #[must_use]
    pub fn serves_less_than(&self, before: &Self) -> bool {
        self.running < before.running || self.healthy_targets < before.healthy_targets
    }
}

/// Compares the service now with what it was before the repair.
///
/// Healthy needs a completed deployment, all tasks asked for running, no target or task unhealthy
/// and no failure since the present deployment began. Worse needs less service than before the
/// repair, together with a new failure: a deployment that is only on its way is given time.
#[must_use]
pub fn judge(baseline: &Baseline, observation: &Observation) -> Verification {
    let now = Baseline::of(observation);
    let service = &observation.service;
    let primary = service
        .deployments
        .iter()
        .find(|deployment| deployment.status == "PRIMARY");
    let began = primary.and_then(|primary| primary.created_at);
    let steady = service
        .events
        .iter()
        .filter(|event| event.message.contains("has reached a steady state"))
        .map(|event| event.at)
        .max();
    // What failed before the service became steady again is history.
    let since = [began, steady]
        .into_iter()
        .flatten()
        .fold(baseline.observed_at, DateTime::max);
    let failures: Vec<_> = observation
        .tasks
        .iter()
        .filter(|task| {
            task.last_status == "STOPPED" && task.stopped_at.is_some_and(|at| at > since)
        })
        // What the deployment before left behind may still end in its own way.
        .filter(|task| match (task.started_by.as_deref(), primary) {
            (Some(deployment), Some(primary)) if deployment.starts_with("ecs-svc/") => {
                deployment == primary.id
            }
            _ => task.task_definition == service.task_definition,
        })
        .filter(|task| {
            matches!(
                task.stop_code.as_deref(),
                Some("TaskFailedToStart" | "EssentialContainerExited")
            ) || task
                .stopped_reason
                .as_deref()
                .is_some_and(|why| why.contains("health checks"))
        })
        .collect();
    let unhealthy_targets = observation
        .target_groups
        .iter()
        .flat_map(|group| &group.targets)
        .filter(|target| target.state == "unhealthy")
        .count();
    let starting_targets = observation
        .target_groups
        .iter()
        .flat_map(|group| &group.targets)
        .filter(|target| target.state == "initial")
        .count();
    let sick_tasks = observation
        .tasks
        .iter()
        .filter(|task| {
            task.last_status == "RUNNING" && task.health_status.as_deref() == Some("UNHEALTHY")
        })
        .count();
    let rollout = primary.and_then(|primary| primary.rollout_state.as_deref());
    let enough_targets = observation.target_groups.is_empty()
        || usize::try_from(now.desired).is_ok_and(|desired| now.healthy_targets >= desired);
    // Scaling says so again as long as the load calls for more.
    let held_at_max = observation
        .scaling
        .as_ref()
        .and_then(|scaling| scaling.held_at_max())
        .is_some_and(|at| observation.observed_at - at < REFUSAL_LASTS);
    let settled = service.status == "ACTIVE"
        && now.running >= now.desired
        && (now.desired > 0 || baseline.desired == 0)
        && rollout.is_none_or(|state| state == "COMPLETED")
        && service.deployments.len() <= 1
        && enough_targets
        && unhealthy_targets + starting_targets + sick_tasks == 0
        && failures.is_empty()
        && !held_at_max;

    let mut why = vec![format!("{} of {} tasks run", now.running, now.desired)];
    let mut evidence = Vec::new();
    cite(
        observation,
        service.evidence,
        &[
            &format!("runningCount: {}", now.running),
            &format!("running_count: {}", now.running),
            &service.name,
        ],
        &mut evidence,
    );
    if let Some(state) = rollout {
        why.push(format!("the deployment is {state}"));
        cite(observation, service.evidence, &[state], &mut evidence);
    }
    if !observation.target_groups.is_empty() {
        why.push(format!("{} targets are healthy", now.healthy_targets));
    }
    if held_at_max {
        why.push("scaling asks for more tasks than it may start".to_owned());
    }
    if unhealthy_targets > 0 {
        why.push(format!("{unhealthy_targets} targets are unhealthy"));
    }
    if let Some(task) = failures.first() {
        let reason = task.stopped_reason.as_deref().unwrap_or("no reason given");
        why.push(format!("{} tasks failed since: {reason}", failures.len()));
        cite(
            observation,
            task.evidence,
            &[reason, &task.arn],
            &mut evidence,
        );
    }

    let less = now.serves_less_than(baseline);
    let gave_up = rollout == Some("FAILED");
    let changed = now.deployments != baseline.deployments || now.desired != baseline.desired;
    let state = if settled {
        VerificationState::Healthy
    } else if less && (gave_up || failures.len() >= 2) {
        VerificationState::Worse
    } else if gave_up || !changed && failures.len() >= 2 {
        VerificationState::Unchanged
    } else {
        VerificationState::Progressing
    };
    Verification {
        state,
        observed_at: observation.observed_at,
        why,
        evidence,
    }
}

/// Cites the first of the texts that the evidence says.
fn cite(
    observation: &Observation,
    evidence: EvidenceId,
    texts: &[&str],
    citations: &mut Vec<Citation>,
) {
    let citation = texts
        .iter()
        .map(|text| Citation {
            evidence,
            quote: (*text).to_owned(),
        })
        .find(|citation| ground_quote(observation, citation).is_ok());
    citations.extend(citation);
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
