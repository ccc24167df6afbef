//! Tasks that find no place on a container instance.

use super::Finding;
use super::view::{View, short};

/// `no-container-instances`.
pub(crate) fn none_registered(view: &View<'_>) -> Option<Finding> {
    let event = view.event_saying("No Container Instances were found in your cluster")?;
    let service = &view.observation.service;
    let decided = view.observation.container_instances.is_empty()
        && !view.missing("ecs:ListContainerInstances")
        && !view.missing("ecs:DescribeContainerInstances");
    if !view.observation.container_instances.is_empty() {
        return None;
    }
    view.draft("no-container-instances")?
        .because(format!(
            "Cluster `{}` has no container instance, so no task of `{}` can be placed.",
            short(&service.cluster_arn),
            service.name
        ))
        .cite_event(event)
        .affects(&service.cluster_arn)
        .decided(decided, "ecs:ListContainerInstances of the cluster")
        .finish()
}

/// `insufficient-memory-instances`, `insufficient-cpu-instances`; `task-larger-than-instance` when not
/// even an empty one would do.
pub(crate) fn too_small(view: &View<'_>) -> Vec<Finding> {
    [
        (
            "insufficient-memory-instances",
            "has insufficient memory available",
            "MiB of memory",
        ),
        (
            "insufficient-cpu-instances",
            "has insufficient CPU units available",
            "CPU units",
        ),
    ]
    .into_iter()
    .filter_map(|(mode, words, unit)| {
        let event = view.event_saying(words)?;
        let definition = view.observation.task_definition.as_ref()?;
        let memory = mode == "insufficient-memory-instances";
        let needed = if memory {
            reserved_memory(definition)
        } else {
            reserved_cpu(definition)
        };
        let free = view
            .observation
            .container_instances
            .iter()
            .filter(|instance| instance.status == "ACTIVE" && instance.agent_connected)
            .map(|instance| {
                let free = if memory {
                    instance.remaining_memory_mib
                } else {
                    instance.remaining_cpu
                };
                (free, instance)
            })
            .max_by_key(|(free, _)| *free);
        // Room has been made since: the event is about the past.
        if free.is_some_and(|(free, _)| free >= needed && needed > 0) {
            return None;
        }
        let largest = view
            .observation
            .container_instances
            .iter()
            .map(|instance| match memory {
                true => instance.registered_memory_mib,
                false => instance.registered_cpu,
            })
            .max()
            .filter(|largest| *largest > 0);
        let mode = match largest {
            Some(largest) if needed > largest => "task-larger-than-instance",
            Some(_) | None => mode,
        };
        let most = free.map_or_else(String::new, |(free, _)| {
            format!(" and the roomiest instance has {free}")
        });
        let draft = view
            .draft(mode)?
            .because(format!(
                "A task of {} reserves {needed} {unit}{most}.",
                short(&definition.arn)
            ))
            .cite_event(event)
            .affects(&definition.arn)
            .decided(
                free.is_some(),
                "ecs:DescribeContainerInstances of the cluster",
            );
        match free {
            Some((free, instance)) => draft
                .cite(instance.evidence, &[&free.to_string(), &instance.arn])
                .affects(&instance.arn),
            None => draft,
        }
        .finish()
    })
    .collect()
}

/// `agent-disconnected`: only when tasks are missing because of it; agents disconnect for moments
/// several times an hour.
pub(crate) fn agents(view: &View<'_>) -> Option<Finding> {
    let service = &view.observation.service;
    let deaf: Vec<_> = view
        .observation
        .container_instances
        .iter()
        .filter(|instance| !instance.agent_connected && instance.status == "ACTIVE")
        .collect();
    let event = view.event_saying("encountered error \"AGENT\"");
    if (deaf.is_empty() && event.is_none()) || service.running_count >= service.desired_count {
        return None;
    }
    // An instance that listens and has room would have been used.
    if event.is_none() && deaf.len() < view.observation.container_instances.len() {
        return None;
    }
    let names: Vec<&str> = deaf.iter().map(|instance| instance.arn.as_str()).collect();
    let which = if names.is_empty() {
        "of a container instance".to_owned()
    } else {
        format!("on {}", super::network::list(&names))
    };
    let mut draft = view
        .draft("agent-disconnected")?
        .because(format!(
            "The ECS agent {which} is disconnected, so no task of `{}` can be placed there.",
            service.name
        ))
        .decided(
            !deaf.is_empty(),
            "ecs:DescribeContainerInstances of the cluster",
        );
    for instance in &deaf {
        draft = draft
            .cite(
                instance.evidence,
                &[
                    "agentConnected: false",
                    "agent_connected: false",
                    "false",
                    &instance.arn,
                ],
            )
            .affects(&instance.arn);
    }
    match event {
        Some(event) => draft.cite_event(event),
        None => draft,
    }
    .finish()
}

/// `instances-draining`: there are instances, and none that takes tasks.
pub(crate) fn draining(view: &View<'_>) -> Option<Finding> {
    let instances = &view.observation.container_instances;
    let drains = instances
        .iter()
        .all(|instance| instance.status == "DRAINING");
    if instances.is_empty() || !drains {
        return None;
    }
    let event = view.event_saying("no container instance met all of its requirements")?;
    let service = &view.observation.service;
    let mut draft = view
        .draft("instances-draining")?
        .because(format!(
            "All {} container instances of cluster `{}` are draining, so no task of `{}` can be placed.",
            instances.len(),
            short(&service.cluster_arn),
            service.name
        ))
        .cite_event(event)
        .affects(&service.cluster_arn)
        .decided(true, "");
    for instance in instances {
        draft = draft
            .cite(instance.evidence, &["DRAINING"])
            .affects(&instance.arn);
    }
    draft.finish()
}

/// What the scheduler reserves for one task, in MiB.
pub(crate) fn reserved_memory(definition: &crate::observation::TaskDefinitionSnapshot) -> i32 {
    definition.memory_mib.unwrap_or_else(|| {
        definition
            .containers
            .iter()
            .map(|container| {
                container
                    .memory_reservation_mib
                    .or(container.memory_mib)
                    .unwrap_or(0)
            })
            .sum()
    })
}

fn reserved_cpu(definition: &crate::observation::TaskDefinitionSnapshot) -> i32 {
    definition.cpu.unwrap_or_else(|| {
        definition
            .containers
            .iter()
            .map(|container| container.cpu)
            .sum()
    })
}
