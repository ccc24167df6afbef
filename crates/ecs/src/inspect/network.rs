//! The network that a cluster's tasks run in, and what stands out in it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::DesiredStatus;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde::Serialize;

use super::{Status, cluster};
use crate::aws::{
    AwsClients, AwsError, InternetGatewaySnapshot, NetworkInterfaceSnapshot, Page, Pages, Reading,
    VpcSnapshot, collect_pages,
};
use crate::observation::{
    LoadBalancerSnapshot, NatGatewaySnapshot, RouteTableSnapshot, SecurityGroupSnapshot,
    SubnetSnapshot, TargetGroupSnapshot, VpcEndpointSnapshot,
};
use crate::observe::{map, name_in_arn, target_health};

/// Most VPCs that are read whole.
const MOST_VPCS: usize = 5;

/// Most pages of load balancers and of target groups.
const MOST_PAGES: usize = 10;

/// Fewer free addresses than this in a subnet stand out.
const FEW_ADDRESSES: i64 = 8;

/// The network of a cluster.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkConfiguration {
    /// Whether it could be read.
    pub status: Status,
    /// The network.
    pub data: Option<NetworkData>,
    /// The result in a sentence.
    pub message: String,
}

/// What was read.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkData {
    /// When.
    pub timestamp: DateTime<Utc>,
    /// The VPCs that the cluster's services and tasks run in.
    pub vpc_ids: Vec<String>,
    /// The cluster.
    pub clusters: Vec<String>,
    /// Everything that lies in those VPCs.
    pub raw_resources: NetworkResources,
    /// What stands out, and how the parts belong together.
    pub analysis_guide: AnalysisGuide,
}

/// Everything that lies in the VPCs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NetworkResources {
    /// The VPCs.
    pub vpcs: Vec<VpcSnapshot>,
    /// Their subnets.
    pub subnets: Vec<SubnetSnapshot>,
    /// Their security groups.
    pub security_groups: Vec<SecurityGroupSnapshot>,
    /// Their route tables.
    pub route_tables: Vec<RouteTableSnapshot>,
    /// Their network interfaces.
    pub network_interfaces: Vec<NetworkInterfaceSnapshot>,
    /// Their NAT gateways.
    pub nat_gateways: Vec<NatGatewaySnapshot>,
    /// Their internet gateways.
    pub internet_gateways: Vec<InternetGatewaySnapshot>,
    /// Their VPC endpoints.
    pub vpc_endpoints: Vec<VpcEndpointSnapshot>,
    /// Load balancers in them.
    pub load_balancers: Vec<LoadBalancerSnapshot>,
    /// Target groups in them, with the health of every target.
    pub target_groups: Vec<TargetGroupSnapshot>,
    /// Parts that could not be read, and why.
    pub not_read: Vec<String>,
}

/// What to look at.
#[derive(Debug, Clone, Serialize)]
pub struct AnalysisGuide {
    /// What stands out in this network.
    pub common_issues: Vec<NetworkIssue>,
    /// How the parts belong together here.
    pub resource_relationships: Vec<Relationship>,
}

/// Something that stands out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkIssue {
    /// What it is.
    pub issue: String,
    /// Why it matters.
    pub description: String,
    /// Where it is.
    pub checks: Vec<String>,
}

/// That one thing uses another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Relationship {
    /// What uses.
    pub from: String,
    /// What is used.
    pub to: String,
    /// In what way.
    pub key: String,
}

/// Where a cluster's services and tasks are.
#[derive(Debug, Default)]
struct Whereabouts {
    subnets: BTreeSet<String>,
    /// Service, subnets, security groups.
    services: Vec<(String, Vec<String>, Vec<String>)>,
}

