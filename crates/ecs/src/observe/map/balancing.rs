//! `DescribeTargetGroups`, `DescribeTargetHealth`, `DescribeLoadBalancers`, listeners and rules.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, Listener, LoadBalancer, TargetGroup, TargetHealthDescription,
};

use super::texts;
use crate::aws::TextCleaner;
use crate::observation::{
    HealthCheck, ListenerSnapshot, LoadBalancerSnapshot, TargetGroupSnapshot, TargetSnapshot,
};

pub(crate) fn target_group(from: &TargetGroup) -> TargetGroupSnapshot {
    TargetGroupSnapshot {
        arn: from.target_group_arn().unwrap_or_default().to_owned(),
        name: from.target_group_name().unwrap_or_default().to_owned(),
        target_type: from.target_type().map(|kind| kind.as_str().to_owned()),
        protocol: from.protocol().map(|protocol| protocol.as_str().to_owned()),
        port: from.port(),
        vpc_id: from.vpc_id().map(ToOwned::to_owned),
        load_balancer_arns: from.load_balancer_arns().to_vec(),
        health_check: HealthCheck {
            protocol: from
                .health_check_protocol()
                .map(|protocol| protocol.as_str().to_owned()),
            port: from.health_check_port().map(ToOwned::to_owned),
            path: from.health_check_path().map(ToOwned::to_owned),
            interval_seconds: from.health_check_interval_seconds(),
            timeout_seconds: from.health_check_timeout_seconds(),
            healthy_threshold: from.healthy_threshold_count(),
            unhealthy_threshold: from.unhealthy_threshold_count(),
            matcher: from
                .matcher()
                .and_then(|matcher| matcher.http_code().or(matcher.grpc_code()))
                .map(ToOwned::to_owned),
        },
        deregistration_delay_seconds: None,
        targets: Vec::new(),
    }
}

pub(crate) fn target(from: &TargetHealthDescription, cleaner: &TextCleaner) -> TargetSnapshot {
    let (target, health) = (from.target(), from.target_health());
    TargetSnapshot {
        id: target
            .and_then(|target| target.id())
            .unwrap_or_default()
            .to_owned(),
        port: target.and_then(|target| target.port()),
        state: health
            .and_then(|health| health.state())
            .map(|state| state.as_str().to_owned())
            .unwrap_or_default(),
        reason: health
            .and_then(|health| health.reason())
            .map(|code| code.as_str().to_owned()),
        description: health
            .and_then(|health| health.description())
            .map(|text| cleaner.words(text)),
        availability_zone: target
            .and_then(|target| target.availability_zone())
            .map(ToOwned::to_owned),
    }
}

pub(crate) fn load_balancer(from: &LoadBalancer) -> LoadBalancerSnapshot {
    LoadBalancerSnapshot {
        arn: from.load_balancer_arn().unwrap_or_default().to_owned(),
        name: from.load_balancer_name().unwrap_or_default().to_owned(),
        kind: from
            .r#type()
            .map(|kind| kind.as_str().to_owned())
            .unwrap_or_default(),
        scheme: from.scheme().map(|scheme| scheme.as_str().to_owned()),
        dns_name: from.dns_name().map(ToOwned::to_owned),
        state: from
            .state()
            .and_then(|state| state.code())
            .map(|code| code.as_str().to_owned()),
        security_groups: texts(from.security_groups.as_deref()),
        availability_zones: from
            .availability_zones()
            .iter()
            .filter_map(|zone| zone.zone_name())
            .map(ToOwned::to_owned)
            .collect(),
        vpc_id: from.vpc_id().map(ToOwned::to_owned),
        listeners: Vec::new(),
    }
}

pub(crate) fn listener(from: &Listener) -> ListenerSnapshot {
    ListenerSnapshot {
        arn: from.listener_arn().unwrap_or_default().to_owned(),
        port: from.port(),
        protocol: from.protocol().map(|protocol| protocol.as_str().to_owned()),
        forwards_to: forwards_to(from.default_actions()),
    }
}

/// Target groups that a list of actions forwards to.
pub(crate) fn forwards_to(actions: &[Action]) -> Vec<String> {
    let mut groups: Vec<String> = actions
        .iter()
        .flat_map(|action| {
            let weighted = action
                .forward_config()
                .map(|config| config.target_groups())
                .unwrap_or_default();
            action
                .target_group_arn()
                .into_iter()
                .chain(weighted.iter().filter_map(|group| group.target_group_arn()))
        })
        .map(ToOwned::to_owned)
        .collect();
    groups.sort();
    groups.dedup();
    groups
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::{
        ActionTypeEnum, ForwardActionConfig, TargetGroupTuple,
    };

    use super::*;

    #[test]
    fn weighted_and_plain_forwards_are_found_once() {
        let tuple = |arn: &str| TargetGroupTuple::builder().target_group_arn(arn).build();
        let config = ForwardActionConfig::builder()
            .target_groups(tuple("tg-a"))
            .target_groups(tuple("tg-b"))
            .build();
        let action = Action::builder()
            .r#type(ActionTypeEnum::Forward)
            .target_group_arn("tg-a")
            .forward_config(config)
            .build();
        assert_eq!(forwards_to(&[action]), ["tg-a", "tg-b"]);
    }
}
