//! AWS services that tasks cannot reach although their subnets lead somewhere: one endpoint missing or
//! closed, or a network ACL in between.

use super::Finding;
use super::network::{Outbound, list, outbound, route_table_of};
use super::view::{Draft, View, has_any, reasons};
use crate::observation::{
    Cited, NetworkAclEntry, NetworkAclSnapshot, SecurityGroupSnapshot, SubnetSnapshot,
    TaskSnapshot, VpcEndpointSnapshot,
};

/// What a start says when nothing answered.
const UNREACHED: [&str; 5] = [
    "i/o timeout",
    "connection issue between the task and",
    "context deadline exceeded",
    "request canceled while waiting for connection",
    "StatusCode: 0",
];

/// A service that tasks need before they run.
struct Needed {
    mode: &'static str,
    /// Words that name it in a task's reason.
    words: &'static [&'static str],
    /// Ends of the names of its interface endpoints.
    endpoints: &'static [&'static str],
    name: &'static str,
}

const NEEDED: [Needed; 6] = [
    Needed {
        mode: "secrets-endpoint-unreachable",
        words: &["Secrets Manager", "from asm"],
        endpoints: &[".secretsmanager"],
        name: "Secrets Manager",
    },
    Needed {
        mode: "secrets-endpoint-unreachable",
        words: &["Systems Manager", "from ssm"],
        endpoints: &[".ssm"],
        name: "Systems Manager",
    },
    Needed {
        mode: "logs-endpoint-unreachable",
        words: &["logger args", "CloudWatch log", "CloudWatch Logs"],
        endpoints: &[".logs"],
        name: "CloudWatch Logs",
    },
    Needed {
        mode: "ecr-layer-s3-unreachable",
        words: &["failed to copy: http", "starport-layer-bucket"],
        endpoints: &[".s3"],
        name: "the layers of images in Amazon S3",
    },
    Needed {
        mode: "ecr-dkr-unreachable",
        words: &["from the Amazon ECR repository", "/manifests/"],
        endpoints: &[".ecr.dkr"],
        name: "the registry of Amazon ECR",
    },
    Needed {
        mode: "ecr-auth-unreachable",
        words: &["registry auth", "GetAuthorizationToken", "api.ecr."],
        endpoints: &[".ecr.api"],
        name: "the API of Amazon ECR",
    },
];

/// `secrets-endpoint-unreachable`, `logs-endpoint-unreachable`, `ecr-auth-unreachable`,
/// `ecr-dkr-unreachable`, `ecr-layer-s3-unreachable`, `vpce-private-dns-disabled`,
/// `vpce-sg-ingress-blocked`, `nacl-blocks-traffic`.
///
/// Only for subnets without a way to the internet that works, or with a network ACL in the way: where
/// the route or the tasks' own security group is at fault, that is said by `network`.
pub(crate) fn endpoints(view: &View<'_>) -> Vec<Finding> {
    let Some(task) = view
        .failures()
        .find(|task| has_any(&reasons(task), &UNREACHED))
    else {
        return Vec::new();
    };
    let text = reasons(task);
    let needed = NEEDED.iter().find(|needed| has_any(&text, needed.words));
    if let Some(finding) = closed_acl(view, task) {
        return vec![finding];
    }
    let Some(needed) = needed.filter(|_| only_endpoints(view)) else {
        return Vec::new();
    };
    let present: Vec<&Cited<VpcEndpointSnapshot>> = view
        .observation
        .network
        .endpoints
        .iter()
        .filter(|endpoint| {
            let serves = |end: &&str| endpoint.service.ends_with(*end);
            needed.endpoints.iter().any(serves) && endpoint.state == "available"
        })
        .collect();
    let used: Vec<_> = present
        .iter()
        .copied()
        .filter(|endpoint| is_in_use(endpoint) || routes_to(view, endpoint))
        .collect();
    let finding = match used.as_slice() {
        [] => public_names(view, task, &present, needed).or_else(|| absent(view, task, needed)),
        present => closed_endpoint(view, task, present, needed),
    };
    finding.into_iter().collect()
}

