//! Security groups and their rules.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::ec2::describe;
use super::{Answer, Call, Need};
use crate::wire::{ApiError, Input};
use crate::world::{IngressOrEgress, IpRange, Permission, SecurityGroup};

pub(super) fn security_groups(call: &mut Call<'_>) -> Answer {
    let owner = call.caller.account.as_str();
    let (region, names) = (call.region, call.input.texts("GroupName"));
    let all = call.here().security_groups.values();
    describe(
        call,
        all.filter(|group| names.is_empty() || names.contains(&group.name.as_str())),
        "securityGroupInfo",
        ("GroupId", "InvalidGroup.NotFound", "security group"),
        |group: &SecurityGroup| {
            vec![
                ("group-id", vec![&group.id]),
                ("group-name", vec![&group.name]),
                ("vpc-id", vec![&group.vpc]),
                ("description", vec![&group.description]),
                ("tag:Name", vec![&group.name]),
                ("ip-permission.group-id", others(&group.ingress)),
                ("egress.ip-permission.group-id", others(&group.egress)),
            ]
        },
        |group| {
            json!({
                "ownerId": owner,
                "groupId": group.id,
                "groupName": group.name,
                "groupDescription": group.description,
                "securityGroupArn": format!("arn:aws:ec2:{region}:{owner}:security-group/{}", group.id),
                "vpcId": group.vpc,
                "ipPermissions": permissions(&group.ingress, owner),
                "ipPermissionsEgress": permissions(&group.egress, owner),
                "tagSet": [],
            })
        },
    )
}

fn others(permissions: &[Permission]) -> Vec<&str> {
    permissions
        .iter()
        .flat_map(|permission| &permission.groups)
        .map(String::as_str)
        .collect()
}

/// AWS groups the rules that share protocol and ports into one permission.
fn permissions(permissions: &[Permission], owner: &str) -> Value {
    let mut merged: Vec<Permission> = Vec::new();
    for permission in permissions {
        let same = merged.iter_mut().find(|one| {
            (&one.protocol, one.from_port, one.to_port)
                == (
                    &permission.protocol,
                    permission.from_port,
                    permission.to_port,
                )
        });
        match same {
            Some(one) => {
                one.ip_ranges.extend(permission.ip_ranges.iter().cloned());
                one.groups.extend(permission.groups.iter().cloned());
                one.prefix_lists
                    .extend(permission.prefix_lists.iter().cloned());
            }
            None => merged.push(permission.clone()),
        }
    }
    merged
        .iter()
        .map(|permission| {
            let ranges = permission
                .ip_ranges
                .iter()
                .map(|range| json!({"cidrIp": range.cidr, "description": range.description}));
            let groups = permission
                .groups
                .iter()
                .map(|id| json!({"userId": owner, "groupId": id}));
            let lists = permission
                .prefix_lists
                .iter()
                .map(|id| json!({"prefixListId": id}));
            json!({
                "ipProtocol": permission.protocol,
                "fromPort": permission.from_port,
                "toPort": permission.to_port,
                "groups": groups.collect::<Vec<_>>(),
                "ipRanges": ranges.collect::<Vec<_>>(),
                "ipv6Ranges": [],
                "prefixListIds": lists.collect::<Vec<_>>(),
            })
        })
        .collect()
}

/// One line of `DescribeSecurityGroupRules`.
struct Rule {
    id: String,
    group: String,
    egress: bool,
    permission: Permission,
}

pub(super) fn security_group_rules(call: &mut Call<'_>) -> Answer {
    let owner = call.caller.account.as_str();
    let rules: Vec<Rule> = call
        .here()
        .security_groups
        .values()
        .flat_map(rules_of)
        .collect();
    describe(
        call,
        rules.iter(),
        "securityGroupRuleSet",
        (
            "SecurityGroupRuleId",
            "InvalidSecurityGroupRuleId.NotFound",
            "security group rule ID",
        ),
        |rule: &Rule| {
            vec![
                ("security-group-rule-id", vec![&rule.id]),
                ("group-id", vec![&rule.group]),
            ]
        },
        |rule| render_rule(rule, owner),
    )
}

fn rules_of(group: &SecurityGroup) -> Vec<Rule> {
    let sides = [(false, &group.ingress), (true, &group.egress)];
    sides
        .into_iter()
        .flat_map(|(egress, list)| list.iter().flat_map(singles).map(move |one| (egress, one)))
        .map(|(egress, permission)| rule(&group.id, egress, permission))
        .collect()
}

fn rule(group: &str, egress: bool, permission: Permission) -> Rule {
    // Rule ids are derived, so that they are the same each time.
    let digest = Sha256::digest(format!("{group}{egress}{permission:?}"));
    let id = format!("sgr-0{}", hex::encode(digest).get(..16).unwrap_or_default());
    Rule {
        id,
        group: group.to_owned(),
        egress,
        permission,
    }
}

fn render_rule(rule: &Rule, owner: &str) -> Value {
    let Permission {
        protocol,
        from_port,
        to_port,
        ip_ranges,
        groups,
        prefix_lists,
    } = &rule.permission;
    let range = ip_ranges.first();
    json!({
        "securityGroupRuleId": rule.id,
        "groupId": rule.group,
        "groupOwnerId": owner,
        "isEgress": rule.egress,
        "ipProtocol": protocol,
        "fromPort": from_port.unwrap_or(-1),
        "toPort": to_port.unwrap_or(-1),
        "cidrIpv4": range.map(|range| &range.cidr),
        "description": range.and_then(|range| range.description.as_ref()),
        "referencedGroupInfo": groups.first().map(|id| json!({"groupId": id, "userId": owner})),
        "prefixListId": prefix_lists.first(),
        "tagSet": [],
    })
}

