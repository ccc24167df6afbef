//! The few EC2 calls that are needed, typed, over the Query protocol.
//!
//! The EC2 SDK is a million lines; these are ten calls of one shape.

use super::reading::{Source, collect_pages};
use super::{AwsClients, AwsError, Element, Page, Pages, Reading, TextCleaner};
use crate::observation::{
    NatGatewaySnapshot, NetworkAclEntry, NetworkAclSnapshot, RouteSnapshot, RouteTableSnapshot,
    SecurityGroupSnapshot, SecurityRule, SubnetSnapshot, VpcEndpointSnapshot,
};
use crate::plan::Direction;

/// The version of the EC2 API that is spoken.
const VERSION: &str = "2016-11-15";

/// Most pages of one listing.
const MOST_PAGES: usize = 10;

impl AwsClients {
    pub(crate) async fn describe_subnets(&self, ids: &[String]) -> Reading<Pages<SubnetSnapshot>> {
        let params = numbered("SubnetId", ids);
        self.describe(
            "ec2:DescribeSubnets",
            ids.join(","),
            params,
            "subnetSet",
            subnet,
        )
        .await
    }

    pub(crate) async fn describe_security_groups(
        &self,
        ids: &[String],
    ) -> Reading<Pages<SecurityGroupSnapshot>> {
        // A filter, not `GroupId.N`: one group that does not exist must not hide the others.
        let params = filtered("group-id", ids);
        self.describe(
            "ec2:DescribeSecurityGroups",
            ids.join(","),
            params,
            "securityGroupInfo",
            security_group,
        )
        .await
    }

    pub(crate) async fn describe_route_tables(
        &self,
        vpc: &str,
    ) -> Reading<Pages<RouteTableSnapshot>> {
        let params = in_vpc(vpc);
        self.describe(
            "ec2:DescribeRouteTables",
            vpc,
            params,
            "routeTableSet",
            route_table,
        )
        .await
    }

    pub(crate) async fn describe_vpc_endpoints(
        &self,
        vpc: &str,
    ) -> Reading<Pages<VpcEndpointSnapshot>> {
        let params = in_vpc(vpc);
        self.describe(
            "ec2:DescribeVpcEndpoints",
            vpc,
            params,
            "vpcEndpointSet",
            vpc_endpoint,
        )
        .await
    }

    pub(crate) async fn describe_nat_gateways(
        &self,
        vpc: &str,
    ) -> Reading<Pages<NatGatewaySnapshot>> {
        let params = in_vpc(vpc);
        self.describe(
            "ec2:DescribeNatGateways",
            vpc,
            params,
            "natGatewaySet",
            nat_gateway,
        )
        .await
    }

    pub(crate) async fn describe_network_acls(
        &self,
        subnets: &[String],
    ) -> Reading<Pages<NetworkAclSnapshot>> {
        let params = filtered("association.subnet-id", subnets);
        self.describe(
            "ec2:DescribeNetworkAcls",
            subnets.join(","),
            params,
            "networkAclSet",
            network_acl,
        )
        .await
    }

    /// Adds a rule to a security group.
    pub(crate) async fn authorize(
        &self,
        side: Direction,
        group: &str,
        rule: &SecurityRule,
    ) -> Reading<()> {
        let call = match side {
            Direction::Ingress => "ec2:AuthorizeSecurityGroupIngress",
            Direction::Egress => "ec2:AuthorizeSecurityGroupEgress",
        };
        self.query(call, group, rule_params(group, rule))
            .await
            .map(|_| ())
    }

    /// Removes a rule from a security group.
    pub(crate) async fn revoke(
        &self,
        side: Direction,
        group: &str,
        rule: &SecurityRule,
    ) -> Reading<()> {
        let call = match side {
            Direction::Ingress => "ec2:RevokeSecurityGroupIngress",
            Direction::Egress => "ec2:RevokeSecurityGroupEgress",
        };
        self.query(call, group, rule_params(group, rule))
            .await
            .map(|_| ())
    }

