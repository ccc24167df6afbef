//! The order in which a task's containers start: who waits for whom, and what comes of it.

use chrono::TimeDelta;

use super::Tick;
use super::health::container_check_passes;
use super::program::write_log;
use crate::world::{
    ContainerStatus, DependencyCondition, OrderingFailure, Service, Task, TaskSpec,
};

/// How long a container is waited for when it has no `startTimeout` (ECS Developer Guide, "Container
/// dependency": 3 minutes).
const START_TIMEOUT: u32 = 180;

impl Tick<'_> {
    /// How long the containers wait for one another; sets the task's `ordering_failure` when one of
    /// them waits in vain.
    pub(super) fn order(&self, spec: &TaskSpec, task: &mut Task) -> TimeDelta {
        let mut longest = 0;
        for definition in &spec.container_definitions {
            for dependency in &definition.depends_on {
                let name = &dependency.container_name;
                match self.comes_to(spec, task, name, dependency.condition) {
                    Ok(seconds) => longest = longest.max(seconds),
                    Err((seconds, exit_code)) => {
                        let target = &definition.name;
                        let reason = match exit_code {
                            Some(_) => format!(
                                "failed to resolve container ordering dependency [{name}] for target [{target}] as dependency did not exit successfully."
                            ),
                            None => format!(
                                "dependency graph: container ordering dependency [{name}] for target [{target}] has timed out."
                            ),
                        };
                        let lines = exit_code.map(|_| last_words(spec, task, name));
                        task.ordering_failure = Some(OrderingFailure {
                            container: name.clone(),
                            target: target.clone(),
                            exit_code,
                            reason,
                            lines: lines.unwrap_or_default(),
                        });
                        return TimeDelta::seconds(i64::from(seconds));
                    }
                }
            }
        }
        TimeDelta::seconds(i64::from(longest))
    }

    /// Seconds until a container meets a condition; or until it is known not to, with the exit code
    /// that it has then.
    fn comes_to(
        &self,
        spec: &TaskSpec,
        task: &Task,
        name: &str,
        condition: DependencyCondition,
    ) -> Result<u32, (u32, Option<i32>)> {
        let found = spec
            .container_definitions
            .iter()
            .zip(&task.containers)
            .find(|(definition, _)| definition.name == name);
        let Some((definition, container)) = found else {
            return Err((0, None));
        };
        let patience = definition.start_timeout.unwrap_or(START_TIMEOUT);
        let crash = container.app.as_deref().and_then(|app| app.crash.as_ref());
        match (condition, crash) {
            (DependencyCondition::Start, _) => Ok(0),
            (DependencyCondition::Complete, Some(end)) if end.after_seconds < patience => {
                Ok(end.after_seconds)
            }
            (DependencyCondition::Success, Some(end)) if end.after_seconds < patience => {
                if end.exit_code == 0 {
                    Ok(end.after_seconds)
                } else {
                    Err((end.after_seconds, Some(end.exit_code)))
                }
            }
            (DependencyCondition::Complete | DependencyCondition::Success, _) => {
                Err((patience, None))
            }
            (DependencyCondition::Healthy, _) => {
                let Some(check) = &definition.health_check else {
                    return Err((patience, None));
                };
                let step = check.interval.max(5);
                // A check passes for good as soon as it passes at all.
                (1..)
                    .map(|turn| step * turn)
                    .take_while(|seconds| *seconds < patience)
                    .find(|seconds| {
                        let then = self.now + TimeDelta::seconds(i64::from(*seconds));
                        container_check_passes(check, definition, container, self.now, then)
                    })
                    .ok_or((patience, None))
            }
        }
    }

    pub(super) fn fail_to_order(
        &mut self,
        service: &mut Service,
        spec: &TaskSpec,
        task: &mut Task,
        failure: &OrderingFailure,
    ) {
        for (definition, container) in spec.container_definitions.iter().zip(&mut task.containers) {
            if container.name == failure.container {
                container.exit_code = failure.exit_code;
                for line in &failure.lines {
                    write_log(self.region, definition, &task.id, self.now, line.clone());
                }
            }
            if container.name == failure.target {
                container.reason = Some(failure.reason.clone());
            }
        }
        self.fail_to_start(service, task, failure.reason.clone());
    }

    /// Containers that the task can do without come to their own ends.
    pub(super) fn end_optional(&mut self, spec: &TaskSpec, task: &mut Task) {
        let Some(started) = task.started_at else {
            return;
        };
        for (definition, container) in spec.container_definitions.iter().zip(&mut task.containers) {
            let Some(app) = container.app.clone().filter(|_| !definition.essential) else {
                continue;
            };
            let Some(crash) = app.crash.as_ref() else {
                continue;
            };
            let due = started + TimeDelta::seconds(i64::from(crash.after_seconds)) <= self.now;
            if due && container.status == ContainerStatus::Running {
                container.status = ContainerStatus::Stopped;
                container.exit_code = Some(crash.exit_code);
                for line in &crash.lines {
                    write_log(self.region, definition, &task.id, self.now, line.clone());
                }
            }
        }
    }
}

fn last_words(spec: &TaskSpec, task: &Task, name: &str) -> Vec<String> {
    spec.container_definitions
        .iter()
        .zip(&task.containers)
        .find(|(definition, _)| definition.name == name)
        .and_then(|(_, container)| container.app.as_deref()?.crash.as_ref())
        .map(|crash| crash.lines.clone())
        .unwrap_or_default()
}
