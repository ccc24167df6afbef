//! Tasks that reach nothing: egress, routes, public addresses, exhausted subnets.

use super::Finding;
use super::view::{Draft, View, has_any, reasons, short};
use crate::observation::{
    Cited, Observation, RouteSnapshot, RouteTableSnapshot, SecurityGroupSnapshot, SubnetSnapshot,
    TaskSnapshot,
};

/// What a start says when nothing answered.
const UNREACHED: [&str; 6] = [
    "i/o timeout",
    "connection issue between the task and",
    "context deadline exceeded",
    "request canceled while waiting for connection",
    "Context canceled",
    "StatusCode: 0",
];

/// Where the traffic of a subnet that is meant for the internet goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outbound<'a> {
    /// No default route.
    Nowhere,
    /// A default route whose target is gone.
    Blackhole(&'a RouteSnapshot),
    /// An internet gateway: only interfaces with a public address get out.
    InternetGateway(&'a RouteSnapshot),
    /// A NAT gateway, transit gateway or other working target.
    Through,
}

/// `sg-egress-blocked`, `route-blackhole-nat-deleted`, `fargate-public-subnet-no-public-ip`,
/// `private-subnet-no-nat-or-endpoint`: each can hold at the same time as another.
pub(crate) fn egress(view: &View<'_>) -> Vec<Finding> {
    let Some(task) = view
        .failures()
        .find(|task| has_any(&reasons(task), &UNREACHED))
    else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    findings.extend(blocked_egress(view, task));
    findings.extend(routes(view, task));
    findings
}

fn blocked_egress(view: &View<'_>, task: &Cited<TaskSnapshot>) -> Option<Finding> {
    let groups = service_groups(view.observation);
    if groups.is_empty() || opens_egress(&groups, 443) {
        return None;
    }
    let names: Vec<&str> = groups.iter().map(|group| group.id.as_str()).collect();
    let mut draft = view.draft("sg-egress-blocked")?.because(format!(
        "Security group {} of the tasks lets no outbound TCP 443 through, so images, secrets and logs are out of reach.",
        list(&names)
    ));
    for group in groups {
        draft = draft.cite(group.evidence, &[&group.id]).affects(&group.id);
        let rules: Vec<&str> = group
            .egress
            .iter()
            .map(|rule| rule.protocol.as_str())
            .collect();
        if rules.is_empty() {
            draft = draft.cite(group.evidence, &["ipPermissionsEgress: []", "egress: []"]);
        }
    }
    draft.cite_task(task).decided(true, "").finish()
}

fn routes(view: &View<'_>, task: &Cited<TaskSnapshot>) -> Vec<Finding> {
    let observation = view.observation;
    let endpoints = has_endpoints(observation);
    let public_ip = observation.service.assign_public_ip == Some(true);
    let mut findings: Vec<Finding> = Vec::new();
    for subnet in &observation.network.subnets {
        let used = observation.service.subnets.contains(&subnet.id)
            && task
                .subnet
                .as_ref()
                .is_none_or(|of_task| of_task == &subnet.id || task_is_elsewhere(view, subnet));
        let Some(table) = route_table_of(observation, subnet).filter(|_| used) else {
            continue;
        };
        let finding = match outbound(table) {
            Outbound::Blackhole(route) => view.draft("route-blackhole-nat-deleted").map(|draft| {
                let draft = draft
                    .because(format!(
                        "The default route of subnet `{}` (route table `{}`) points at `{}`, which is gone.",
                        subnet.id, table.id, route.target
                    ))
                    .cite(table.evidence, &["state: blackhole", "State: blackhole", "blackhole"])
                    .cite(table.evidence, &[&route.target]);
                let gateway = observation.network.nat_gateways.iter().find(|nat| nat.id == route.target);
                match gateway {
                    Some(nat) => draft.cite(nat.evidence, &[&nat.state]),
                    None => draft,
                }
            }),
            Outbound::InternetGateway(route) if !public_ip && !endpoints => {
                view.draft("fargate-public-subnet-no-public-ip").map(|draft| {
                    draft
                        .because(format!(
                            "Subnet `{}` goes out through `{}`, which serves only public addresses, and the service gives its tasks none.",
                            subnet.id, route.target
                        ))
                        .cite(table.evidence, &[&route.target])
                        .cite(
                            observation.service.evidence,
                            &["assignPublicIp: DISABLED", "assign_public_ip: false", "DISABLED", &observation.service.name],
                        )
                })
            }
            Outbound::Nowhere if !endpoints => {
                view.draft("private-subnet-no-nat-or-endpoint").map(|draft| {
                    draft
                        .because(format!(
                            "Route table `{}` of subnet `{}` has no default route and the VPC has no endpoints for ECR, S3 and logs.",
                            table.id, subnet.id
                        ))
                        .cite(table.evidence, &[&table.id])
                })
            }
            Outbound::InternetGateway(_) | Outbound::Nowhere | Outbound::Through => None,
        };
        let Some(draft) = finding else { continue };
        let finding = draft
            .affects(&subnet.id)
            .affects(&table.id)
            .cite_task(task)
            .decided(
                !view.missing("ec2:DescribeVpcEndpoints"),
                "ec2:DescribeVpcEndpoints",
            )
            .finish();
        let Some(finding) = finding else { continue };
        match findings.iter_mut().find(|known| known.mode == finding.mode) {
            Some(known) => known.affected.extend(finding.affected),
            None => findings.push(finding),
        }
    }
    findings
}

/// Whether another current failure sits in this subnet.
fn task_is_elsewhere(view: &View<'_>, subnet: &SubnetSnapshot) -> bool {
    view.failures()
        .any(|task| task.subnet.as_ref() == Some(&subnet.id))
}

/// `subnet-ip-exhaustion`.
pub(crate) fn addresses(view: &View<'_>) -> Vec<Finding> {
    const CODE: &str = "InsufficientFreeAddressesInSubnet";
    let observation = view.observation;
    let task = view.failures().find(|task| reasons(task).contains(CODE));
    let event = view
        .event_saying(CODE)
        .or_else(|| view.event_saying("insufficient free addresses"));
    if task.is_none() && event.is_none() {
        return Vec::new();
    }
    let full: Vec<&Cited<SubnetSnapshot>> = observation
        .network
        .subnets
        .iter()
        .filter(|subnet| {
            observation.service.subnets.contains(&subnet.id) && subnet.available_ips < 2
        })
        .collect();
    let names: Vec<&str> = full.iter().map(|subnet| subnet.id.as_str()).collect();
    let which = if names.is_empty() {
        "of the service".to_owned()
    } else {
        list(&names)
    };
    let draft = view.draft("subnet-ip-exhaustion").map(|draft| {
        let mut draft = draft
            .because(format!(
                "Subnet {which} has no free address for another task."
            ))
            .decided(
                !full.is_empty(),
                "ec2:DescribeSubnets of the service's subnets",
            );
        for subnet in &full {
            let free = subnet.available_ips;
            draft = draft.affects(&subnet.id).cite(
                subnet.evidence,
                &[
                    &format!("availableIpAddressCount: {free}"),
                    &format!("available_ips: {free}"),
                    &free.to_string(),
                ],
            );
        }
        let draft = match task {
            Some(task) => draft.cite_task(task),
            None => draft,
        };
        match event {
            Some(event) => draft.cite_event(event),
            None => draft,
        }
    });
    draft.and_then(Draft::finish).into_iter().collect()
}

/// The security groups of the service's tasks, as far as they were read.
pub(crate) fn service_groups(observation: &Observation) -> Vec<&Cited<SecurityGroupSnapshot>> {
    observation
        .network
        .security_groups
        .iter()
        .filter(|group| observation.service.security_groups.contains(&group.id))
        .collect()
}

/// Whether any of the groups lets TCP traffic to this port out.
pub(crate) fn opens_egress(groups: &[&Cited<SecurityGroupSnapshot>], port: i32) -> bool {
    groups
        .iter()
        .any(|group| group.egress.iter().any(|rule| rule.covers_tcp(port)))
}

/// The route table of a subnet: its own or the VPC's main one.
pub(crate) fn route_table_of<'a>(
    observation: &'a Observation,
    subnet: &SubnetSnapshot,
) -> Option<&'a Cited<RouteTableSnapshot>> {
    let tables = &observation.network.route_tables;
    tables
        .iter()
        .find(|table| table.subnets.contains(&subnet.id))
        .or_else(|| {
            tables.iter().find(|table| {
                table.main && (table.vpc_id == subnet.vpc_id || subnet.vpc_id.is_empty())
            })
        })
}

/// Where a route table's default route leads.
pub(crate) fn outbound(table: &RouteTableSnapshot) -> Outbound<'_> {
    match table
        .routes
        .iter()
        .find(|route| route.destination == "0.0.0.0/0")
    {
        None => Outbound::Nowhere,
        Some(route) if route.state == "blackhole" => Outbound::Blackhole(route),
        Some(route) if route.target.starts_with("igw-") => Outbound::InternetGateway(route),
        Some(_) => Outbound::Through,
    }
}

/// Whether the VPC is meant to reach AWS through endpoints: then one that is missing or closed is said by
/// `endpoints`.
fn has_endpoints(observation: &Observation) -> bool {
    observation.network.endpoints.iter().any(|endpoint| {
        endpoint.kind == "Interface" && endpoint.state == "available" && endpoint.private_dns
    })
}

/// Names in backticks, with commas.
pub(crate) fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{}`", short(name)))
        .collect::<Vec<_>>()
        .join(", ")
}
