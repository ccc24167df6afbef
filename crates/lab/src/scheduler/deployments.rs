//! Deployments: how many tasks of which revision, when to give up, when all is well.

use chrono::{DateTime, TimeDelta, Utc};

use super::Tick;
use crate::world::{
    ContainerHealth, Deployment, DeploymentStatus, RolloutState, Service, ServiceDeploymentStatus,
    ServiceStatus, StopCode, TargetState, Task, TaskStatus, begin_deployment,
};

/// A steady state is said again after this time (ECS Developer Guide, service event messages).
pub(super) const STEADY_STATE_REPEATS: TimeDelta = TimeDelta::hours(6);
/// A task without any health check counts as working after this time.
pub(super) const PLAIN_TASK_SETTLES: TimeDelta = TimeDelta::seconds(20);
/// ECS waits up to 27 minutes between launches that keep failing. The lab waits at most five, so
/// that a repair which starts no new deployment shows within the time a person watches.
const LONGEST_BACK_OFF: i64 = 300;
/// A message about placement or configuration is said again after this time.
const MESSAGE_REPEATS: TimeDelta = TimeDelta::minutes(5);
/// One scheduling round starts at most this many tasks.
const LAUNCH_BATCH: u32 = 10;
const BATCH_PAUSE: TimeDelta = TimeDelta::seconds(5);

