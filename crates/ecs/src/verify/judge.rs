//! Comparing the service now with the service before the repair.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::analyse::Citation;
use crate::observation::Observation;

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
}

/// Compares the service now with what it was before the repair.
#[must_use]
pub fn judge(_baseline: &Baseline, observation: &Observation) -> Verification {
    Verification {
        state: VerificationState::Progressing,
        observed_at: observation.observed_at,
        why: Vec::new(),
        evidence: Vec::new(),
    }
}
