//! `DescribeContainerInstances`.

use aws_sdk_ecs::types::{ContainerInstance, Resource};

use crate::observation::ContainerInstanceSnapshot;

pub(crate) fn container_instance(from: &ContainerInstance) -> ContainerInstanceSnapshot {
    let amount = |resources: &[Resource], name: &str| {
        resources
            .iter()
            .find(|resource| resource.name() == Some(name))
            .map_or(0, |resource| resource.integer_value())
    };
    // ECS reports the ports that are taken as the "remaining" set; `registered` holds the ones
    // that ECS itself keeps.
    let used_ports = from
        .remaining_resources()
        .iter()
        .filter(|resource| resource.name() == Some("PORTS"))
        .flat_map(|resource| resource.string_set_value())
        .filter_map(|port| port.parse().ok())
        .collect();
    ContainerInstanceSnapshot {
        arn: from.container_instance_arn().unwrap_or_default().to_owned(),
        ec2_instance_id: from.ec2_instance_id().map(ToOwned::to_owned),
        status: from.status().unwrap_or_default().to_owned(),
        agent_connected: from.agent_connected(),
        registered_cpu: amount(from.registered_resources(), "CPU"),
        remaining_cpu: amount(from.remaining_resources(), "CPU"),
        registered_memory_mib: amount(from.registered_resources(), "MEMORY"),
        remaining_memory_mib: amount(from.remaining_resources(), "MEMORY"),
        used_ports,
        attributes: from
            .attributes()
            .iter()
            .map(|attribute| {
                (
                    attribute.name().to_owned(),
                    attribute.value().map(ToOwned::to_owned),
                )
            })
            .collect(),
        running_tasks: from.running_tasks_count(),
    }
}
