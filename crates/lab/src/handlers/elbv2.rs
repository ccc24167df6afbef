//! Elastic Load Balancing, version 2.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::page::{Paging, page};
use super::{Answer, Call, Effect, Need, Operation, compact, everything, iso};
use crate::wire::ApiError;
use crate::world::{
    HealthCheckChange, HealthCheckPort, Listener, ListenerRule, LoadBalancer, TargetGroup,
    TargetType,
};

pub(super) const OPERATIONS: &[Operation] = &[
    reads(
        "DescribeLoadBalancers",
        |_| everything("elasticloadbalancing:DescribeLoadBalancers"),
        load_balancers,
    ),
    reads(
        "DescribeListeners",
        |_| everything("elasticloadbalancing:DescribeListeners"),
        listeners,
    ),
    reads(
        "DescribeRules",
        |_| everything("elasticloadbalancing:DescribeRules"),
        rules,
    ),
    reads(
        "DescribeTargetGroups",
        |_| everything("elasticloadbalancing:DescribeTargetGroups"),
        target_groups,
    ),
    reads(
        "DescribeTargetGroupAttributes",
        |_| everything("elasticloadbalancing:DescribeTargetGroupAttributes"),
        attributes,
    ),
    reads(
        "DescribeTargetHealth",
        |_| everything("elasticloadbalancing:DescribeTargetHealth"),
        target_health,
    ),
    reads(
        "DescribeTags",
        |_| everything("elasticloadbalancing:DescribeTags"),
        tags,
    ),
    mutates(
        "ModifyTargetGroup",
        |call| on_target_group(call, "elasticloadbalancing:ModifyTargetGroup"),
        modify_target_group,
    ),
    mutates(
        "ModifyTargetGroupAttributes",
        |call| on_target_group(call, "elasticloadbalancing:ModifyTargetGroupAttributes"),
        modify_attributes,
    ),
];

const fn reads(
    name: &'static str,
    needs: fn(&Call<'_>) -> Vec<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Operation {
    Operation {
        service: "elasticloadbalancing",
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
        service: "elasticloadbalancing",
        name,
        effect: Effect::Mutates,
        needs,
        run,
    }
}

const PAGES: Paging = Paging {
    size: "PageSize",
    token: "Marker",
    default: 400,
    most: 400,
    bad_token: "ValidationError",
};

fn on_target_group(call: &Call<'_>, action: &'static str) -> Vec<Need> {
    vec![Need::on(
        action,
        call.input.text("TargetGroupArn").unwrap_or("*"),
    )]
}

fn missing_group(arn: &str) -> ApiError {
    let name = arn.split('/').nth(1).unwrap_or(arn);
    ApiError::invalid(
        "TargetGroupNotFound",
        format!("Target groups '{name}' not found"),
    )
}

fn load_balancers(call: &mut Call<'_>) -> Answer {
    let here = call.here();
    let (arns, names) = (
        call.input.texts("LoadBalancerArns"),
        call.input.texts("Names"),
    );
    for arn in &arns {
        if !here.load_balancers.contains_key(*arn) {
            return Err(ApiError::invalid(
                "LoadBalancerNotFound",
                format!("Load balancer '{arn}' not found"),
            ));
        }
    }
    for name in &names {
        if !here
            .load_balancers
            .values()
            .any(|balancer| balancer.name == *name)
        {
            return Err(ApiError::invalid(
                "LoadBalancerNotFound",
                format!("Load balancers '[{name}]' not found"),
            ));
        }
    }
    let chosen = here.load_balancers.values().filter(|balancer| {
        (arns.is_empty() || arns.contains(&balancer.arn.as_str()))
            && (names.is_empty() || names.contains(&balancer.name.as_str()))
    });
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen
        .into_iter()
        .map(|balancer| load_balancer(call, balancer))
        .collect();
    Ok(compact(json!({"LoadBalancers": list, "NextMarker": next})))
}

fn load_balancer(call: &Call<'_>, balancer: &LoadBalancer) -> Value {
    let zones = balancer.subnets.iter().map(|subnet| {
        let zone = call
            .here()
            .subnets
            .get(subnet)
            .map(|subnet| subnet.availability_zone.clone());
        json!({"ZoneName": zone, "SubnetId": subnet, "LoadBalancerAddresses": []})
    });
    json!({
        "LoadBalancerArn": balancer.arn,
        "DNSName": balancer.dns_name,
        // The hosted zone that AWS documents for Application Load Balancers in us-east-1.
        "CanonicalHostedZoneId": "Z35SXDOTRQ7X7K",
        "CreatedTime": iso(balancer.created_at),
        "LoadBalancerName": balancer.name,
        "Scheme": balancer.scheme,
        "VpcId": balancer.vpc,
        "State": {"Code": "active"},
        "Type": "application",
        "AvailabilityZones": zones.collect::<Vec<_>>(),
        "SecurityGroups": balancer.security_groups,
        "IpAddressType": "ipv4",
    })
}

fn forward(target_group: &str) -> Value {
    json!([{
        "Type": "forward",
        "TargetGroupArn": target_group,
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": target_group, "Weight": 1}],
            "TargetGroupStickinessConfig": {"Enabled": false},
        },
    }])
}

