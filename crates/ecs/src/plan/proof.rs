//! What is known to be good: revisions that ran, images that exist, things around the service.

use chrono::TimeDelta;

use crate::observation::{EvidenceId, Observation, TaskDefinitionSnapshot, TaskSnapshot};

/// Longer than health checks, grace periods and most slow deaths take.
const RAN_LONG: TimeDelta = TimeDelta::minutes(30);

/// All task definition revisions that were read, the service's own first.
pub(crate) fn definitions(
    observation: &Observation,
) -> impl Iterator<Item = &TaskDefinitionSnapshot> {
    observation
        .task_definition
        .iter()
        .chain(&observation.other_task_definitions)
        .map(|definition| &definition.value)
}

/// Why a revision is known to have run healthy; the evidence that says so.
pub(crate) fn ran_healthy(
    observation: &Observation,
    definition: &TaskDefinitionSnapshot,
) -> Option<(String, EvidenceId)> {
    let service = &observation.service;
    let completed = service.deployments.iter().any(|deployment| {
        deployment.task_definition == definition.arn
            && deployment.rollout_state.as_deref() == Some("COMPLETED")
    });
    if completed {
        return Some(("its deployment completed".to_owned(), service.evidence));
    }
    let running = observation.tasks.iter().find(|task| {
        task.task_definition == definition.arn
            && task.last_status == "RUNNING"
            && task.health_status.as_deref() != Some("UNHEALTHY")
            && task.stopped_at.is_none()
            && task.task_definition != service.task_definition
    });
    if let Some(task) = running {
        return Some(("a task of it runs now".to_owned(), task.evidence));
    }
    if let Some(task) = observation
        .tasks
        .iter()
        .find(|task| task.task_definition == definition.arn && ran_until_replaced(task))
    {
        return Some((
            "a task of it ran for long, until a deployment replaced it".to_owned(),
            task.evidence,
        ));
    }
    // The service was steady after this revision was registered and before the present deployment
    // began, and no other known revision lies between.
    let present = service
        .deployments
        .iter()
        .find(|deployment| deployment.status == "PRIMARY")?;
    let registered = definition.registered_at?;
    let steady = service
        .events
        .iter()
        .filter(|event| event.message.contains("has reached a steady state"))
        .filter(|event| present.created_at.is_some_and(|began| event.at < began))
        .map(|event| event.at)
        .max()?;
    let newest_before = definitions(observation)
        .filter(|other| other.arn != present.task_definition)
        .filter(|other| other.registered_at.is_some_and(|at| at <= steady))
        .max_by_key(|other| other.revision)?;
    (newest_before.arn == definition.arn && registered <= steady).then(|| {
        (
            "the service was steady with it before the present deployment".to_owned(),
            service.evidence,
        )
    })
}

/// A task that the scheduler took away for a deployment after it had run for long: one that failed
/// its checks would have been replaced before.
fn ran_until_replaced(task: &TaskSnapshot) -> bool {
    let lived = match (task.started_at, task.stopped_at) {
        (Some(started), Some(stopped)) => stopped - started,
        _ => return false,
    };
    let replaced = task.stop_code.as_deref() == Some("ServiceSchedulerInitiated")
        && task
            .stopped_reason
            .as_deref()
            .is_some_and(|reason| reason.starts_with("Scaling activity initiated by"));
    replaced && lived >= RAN_LONG && task.health_status.as_deref() != Some("UNHEALTHY")
}

/// The newest active revision, other than the present one, that is known to have run healthy.
pub(crate) fn good_revision(
    observation: &Observation,
) -> Option<(&TaskDefinitionSnapshot, String, EvidenceId)> {
    let present = &observation.service.task_definition;
    let mut candidates: Vec<_> = definitions(observation)
        .filter(|definition| &definition.arn != present && definition.status == "ACTIVE")
        .filter_map(|definition| {
            let (why, evidence) = ran_healthy(observation, definition)?;
            Some((definition, why, evidence))
        })
        .collect();
    candidates.sort_by_key(|(definition, ..)| std::cmp::Reverse(definition.revision));
    candidates.into_iter().next()
}

/// Whether an image ran healthy in a known revision.
pub(crate) fn image_is_proven(observation: &Observation, image: &str) -> bool {
    definitions(observation)
        .filter(|definition| definition.containers.iter().any(|c| c.image == image))
        .any(|definition| ran_healthy(observation, definition).is_some())
}

/// Whether an image ran healthy, is named by a known revision, or is a tag that the registry lists.
pub(crate) fn image_is_known(observation: &Observation, image: &str) -> bool {
    let named = definitions(observation)
        .flat_map(|definition| &definition.containers)
        .any(|container| container.image == image);
    let listed = observation.images.iter().any(|known| {
        let stem = known
            .reference
            .rsplit_once(':')
            .map_or(known.reference.as_str(), |(stem, _)| stem);
        image
            .strip_prefix(stem)
            .and_then(|rest| rest.strip_prefix(':'))
            .is_some_and(|tag| known.existing_tags.iter().any(|listed| listed == tag))
    });
    named || listed
}

/// Whether a subnet was read around the service: its own, or associated with a route table of the
/// same VPC.
pub(crate) fn subnet_is_known(observation: &Observation, subnet: &str) -> bool {
    observation.service.subnets.iter().any(|own| own == subnet)
        || observation
            .network
            .subnets
            .iter()
            .any(|known| known.id == subnet)
        || observation.network.route_tables.iter().any(|table| {
            own_vpc(observation, &table.vpc_id) && table.subnets.iter().any(|known| known == subnet)
        })
}

fn own_vpc(observation: &Observation, vpc: &str) -> bool {
    observation
        .network
        .subnets
        .iter()
        .filter(|subnet| observation.service.subnets.contains(&subnet.id))
        .any(|subnet| subnet.vpc_id == vpc)
}
