//! Whether an operation is in effect: pure comparisons of what was asked with what AWS shows.

use crate::observation::{
    ScalingSnapshot, SecurityGroupSnapshot, SecurityRule, ServiceSnapshot, TargetGroupSnapshot,
};
use crate::plan::{
    Direction, ModifyTargetGroupHealthCheck, Peer, PortRule, RegisterScalableTarget,
    SecurityGroupRuleChange, UpdateService,
};

/// Whether the service is as the update wants it, with `task_definition` already resolved.
pub(crate) fn service_is(
    service: &ServiceSnapshot,
    update: &UpdateService,
    task_definition: Option<&str>,
) -> bool {
    let network = update.network.as_ref().is_none_or(|network| {
        same(&network.subnets, &service.subnets)
            && same(&network.security_groups, &service.security_groups)
            && network.assign_public_ip == service.assign_public_ip.unwrap_or(false)
    });
    let breaker = update
        .circuit_breaker
        .is_none_or(|breaker| service.circuit_breaker == Some((breaker.enable, breaker.rollback)));
    let percents = update.healthy_percents.is_none_or(|percents| {
        service.minimum_healthy_percent == Some(percents.minimum)
            && service.maximum_percent == Some(percents.maximum)
    });
    network
        && breaker
        && percents
        && task_definition.is_none_or(|arn| service.task_definition == arn)
        && update
            .desired_count
            .is_none_or(|count| service.desired_count == count)
        && update
            .health_check_grace_period_seconds
            .is_none_or(|grace| service.health_check_grace_period_seconds == Some(grace))
}

fn same(wanted: &[String], present: &[String]) -> bool {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    sorted(wanted) == sorted(present)
}

/// The rule as EC2 writes it.
pub(crate) fn as_security_rule(rule: &PortRule) -> SecurityRule {
    let mut written = SecurityRule {
        protocol: "tcp".to_owned(),
        from_port: Some(rule.from_port),
        to_port: Some(rule.to_port),
        ..SecurityRule::default()
    };
    match &rule.peer {
        Peer::Group { id } => written.groups.push(id.clone()),
        Peer::Cidr { cidr } => written.cidrs.push(cidr.clone()),
        Peer::PrefixList { id } => written.prefix_lists.push(id.clone()),
    }
    written
}

/// Whether the group has exactly this rule, alone or beside other peers.
pub(crate) fn has_rule(group: &SecurityGroupSnapshot, change: &SecurityGroupRuleChange) -> bool {
    let rules = match change.direction {
        Direction::Ingress => &group.ingress,
        Direction::Egress => &group.egress,
    };
    let wanted = as_security_rule(&change.rule);
    rules.iter().any(|rule| {
        let within = |wanted: &[String], present: &[String]| {
            wanted.iter().all(|peer| present.contains(peer))
        };
        (rule.protocol == "tcp" || rule.protocol == "6")
            && rule.from_port == wanted.from_port
            && rule.to_port == wanted.to_port
            && within(&wanted.groups, &rule.groups)
            && within(&wanted.cidrs, &rule.cidrs)
            && within(&wanted.prefix_lists, &rule.prefix_lists)
    })
}

/// Whether the health check is as the change wants it.
pub(crate) fn health_check_is(
    group: &TargetGroupSnapshot,
    change: &ModifyTargetGroupHealthCheck,
) -> bool {
    let check = &group.health_check;
    fn met<T: PartialEq>(wanted: &Option<T>, present: &Option<T>) -> bool {
        wanted.is_none() || wanted == present
    }
    met(&change.path, &check.path)
        && met(&change.port, &check.port)
        && met(&change.interval_seconds, &check.interval_seconds)
        && met(&change.timeout_seconds, &check.timeout_seconds)
        && met(&change.healthy_threshold, &check.healthy_threshold)
        && met(&change.unhealthy_threshold, &check.unhealthy_threshold)
        && met(&change.matcher, &check.matcher)
}