fn listeners(call: &mut Call<'_>) -> Answer {
    let here = call.here();
    let arns = call.input.texts("ListenerArns");
    let balancer = call.input.text("LoadBalancerArn");
    for arn in &arns {
        if !here.listeners.contains_key(*arn) {
            return Err(missing_listener(arn));
        }
    }
    if let Some(arn) = balancer
        && !here.load_balancers.contains_key(arn)
    {
        return Err(ApiError::invalid(
            "LoadBalancerNotFound",
            format!("Load balancer '{arn}' not found"),
        ));
    }
    let chosen = here.listeners.values().filter(|listener| {
        (arns.is_empty() || arns.contains(&listener.arn.as_str()))
            && balancer.is_none_or(|arn| arn == listener.load_balancer)
    });
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen.into_iter().map(listener).collect();
    Ok(compact(json!({"Listeners": list, "NextMarker": next})))
}

fn missing_listener(arn: &str) -> ApiError {
    ApiError::invalid(
        "ListenerNotFound",
        format!("One or more listeners not found: '{arn}'"),
    )
}

fn listener(listener: &Listener) -> Value {
    json!({
        "ListenerArn": listener.arn,
        "LoadBalancerArn": listener.load_balancer,
        "Port": listener.port,
        "Protocol": listener.protocol,
        "DefaultActions": forward(&listener.default_target_group),
    })
}

fn rules(call: &mut Call<'_>) -> Answer {
    let here = call.here();
    let arns = call.input.texts("RuleArns");
    let of_listener = call.input.text("ListenerArn");
    if let Some(arn) = of_listener
        && !here.listeners.contains_key(arn)
    {
        return Err(missing_listener(arn));
    }
    let chosen: Vec<&ListenerRule> = here
        .listener_rules
        .values()
        .filter(|rule| {
            (arns.is_empty() || arns.contains(&rule.arn.as_str()))
                && of_listener.is_none_or(|arn| arn == rule.listener)
        })
        .collect();
    let mut list: Vec<Value> = chosen.iter().map(|chosen| rule(chosen)).collect();
    // Every listener has a default rule, whether or not the world lists it.
    if let Some(listener) = of_listener.and_then(|arn| here.listeners.get(arn))
        && !chosen.iter().any(|rule| rule.priority == "default")
    {
        list.push(json!({
            "RuleArn": format!("{}/default", listener.arn.replace(":listener/", ":listener-rule/")),
            "Priority": "default",
            "Conditions": [],
            "Actions": forward(&listener.default_target_group),
            "IsDefault": true,
        }));
    }
    let (list, next) = page(list, call.input, PAGES)?;
    Ok(compact(json!({"Rules": list, "NextMarker": next})))
}

fn rule(rule: &ListenerRule) -> Value {
    let conditions = if rule.path_patterns.is_empty() {
        json!([])
    } else {
        json!([{
            "Field": "path-pattern",
            "Values": rule.path_patterns,
            "PathPatternConfig": {"Values": rule.path_patterns},
        }])
    };
    json!({
        "RuleArn": rule.arn,
        "Priority": rule.priority,
        "Conditions": conditions,
        "Actions": forward(&rule.target_group),
        "IsDefault": rule.priority == "default",
    })
}

fn target_groups(call: &mut Call<'_>) -> Answer {
    let here = call.here();
    let (arns, names) = (
        call.input.texts("TargetGroupArns"),
        call.input.texts("Names"),
    );
    let balancer = call.input.text("LoadBalancerArn");
    for arn in &arns {
        if !here.target_groups.contains_key(*arn) {
            return Err(ApiError::invalid(
                "TargetGroupNotFound",
                "One or more target groups not found",
            ));
        }
    }
    for name in &names {
        if !here.target_groups.values().any(|group| group.name == *name) {
            return Err(ApiError::invalid(
                "TargetGroupNotFound",
                "One or more target groups not found",
            ));
        }
    }
    let chosen = here.target_groups.values().filter(|group| {
        (arns.is_empty() || arns.contains(&group.arn.as_str()))
            && (names.is_empty() || names.contains(&group.name.as_str()))
            && balancer.is_none_or(|arn| group.load_balancers.iter().any(|own| own == arn))
    });
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen.into_iter().map(target_group).collect();
    Ok(compact(json!({"TargetGroups": list, "NextMarker": next})))
}

fn target_group(group: &TargetGroup) -> Value {
    let check = &group.health_check;
    json!({
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        "Protocol": group.protocol,
        "Port": group.port,
        "VpcId": group.vpc,
        "HealthCheckProtocol": check.protocol,
        "HealthCheckPort": check.port.text(),
        "HealthCheckEnabled": true,
        "HealthCheckIntervalSeconds": check.interval_seconds,
        "HealthCheckTimeoutSeconds": check.timeout_seconds,
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
        "HealthCheckPath": check.path,
        "Matcher": {"HttpCode": check.success_codes},
        "LoadBalancerArns": group.load_balancers,
        "TargetType": group.target_type.as_str(),
        "ProtocolVersion": "HTTP1",
        "IpAddressType": "ipv4",
    })
}