fn is_in_use(endpoint: &VpcEndpointSnapshot) -> bool {
    endpoint.state == "available" && endpoint.private_dns
}

/// Whether the route table of a subnet of the service leads to a gateway endpoint.
fn routes_to(view: &View<'_>, endpoint: &VpcEndpointSnapshot) -> bool {
    endpoint.kind == "Gateway"
        && service_subnets(view)
            .filter_map(|subnet| route_table_of(view.observation, subnet))
            .any(|table| endpoint.route_tables.contains(&table.id))
}

/// `vpce-private-dns-disabled`: the endpoint is there, and AWS's names lead past it.
fn public_names(
    view: &View<'_>,
    task: &Cited<TaskSnapshot>,
    present: &[&Cited<VpcEndpointSnapshot>],
    needed: &Needed,
) -> Option<Finding> {
    let endpoint = present
        .iter()
        .find(|endpoint| endpoint.kind == "Interface" && !endpoint.private_dns)?;
    view.draft("vpce-private-dns-disabled")?
        .because(format!(
            "Endpoint `{}` has no private DNS, so the names of {} lead to public addresses that the tasks do not reach.",
            endpoint.id, needed.name
        ))
        .affects(&endpoint.id)
        .cite_task(task)
        .cite(
            endpoint.evidence,
            &["privateDnsEnabled: false", "privateDns: false", "private_dns: false", &endpoint.id],
        )
        .decided(true, "")
        .finish()
}

/// Whether the service's subnets have endpoints and no default route: then a service without its
/// endpoint is out of reach.
fn only_endpoints(view: &View<'_>) -> bool {
    let observation = view.observation;
    let nowhere = service_subnets(view).all(|subnet| {
        route_table_of(observation, subnet)
            .is_some_and(|table| matches!(outbound(table), Outbound::Nowhere))
    });
    nowhere
        && observation
            .network
            .endpoints
            .iter()
            .any(|endpoint| endpoint.kind == "Interface" && is_in_use(endpoint))
}

fn service_subnets<'a>(
    view: &'a View<'_>,
) -> impl Iterator<Item = &'a Cited<SubnetSnapshot>> + use<'a> {
    let observation = view.observation;
    observation
        .network
        .subnets
        .iter()
        .filter(|subnet| observation.service.subnets.contains(&subnet.id))
}

fn absent(view: &View<'_>, task: &Cited<TaskSnapshot>, needed: &Needed) -> Option<Finding> {
    let subnets: Vec<&str> = service_subnets(view)
        .map(|subnet| subnet.id.as_str())
        .collect();
    let mut draft = view
        .draft(needed.mode)?
        .because(format!(
            "Subnet {} reaches AWS through VPC endpoints alone, and there is none that works for {}.",
            list(&subnets),
            needed.name
        ))
        .cite_task(task)
        .decided(
            !view.missing("ec2:DescribeVpcEndpoints"),
            "ec2:DescribeVpcEndpoints",
        );
    for subnet in service_subnets(view) {
        draft = draft
            .affects(&subnet.id)
            .cite(subnet.evidence, &[&subnet.id]);
    }
    draft.finish()
}

/// `vpce-sg-ingress-blocked`: the endpoint is there and lets the tasks not in.
fn closed_endpoint(
    view: &View<'_>,
    task: &Cited<TaskSnapshot>,
    present: &[&Cited<VpcEndpointSnapshot>],
    needed: &Needed,
) -> Option<Finding> {
    let observation = view.observation;
    let (endpoint, groups) = present.iter().find_map(|endpoint| {
        let groups: Vec<&Cited<SecurityGroupSnapshot>> = observation
            .network
            .security_groups
            .iter()
            .filter(|group| endpoint.security_groups.contains(&group.id))
            .collect();
        let read = !groups.is_empty() && groups.len() == endpoint.security_groups.len();
        let open = groups.iter().any(|group| admits_tasks(view, group));
        (read && !open).then_some((endpoint, groups))
    })?;
    let names: Vec<&str> = groups.iter().map(|group| group.id.as_str()).collect();
    let mut draft = view
        .draft("vpce-sg-ingress-blocked")?
        .because(format!(
            "Security group {} of endpoint `{}` does not let the tasks in on port 443, so {} is out of reach.",
            list(&names),
            endpoint.id,
            needed.name
        ))
        .affects(&endpoint.id)
        .cite_task(task)
        .cite(endpoint.evidence, &[&endpoint.id])
        .decided(true, "");
    for group in groups {
        draft = draft.affects(&group.id).cite(group.evidence, &[&group.id]);
    }
    Draft::finish(draft)
}

