//! `DescribeTasks`.

use aws_sdk_ecs::types::{Container, Task};

use crate::aws::{TextCleaner, moment};
use crate::observation::{ContainerSnapshot, TaskSnapshot};

pub(crate) fn task(from: &Task, cleaner: &TextCleaner) -> TaskSnapshot {
    let interface = |wanted: &str| {
        from.attachments()
            .iter()
            .flat_map(|attachment| attachment.details())
            .find(|detail| detail.name() == Some(wanted))
            .and_then(|detail| detail.value())
            .map(ToOwned::to_owned)
    };
    let container_ip = || {
        from.containers()
            .iter()
            .flat_map(|container| container.network_interfaces())
            .find_map(|interface| interface.private_ipv4_address())
            .map(ToOwned::to_owned)
    };
    TaskSnapshot {
        arn: from.task_arn().unwrap_or_default().to_owned(),
        task_definition: from.task_definition_arn().unwrap_or_default().to_owned(),
        last_status: from.last_status().unwrap_or_default().to_owned(),
        desired_status: from.desired_status().map(ToOwned::to_owned),
        health_status: from
            .health_status()
            .map(|status| status.as_str().to_owned()),
        stop_code: from.stop_code().map(|code| code.as_str().to_owned()),
        stopped_reason: from.stopped_reason().map(|reason| cleaner.words(reason)),
        started_by: from.started_by().map(|by| cleaner.words(by)),
        group: from.group().map(|group| cleaner.words(group)),
        availability_zone: from.availability_zone().map(ToOwned::to_owned),
        launch_type: from.launch_type().map(|kind| kind.as_str().to_owned()),
        container_instance: from.container_instance_arn().map(ToOwned::to_owned),
        subnet: interface("subnetId"),
        private_ip: interface("privateIPv4Address").or_else(container_ip),
        created_at: moment(from.created_at()),
        started_at: moment(from.started_at()),
        stopped_at: moment(from.stopped_at()),
        containers: from
            .containers()
            .iter()
            .map(|item| container(item, cleaner))
            .collect(),
    }
}

fn container(from: &Container, cleaner: &TextCleaner) -> ContainerSnapshot {
    ContainerSnapshot {
        name: from.name().unwrap_or_default().to_owned(),
        image: from.image().map(|image| cleaner.words(image)),
        image_digest: from.image_digest().map(ToOwned::to_owned),
        last_status: from.last_status().map(ToOwned::to_owned),
        exit_code: from.exit_code(),
        reason: from.reason().map(|reason| cleaner.words(reason)),
        health_status: from
            .health_status()
            .map(|status| status.as_str().to_owned()),
        runtime_id: from.runtime_id().map(ToOwned::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{Attachment, KeyValuePair, TaskOverride};

    use super::*;

    #[test]
    fn a_stopped_task_keeps_reason_and_address_but_no_override() {
        let detail =
            |name: &str, value: &str| KeyValuePair::builder().name(name).value(value).build();
        let secret = aws_sdk_ecs::types::ContainerOverride::builder()
            .command("--password=canary-override")
            .build();
        let from = Task::builder()
            .task_arn("arn:aws:ecs:eu-west-1:123456789012:task/c/1")
            .stopped_reason("Essential container in task exited")
            .attachments(
                Attachment::builder()
                    .details(detail("subnetId", "subnet-1"))
                    .details(detail("privateIPv4Address", "10.0.0.5"))
                    .build(),
            )
            .overrides(TaskOverride::builder().container_overrides(secret).build())
            .containers(
                Container::builder()
                    .name("app")
                    .exit_code(137)
                    .reason("OOM")
                    .build(),
            )
            .build();
        let snapshot = task(&from, &TextCleaner::new().unwrap());
        assert_eq!(snapshot.subnet.as_deref(), Some("subnet-1"));
        assert_eq!(snapshot.private_ip.as_deref(), Some("10.0.0.5"));
        assert_eq!(snapshot.containers[0].exit_code, Some(137));
        assert!(!serde_json::to_string(&snapshot).unwrap().contains("canary"));
    }
}