/// Reads the VPCs of a cluster's services and tasks, or the one that is named.
///
/// # Errors
/// [`AwsError`] when nothing says which VPC is meant. A part that cannot be read is named.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn network_configuration(
    clients: &AwsClients,
    cluster: &str,
    vpc: Option<&str>,
) -> Result<NetworkConfiguration, AwsError> {
    let whereabouts = match whereabouts(clients, cluster).await {
        Ok(found) => found,
        Err(error) if vpc.is_some() || error.is_not_found() => Whereabouts::default(),
        Err(error) => return Err(error),
    };
    let vpcs: Vec<String> = match vpc {
        Some(vpc) => vec![vpc.to_owned()],
        None => vpcs_of(clients, &whereabouts).await?,
    };
    if vpcs.is_empty() {
        return Ok(NetworkConfiguration {
            status: Status::Warning,
            data: None,
            message: format!(
                "nothing in cluster `{}` says which VPC it runs in: no service and no task has subnets; \
                 give `vpc_id`",
                name_in_arn(cluster)
            ),
        });
    }
    let resources = resources(clients, &vpcs).await;
    let guide = AnalysisGuide {
        common_issues: issues(&resources, &whereabouts),
        resource_relationships: relationships(&resources, &whereabouts),
    };
    let message = format!(
        "{} VPCs with {} subnets, {} security groups and {} target groups; {} things stand out",
        resources.vpcs.len(),
        resources.subnets.len(),
        resources.security_groups.len(),
        resources.target_groups.len(),
        guide.common_issues.len()
    );
    Ok(NetworkConfiguration {
        status: Status::Success,
        data: Some(NetworkData {
            timestamp: clients.latest_date().unwrap_or_else(Utc::now),
            vpc_ids: vpcs,
            clusters: vec![name_in_arn(cluster).to_owned()],
            raw_resources: resources,
            analysis_guide: guide,
        }),
        message,
    })
}

async fn whereabouts(clients: &AwsClients, cluster: &str) -> Result<Whereabouts, AwsError> {
    let (services, tasks) = tokio::join!(
        cluster::list_services(clients, cluster),
        cluster::list_tasks(clients, cluster, None, DesiredStatus::Running),
    );
    let (services, tasks) = (services?.items, tasks?.items);
    let (services, tasks) = tokio::join!(
        cluster::describe_services(clients, cluster, &services),
        cluster::describe_tasks(clients, cluster, &tasks),
    );
    let services = services?;
    let subnets = services
        .iter()
        .flat_map(|service| service.subnets.clone())
        .chain(tasks?.into_iter().filter_map(|task| task.subnet))
        .collect();
    Ok(Whereabouts {
        subnets,
        services: services
            .into_iter()
            .map(|service| (service.name, service.subnets, service.security_groups))
            .collect(),
    })
}

async fn vpcs_of(clients: &AwsClients, whereabouts: &Whereabouts) -> Result<Vec<String>, AwsError> {
    if whereabouts.subnets.is_empty() {
        return Ok(Vec::new());
    }
    let subnets: Vec<String> = whereabouts.subnets.iter().cloned().collect();
    let read = clients.describe_subnets(&subnets).await.outcome?;
    let vpcs: BTreeSet<String> = read.items.into_iter().map(|subnet| subnet.vpc_id).collect();
    Ok(vpcs.into_iter().take(MOST_VPCS).collect())
}

async fn resources(clients: &AwsClients, vpcs: &[String]) -> NetworkResources {
    let (of_vpcs, balancers, groups) = tokio::join!(
        join_all(vpcs.iter().map(|vpc| async move {
            tokio::join!(
                clients.describe_vpcs(Some(vpc)),
                clients.subnets_of(vpc),
                clients.security_groups_of(vpc),
                clients.describe_route_tables(vpc),
                clients.network_interfaces_of(vpc),
                clients.describe_nat_gateways(vpc),
                clients.internet_gateways_of(vpc),
                clients.describe_vpc_endpoints(vpc),
            )
        })),
        load_balancers(clients),
        target_groups(clients, vpcs),
    );
    let mut found = NetworkResources::default();
    let mut not_read = Vec::new();
    for (vpc, subnets, groups, tables, interfaces, nats, gateways, endpoints) in of_vpcs {
        take(vpc, &mut found.vpcs, &mut not_read);
        take(subnets, &mut found.subnets, &mut not_read);
        take(groups, &mut found.security_groups, &mut not_read);
        take(tables, &mut found.route_tables, &mut not_read);
        take(interfaces, &mut found.network_interfaces, &mut not_read);
        take(nats, &mut found.nat_gateways, &mut not_read);
        take(gateways, &mut found.internet_gateways, &mut not_read);
        take(endpoints, &mut found.vpc_endpoints, &mut not_read);
    }
    take(balancers, &mut found.load_balancers, &mut not_read);
    found.load_balancers.retain(|balancer| {
        balancer
            .vpc_id
            .as_ref()
            .is_some_and(|vpc| vpcs.contains(vpc))
    });
    let (groups, errors) = groups;
    found.target_groups = groups;
    not_read.extend(errors);
    not_read.sort();
    not_read.dedup();
    found.not_read = not_read;
    found
}