fn find_group<'a>(call: &'a Call<'_>) -> Result<&'a TargetGroup, ApiError> {
    let arn = call.input.required("TargetGroupArn", "ValidationError")?;
    call.here()
        .target_groups
        .get(arn)
        .ok_or_else(|| missing_group(arn))
}

fn attributes(call: &mut Call<'_>) -> Answer {
    let group = find_group(call)?;
    Ok(json!({"Attributes": attribute_list(group)}))
}

fn attribute_list(group: &TargetGroup) -> Value {
    let delay = group.deregistration_delay_seconds.to_string();
    [
        ("deregistration_delay.timeout_seconds", delay.as_str()),
        ("stickiness.enabled", "false"),
        ("stickiness.type", "lb_cookie"),
        ("slow_start.duration_seconds", "0"),
        ("load_balancing.algorithm.type", "round_robin"),
        (
            "load_balancing.cross_zone.enabled",
            "use_load_balancer_configuration",
        ),
    ]
    .into_iter()
    .map(|(key, value)| json!({"Key": key, "Value": value}))
    .collect()
}

fn target_health(call: &mut Call<'_>) -> Answer {
    let group = find_group(call)?;
    let wanted: BTreeSet<String> = call
        .input
        .items("Targets")
        .iter()
        .filter_map(|target| target.text("Id").map(str::to_owned))
        .collect();
    let chosen = group
        .targets
        .iter()
        .filter(|target| wanted.is_empty() || wanted.contains(&target.id));
    let mut list: Vec<Value> = chosen
        .map(|target| {
            json!({
                "Target": {
                    "Id": target.id,
                    "Port": target.port,
                    "AvailabilityZone": match group.target_type {
                        TargetType::Ip => Some(&target.availability_zone),
                        TargetType::Instance => None,
                    },
                },
                "HealthCheckPort": match group.health_check.port {
                    HealthCheckPort::Traffic => target.port.to_string(),
                    HealthCheckPort::Fixed(port) => port.to_string(),
                },
                "TargetHealth": {
                    "State": target.state.as_str(),
                    "Reason": target.reason.map(|reason| reason.as_str()),
                    "Description": target.description,
                },
            })
        })
        .collect();
    for id in &wanted {
        if !group.targets.iter().any(|target| target.id == *id) {
            list.push(json!({
                "Target": {"Id": id, "Port": group.port},
                "TargetHealth": {
                    "State": "unused",
                    "Reason": "Target.NotRegistered",
                    "Description": "Target is not registered to the target group",
                },
            }));
        }
    }
    Ok(compact(json!({"TargetHealthDescriptions": list})))
}

fn tags(call: &mut Call<'_>) -> Answer {
    let list = call.input.texts("ResourceArns").into_iter();
    let list: Vec<Value> = list
        .map(|arn| json!({"ResourceArn": arn, "Tags": []}))
        .collect();
    Ok(json!({"TagDescriptions": list}))
}

fn modify_target_group(call: &mut Call<'_>) -> Answer {
    let arn = find_group(call)?.arn.clone();
    let input = call.input;
    let number = |name: &str| {
        input
            .integer(name)
            .and_then(|number| u32::try_from(number).ok())
    };
    let text = |name: &str| input.text(name).map(str::to_owned);
    let port = match input.text("HealthCheckPort") {
        None => None,
        Some("traffic-port") => Some(HealthCheckPort::Traffic),
        Some(port) => Some(HealthCheckPort::Fixed(port.parse().map_err(|_| {
            ApiError::invalid(
                "ValidationError",
                format!("Health check port '{port}' is not valid"),
            )
        })?)),
    };
    let change = HealthCheckChange {
        protocol: text("HealthCheckProtocol"),
        port,
        path: text("HealthCheckPath"),
        interval_seconds: number("HealthCheckIntervalSeconds"),
        timeout_seconds: number("HealthCheckTimeoutSeconds"),
        healthy_threshold: number("HealthyThresholdCount"),
        unhealthy_threshold: number("UnhealthyThresholdCount"),
        success_codes: input.nested("Matcher").text("HttpCode").map(str::to_owned),
    };
    let (account, region) = (call.caller.account.as_str(), call.region);
    let group = call
        .world
        .modify_target_group(account, region, &arn, &change)?;
    Ok(compact(json!({"TargetGroups": [target_group(&group)]})))
}

fn modify_attributes(call: &mut Call<'_>) -> Answer {
    let arn = find_group(call)?.arn.clone();
    let attributes: Vec<(String, String)> = call
        .input
        .items("Attributes")
        .iter()
        .filter_map(|attribute| {
            let value = attribute.text("Value").unwrap_or_default().to_owned();
            Some((attribute.text("Key")?.to_owned(), value))
        })
        .collect();
    let (account, region) = (call.caller.account.as_str(), call.region);
    let group = call
        .world
        .modify_target_group_attributes(account, region, &arn, &attributes)?;
    Ok(json!({"Attributes": attribute_list(&group)}))
}