/// Whether a security group of an endpoint lets the service's tasks in.
fn admits_tasks(view: &View<'_>, group: &SecurityGroupSnapshot) -> bool {
    let service = &view.observation.service;
    group
        .ingress
        .iter()
        .filter(|rule| rule.covers_tcp(443))
        .any(|rule| {
            // Prefix lists were not read: they may contain the tasks.
            !rule.prefix_lists.is_empty()
                || rule
                    .groups
                    .iter()
                    .any(|peer| service.security_groups.contains(peer))
                || service_subnets(view).any(|subnet| {
                    rule.cidrs
                        .iter()
                        .any(|cidr| contains(cidr, subnet_start(&subnet.cidr)))
                })
        })
}

/// `nacl-blocks-traffic`: stateless, so both the way out and the way back must be open.
fn closed_acl(view: &View<'_>, task: &Cited<TaskSnapshot>) -> Option<Finding> {
    let (subnet, acl, entry, way) = service_subnets(view).find_map(|subnet| {
        let acl = view
            .observation
            .network
            .network_acls
            .iter()
            .find(|acl| acl.subnets.contains(&subnet.id))?;
        let out = decides(acl, true, 443);
        let back = decides(acl, false, 50_000);
        match (out, back) {
            (Some(entry), _) if !entry.allow => Some((subnet, acl, entry, "out to port 443")),
            (_, Some(entry)) if !entry.allow => {
                Some((subnet, acl, entry, "back to the ports above 1023"))
            }
            _ => None,
        }
    })?;
    let number = entry.rule_number;
    view.draft("nacl-blocks-traffic")?
        .because(format!(
            "Network ACL `{}` of subnet `{}` lets no traffic {way}: its rule {number} denies it.",
            acl.id, subnet.id
        ))
        .affects(&acl.id)
        .affects(&subnet.id)
        .cite_task(task)
        .cite(
            acl.evidence,
            &[
                &format!("ruleNumber: {number}"),
                &format!("rule_number: {number}"),
                &acl.id,
            ],
        )
        .decided(true, "")
        .finish()
}

/// The entry that decides about TCP traffic with the whole internet on this port: the one with the
/// lowest number that fits.
fn decides(acl: &NetworkAclSnapshot, egress: bool, port: i32) -> Option<&NetworkAclEntry> {
    acl.entries
        .iter()
        .filter(|entry| entry.egress == egress)
        .filter(|entry| matches!(entry.protocol.as_str(), "-1" | "6" | "tcp"))
        .filter(|entry| entry.cidr == "0.0.0.0/0")
        .filter(|entry| {
            entry.protocol == "-1"
                || (entry.from_port.is_none_or(|from| from <= port)
                    && entry.to_port.is_none_or(|to| port <= to))
        })
        .min_by_key(|entry| entry.rule_number)
}

fn subnet_start(cidr: &str) -> Option<std::net::Ipv4Addr> {
    cidr.split('/').next()?.parse().ok()
}

/// Whether an IPv4 block contains an address.
fn contains(cidr: &str, address: Option<std::net::Ipv4Addr>) -> bool {
    let (Some((network, bits)), Some(address)) = (cidr.split_once('/'), address) else {
        return false;
    };
    let (Ok(network), Ok(bits)) = (network.parse::<std::net::Ipv4Addr>(), bits.parse::<u32>())
    else {
        return false;
    };
    let mask = u32::MAX
        .checked_shl(32_u32.saturating_sub(bits))
        .unwrap_or(0);
    bits <= 32 && u32::from(network) & mask == u32::from(address) & mask
}

#[cfg(test)]
#[path = "endpoints_tests.rs"]
mod tests;