/// A permission cut into one for each other end.
fn singles(permission: &Permission) -> Vec<Permission> {
    let bare = Permission {
        ip_ranges: Vec::new(),
        groups: Vec::new(),
        prefix_lists: Vec::new(),
        ..permission.clone()
    };
    let ranges = permission.ip_ranges.iter().map(|range| Permission {
        ip_ranges: vec![range.clone()],
        ..bare.clone()
    });
    let groups = permission.groups.iter().map(|group| Permission {
        groups: vec![group.clone()],
        ..bare.clone()
    });
    let lists = permission.prefix_lists.iter().map(|list| Permission {
        prefix_lists: vec![list.clone()],
        ..bare.clone()
    });
    ranges.chain(groups).chain(lists).collect()
}

pub(super) fn needs(call: &Call<'_>, action: &'static str) -> Vec<Need> {
    let group = call.input.text("GroupId").unwrap_or("*");
    vec![Need::on(
        action,
        call.arn("ec2", &format!("security-group/{group}")),
    )]
}

pub(super) fn authorize_ingress(call: &mut Call<'_>) -> Answer {
    authorize(call, IngressOrEgress::Ingress)
}

pub(super) fn authorize_egress(call: &mut Call<'_>) -> Answer {
    authorize(call, IngressOrEgress::Egress)
}

pub(super) fn revoke_ingress(call: &mut Call<'_>) -> Answer {
    revoke(call, IngressOrEgress::Ingress)
}

pub(super) fn revoke_egress(call: &mut Call<'_>) -> Answer {
    revoke(call, IngressOrEgress::Egress)
}

fn authorize(call: &mut Call<'_>, direction: IngressOrEgress) -> Answer {
    let (group, wanted) = (group_id(call)?.to_owned(), wanted(call.input)?);
    let (account, region) = (call.caller.account.as_str(), call.region);
    call.world
        .authorize_security_group(account, region, &group, direction, &wanted)?;
    let egress = direction == IngressOrEgress::Egress;
    let rules: Vec<Value> = wanted
        .iter()
        .flat_map(singles)
        .map(|permission| render_rule(&rule(&group, egress, permission), account))
        .collect();
    Ok(super::compact(
        json!({"return": true, "securityGroupRuleSet": rules}),
    ))
}

fn revoke(call: &mut Call<'_>, direction: IngressOrEgress) -> Answer {
    let group = group_id(call)?.to_owned();
    let ids = call.input.texts("SecurityGroupRuleId");
    let wanted = if ids.is_empty() {
        wanted(call.input)?
    } else {
        let egress = direction == IngressOrEgress::Egress;
        let rules = call
            .here()
            .security_groups
            .get(&group)
            .map(rules_of)
            .unwrap_or_default();
        let chosen = rules
            .into_iter()
            .filter(|rule| rule.egress == egress && ids.contains(&rule.id.as_str()))
            .map(|rule| rule.permission);
        let chosen: Vec<Permission> = chosen.collect();
        if chosen.len() != ids.len() {
            return Err(ApiError::invalid(
                "InvalidSecurityGroupRuleId.NotFound",
                "The specified security group rule does not exist",
            ));
        }
        chosen
    };
    let (account, region) = (call.caller.account.as_str(), call.region);
    call.world
        .revoke_security_group(account, region, &group, direction, &wanted)?;
    Ok(json!({"return": true}))
}

fn group_id<'a>(call: &Call<'a>) -> Result<&'a str, ApiError> {
    call.input.required("GroupId", "MissingParameter")
}

/// The permissions of the request, in either of the forms that the API takes.
fn wanted(input: &Input) -> Result<Vec<Permission>, ApiError> {
    let port = |input: &Input, name: &str| {
        input
            .integer(name)
            .and_then(|port| i32::try_from(port).ok())
    };
    let described = |one: &Input| one.text("Description").map(str::to_owned);
    let mut list: Vec<Permission> = input
        .items("IpPermissions")
        .iter()
        .map(|one| Permission {
            protocol: one.text("IpProtocol").unwrap_or("-1").to_owned(),
            from_port: port(one, "FromPort"),
            to_port: port(one, "ToPort"),
            ip_ranges: one
                .items("IpRanges")
                .iter()
                .filter_map(|range| {
                    let description = described(range);
                    Some(IpRange {
                        cidr: range.text("CidrIp")?.to_owned(),
                        description,
                    })
                })
                .collect(),
            groups: one
                .items("Groups")
                .iter()
                .filter_map(|group| group.text("GroupId").map(str::to_owned))
                .collect(),
            prefix_lists: one
                .items("PrefixListIds")
                .iter()
                .filter_map(|list| list.text("PrefixListId").map(str::to_owned))
                .collect(),
        })
        .collect();
    if let Some(cidr) = input.text("CidrIp") {
        list.push(Permission {
            protocol: input.text("IpProtocol").unwrap_or("-1").to_owned(),
            from_port: port(input, "FromPort"),
            to_port: port(input, "ToPort"),
            ip_ranges: vec![IpRange {
                cidr: cidr.to_owned(),
                description: None,
            }],
            groups: Vec::new(),
            prefix_lists: Vec::new(),
        });
    }
    if list.is_empty() {
        return Err(ApiError::invalid(
            "MissingParameter",
            "The request must contain the parameter ipPermissions",
        ));
    }
    Ok(list)
}
