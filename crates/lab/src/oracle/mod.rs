//! What only the evaluator may know: is the service well now, was anything else touched.

mod fingerprint;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Serialize;

use crate::scenario::{Scenario, Truth};
use crate::world::{
    Region, RolloutState, Service, StopCode, TargetState, Task, TaskDefinitionStatus, World,
};

/// A task that failed within this time means that the service is not well yet.
const QUIET: TimeDelta = TimeDelta::minutes(3);

/// What the oracle compares later worlds with.
#[derive(Clone, Debug)]
pub(crate) struct Baseline {
    truth: Truth,
    account: String,
    region: String,
    fingerprints: BTreeMap<String, String>,
}

/// The oracle's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HealthReport {
    /// Whether the scenario's service does its work now.
    pub healthy: bool,
    /// What is not as it should be; empty when healthy.
    pub problems: Vec<String>,
    /// Whether everything that is not the target's is as it was at the start.
    pub bystanders_untouched: bool,
    /// What was changed that is not the target's.
    pub touched: Vec<String>,
}

impl Baseline {
    pub(crate) fn of(world: &World, scenario: &Scenario) -> Self {
        let (account, region) = scenario.target_place();
        Self {
            truth: scenario.truth().clone(),
            account,
            region,
            fingerprints: fingerprint::of_world(world),
        }
    }

    /// The same truth about a world that begins as this one.
    pub(crate) fn beginning_with(mut self, world: &World) -> Self {
        self.fingerprints = fingerprint::of_world(world);
        self
    }

    /// What is really wrong.
    pub(crate) fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Judges a world that began as this baseline's.
    pub(crate) fn judge(&self, world: &World) -> HealthReport {
        let problems = self.target(world).map_or_else(
            || vec!["the service does not exist".to_owned()],
            |(region, service)| problems(world, region, service),
        );
        let touched = self.touched(world);
        HealthReport {
            healthy: problems.is_empty(),
            problems,
            bystanders_untouched: touched.is_empty(),
            touched,
        }
    }

    fn target<'w>(&self, world: &'w World) -> Option<(&'w Region, &'w Service)> {
        let region = world.region(&self.account, &self.region)?;
        let service = region.service(&self.truth.target.cluster, &self.truth.target.service)?;
        Some((region, service))
    }

    fn touched(&self, world: &World) -> Vec<String> {
        let own = self
            .target(world)
            .map(|(region, service)| fingerprint::belonging_to(region, service))
            .unwrap_or_default();
        let now = fingerprint::of_world(world);
        let keys = self.fingerprints.keys().chain(now.keys());
        let mut touched: Vec<String> = keys
            .filter(|key| self.fingerprints.get(*key) != now.get(*key) && !own.contains(*key))
            .cloned()
            .collect();
        touched.sort();
        touched.dedup();
        touched
    }
}

fn problems(world: &World, region: &Region, service: &Service) -> Vec<String> {
    let mut problems = Vec::new();
    if service.desired_count == 0 {
        problems.push("it wants no tasks".to_owned());
    }
    if service.running_count != service.desired_count || service.pending_count > 0 {
        problems.push(format!(
            "{} of {} tasks run, {} are pending",
            service.running_count, service.desired_count, service.pending_count
        ));
    }
    match service.primary() {
        Some(primary) if primary.rollout_state == RolloutState::Completed => {}
        Some(primary) => {
            problems.push(format!(
                "its deployment is {}",
                primary.rollout_state.as_str()
            ));
        }
        None => problems.push("it has no deployment".to_owned()),
    }
    if service.deployments.len() > 1 {
        problems.push("an older deployment is still there".to_owned());
    }
    let active = region
        .task_definition(&service.task_definition)
        .is_some_and(|definition| definition.status == TaskDefinitionStatus::Active);
    if !active {
        problems.push("its task definition is inactive".to_owned());
    }
    for binding in &service.load_balancers {
        let running = service
            .tasks
            .iter()
            .filter(|task| task.is_running() && task.is_wanted());
        for task in running {
            let healthy = region
                .target_groups
                .get(&binding.target_group_arn)
                .is_some_and(|group| {
                    group
                        .targets
                        .iter()
                        .any(|t| t.task == task.id && t.state == TargetState::Healthy)
                });
            if !healthy {
                problems.push(format!(
                    "task {} is not healthy behind its load balancer",
                    task.id
                ));
            }
        }
    }
    problems.extend(closed_balancers(region, service));
    let recent = service
        .tasks
        .iter()
        .filter(|task| failed(task) && task.stopped_at.is_some_and(|at| at + QUIET > world.now));
    let recent = recent.count();
    if recent > 0 {
        problems.push(format!(
            "{recent} tasks failed in the last {} minutes",
            QUIET.num_minutes()
        ));
    }
    for task in &service.tasks {
        let doomed = task
            .ending
            .as_ref()
            .filter(|ending| ending.at <= world.now + DOOMED_WITHIN);
        if let (true, Some(ending)) = (task.is_wanted() && task.is_running(), doomed) {
            problems.push(format!("task {} will end: {}", task.id, ending.task_reason));
        }
    }
    let resource = format!("service/{}/{}", service.cluster, service.name);
    if let Some(target) = region.scalable_targets.get(&resource)
        && target.wanted > service.desired_count
    {
        problems.push(format!(
            "the load calls for {} tasks, it may have {}",
            target.wanted, target.max_capacity
        ));
    }
    problems
}

/// Load balancers of the service that let nobody in: its tasks are well, and nobody is served.
fn closed_balancers(region: &Region, service: &Service) -> Vec<String> {
    service
        .load_balancers
        .iter()
        .filter_map(|binding| region.target_groups.get(&binding.target_group_arn))
        .flat_map(|group| &group.load_balancers)
        .filter_map(|arn| region.load_balancers.get(arn))
        .filter(|balancer| {
            balancer
                .security_groups
                .iter()
                .filter_map(|id| region.security_groups.get(id))
                .all(|group| group.ingress.is_empty())
        })
        .map(|balancer| format!("load balancer {} lets nobody in", balancer.name))
        .collect()
}

/// A running program that is known to end within this time is not well.
const DOOMED_WITHIN: TimeDelta = TimeDelta::hours(2);

fn failed(task: &Task) -> bool {
    match task.stop_code {
        Some(StopCode::TaskFailedToStart | StopCode::EssentialContainerExited) => true,
        Some(StopCode::ServiceSchedulerInitiated) => task
            .stopped_reason
            .as_deref()
            .is_some_and(|reason| reason.contains("health checks")),
        Some(
            StopCode::UserInitiated | StopCode::SpotInterruption | StopCode::TerminationNotice,
        )
        | None => false,
    }
}
