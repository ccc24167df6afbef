//! The service itself: its count, its deployments, its revision, its scaling.

use super::view::{View, short};
use super::{Finding, Role};

/// `service-desired-count-zero`: nobody is asked to run, although nothing says that this is meant.
pub(crate) fn desired_count_zero(view: &View<'_>) -> Option<Finding> {
    let service = &view.observation.service;
    if service.desired_count != 0 || service.status != "ACTIVE" {
        return None;
    }
    let scaling = view.observation.scaling.as_ref();
    // Scaling that may go to zero did what it was told.
    if scaling.is_some_and(|scaling| scaling.min_capacity == 0) {
        return None;
    }
    let last = service.events.first();
    let mut draft = view
        .draft("service-desired-count-zero")?
        .because(format!(
            "Service `{}` is asked to run 0 tasks, so nothing runs.",
            service.name
        ))
        .cite(service.evidence, &["desiredCount: 0", "desired_count: 0"])
        .affects(&service.arn)
        .decided(true, "");
    if let Some(scaling) = scaling {
        let min = scaling.min_capacity;
        draft = draft.cite(
            scaling.evidence,
            &[
                &format!("minCapacity: {min}"),
                &format!("min_capacity: {min}"),
            ],
        );
    }
    match last {
        Some(event) => draft.cite_event(event),
        None => draft,
    }
    .finish()
}

/// `task-definition-inactive`.
pub(crate) fn inactive_revision(view: &View<'_>) -> Option<Finding> {
    let definition = view.observation.task_definition.as_ref()?;
    if definition.status == "ACTIVE" || definition.status.is_empty() {
        return None;
    }
    let status = &definition.status;
    view.draft("task-definition-inactive")?
        .because(format!(
            "The service asks for {}, which is {status}: it cannot be deployed again.",
            short(&definition.arn)
        ))
        .cite(definition.evidence, &[&format!("status: {status}"), status])
        .affects(&definition.arn)
        .decided(true, "")
        .finish()
}

/// `circuit-breaker-rolled-back`, `circuit-breaker-no-rollback`, `deployment-stuck-no-circuit-breaker`:
/// wrappers around the mode that made the tasks fail.
pub(crate) fn wrappers(view: &View<'_>) -> Option<Finding> {
    let service = &view.observation.service;
    // An alarm's rollback is a finding of its own.
    if alarm(view).is_some() {
        return None;
    }
    if let Some(rolled_back) = &view.rolled_back {
        let draft = view
            .draft("circuit-breaker-rolled-back")?
            .because(format!(
                "The last deployment of `{}` failed and was rolled back; the revision before it serves.",
                service.name
            ))
            .cite(service.evidence, &[&rolled_back.event])
            .affects(&service.arn)
            .role(Role::Symptom)
            .decided(true, "");
        let failed = service.events.iter().find(|event| {
            event.at <= rolled_back.at && event.message.contains("deployment failed")
        });
        return match failed {
            Some(event) => draft.cite_event(event),
            None => draft,
        }
        .finish();
    }
    let primary = view.primary()?;
    let failed = service
        .deployments
        .iter()
        .find(|deployment| deployment.rollout_state.as_deref() == Some("FAILED"));
    if let Some(failed) = failed {
        return view
            .draft("circuit-breaker-no-rollback")?
            .because(format!(
                "Deployment `{}` of {} failed and nothing rolls it back, so ECS starts no more tasks.",
                failed.id,
                short(&failed.task_definition)
            ))
            .cite(
                service.evidence,
                &[
                    failed.rollout_state_reason.as_deref().unwrap_or_default(),
                    "rolloutState: FAILED",
                    "rollout_state: FAILED",
                    "FAILED",
                ],
            )
            .affects(&failed.id)
            .role(Role::Symptom)
            .decided(true, "")
            .finish();
    }
    let breaker = service.circuit_breaker.is_some_and(|(enabled, _)| enabled);
    if primary.rollout_state.as_deref() == Some("IN_PROGRESS")
        && primary.failed_tasks >= 3
        && !breaker
    {
        let failed = primary.failed_tasks;
        return view
            .draft("deployment-stuck-no-circuit-breaker")?
            .because(format!(
                "Deployment `{}` has lost {failed} tasks and, without a circuit breaker, goes on for ever.",
                primary.id
            ))
            .cite(
                service.evidence,
                &[&format!("failedTasks: {failed}"), &format!("failed_tasks: {failed}"), &primary.id],
            )
            .affects(&primary.id)
            .role(Role::Symptom)
            .finish();
    }
    None
}

/// `deployment-alarm-rollback`: the alarm is before the steady state that the rollback came to.
pub(crate) fn alarm(view: &View<'_>) -> Option<Finding> {
    const WORDS: &str = "deployment failed: alarm detected";
    let service = &view.observation.service;
    let event = match &view.rolled_back {
        Some(rolled_back) => service
            .events
            .iter()
            .filter(|event| event.at <= rolled_back.at)
            .find(|event| event.message.contains("deployment failed"))
            .filter(|event| event.message.contains(WORDS)),
        None => view.event_saying(WORDS),
    }?;
    view.draft("deployment-alarm-rollback")?
        .because(format!(
            "An alarm of `{}` went off during the deployment, which ECS stopped for it.",
            service.name
        ))
        .cite_event(event)
        .affects(&service.arn)
        .decided(true, "")
        .finish()
}

/// `scaling-at-max-capacity`.
pub(crate) fn at_max_capacity(view: &View<'_>) -> Option<Finding> {
    let service = &view.observation.service;
    let scaling = view.observation.scaling.as_ref()?;
    if service.desired_count < scaling.max_capacity || scaling.max_capacity == 0 {
        return None;
    }
    scaling.held_at_max()?;
    let max = scaling.max_capacity;
    view.draft("scaling-at-max-capacity")?
        .because(format!(
            "`{}` runs at its maximum of {max} tasks and scaling asks for more.",
            service.name
        ))
        .cite(scaling.evidence, &["AlreadyAtMaxCapacity"])
        .cite(
            scaling.evidence,
            &[
                &format!("maxCapacity: {max}"),
                &format!("max_capacity: {max}"),
            ],
        )
        .affects(&service.arn)
        .decided(true, "")
        .finish()
}

/// `sigkill-after-stop-timeout`: a program that does not hear SIGTERM. It never makes a healthy
/// service unwell, so it is said only beside something else.
pub(crate) fn deaf_to_sigterm(view: &View<'_>) -> Option<Finding> {
    let (task, container) = view.observation.tasks.iter().find_map(|task| {
        let asked = task.stop_code.as_deref() == Some("ServiceSchedulerInitiated");
        let container = task.containers.iter().find(|container| {
            container.exit_code == Some(137)
                && container
                    .reason
                    .as_deref()
                    .is_none_or(|reason| !reason.contains("OutOfMemory"))
        })?;
        asked.then_some((task, container))
    })?;
    view.draft("sigkill-after-stop-timeout")?
        .because(format!(
            "Container `{}` does not end on SIGTERM and is killed after its stop timeout.",
            container.name
        ))
        .cite_task(task)
        .cite_container(task, container)
        .role(Role::Contributing)
        .finish()
}

/// A draft that was made or not, as a list.
pub(crate) fn listed(finding: Option<Finding>) -> Vec<Finding> {
    finding.into_iter().collect()
}