impl Tick<'_> {
    pub(super) fn deploy(&mut self, service: &mut Service) {
        self.count_outcomes(service);
        self.break_circuit(service);
        self.stop_surplus(service);
        self.leave(service);
        self.launch(service);
        self.settle(service);
        // What was replaced stays for as long as a task of it is there.
        let tasks = &service.tasks;
        service.deployments.retain(|deployment| {
            deployment.status == DeploymentStatus::Primary
                || tasks
                    .iter()
                    .any(|task| task.started_by == deployment.id && task.stopped_at.is_none())
        });
        // A deleted service is there for as long as a task of it is.
        if service.status == ServiceStatus::Draining
            && service.tasks.iter().all(|task| task.stopped_at.is_some())
        {
            service.status = ServiceStatus::Inactive;
        }
    }

    /// Lets the tasks that were just told to stop begin to do so, so that they make room at once.
    fn leave(&mut self, service: &mut Service) {
        let mut tasks = std::mem::take(&mut service.tasks);
        for task in &mut tasks {
            if !task.is_wanted() && task.last_status <= TaskStatus::Running {
                self.live(service, task);
            }
        }
        service.tasks = tasks;
    }

    /// Whether a task works, as its service sees it.
    fn ready(&self, service: &Service, task: &Task) -> bool {
        let Some(started) = task.started_at else {
            return false;
        };
        if !task.is_running() || !task.is_wanted() {
            return false;
        }
        let checked = self
            .region
            .task_definition(&task.task_definition)
            .is_some_and(|td| {
                td.spec
                    .container_definitions
                    .iter()
                    .any(|c| c.essential && c.health_check.is_some())
            });
        if checked && task.health != ContainerHealth::Healthy {
            return false;
        }
        if service.load_balancers.is_empty() {
            return checked || self.now >= started + PLAIN_TASK_SETTLES;
        }
        service.load_balancers.iter().all(|binding| {
            self.region
                .target_groups
                .get(&binding.target_group_arn)
                .is_some_and(|group| {
                    group
                        .targets
                        .iter()
                        .any(|t| t.task == task.id && t.state == TargetState::Healthy)
                })
        })
    }

    /// Counts successes and failures of tasks towards their deployments and the launch back-off.
    fn count_outcomes(&mut self, service: &mut Service) {
        let mut tasks = std::mem::take(&mut service.tasks);
        for task in &mut tasks {
            if !task.was_ready && self.ready(service, task) {
                task.was_ready = true;
                if let Some(deployment) = deployment_of(service, task) {
                    deployment.failed_tasks = 0;
                    deployment.updated_at = self.now;
                }
            }
            let over = !task.is_wanted() && task.last_status >= TaskStatus::Deprovisioning;
            if over && !task.failure_counted {
                task.failure_counted = true;
                self.count_end(service, task);
            }
        }
        service.tasks = tasks;
    }

    fn count_end(&mut self, service: &mut Service, task: &Task) {
        let reason = task.stopped_reason.as_deref().unwrap_or_default();
        let failed = match task.stop_code {
            Some(StopCode::TaskFailedToStart | StopCode::EssentialContainerExited) => true,
            Some(StopCode::ServiceSchedulerInitiated) => reason.contains("health checks"),
            Some(
                StopCode::UserInitiated | StopCode::SpotInterruption | StopCode::TerminationNotice,
            )
            | None => false,
        };
        if !failed {
            return;
        }
        let now = self.now;
        if task.started_at.is_none() {
            service.launch_failures += 1;
            service.next_launch_at = now + back_off(service.launch_failures);
            if service.launch_failures % 10 == 1 {
                service.say(
                    now,
                    &format!("was unable to place a task. Reason: {reason}."),
                );
            }
        } else {
            service.next_launch_at = service.next_launch_at.max(now + TimeDelta::seconds(5));
        }
        service.steady = false;
        if task.was_ready {
            return;
        }
        let Some(deployment) = deployment_of(service, task) else {
            return;
        };
        deployment.failed_tasks += 1;
        deployment.updated_at = now;
        if deployment.failed_tasks % 10 == 5 {
            service.say(now, "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.");
        }
    }

    fn break_circuit(&mut self, service: &mut Service) {
        let breaker = service.deployment_configuration.deployment_circuit_breaker;
        let alarm = service.alarm_raised;
        let threshold = failure_threshold(service.desired_count);
        let now = self.now;
        let Some(primary) = service.primary_mut() else {
            return;
        };
        let broken = breaker.enable && primary.failed_tasks >= threshold;
        if primary.rollout_state != RolloutState::InProgress || !(broken || alarm) {
            return;
        }
        let (rollback, why, reason) = match alarm {
            true => (
                true,
                "alarm detected",
                "ECS deployment failed: alarm detected.",
            ),
            false => (
                breaker.rollback,
                "tasks failed to start",
                "ECS deployment circuit breaker: tasks failed to start.",
            ),
        };
        primary.rollout_state = RolloutState::Failed;
        primary.rollout_state_reason = reason.to_owned();
        primary.updated_at = now;
        let failed = primary.id.clone();
        service.alarm_raised = false;
        service.say(
            now,
            &format!("(deployment {failed}) deployment failed: {why}."),
        );
        let candidate = service
            .service_deployments
            .iter()
            .find(|record| {
                record.deployment != failed
                    && matches!(
                        record.status,
                        ServiceDeploymentStatus::Successful
                            | ServiceDeploymentStatus::RollbackSuccessful
                    )
            })
            .map(|record| {
                let rolled_back = record.status == ServiceDeploymentStatus::RollbackSuccessful;
                let definition = match (&record.source_task_definition, rolled_back) {
                    (Some(source), true) => source.clone(),
                    (Some(_) | None, _) => record.task_definition.clone(),
                };
                (record.deployment.clone(), definition)
            });
        let (status, reason) = match (&candidate, rollback) {
            (Some(_), true) if alarm => (
                ServiceDeploymentStatus::RollbackInProgress,
                "Service deployment rolled back because a CloudWatch alarm was detected.",
            ),
            (_, false) => (
                ServiceDeploymentStatus::Stopped,
                "Service deployment stopped because the circuit breaker threshold was exceeded.",
            ),
            (Some(_), true) => (
                ServiceDeploymentStatus::RollbackInProgress,
                "Service deployment rolled back because the circuit breaker threshold was exceeded.",
            ),
            (None, true) => (
                ServiceDeploymentStatus::RollbackFailed,
                "No rollback candidate was found to run the rollback.",
            ),
        };
        if let Some(record) = service
            .service_deployments
            .iter_mut()
            .find(|record| record.deployment == failed)
        {
            record.status = status;
            record.status_reason = Some(reason.to_owned());
            if status != ServiceDeploymentStatus::RollbackInProgress {
                record.finished_at = Some(now);
            }
        }
        if let (Some((id, definition)), true) = (candidate, rollback) {
            roll_back(service, &id, &definition, now);
        }
    }

    /// Stops what is too much: above the desired count, or of an older deployment that is replaced.
    fn stop_surplus(&mut self, service: &mut Service) {
        let Some(primary) = service.primary().cloned() else {
            return;
        };
        let now = self.now;
        let desired = service.desired_count;
        let mut tasks = std::mem::take(&mut service.tasks);
        let reason = format!("Scaling activity initiated by (deployment {})", primary.id);
        let wanted_of_primary: Vec<usize> = indices(&tasks, |task| {
            task.is_wanted() && task.started_by == primary.id
        });
        let surplus = wanted_of_primary.len().saturating_sub(desired as usize);
        // Scale-in takes what does not work yet first, then the youngest.
        let mut order = wanted_of_primary;
        order.sort_by_key(|index| {
            tasks.get(*index).map(|task| {
                (
                    self.ready(service, task),
                    std::cmp::Reverse(task.created_at),
                )
            })
        });
        for index in order.into_iter().take(surplus) {
            if let Some(task) = tasks.get_mut(index) {
                Self::stop(service, task, reason.clone(), now);
            }
        }
        let old = indices(&tasks, |task| {
            task.is_wanted() && task.started_by != primary.id
        });
        if primary.rollout_state == RolloutState::Failed {
            // A failed deployment replaces nothing; what still runs may be too much after a scale-in.
            let surplus = old.len().saturating_sub(desired as usize);
            for index in old.into_iter().take(surplus) {
                if let Some(task) = tasks.get_mut(index) {
                    Self::stop(service, task, reason.clone(), now);
                }
            }
            service.tasks = tasks;
            return;
        }
        let minimum = percent_up(
            desired,
            service.deployment_configuration.minimum_healthy_percent,
        );
        let mut healthy = tasks
            .iter()
            .filter(|task| self.ready(service, task))
            .count();
        let held = old
            .iter()
            .filter_map(|index| tasks.get(*index))
            .filter(|task| task.protected)
            .count();
        if held > 0 {
            let text = format!(
                "was unable to reach steady state because task set ({}) was unable to scale in. Reason: The number of protected tasks are more than the desired count of tasks.",
                primary.id
            );
            self.say_now_and_then(service, &text);
        }
        for index in old {
            let Some(task) = tasks.get_mut(index).filter(|task| !task.protected) else {
                continue;
            };
            let works = self.ready(service, task);
            if works && healthy <= minimum as usize {
                continue;
            }
            if works {
                healthy -= 1;
            }
            Self::stop(service, task, reason.clone(), now);
        }
        service.tasks = tasks;
    }

    fn launch(&mut self, service: &mut Service) {
        let Some(primary) = service.primary().cloned() else {
            return;
        };
        if primary.rollout_state == RolloutState::Failed || service.next_launch_at > self.now {
            return;
        }
        let count = |filter: &dyn Fn(&Task) -> bool| {
            u32::try_from(service.tasks.iter().filter(|task| filter(task)).count())
                .unwrap_or(u32::MAX)
        };
        let alive = count(&|task| task.is_wanted() || task.last_status == TaskStatus::Running);
        let current = count(&|task| task.is_wanted() && task.started_by == primary.id);
        let maximum = percent_down(
            service.desired_count,
            service.deployment_configuration.maximum_percent,
        );
        let missing = service.desired_count.saturating_sub(current);
        let launches = missing.min(maximum.saturating_sub(alive)).min(LAUNCH_BATCH);
        if launches == LAUNCH_BATCH {
            service.next_launch_at = self.now + BATCH_PAUSE;
        }
        if missing > 0 && launches == 0 {
            let stuck =
                service.tasks.iter().all(|task| {
                    task.stopped_at.is_some() || (task.is_wanted() && task.is_running())
                }) && maximum <= service.desired_count;
            if stuck {
                self.say_now_and_then(service, "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.");
            }
        }
        let mut started = Vec::new();
        for _ in 0..launches {
            match self.place(service, &primary) {
                Ok(task) => {
                    started.push(format!("(task {})", task.id));
                    service.tasks.push(task);
                }
                Err(message) => {
                    self.say_now_and_then(service, &message);
                    service.steady = false;
                    service.next_launch_at = self.now + TimeDelta::seconds(30);
                    break;
                }
            }
        }
        if !started.is_empty() {
            let message = format!(
                "has started {} tasks: {}.",
                started.len(),
                started.join(" ")
            );
            service.say(self.now, &message);
        }
    }

    /// Says something, unless it was said lately.
    pub(super) fn say_now_and_then(&self, service: &mut Service, text: &str) {
        let message = format!("(service {}) {text}", service.name);
        let lately = service
            .events
            .iter()
            .take_while(|event| event.at + MESSAGE_REPEATS > self.now)
            .any(|event| event.message == message);
        if !lately {
            service.say(self.now, text);
        }
    }

    /// Completes the deployment and says that all is well, once it is.
    fn settle(&mut self, service: &mut Service) {
        let now = self.now;
        let Some(primary) = service.primary().map(|primary| primary.id.clone()) else {
            return;
        };
        let working = service
            .tasks
            .iter()
            .filter(|task| task.started_by == primary && self.ready(service, task))
            .count();
        let others = service.tasks.iter().any(|task| {
            task.started_by != primary && task.last_status < TaskStatus::Deprovisioning
        });
        let complete = working == service.desired_count as usize && !others;
        if !complete {
            if !service
                .deployments
                .iter()
                .any(|d| d.rollout_state == RolloutState::Failed)
            {
                service.steady = service.steady && working == service.desired_count as usize;
            }
            return;
        }
        let in_progress = service
            .primary()
            .is_some_and(|primary| primary.rollout_state == RolloutState::InProgress);
        if in_progress {
            if let Some(deployment) = service.primary_mut() {
                deployment.rollout_state = RolloutState::Completed;
                deployment.rollout_state_reason = format!("ECS deployment {primary} completed.");
                deployment.updated_at = now;
            }
            for record in &mut service.service_deployments {
                match record.status {
                    ServiceDeploymentStatus::InProgress if record.deployment == primary => {
                        record.status = ServiceDeploymentStatus::Successful;
                        record.finished_at = Some(now);
                    }
                    ServiceDeploymentStatus::RollbackInProgress => {
                        record.status = ServiceDeploymentStatus::RollbackSuccessful;
                        record.finished_at = Some(now);
                    }
                    ServiceDeploymentStatus::InProgress
                    | ServiceDeploymentStatus::Successful
                    | ServiceDeploymentStatus::Stopped
                    | ServiceDeploymentStatus::RollbackSuccessful
                    | ServiceDeploymentStatus::RollbackFailed => {}
                }
            }
            service
                .deployments
                .retain(|d| d.status == DeploymentStatus::Primary);
            service.say(
                now,
                &format!("(deployment {primary}) deployment completed."),
            );
        }
        let repeat = service
            .steady_said_at
            .is_none_or(|said| said + STEADY_STATE_REPEATS <= now);
        if !service.steady || repeat {
            service.say(now, "has reached a steady state.");
            service.steady = true;
            service.steady_said_at = Some(now);
        }
    }
}