    pub(super) async fn describe<T>(
        &self,
        call: &'static str,
        subject: impl Into<String>,
        params: Vec<(String, String)>,
        list: &str,
        item: impl Fn(&Element) -> T,
    ) -> Reading<Pages<T>> {
        let subject = subject.into();
        collect_pages(MOST_PAGES, |token| {
            let mut params = params.clone();
            params.extend(token.map(|token| ("NextToken".to_owned(), token)));
            let reading = self.query(call, subject.clone(), params);
            let item = &item;
            async move {
                reading.await.map(|root| Page {
                    items: root.items(list).map(item).collect(),
                    next: root.get("nextToken"),
                })
            }
        })
        .await
    }

    async fn query(
        &self,
        call: &'static str,
        subject: impl Into<String>,
        params: Vec<(String, String)>,
    ) -> Reading<Element> {
        let action = call.split(':').next_back().unwrap_or(call);
        let form: Vec<(&str, &str)> = [("Action", action), ("Version", VERSION)]
            .into_iter()
            .chain(
                params
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str())),
            )
            .collect();
        let answer = self
            .take_turn(self.context().post_signed_form("ec2", &form))
            .await;
        let (mut request_id, mut read_at) = (None, None);
        let outcome = match answer {
            Ok(response) => {
                request_id = response.request_id;
                read_at = response.date;
                self.note_date(read_at);
                parse_answer(call, response.status, &response.body, &self.cleaner)
            }
            Err(error) => Err(AwsError::from_request(call, &error, &self.cleaner)),
        };
        Reading {
            source: Source {
                call,
                subject: subject.into(),
                request_id,
                read_at,
            },
            outcome,
        }
    }
}

fn parse_answer(
    call: &str,
    status: u16,
    body: &str,
    cleaner: &TextCleaner,
) -> Result<Element, AwsError> {
    let root = Element::parse(body);
    if let (200..=299, Some(root)) = (status, &root) {
        return Ok(root.clone());
    }
    let error = root
        .as_ref()
        .and_then(|root| root.child("Errors"))
        .and_then(|e| e.child("Error"));
    let code = error.and_then(|error| error.get("Code"));
    let message = error.map(|error| error.text("Message")).unwrap_or_default();
    Err(AwsError::from_code(
        call,
        code.as_deref(),
        Some(status),
        &message,
        cleaner,
    ))
}

fn numbered(name: &str, values: &[String]) -> Vec<(String, String)> {
    (1..)
        .zip(values)
        .map(|(n, value)| (format!("{name}.{n}"), value.clone()))
        .collect()
}

pub(super) fn filtered(name: &str, values: &[String]) -> Vec<(String, String)> {
    let mut params = numbered("Filter.1.Value", values);
    params.push(("Filter.1.Name".to_owned(), name.to_owned()));
    params
}

pub(super) fn in_vpc(vpc: &str) -> Vec<(String, String)> {
    filtered("vpc-id", &[vpc.to_owned()])
}

/// One rule as `IpPermissions.1…`.
fn rule_params(group: &str, rule: &SecurityRule) -> Vec<(String, String)> {
    let mut params = vec![
        ("GroupId".to_owned(), group.to_owned()),
        (
            "IpPermissions.1.IpProtocol".to_owned(),
            rule.protocol.clone(),
        ),
    ];
    let mut push =
        |name: String, value: String| params.push((format!("IpPermissions.1.{name}"), value));
    if let Some(port) = rule.from_port {
        push("FromPort".to_owned(), port.to_string());
    }
    if let Some(port) = rule.to_port {
        push("ToPort".to_owned(), port.to_string());
    }
    for (n, cidr) in (1..).zip(rule.cidrs.iter().filter(|cidr| !cidr.contains(':'))) {
        push(format!("IpRanges.{n}.CidrIp"), cidr.clone());
    }
    for (n, cidr) in (1..).zip(rule.cidrs.iter().filter(|cidr| cidr.contains(':'))) {
        push(format!("Ipv6Ranges.{n}.CidrIpv6"), cidr.clone());
    }
    for (n, group) in (1..).zip(&rule.groups) {
        push(format!("Groups.{n}.GroupId"), group.clone());
    }
    for (n, list) in (1..).zip(&rule.prefix_lists) {
        push(format!("PrefixListIds.{n}.PrefixListId"), list.clone());
    }
    params
}

pub(super) fn subnet(item: &Element) -> SubnetSnapshot {
    SubnetSnapshot {
        id: item.text("subnetId"),
        vpc_id: item.text("vpcId"),
        availability_zone: item.text("availabilityZone"),
        cidr: item.text("cidrBlock"),
        available_ips: item.number("availableIpAddressCount").unwrap_or_default(),
        maps_public_ip: item.flag("mapPublicIpOnLaunch"),
    }
}

