//! `DescribeServices`.

use aws_sdk_ecs::types::{AssignPublicIp, Deployment, Service, ServiceEvent as SdkEvent};

use crate::aws::{TextCleaner, moment};
use crate::observation::{DeploymentSnapshot, ServiceEvent, ServiceSnapshot};

pub(crate) fn service(from: &Service, cleaner: &TextCleaner) -> ServiceSnapshot {
    let network = from
        .network_configuration()
        .and_then(|network| network.awsvpc_configuration());
    let rollout = from.deployment_configuration();
    let mut deployments: Vec<DeploymentSnapshot> = from
        .deployments()
        .iter()
        .map(|item| deployment(item, cleaner))
        .collect();
    deployments.sort_by_key(|deployment| std::cmp::Reverse(deployment.created_at));
    let mut events: Vec<ServiceEvent> = from
        .events()
        .iter()
        .filter_map(|item| event(item, cleaner))
        .collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    ServiceSnapshot {
        arn: from.service_arn().unwrap_or_default().to_owned(),
        name: from.service_name().unwrap_or_default().to_owned(),
        cluster_arn: from.cluster_arn().unwrap_or_default().to_owned(),
        status: from.status().unwrap_or_default().to_owned(),
        desired_count: from.desired_count(),
        running_count: from.running_count(),
        pending_count: from.pending_count(),
        task_definition: from.task_definition().unwrap_or_default().to_owned(),
        launch_type: from.launch_type().map(|kind| kind.as_str().to_owned()),
        platform_version: from.platform_version().map(ToOwned::to_owned),
        capacity_providers: from
            .capacity_provider_strategy()
            .iter()
            .map(|item| item.capacity_provider().to_owned())
            .collect(),
        scheduling_strategy: from
            .scheduling_strategy()
            .map(|kind| kind.as_str().to_owned()),
        deployments,
        events,
        subnets: network
            .map(|vpc| vpc.subnets().to_vec())
            .unwrap_or_default(),
        security_groups: network
            .map(|vpc| vpc.security_groups().to_vec())
            .unwrap_or_default(),
        assign_public_ip: network
            .and_then(|vpc| vpc.assign_public_ip())
            .map(|assign| *assign == AssignPublicIp::Enabled),
        load_balancers: from
            .load_balancers()
            .iter()
            .map(|entry| {
                (
                    entry.target_group_arn().unwrap_or_default().to_owned(),
                    entry.container_name().unwrap_or_default().to_owned(),
                    entry.container_port().unwrap_or_default(),
                )
            })
            .collect(),
        health_check_grace_period_seconds: from.health_check_grace_period_seconds(),
        circuit_breaker: rollout
            .and_then(|rollout| rollout.deployment_circuit_breaker())
            .map(|breaker| (breaker.enable(), breaker.rollback())),
        minimum_healthy_percent: rollout.and_then(|rollout| rollout.minimum_healthy_percent()),
        maximum_percent: rollout.and_then(|rollout| rollout.maximum_percent()),
        enable_execute_command: from.enable_execute_command(),
        tags: from
            .tags()
            .iter()
            .map(|tag| {
                let key = cleaner.words(tag.key().unwrap_or_default());
                (key, cleaner.words(tag.value().unwrap_or_default()))
            })
            .collect(),
        created_at: moment(from.created_at()),
    }
}

fn deployment(from: &Deployment, cleaner: &TextCleaner) -> DeploymentSnapshot {
    DeploymentSnapshot {
        id: from.id().unwrap_or_default().to_owned(),
        status: from.status().unwrap_or_default().to_owned(),
        task_definition: from.task_definition().unwrap_or_default().to_owned(),
        desired_count: from.desired_count(),
        running_count: from.running_count(),
        pending_count: from.pending_count(),
        failed_tasks: from.failed_tasks(),
        rollout_state: from.rollout_state().map(|state| state.as_str().to_owned()),
        rollout_state_reason: from
            .rollout_state_reason()
            .map(|reason| cleaner.words(reason)),
        created_at: moment(from.created_at()),
        updated_at: moment(from.updated_at()),
    }
}

fn event(from: &SdkEvent, cleaner: &TextCleaner) -> Option<ServiceEvent> {
    Some(ServiceEvent {
        id: from.id().unwrap_or_default().to_owned(),
        at: moment(from.created_at())?,
        message: cleaner.words(from.message().unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{AwsVpcConfiguration, NetworkConfiguration, Tag};
    use aws_smithy_types::DateTime;

    use super::*;

    #[test]
    fn a_service_is_mapped_newest_first() {
        let at = |seconds| DateTime::from_secs(seconds);
        let vpc = AwsVpcConfiguration::builder()
            .subnets("subnet-1")
            .security_groups("sg-1")
            .assign_public_ip(AssignPublicIp::Enabled)
            .build()
            .unwrap();
        let from = Service::builder()
            .service_name("api")
            .desired_count(2)
            .network_configuration(
                NetworkConfiguration::builder()
                    .awsvpc_configuration(vpc)
                    .build(),
            )
            .deployments(Deployment::builder().id("old").created_at(at(1)).build())
            .deployments(Deployment::builder().id("new").created_at(at(2)).build())
            .events(
                SdkEvent::builder()
                    .id("a")
                    .created_at(at(5))
                    .message("first")
                    .build(),
            )
            .events(
                SdkEvent::builder()
                    .id("b")
                    .created_at(at(6))
                    .message("x\u{202e}y")
                    .build(),
            )
            .events(SdkEvent::builder().id("undated").build())
            .tags(Tag::builder().key("note").value("\u{1b}[2J").build())
            .build();
        let snapshot = service(&from, &TextCleaner::new().unwrap());
        assert_eq!(snapshot.deployments[0].id, "new");
        assert_eq!(snapshot.events.len(), 2);
        assert_eq!(snapshot.events[0].message, "x\\u{202e}y");
        assert_eq!(snapshot.assign_public_ip, Some(true));
        assert_eq!(snapshot.tags[0].1, "\\u{1b}[2J");
    }
}
