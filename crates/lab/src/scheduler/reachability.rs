//! Whether packets from a task arrive: security groups, routes, gateways, endpoints.

use super::Tick;
use crate::world::{
    NetworkAcl, Permission, Region, RouteState, RouteTarget, SecurityGroup, VpcEndpoint,
    VpcEndpointType, cidr_holds,
};

/// Where a task stands in the network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) subnet: &'a str,
    pub(super) security_groups: &'a [String],
    pub(super) private_ip: &'a str,
    pub(super) has_public_ip: bool,
}

/// Any address that only the whole internet's range covers.
const INTERNET: &str = "198.51.100.1";
/// Any port that answers come back to.
const EPHEMERAL: u16 = 50_000;

impl Tick<'_> {
    /// Whether a task reaches an AWS service's API (`ecr.api`, `secretsmanager`, ...) on 443.
    pub(super) fn reaches_aws(&self, place: Place<'_>, service: &str) -> bool {
        let region = &*self.region;
        let name = format!("com.amazonaws.{}.{service}", region.name);
        let Some(subnet) = region.subnets.get(place.subnet) else {
            return false;
        };
        let endpoint = region.vpc_endpoints.values().find(|endpoint| {
            endpoint.vpc == subnet.vpc
                && endpoint.service_name == name
                && endpoint.state == "available"
        });
        match endpoint {
            Some(endpoint) if endpoint.endpoint_type == VpcEndpointType::Interface => {
                if endpoint.private_dns {
                    reaches_interface_endpoint(region, place, endpoint)
                } else {
                    reaches_internet(region, place, 443)
                }
            }
            Some(endpoint) if endpoint.route_tables.contains(&subnet.route_table) => {
                egress(region, place).any(|permission| {
                    permission.covers_tcp(443)
                        && (!permission.prefix_lists.is_empty() || to_address(permission, INTERNET))
                }) && crosses(region, place.subnet, INTERNET, 443)
            }
            Some(_) | None => reaches_internet(region, place, 443),
        }
    }

    /// Whether the VPC's resolver answers, and knows the name.
    pub(super) fn resolves(&self, place: Place<'_>, host: &str) -> bool {
        let region = &*self.region;
        let vpc = region
            .subnets
            .get(place.subnet)
            .and_then(|subnet| region.vpcs.get(&subnet.vpc));
        vpc.is_some_and(|vpc| vpc.dns_support)
            && !region.unknown_hosts.iter().any(|unknown| unknown == host)
    }

    /// Whether a program reaches one of its dependencies.
    pub(super) fn reaches_host(&self, place: Place<'_>, host: &str, port: u16) -> bool {
        let region = &*self.region;
        if region
            .unreachable_hosts
            .iter()
            .any(|down| *down == format!("{host}:{port}"))
        {
            return false;
        }
        let inside = [".internal", ".rds.amazonaws.com", ".cache.amazonaws.com"]
            .iter()
            .any(|suffix| host.ends_with(suffix));
        if !inside {
            return reaches_internet(region, place, port);
        }
        let Some(vpc) = region
            .subnets
            .get(place.subnet)
            .and_then(|s| region.vpcs.get(&s.vpc))
        else {
            return false;
        };
        let address = vpc.cidr.split_once('/').map_or("", |(base, _)| base);
        egress(region, place)
            .any(|permission| permission.covers_tcp(port) && to_address(permission, address))
    }

    /// Whether a load balancer in `from` groups reaches a port of a task.
    pub(super) fn lets_in(
        &self,
        from: &[String],
        from_subnets: &[String],
        to: Place<'_>,
        port: u16,
    ) -> bool {
        let region = &*self.region;
        let sources = from_subnets
            .iter()
            .filter_map(|id| region.subnets.get(id))
            .filter_map(|subnet| subnet.cidr.split_once('/').map(|(base, _)| base));
        let sources: Vec<&str> = sources.collect();
        let acl = acl_of(region, to.subnet);
        let passes = |address: &&str| {
            acl.is_none_or(|acl| {
                acl.passes(false, address, port) && acl.passes(true, address, EPHEMERAL)
            })
        };
        if !sources.iter().all(passes) {
            return false;
        }
        groups(region, to.security_groups)
            .flat_map(|group| &group.ingress)
            .any(|permission| {
                permission.covers_tcp(port)
                    && (permission.groups.iter().any(|group| from.contains(group))
                        || sources
                            .iter()
                            .any(|address| to_address(permission, address)))
            })
    }
}

fn groups<'a>(region: &'a Region, ids: &'a [String]) -> impl Iterator<Item = &'a SecurityGroup> {
    ids.iter().filter_map(|id| region.security_groups.get(id))
}

fn egress<'a>(region: &'a Region, place: Place<'a>) -> impl Iterator<Item = &'a Permission> {
    groups(region, place.security_groups).flat_map(|group| &group.egress)
}

fn to_address(permission: &Permission, address: &str) -> bool {
    permission
        .ip_ranges
        .iter()
        .any(|range| cidr_holds(&range.cidr, address))
}

fn reaches_interface_endpoint(region: &Region, place: Place<'_>, endpoint: &VpcEndpoint) -> bool {
    let address = endpoint
        .subnets
        .first()
        .and_then(|id| region.subnets.get(id))
        .and_then(|subnet| subnet.cidr.split_once('/'))
        .map_or("", |(base, _)| base);
    let out = egress(region, place).any(|permission| {
        permission.covers_tcp(443)
            && (to_address(permission, address)
                || permission
                    .groups
                    .iter()
                    .any(|group| endpoint.security_groups.contains(group)))
    });
    let into = groups(region, &endpoint.security_groups)
        .flat_map(|group| &group.ingress)
        .any(|permission| {
            permission.covers_tcp(443)
                && (to_address(permission, place.private_ip)
                    || permission
                        .groups
                        .iter()
                        .any(|group| place.security_groups.contains(group)))
        });
    out && into
}

fn acl_of<'a>(region: &'a Region, subnet: &str) -> Option<&'a NetworkAcl> {
    region
        .network_acls
        .values()
        .find(|acl| acl.subnets.iter().any(|member| member == subnet))
}

/// Whether the subnet's network ACL lets a request out and its answer back in.
fn crosses(region: &Region, subnet: &str, address: &str, port: u16) -> bool {
    acl_of(region, subnet)
        .is_none_or(|acl| acl.passes(true, address, port) && acl.passes(false, address, EPHEMERAL))
}

fn reaches_internet(region: &Region, place: Place<'_>, port: u16) -> bool {
    let allowed = egress(region, place)
        .any(|permission| permission.covers_tcp(port) && to_address(permission, INTERNET))
        && crosses(region, place.subnet, INTERNET, port);
    let table = region
        .subnets
        .get(place.subnet)
        .and_then(|subnet| region.route_tables.get(&subnet.route_table));
    let routed = table.is_some_and(|table| {
        table.routes.iter().any(|route| {
            route.destination == "0.0.0.0/0"
                && route.state == RouteState::Active
                && match &route.target {
                    RouteTarget::InternetGateway(_) => place.has_public_ip,
                    RouteTarget::NatGateway(id) => region
                        .nat_gateways
                        .get(id)
                        .is_some_and(|nat| nat.state == "available"),
                    RouteTarget::Local | RouteTarget::GatewayEndpoint(_) => false,
                }
        })
    });
    allowed && routed
}