/// Whether the scaling limits are as the change wants them.
pub(crate) fn limits_are(
    scaling: Option<&ScalingSnapshot>,
    change: &RegisterScalableTarget,
) -> bool {
    scaling.is_some_and(|scaling| {
        scaling.min_capacity == change.min_capacity && scaling.max_capacity == change.max_capacity
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::HealthCheck;
    use crate::plan::{AwsvpcNetwork, CircuitBreaker, HealthyPercents};

    #[test]
    fn every_field_of_an_update_counts() {
        let service = ServiceSnapshot {
            task_definition: "td:2".to_owned(),
            desired_count: 2,
            subnets: vec!["a".to_owned(), "b".to_owned()],
            assign_public_ip: Some(false),
            circuit_breaker: Some((true, false)),
            minimum_healthy_percent: Some(50),
            maximum_percent: Some(200),
            health_check_grace_period_seconds: Some(30),
            ..ServiceSnapshot::default()
        };
        let update = UpdateService {
            desired_count: Some(2),
            network: Some(AwsvpcNetwork {
                subnets: vec!["b".to_owned(), "a".to_owned()],
                ..AwsvpcNetwork::default()
            }),
            circuit_breaker: Some(CircuitBreaker {
                enable: true,
                rollback: false,
            }),
            health_check_grace_period_seconds: Some(30),
            healthy_percents: Some(HealthyPercents {
                minimum: 50,
                maximum: 200,
            }),
            ..UpdateService::default()
        };
        assert!(service_is(&service, &update, Some("td:2")));
        assert!(service_is(&service, &UpdateService::default(), None));
        assert!(!service_is(&service, &update, Some("td:3")));
        for other in [
            UpdateService {
                desired_count: Some(3),
                ..update.clone()
            },
            UpdateService {
                healthy_percents: Some(HealthyPercents {
                    minimum: 50,
                    maximum: 150,
                }),
                ..update.clone()
            },
            UpdateService {
                health_check_grace_period_seconds: Some(31),
                ..update.clone()
            },
            UpdateService {
                circuit_breaker: Some(CircuitBreaker {
                    enable: true,
                    rollback: true,
                }),
                ..update.clone()
            },
            UpdateService {
                network: Some(AwsvpcNetwork {
                    assign_public_ip: true,
                    ..update.network.clone().unwrap()
                }),
                ..update.clone()
            },
        ] {
            assert!(!service_is(&service, &other, Some("td:2")), "{other:?}");
        }
    }

    #[test]
    fn a_rule_is_found_beside_other_peers_and_on_its_side_only() {
        let change = SecurityGroupRuleChange {
            group: "sg-1".to_owned(),
            direction: Direction::Egress,
            rule: PortRule {
                from_port: 443,
                to_port: 443,
                peer: Peer::Cidr {
                    cidr: "0.0.0.0/0".to_owned(),
                },
            },
        };
        let mut rule = as_security_rule(&change.rule);
        rule.groups.push("sg-other".to_owned());
        let group = SecurityGroupSnapshot {
            egress: vec![rule],
            ..SecurityGroupSnapshot::default()
        };
        assert!(has_rule(&group, &change));
        let inbound = SecurityGroupRuleChange {
            direction: Direction::Ingress,
            ..change.clone()
        };
        assert!(!has_rule(&group, &inbound));
        let wider = SecurityGroupRuleChange {
            rule: PortRule {
                to_port: 444,
                ..change.rule.clone()
            },
            ..change
        };
        assert!(!has_rule(&group, &wider));
    }

    #[test]
    fn only_named_parts_of_a_health_check_are_compared() {
        let group = TargetGroupSnapshot {
            health_check: HealthCheck {
                path: Some("/up".to_owned()),
                ..HealthCheck::default()
            },
            ..TargetGroupSnapshot::default()
        };
        let change = |path: Option<&str>, matcher: Option<&str>| ModifyTargetGroupHealthCheck {
            path: path.map(ToOwned::to_owned),
            matcher: matcher.map(ToOwned::to_owned),
            ..ModifyTargetGroupHealthCheck::default()
        };
        assert!(health_check_is(&group, &change(Some("/up"), None)));
        assert!(!health_check_is(&group, &change(Some("/up"), Some("200"))));
        assert!(!health_check_is(&group, &change(Some("/"), None)));
    }
}