fn take<T>(reading: Reading<Pages<T>>, into: &mut Vec<T>, not_read: &mut Vec<String>) {
    match reading.outcome {
        Ok(pages) => {
            if pages.truncated {
                not_read.push(format!("`{}` has more than was read", reading.source.call));
            }
            into.extend(pages.items);
        }
        Err(error) => not_read.push(error.to_string()),
    }
}

async fn load_balancers(clients: &AwsClients) -> Reading<Pages<LoadBalancerSnapshot>> {
    collect_pages(MOST_PAGES, |token| {
        let request = clients
            .balancing
            .describe_load_balancers()
            .set_marker(token);
        let call = "elasticloadbalancing:DescribeLoadBalancers";
        let reading = clients.read(call, "every load balancer", |receipt| {
            request.customize().interceptor(receipt).send()
        });
        async move {
            reading.await.map(|answer| Page {
                items: answer
                    .load_balancers()
                    .iter()
                    .map(map::load_balancer)
                    .collect(),
                next: answer.next_marker.filter(|marker| !marker.is_empty()),
            })
        }
    })
    .await
}

/// Target groups of these VPCs with their targets, and what could not be read.
async fn target_groups(
    clients: &AwsClients,
    vpcs: &[String],
) -> (Vec<TargetGroupSnapshot>, Vec<String>) {
    let listed = collect_pages(MOST_PAGES, |token| {
        let request = clients.balancing.describe_target_groups().set_marker(token);
        let call = "elasticloadbalancing:DescribeTargetGroups";
        let reading = clients.read(call, "every target group", |receipt| {
            request.customize().interceptor(receipt).send()
        });
        async move {
            reading.await.map(|answer| Page {
                items: answer
                    .target_groups()
                    .iter()
                    .map(map::target_group)
                    .collect(),
                next: answer.next_marker.filter(|marker| !marker.is_empty()),
            })
        }
    })
    .await;
    let (mut groups, mut not_read) = (Vec::new(), Vec::new());
    take(listed, &mut groups, &mut not_read);
    groups.retain(|group: &TargetGroupSnapshot| {
        group.vpc_id.as_ref().is_some_and(|vpc| vpcs.contains(vpc))
    });
    let health = join_all(
        groups
            .iter()
            .map(|group| target_health(clients, &group.arn)),
    )
    .await;
    for (group, reading) in groups.iter_mut().zip(health) {
        match reading.outcome {
            Ok(targets) => group.targets = targets,
            Err(error) => not_read.push(error.to_string()),
        }
    }
    (groups, not_read)
}