fn deployment_of<'s>(service: &'s mut Service, task: &Task) -> Option<&'s mut Deployment> {
    service
        .deployments
        .iter_mut()
        .find(|deployment| deployment.id == task.started_by)
}

fn indices(tasks: &[Task], filter: impl Fn(&Task) -> bool) -> Vec<usize> {
    tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| filter(task))
        .map(|(index, _)| index)
        .collect()
}

/// Half of the desired count, but at least 3 and at most 200 (ECS Developer Guide, "How the Amazon
/// ECS deployment circuit breaker detects failures").
pub(super) fn failure_threshold(desired: u32) -> u32 {
    desired.div_ceil(2).clamp(3, 200)
}

fn back_off(failures: u32) -> TimeDelta {
    let doubled = 10_i64.saturating_mul(1_i64 << failures.saturating_sub(3).min(10));
    TimeDelta::seconds(doubled.min(LONGEST_BACK_OFF))
}

fn percent_up(count: u32, percent: u32) -> u32 {
    u32::try_from((u64::from(count) * u64::from(percent)).div_ceil(100)).unwrap_or(u32::MAX)
}

fn percent_down(count: u32, percent: u32) -> u32 {
    u32::try_from(u64::from(count) * u64::from(percent) / 100).unwrap_or(u32::MAX)
}

