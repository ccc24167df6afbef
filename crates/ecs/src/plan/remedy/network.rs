//! Security groups, subnets and addresses.

use super::{Remedy, update};
use crate::analyse::{
    Finding, Outbound, balancer_groups, outbound, registered_port, route_table_of, service_groups,
};
use crate::observation::Observation;
use crate::plan::{
    AwsvpcNetwork, Direction, Operation, Peer, PortRule, SecurityGroupRuleChange, proof,
};

pub(super) fn ingress(observation: &Observation, finding: &Finding) -> Remedy {
    let rule = observation
        .target_groups
        .iter()
        .filter(|group| finding.affected.contains(&group.arn))
        .find_map(|group| {
            let port = registered_port(observation, group)?;
            let peer = balancer_groups(observation, group).into_iter().next()?;
            let own = service_groups(observation).into_iter().next()?;
            Some(SecurityGroupRuleChange {
                group: own.id.clone(),
                direction: Direction::Ingress,
                rule: PortRule {
                    from_port: port,
                    to_port: port,
                    peer: Peer::Group { id: peer },
                },
            })
        });
    Remedy::of(
        rule.map(Operation::AuthorizeSecurityGroup)
            .into_iter()
            .collect(),
    )
}

pub(super) fn egress(observation: &Observation, finding: &Finding) -> Remedy {
    let Some(own) = service_groups(observation).into_iter().next() else {
        return Remedy::default();
    };
    let opens_443 = service_groups(observation)
        .iter()
        .any(|group| group.egress.iter().any(|rule| rule.covers_tcp(443)));
    // A dependency on another port: who it is, is text of the program; a person opens that.
    if opens_443 {
        return Remedy::default();
    }
    let rule = SecurityGroupRuleChange {
        group: own.id.clone(),
        direction: Direction::Egress,
        rule: PortRule {
            from_port: 443,
            to_port: 443,
            peer: Peer::Cidr {
                cidr: "0.0.0.0/0".to_owned(),
            },
        },
    };
    let mut remedy = Remedy::of(vec![Operation::AuthorizeSecurityGroup(rule)]);
    let endpoint = observation
        .network
        .endpoints
        .iter()
        .find_map(|endpoint| endpoint.security_groups.first());
    if let Some(id) = endpoint {
        remedy = remedy.or(
            "Open 443 to the VPC endpoints' group only",
            "narrower, but enough only if endpoints exist for all that the tasks call",
            vec![Operation::AuthorizeSecurityGroup(SecurityGroupRuleChange {
                group: own.id.clone(),
                direction: Direction::Egress,
                rule: PortRule {
                    from_port: 443,
                    to_port: 443,
                    peer: Peer::Group { id: id.clone() },
                },
            })],
        );
    }
    let _ = finding;
    remedy
}

/// Moves new tasks to subnets of the VPC that have a working way out.
pub(super) fn other_subnets(observation: &Observation) -> Remedy {
    let service = &observation.service;
    let working: Vec<String> = candidates(observation)
        .filter(|subnet| way_out(observation, subnet))
        .collect();
    if working.is_empty() || service.security_groups.is_empty() {
        return Remedy::default();
    }
    Remedy::of(vec![move_to(observation, working)])
}

/// Adds subnets with the same way out and room.
pub(super) fn more_subnets(observation: &Observation) -> Remedy {
    let service = &observation.service;
    let full = |id: &String| {
        observation
            .network
            .subnets
            .iter()
            .any(|subnet| &subnet.id == id && subnet.available_ips < 2)
    };
    let mut subnets: Vec<String> = service
        .subnets
        .iter()
        .filter(|id| !full(id))
        .cloned()
        .collect();
    let more: Vec<String> = candidates(observation)
        .filter(|subnet| same_table(observation, subnet))
        .filter(|subnet| !full(subnet))
        .collect();
    if subnets.is_empty() && more.is_empty() {
        return Remedy::default();
    }
    subnets.extend(more);
    if subnets == service.subnets {
        return Remedy::default();
    }
    Remedy::of(vec![move_to(observation, subnets)])
}

pub(super) fn move_to(observation: &Observation, subnets: Vec<String>) -> Operation {
    let mut update = update(observation);
    update.network = Some(AwsvpcNetwork {
        subnets,
        security_groups: observation.service.security_groups.clone(),
        assign_public_ip: observation.service.assign_public_ip.unwrap_or(false),
    });
    Operation::UpdateService(update)
}

/// Subnets of the VPC that the service does not use.
pub(super) fn candidates(observation: &Observation) -> impl Iterator<Item = String> {
    let listed = observation
        .network
        .route_tables
        .iter()
        .flat_map(|table| table.subnets.iter())
        .chain(observation.network.subnets.iter().map(|subnet| &subnet.id));
    let mut seen: Vec<String> = Vec::new();
    for id in listed {
        if !observation.service.subnets.contains(id)
            && !seen.contains(id)
            && proof::subnet_is_known(observation, id)
        {
            seen.push(id.clone());
        }
    }
    seen.into_iter()
}

/// Whether private addresses get out of this subnet.
pub(super) fn way_out(observation: &Observation, subnet: &str) -> bool {
    observation
        .network
        .route_tables
        .iter()
        .filter(|table| table.subnets.iter().any(|known| known == subnet))
        .any(|table| matches!(outbound(table), Outbound::Through))
}

/// Whether a subnet has the route table of one of the service's subnets.
pub(super) fn same_table(observation: &Observation, subnet: &str) -> bool {
    let own: Vec<&str> = observation
        .network
        .subnets
        .iter()
        .filter(|known| observation.service.subnets.contains(&known.id))
        .filter_map(|known| route_table_of(observation, known))
        .map(|table| table.id.as_str())
        .collect();
    let explicit = observation
        .network
        .route_tables
        .iter()
        .find(|table| table.subnets.iter().any(|known| known == subnet))
        .or_else(|| {
            observation
                .network
                .route_tables
                .iter()
                .find(|table| table.main)
        });
    explicit.is_some_and(|table| own.contains(&table.id.as_str()))
}

pub(super) fn public_ip(observation: &Observation) -> Remedy {
    let service = &observation.service;
    if service.launch_type.as_deref() == Some("EC2") || service.security_groups.is_empty() {
        return Remedy::default();
    }
    let mut update = update(observation);
    update.network = Some(AwsvpcNetwork {
        subnets: service.subnets.clone(),
        security_groups: service.security_groups.clone(),
        assign_public_ip: true,
    });
    let mut remedy = Remedy::of(vec![Operation::UpdateService(update)]);
    remedy.warnings.push(
        "Tasks get public addresses; their security groups decide who reaches them. Private subnets with NAT are the better design.".to_owned(),
    );
    remedy
}
