//! Amazon EC2: the network that tasks run in. Members are named as on the wire, in camelCase.

use serde_json::{Value, json};

use super::ec2_rules;
use super::page::{Paging, page};
use super::{Answer, Call, Effect, Need, Operation, compact, everything};
use crate::wire::ApiError;
use crate::world::{
    NetworkAcl, Region, Route, RouteChange, RouteTable, RouteTarget, Subnet, Task, Vpc, VpcEndpoint,
};

const fn reads(
    name: &'static str,
    needs: fn(&Call<'_>) -> Vec<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Operation {
    Operation {
        service: "ec2",
        name,
        effect: Effect::Reads,
        needs,
        run,
    }
}

const fn mutates(
    name: &'static str,
    needs: fn(&Call<'_>) -> Vec<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Operation {
    Operation {
        service: "ec2",
        name,
        effect: Effect::Mutates,
        needs,
        run,
    }
}

pub(super) const OPERATIONS: &[Operation] = &[
    reads("DescribeVpcs", |_| everything("ec2:DescribeVpcs"), vpcs),
    reads(
        "DescribeVpcAttribute",
        |_| everything("ec2:DescribeVpcAttribute"),
        vpc_attribute,
    ),
    reads(
        "DescribeSubnets",
        |_| everything("ec2:DescribeSubnets"),
        subnets,
    ),
    reads(
        "DescribeRouteTables",
        |_| everything("ec2:DescribeRouteTables"),
        route_tables,
    ),
    reads(
        "DescribeSecurityGroups",
        |_| everything("ec2:DescribeSecurityGroups"),
        ec2_rules::security_groups,
    ),
    reads(
        "DescribeSecurityGroupRules",
        |_| everything("ec2:DescribeSecurityGroupRules"),
        ec2_rules::security_group_rules,
    ),
    reads(
        "DescribeNetworkAcls",
        |_| everything("ec2:DescribeNetworkAcls"),
        network_acls,
    ),
    reads(
        "DescribeVpcEndpoints",
        |_| everything("ec2:DescribeVpcEndpoints"),
        vpc_endpoints,
    ),
    reads(
        "DescribeNatGateways",
        |_| everything("ec2:DescribeNatGateways"),
        nat_gateways,
    ),
    reads(
        "DescribeInternetGateways",
        |_| everything("ec2:DescribeInternetGateways"),
        internet_gateways,
    ),
    reads(
        "DescribeNetworkInterfaces",
        |_| everything("ec2:DescribeNetworkInterfaces"),
        network_interfaces,
    ),
    mutates(
        "AuthorizeSecurityGroupIngress",
        |call| ec2_rules::needs(call, "ec2:AuthorizeSecurityGroupIngress"),
        ec2_rules::authorize_ingress,
    ),
    mutates(
        "AuthorizeSecurityGroupEgress",
        |call| ec2_rules::needs(call, "ec2:AuthorizeSecurityGroupEgress"),
        ec2_rules::authorize_egress,
    ),
    mutates(
        "RevokeSecurityGroupIngress",
        |call| ec2_rules::needs(call, "ec2:RevokeSecurityGroupIngress"),
        ec2_rules::revoke_ingress,
    ),
    mutates(
        "RevokeSecurityGroupEgress",
        |call| ec2_rules::needs(call, "ec2:RevokeSecurityGroupEgress"),
        ec2_rules::revoke_egress,
    ),
    mutates(
        "CreateRoute",
        |call| on_route_table(call, "ec2:CreateRoute"),
        create_route,
    ),
    mutates(
        "ReplaceRoute",
        |call| on_route_table(call, "ec2:ReplaceRoute"),
        replace_route,
    ),
];

const PAGES: Paging = Paging {
    size: "MaxResults",
    token: "NextToken",
    default: 1000,
    most: 1000,
    bad_token: "InvalidNextToken",
};

/// What a filter may ask of one thing: name and present values.
pub(super) type Facts<'a> = Vec<(&'static str, Vec<&'a str>)>;

/// Filters, pages and renders one kind of thing.
///
/// `ids` is the member with explicit ids; one that does not exist is the error `missing`. A filter
/// that the lab does not know is an error, because ignoring it would give too much.
pub(super) fn describe<'a, T: 'a>(
    call: &'a Call<'_>,
    all: impl Iterator<Item = &'a T>,
    set: &str,
    ids: (&str, &'static str, &str),
    facts: impl Fn(&'a T) -> Facts<'a>,
    render: impl Fn(&'a T) -> Value,
) -> Answer {
    let (member, missing, noun) = ids;
    let wanted = call.input.texts(member);
    let filters = call.input.filters();
    let mut chosen: Vec<&'a T> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for one in all {
        let facts = facts(one);
        let id = facts
            .first()
            .and_then(|(_, values)| values.first())
            .copied()
            .unwrap_or_default();
        if !wanted.is_empty() && !wanted.contains(&id) {
            continue;
        }
        seen.push(id);
        let mut fits = true;
        for (name, values) in &filters {
            let Some((_, present)) = facts.iter().find(|(fact, _)| fact == name) else {
                if let Some(rest) = name.strip_prefix("tag") {
                    // The lab's network carries no tags but names, which are facts.
                    let _ = rest;
                    fits = false;
                    continue;
                }
                return Err(ApiError::invalid(
                    "InvalidParameterValue",
                    format!("The filter '{name}' is invalid"),
                ));
            };
            fits &= values.iter().any(|value| present.contains(&value.as_str()));
        }
        if fits {
            chosen.push(one);
        }
    }
    if let Some(id) = wanted.iter().find(|id| !seen.contains(id)) {
        return Err(ApiError::invalid(
            missing,
            format!("The {noun} '{id}' does not exist"),
        ));
    }
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen.into_iter().map(render).collect();
    Ok(compact(json!({set: list, "nextToken": next})))
}

fn name_tag(name: &str) -> Value {
    if name.is_empty() {
        json!([])
    } else {
        json!([{"key": "Name", "value": name}])
    }
}

fn vpcs(call: &mut Call<'_>) -> Answer {
    let owner = call.caller.account.as_str();
    describe(
        call,
        call.here().vpcs.values(),
        "vpcSet",
        ("VpcId", "InvalidVpcID.NotFound", "vpc ID"),
        |vpc: &Vpc| {
            vec![
                ("vpc-id", vec![&vpc.id]),
                ("cidr", vec![&vpc.cidr]),
                ("state", vec!["available"]),
                ("is-default", vec!["false"]),
                ("tag:Name", vec![&vpc.name]),
            ]
        },
        |vpc| {
            json!({
                "vpcId": vpc.id,
                "ownerId": owner,
                "state": "available",
                "cidrBlock": vpc.cidr,
                "cidrBlockAssociationSet": [{
                    "cidrBlock": vpc.cidr,
                    "associationId": format!("vpc-cidr-assoc-{}", suffix(&vpc.id)),
                    "cidrBlockState": {"state": "associated"},
                }],
                "dhcpOptionsId": format!("dopt-{}", suffix(&vpc.id)),
                "instanceTenancy": "default",
                "isDefault": false,
                "tagSet": name_tag(&vpc.name),
            })
        },
    )
}

/// The part of an id after its kind; other ids are derived from it.
fn suffix(id: &str) -> &str {
    id.split_once('-').map_or(id, |(_, suffix)| suffix)
}

fn vpc_attribute(call: &mut Call<'_>) -> Answer {
    let id = call.input.required("VpcId", "MissingParameter")?;
    let vpc = call.here().vpcs.get(id).ok_or_else(|| {
        ApiError::invalid(
            "InvalidVpcID.NotFound",
            format!("The vpc ID '{id}' does not exist"),
        )
    })?;
    let (name, value) = match call.input.text("Attribute") {
        Some("enableDnsSupport") => ("enableDnsSupport", vpc.dns_support),
        Some("enableDnsHostnames") => ("enableDnsHostnames", vpc.dns_hostnames),
        Some("enableNetworkAddressUsageMetrics") => ("enableNetworkAddressUsageMetrics", false),
        Some(_) | None => {
            return Err(ApiError::invalid(
                "InvalidParameterValue",
                "The attribute is not valid",
            ));
        }
    };
    Ok(json!({"vpcId": id, name: {"value": value}}))
}

fn subnets(call: &mut Call<'_>) -> Answer {
    let owner = call.caller.account.as_str();
    describe(
        call,
        call.here().subnets.values(),
        "subnetSet",
        ("SubnetId", "InvalidSubnetID.NotFound", "subnet ID"),
        |subnet: &Subnet| {
            vec![
                ("subnet-id", vec![&subnet.id]),
                ("vpc-id", vec![&subnet.vpc]),
                ("availability-zone", vec![&subnet.availability_zone]),
                ("availabilityZone", vec![&subnet.availability_zone]),
                ("cidr-block", vec![&subnet.cidr]),
                ("state", vec!["available"]),
                ("tag:Name", vec![&subnet.name]),
            ]
        },
        |subnet| {
            json!({
                "subnetId": subnet.id,
                "subnetArn": subnet.arn,
                "state": "available",
                "ownerId": owner,
                "vpcId": subnet.vpc,
                "cidrBlock": subnet.cidr,
                "ipv6CidrBlockAssociationSet": [],
                "availableIpAddressCount": subnet.available_ips,
                "availabilityZone": subnet.availability_zone,
                "availabilityZoneId": subnet.availability_zone_id,
                "defaultForAz": false,
                "mapPublicIpOnLaunch": subnet.map_public_ip_on_launch,
                "assignIpv6AddressOnCreation": false,
                "mapCustomerOwnedIpOnLaunch": false,
                "enableDns64": false,
                "ipv6Native": false,
                "tagSet": name_tag(&subnet.name),
            })
        },
    )
}

fn route_tables(call: &mut Call<'_>) -> Answer {
    let owner = call.caller.account.as_str();
    let here = call.here();
    let associated = |table: &RouteTable| -> Vec<&str> {
        let subnets = here
            .subnets
            .values()
            .filter(|subnet| subnet.route_table == table.id);
        subnets.map(|subnet| subnet.id.as_str()).collect()
    };
    describe(
        call,
        here.route_tables.values(),
        "routeTableSet",
        (
            "RouteTableId",
            "InvalidRouteTableID.NotFound",
            "routeTable ID",
        ),
        |table: &RouteTable| {
            vec![
                ("route-table-id", vec![&table.id]),
                ("vpc-id", vec![&table.vpc]),
                ("association.subnet-id", associated(table)),
                (
                    "association.main",
                    vec![if table.main { "true" } else { "false" }],
                ),
                ("association.route-table-id", vec![&table.id]),
                ("tag:Name", vec![&table.name]),
            ]
        },
        |table| {
            // The main table applies to subnets without an association of their own.
            let explicit = if table.main {
                Vec::new()
            } else {
                associated(table)
            };
            let mut associations: Vec<Value> = explicit
                .into_iter()
                .map(|subnet| {
                    json!({
                        "routeTableAssociationId": format!("rtbassoc-{}", suffix(subnet)),
                        "routeTableId": table.id,
                        "subnetId": subnet,
                        "main": false,
                        "associationState": {"state": "associated"},
                    })
                })
                .collect();
            if table.main {
                associations.push(json!({
                    "routeTableAssociationId": format!("rtbassoc-{}", suffix(&table.id)),
                    "routeTableId": table.id,
                    "main": true,
                    "associationState": {"state": "associated"},
                }));
            }
            json!({
                "routeTableId": table.id,
                "vpcId": table.vpc,
                "ownerId": owner,
                "routeSet": table.routes.iter().map(route).collect::<Vec<_>>(),
                "associationSet": associations,
                "propagatingVgwSet": [],
                "tagSet": name_tag(&table.name),
            })
        },
    )
}

fn route(route: &Route) -> Value {
    let prefix_list = route.destination.starts_with("pl-");
    let (gateway, nat) = match &route.target {
        RouteTarget::Local => (Some("local"), None),
        RouteTarget::InternetGateway(id) | RouteTarget::GatewayEndpoint(id) => {
            (Some(id.as_str()), None)
        }
        RouteTarget::NatGateway(id) => (None, Some(id.as_str())),
    };
    let origin = match &route.target {
        RouteTarget::Local => "CreateRouteTable",
        RouteTarget::InternetGateway(_)
        | RouteTarget::GatewayEndpoint(_)
        | RouteTarget::NatGateway(_) => "CreateRoute",
    };
    json!({
        "destinationCidrBlock": (!prefix_list).then_some(&route.destination),
        "destinationPrefixListId": prefix_list.then_some(&route.destination),
        "gatewayId": gateway,
        "natGatewayId": nat,
        "state": route.state.as_str(),
        "origin": origin,
    })
}

/// The lab has the default network ACL of each VPC and no other.
fn network_acls(call: &mut Call<'_>) -> Answer {
    let owner = call.caller.account.as_str();
    describe(
        call,
        call.here().network_acls.values(),
        "networkAclSet",
        (
            "NetworkAclId",
            "InvalidNetworkAclID.NotFound",
            "networkAcl ID",
        ),
        |acl: &NetworkAcl| {
            vec![
                ("vpc-id", vec![&acl.vpc]),
                (
                    "association.subnet-id",
                    acl.subnets.iter().map(String::as_str).collect(),
                ),
                ("default", vec![if acl.default { "true" } else { "false" }]),
            ]
        },
        |acl| {
            let entries = acl.entries.iter().map(|entry| {
                compact(json!({
                    "ruleNumber": entry.number,
                    "protocol": if entry.ports.is_some() { "6" } else { "-1" },
                    "ruleAction": if entry.allow { "allow" } else { "deny" },
                    "egress": entry.egress,
                    "cidrBlock": entry.cidr,
                    "portRange": entry.ports.map(|(from, to)| json!({"from": from, "to": to})),
                }))
            });
            let associations = acl.subnets.iter().map(|subnet| {
                json!({
                    "networkAclAssociationId": format!("aclassoc-{}", suffix(subnet)),
                    "networkAclId": acl.id,
                    "subnetId": subnet,
                })
            });
            json!({
                "networkAclId": acl.id,
                "vpcId": acl.vpc,
                "default": acl.default,
                "ownerId": owner,
                "entrySet": entries.collect::<Vec<_>>(),
                "associationSet": associations.collect::<Vec<_>>(),
                "tagSet": [],
            })
        },
    )
}

fn vpc_endpoints(call: &mut Call<'_>) -> Answer {
    let owner = call.caller.account.as_str();
    describe(
        call,
        call.here().vpc_endpoints.values(),
        "vpcEndpointSet",
        (
            "VpcEndpointId",
            "InvalidVpcEndpointId.NotFound",
            "Vpc Endpoint Id",
        ),
        |endpoint: &VpcEndpoint| {
            vec![
                ("vpc-endpoint-id", vec![&endpoint.id]),
                ("vpc-id", vec![&endpoint.vpc]),
                ("service-name", vec![&endpoint.service_name]),
                ("vpc-endpoint-type", vec![endpoint.endpoint_type.as_str()]),
                ("vpc-endpoint-state", vec![&endpoint.state]),
            ]
        },
        |endpoint| {
            let groups = endpoint
                .security_groups
                .iter()
                .map(|id| json!({"groupId": id}));
            json!({
                "vpcEndpointId": endpoint.id,
                "vpcEndpointType": endpoint.endpoint_type.as_str(),
                "vpcId": endpoint.vpc,
                "serviceName": endpoint.service_name,
                "state": endpoint.state,
                "routeTableIdSet": endpoint.route_tables,
                "subnetIdSet": endpoint.subnets,
                "groupSet": groups.collect::<Vec<_>>(),
                "privateDnsEnabled": endpoint.private_dns,
                "requesterManaged": false,
                "ownerId": owner,
                "tagSet": [],
            })
        },
    )
}

fn nat_gateways(call: &mut Call<'_>) -> Answer {
    describe(
        call,
        call.here().nat_gateways.values(),
        "natGatewaySet",
        ("NatGatewayId", "NatGatewayNotFound", "NatGateway"),
        |gateway| {
            vec![
                ("nat-gateway-id", vec![gateway.id.as_str()]),
                ("vpc-id", vec![&gateway.vpc]),
                ("subnet-id", vec![&gateway.subnet]),
                ("state", vec![&gateway.state]),
            ]
        },
        |gateway| {
            json!({
                "natGatewayId": gateway.id,
                "vpcId": gateway.vpc,
                "subnetId": gateway.subnet,
                "state": gateway.state,
                "connectivityType": "public",
                "natGatewayAddressSet": [{
                    "publicIp": gateway.public_ip,
                    "allocationId": format!("eipalloc-{}", suffix(&gateway.id)),
                    "isPrimary": true,
                    "status": "succeeded",
                }],
                "tagSet": [],
            })
        },
    )
}

fn internet_gateways(call: &mut Call<'_>) -> Answer {
    let owner = call.caller.account.as_str();
    describe(
        call,
        call.here().internet_gateways.values(),
        "internetGatewaySet",
        (
            "InternetGatewayId",
            "InvalidInternetGatewayID.NotFound",
            "internetGateway ID",
        ),
        |gateway| {
            vec![
                ("internet-gateway-id", vec![gateway.id.as_str()]),
                ("attachment.vpc-id", vec![&gateway.vpc]),
                ("attachment.state", vec!["available"]),
            ]
        },
        |gateway| {
            json!({
                "internetGatewayId": gateway.id,
                "ownerId": owner,
                "attachmentSet": [{"vpcId": gateway.vpc, "state": "available"}],
                "tagSet": [],
            })
        },
    )
}

/// The interfaces of awsvpc tasks that have not been deleted.
fn network_interfaces(call: &mut Call<'_>) -> Answer {
    let owner = call.caller.account.as_str();
    let here = call.here();
    let attached = |task: &&Task| {
        task.attachment
            .as_ref()
            .is_some_and(|attachment| attachment.status != "DELETED")
    };
    let tasks = here
        .services
        .values()
        .flat_map(|service| &service.tasks)
        .filter(attached);
    describe(
        call,
        tasks,
        "networkInterfaceSet",
        (
            "NetworkInterfaceId",
            "InvalidNetworkInterfaceID.NotFound",
            "networkInterface ID",
        ),
        |task: &Task| {
            let Some(attachment) = &task.attachment else {
                return Vec::new();
            };
            vec![
                (
                    "network-interface-id",
                    vec![attachment.network_interface.as_str()],
                ),
                ("subnet-id", vec![&attachment.subnet]),
                ("vpc-id", vec![vpc_of(here, &attachment.subnet)]),
                ("private-ip-address", vec![&attachment.private_ip]),
                ("addresses.private-ip-address", vec![&attachment.private_ip]),
                (
                    "group-id",
                    attachment
                        .security_groups
                        .iter()
                        .map(String::as_str)
                        .collect(),
                ),
                ("availability-zone", vec![&task.availability_zone]),
                ("status", vec!["in-use"]),
            ]
        },
        |task| {
            let Some(attachment) = &task.attachment else {
                return Value::Null;
            };
            let groups = attachment.security_groups.iter().map(|id| {
                let name = here
                    .security_groups
                    .get(id)
                    .map(|group| group.name.as_str());
                json!({"groupId": id, "groupName": name})
            });
            let public = attachment
                .public_ip
                .as_ref()
                .map(|ip| json!({"publicIp": ip, "ipOwnerId": "amazon"}));
            json!({
                "networkInterfaceId": attachment.network_interface,
                "subnetId": attachment.subnet,
                "vpcId": vpc_of(here, &attachment.subnet),
                "availabilityZone": task.availability_zone,
                "description": format!("arn:aws:ecs:{}:{owner}:attachment/{}", here.name, attachment.id),
                "ownerId": owner,
                "requesterManaged": true,
                "status": "in-use",
                "macAddress": attachment.mac_address,
                "privateIpAddress": attachment.private_ip,
                "sourceDestCheck": true,
                "groupSet": groups.collect::<Vec<_>>(),
                "association": public,
                "privateIpAddressesSet": [
                    {"privateIpAddress": attachment.private_ip, "primary": true},
                ],
                "interfaceType": "interface",
                "tagSet": [],
            })
        },
    )
}

fn vpc_of<'a>(here: &'a Region, subnet: &str) -> &'a str {
    here.subnets
        .get(subnet)
        .map(|subnet| subnet.vpc.as_str())
        .unwrap_or_default()
}

fn on_route_table(call: &Call<'_>, action: &'static str) -> Vec<Need> {
    let table = call.input.text("RouteTableId").unwrap_or("*");
    vec![Need::on(
        action,
        call.arn("ec2", &format!("route-table/{table}")),
    )]
}

fn create_route(call: &mut Call<'_>) -> Answer {
    set_route(call, RouteChange::Create)
}

fn replace_route(call: &mut Call<'_>) -> Answer {
    set_route(call, RouteChange::Replace)
}

fn set_route(call: &mut Call<'_>, change: RouteChange) -> Answer {
    let input = call.input;
    let table = input.required("RouteTableId", "MissingParameter")?;
    let destination = input.required("DestinationCidrBlock", "MissingParameter")?;
    let target = match (input.text("NatGatewayId"), input.text("GatewayId")) {
        (Some(id), _) => RouteTarget::NatGateway(id.to_owned()),
        (None, Some(id)) => RouteTarget::InternetGateway(id.to_owned()),
        (None, None) => {
            return Err(ApiError::invalid(
                "MissingParameter",
                "The request must contain exactly one of gatewayId or natGatewayId",
            ));
        }
    };
    let (account, region) = (call.caller.account.as_str(), call.region);
    call.world
        .set_route(account, region, table, destination, target, change)?;
    Ok(json!({"return": true}))
}