/// What stands out: a pure function of what was read.
fn issues(network: &NetworkResources, whereabouts: &Whereabouts) -> Vec<NetworkIssue> {
    let mut issues = Vec::new();
    let mut note = |issue: &str, description: &str, checks: Vec<String>| {
        if !checks.is_empty() {
            issues.push(NetworkIssue {
                issue: issue.to_owned(),
                description: description.to_owned(),
                checks,
            });
        }
    };
    let used = |subnet: &&SubnetSnapshot| whereabouts.subnets.contains(&subnet.id);
    note(
        "few free addresses",
        "a task of its own network interface needs one free address; without one it does not start",
        network
            .subnets
            .iter()
            .filter(used)
            .filter(|subnet| subnet.available_ips < FEW_ADDRESSES)
            .map(|subnet| format!("{} has {} free addresses", subnet.id, subnet.available_ips))
            .collect(),
    );
    note(
        "route to nowhere",
        "what a route points to is gone, so packets of its subnets are dropped",
        network
            .route_tables
            .iter()
            .flat_map(|table| table.routes.iter().map(move |route| (table, route)))
            .filter(|(_, route)| route.state == "blackhole")
            .map(|(table, route)| {
                format!("{}: {} via {}", table.id, route.destination, route.target)
            })
            .collect(),
    );
    note(
        "subnet without a way out",
        "no default route: images, secrets and logs are reached only through VPC endpoints",
        network
            .subnets
            .iter()
            .filter(used)
            .filter(|subnet| !has_default_route(network, subnet))
            .map(|subnet| format!("{} in {}", subnet.id, subnet.availability_zone))
            .collect(),
    );
    let groups: BTreeMap<&str, &SecurityGroupSnapshot> = network
        .security_groups
        .iter()
        .map(|group| (group.id.as_str(), group))
        .collect();
    note(
        "security group that lets nothing out",
        "a task in it can pull no image and reach no dependency",
        whereabouts
            .services
            .iter()
            .filter(|(_, _, ids)| {
                let known: Vec<_> = ids
                    .iter()
                    .filter_map(|id| groups.get(id.as_str()))
                    .collect();
                !known.is_empty() && known.iter().all(|group| group.egress.is_empty())
            })
            .map(|(service, _, ids)| format!("service {service} with {}", ids.join(", ")))
            .collect(),
    );
    note(
        "unhealthy targets",
        "the load balancer sends them no traffic, and ECS replaces them",
        network
            .target_groups
            .iter()
            .flat_map(|group| group.targets.iter().map(move |target| (group, target)))
            .filter(|(_, target)| matches!(target.state.as_str(), "unhealthy" | "unavailable"))
            .map(|(group, target)| {
                format!(
                    "{}: {} {} ({})",
                    group.name,
                    target.id,
                    target.state,
                    target
                        .description
                        .as_deref()
                        .or(target.reason.as_deref())
                        .unwrap_or("no reason given")
                )
            })
            .collect(),
    );
    issues
}

fn has_default_route(network: &NetworkResources, subnet: &SubnetSnapshot) -> bool {
    let own = network
        .route_tables
        .iter()
        .find(|table| table.subnets.contains(&subnet.id));
    let table = own.or_else(|| {
        network
            .route_tables
            .iter()
            .find(|table| table.main && table.vpc_id == subnet.vpc_id)
    });
    // A table that was not read says nothing.
    table.is_none_or(|table| {
        table
            .routes
            .iter()
            .any(|route| route.destination == "0.0.0.0/0" && route.state != "blackhole")
    })
}

fn relationships(network: &NetworkResources, whereabouts: &Whereabouts) -> Vec<Relationship> {
    let relation = |from: String, to: &str, key: &str| Relationship {
        from,
        to: to.to_owned(),
        key: key.to_owned(),
    };
    let mut all = Vec::new();
    for (service, subnets, groups) in &whereabouts.services {
        let of = || format!("service {service}");
        all.extend(
            subnets
                .iter()
                .map(|id| relation(of(), id, "runs in the subnet")),
        );
        all.extend(
            groups
                .iter()
                .map(|id| relation(of(), id, "is in the security group")),
        );
    }
    for group in &network.target_groups {
        let from = |arn: &String| {
            let named = network
                .load_balancers
                .iter()
                .find(|balancer| balancer.arn == *arn);
            named.map_or_else(
                || arn.clone(),
                |balancer| format!("load balancer {}", balancer.name),
            )
        };
        let balancers = group.load_balancer_arns.iter();
        all.extend(
            balancers.map(|arn| relation(from(arn), &group.name, "forwards to the target group")),
        );
    }
    for table in &network.route_tables {
        let subnets = table.subnets.iter();
        all.extend(subnets.map(|id| relation(id.clone(), &table.id, "is routed by the table")));
    }
    all
}