/// Brings the last good deployment back in front.
fn roll_back(service: &mut Service, id: &str, definition: &str, now: DateTime<Utc>) {
    for deployment in &mut service.deployments {
        deployment.status = DeploymentStatus::Active;
        deployment.desired_count = 0;
    }
    service.task_definition = definition.to_owned();
    let desired = service.desired_count;
    let back = service
        .deployments
        .iter()
        .position(|deployment| deployment.id == id);
    let id = if let Some(place) = back {
        let mut deployment = service.deployments.remove(place);
        deployment.status = DeploymentStatus::Primary;
        deployment.desired_count = desired;
        deployment.failed_tasks = 0;
        deployment.rollout_state = RolloutState::InProgress;
        deployment.updated_at = now;
        service.deployments.insert(0, deployment);
        id.to_owned()
    } else {
        begin_deployment(service, now);
        // The rollback belongs to the failed deployment's record, not to one of its own.
        service.service_deployments.remove(0);
        service
            .primary()
            .map(|primary| primary.id.clone())
            .unwrap_or_default()
    };
    if let Some(primary) = service.primary_mut() {
        primary.rollout_state_reason =
            format!("ECS deployment circuit breaker: rolling back to deploymentId {id}.");
    }
    service.say(now, &format!("rolling back to deployment {id}."));
    service.launch_failures = 0;
    service.next_launch_at = now;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_circuit_breaks_at_half_the_desired_count_within_bounds() {
        for (desired, expected) in [
            (0, 3),
            (1, 3),
            (6, 3),
            (7, 4),
            (25, 13),
            (400, 200),
            (1_000, 200),
        ] {
            assert_eq!(failure_threshold(desired), expected, "{desired}");
        }
    }

    #[test]
    fn the_launch_back_off_grows_to_its_bound() {
        let waits: Vec<i64> = (1..=10).map(|n| back_off(n).num_seconds()).collect();
        assert_eq!(waits, [10, 10, 10, 20, 40, 80, 160, 300, 300, 300]);
    }
}