pub(super) fn security_group(item: &Element) -> SecurityGroupSnapshot {
    SecurityGroupSnapshot {
        id: item.text("groupId"),
        name: item.text("groupName"),
        vpc_id: item.text("vpcId"),
        ingress: item.items("ipPermissions").map(rule).collect(),
        egress: item.items("ipPermissionsEgress").map(rule).collect(),
    }
}

fn rule(item: &Element) -> SecurityRule {
    let inner = |list: &str, name: &str| -> Vec<String> {
        item.items(list)
            .filter_map(|entry| entry.get(name))
            .collect()
    };
    let mut cidrs = inner("ipRanges", "cidrIp");
    cidrs.extend(inner("ipv6Ranges", "cidrIpv6"));
    SecurityRule {
        protocol: item.text("ipProtocol"),
        from_port: item.number("fromPort"),
        to_port: item.number("toPort"),
        cidrs,
        groups: inner("groups", "groupId"),
        prefix_lists: inner("prefixListIds", "prefixListId"),
    }
}

fn route_table(item: &Element) -> RouteTableSnapshot {
    RouteTableSnapshot {
        id: item.text("routeTableId"),
        vpc_id: item.text("vpcId"),
        main: item
            .items("associationSet")
            .any(|association| association.flag("main")),
        subnets: item
            .items("associationSet")
            .filter_map(|a| a.get("subnetId"))
            .collect(),
        routes: item.items("routeSet").map(route).collect(),
    }
}

fn route(item: &Element) -> RouteSnapshot {
    let first = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| item.get(name))
            .unwrap_or_default()
    };
    RouteSnapshot {
        destination: first(&[
            "destinationCidrBlock",
            "destinationIpv6CidrBlock",
            "destinationPrefixListId",
        ]),
        target: first(&[
            "gatewayId",
            "natGatewayId",
            "transitGatewayId",
            "vpcPeeringConnectionId",
            "networkInterfaceId",
            "egressOnlyInternetGatewayId",
            "instanceId",
            "localGatewayId",
            "carrierGatewayId",
            "coreNetworkArn",
        ]),
        state: item.text("state"),
    }
}

fn vpc_endpoint(item: &Element) -> VpcEndpointSnapshot {
    VpcEndpointSnapshot {
        id: item.text("vpcEndpointId"),
        vpc_id: item.text("vpcId"),
        service: item.text("serviceName"),
        kind: item.text("vpcEndpointType"),
        state: item.text("state"),
        private_dns: item.flag("privateDnsEnabled"),
        subnets: item
            .items("subnetIdSet")
            .filter_map(Element::value)
            .collect(),
        route_tables: item
            .items("routeTableIdSet")
            .filter_map(Element::value)
            .collect(),
        security_groups: item
            .items("groupSet")
            .filter_map(|group| group.get("groupId"))
            .collect(),
    }
}

fn nat_gateway(item: &Element) -> NatGatewaySnapshot {
    NatGatewaySnapshot {
        id: item.text("natGatewayId"),
        subnet_id: item.text("subnetId"),
        state: item.text("state"),
    }
}

fn network_acl(item: &Element) -> NetworkAclSnapshot {
    let port =
        |entry: &Element, end: &str| entry.child("portRange").and_then(|range| range.number(end));
    NetworkAclSnapshot {
        id: item.text("networkAclId"),
        subnets: item
            .items("associationSet")
            .filter_map(|a| a.get("subnetId"))
            .collect(),
        entries: item
            .items("entrySet")
            .map(|entry| NetworkAclEntry {
                rule_number: entry.number("ruleNumber").unwrap_or_default(),
                egress: entry.flag("egress"),
                allow: entry.get("ruleAction").as_deref() == Some("allow"),
                protocol: entry.text("protocol"),
                cidr: entry
                    .get("cidrBlock")
                    .unwrap_or_else(|| entry.text("ipv6CidrBlock")),
                from_port: port(entry, "from"),
                to_port: port(entry, "to"),
            })
            .collect(),
    }
}

#[cfg(test)]
#[path = "ec2_tests.rs"]
mod tests;
