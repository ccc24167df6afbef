//! The world moves between the approval and the execution: nothing is written, and what moved is named.

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, DeploymentCircuitBreaker, DeploymentConfiguration,
    NetworkConfiguration,
};
use aws_sdk_elasticloadbalancingv2::types::Matcher;
use ecs_agent_credentials::Statement;
use ecs_agent_ecs::{Attempt, StepStatus, operate};

use super::operations::{Bench, KINDS, Kind, operation};

/// What somebody else does meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    ScalesOut,
    ScalesIn,
    ScalesToZero,
    DeploysAnew,
    DeploysAnotherRevision,
    TakesASubnetAway,
    TakesGroupsAway,
    GivesPublicAddresses,
    SetsAGracePeriod,
    SwitchesTheCircuitBreaker,
    SetsHealthyPercents,
    Deletes,
    AddsAnInboundRule,
    RemovesTheInboundRule,
    AddsAnOutboundRule,
    RemovesTheOutboundRule,
    ChangesTheCheck(Check),
    RaisesTheLimit,
    RaisesTheFloor,
}

/// A part of the load balancer's health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Path,
    Port,
    Interval,
    Timeout,
    Threshold,
    Matcher,
}

/// Each, and the fact that has to be named; `service.` facts stand in the way of every operation.
const MOVES: [(Move, &str); 24] = [
    (Move::ScalesOut, "service.desired_count"),
    (Move::ScalesIn, "service.desired_count"),
    (Move::ScalesToZero, "service.desired_count"),
    (Move::DeploysAnew, "service.deployments"),
    (Move::DeploysAnotherRevision, "service.task_definition"),
    (Move::TakesASubnetAway, "service.subnets"),
    (Move::TakesGroupsAway, "service.security_groups"),
    (Move::GivesPublicAddresses, "service.assign_public_ip"),
    (Move::SetsAGracePeriod, "service.grace_period_seconds"),
    (Move::SwitchesTheCircuitBreaker, "service.circuit_breaker"),
    (Move::SetsHealthyPercents, "service.healthy_percents"),
    (Move::Deletes, "service.status"),
    (Move::AddsAnInboundRule, "ingress"),
    (Move::RemovesTheInboundRule, "ingress"),
    (Move::AddsAnOutboundRule, "egress"),
    (Move::RemovesTheOutboundRule, "egress"),
    (Move::ChangesTheCheck(Check::Path), "health_check"),
    (Move::ChangesTheCheck(Check::Port), "health_check"),
    (Move::ChangesTheCheck(Check::Interval), "health_check"),
    (Move::ChangesTheCheck(Check::Timeout), "health_check"),
    (Move::ChangesTheCheck(Check::Threshold), "health_check"),
    (Move::ChangesTheCheck(Check::Matcher), "health_check"),
    (Move::RaisesTheLimit, "scaling.limits"),
    (Move::RaisesTheFloor, "scaling.limits"),
];

/// The kinds of write that depend on the fact.
fn hindered(fact: &str) -> Vec<Kind> {
    match fact {
        "ingress" => vec![Kind::AuthorizeIngress, Kind::RevokeIngress],
        "egress" => vec![Kind::AuthorizeEgress, Kind::RevokeEgress],
        "health_check" => vec![Kind::ModifyTargetGroup],
        "scaling.limits" => vec![Kind::RegisterScalableTarget, Kind::Deploy],
        _ => KINDS.to_vec(),
    }
}

async fn happens(bench: &Bench, what: Move) {
    let world = &bench.world;
    let everything = Statement {
        sid: None,
        actions: [
            "ecs:Describe*",
            "ecs:UpdateService",
            "ecs:DeleteService",
            "ecs:RegisterTaskDefinition",
            "iam:PassRole",
            "ec2:AuthorizeSecurityGroup*",
            "ec2:RevokeSecurityGroup*",
            "elasticloadbalancing:ModifyTargetGroup",
            "application-autoscaling:RegisterScalableTarget",
        ]
        .map(str::to_owned)
        .to_vec(),
        resources: vec!["*".to_owned()],
        conditions: std::collections::BTreeMap::new(),
    };
    world.narrow_to(vec![everything]).await;
    let service = &bench.seen.service;
    let shared = world.context.sdk_config().unwrap();
    let ecs = aws_sdk_ecs::Client::new(&shared);
    let update = ecs
        .update_service()
        .cluster(&service.cluster_arn)
        .service(&service.arn);
    let network = |subnets: &[String], groups: &[String], public: AssignPublicIp| {
        let configuration = AwsVpcConfiguration::builder()
            .set_subnets(Some(subnets.to_vec()))
            .set_security_groups(Some(groups.to_vec()))
            .assign_public_ip(public)
            .build()
            .unwrap();
        NetworkConfiguration::builder()
            .awsvpc_configuration(configuration)
            .build()
    };
    let (subnets, groups) = (&service.subnets, &service.security_groups);
    let percents = DeploymentConfiguration::builder()
        .minimum_healthy_percent(50)
        .maximum_percent(150);
    let breaker = DeploymentCircuitBreaker::builder()
        .enable(true)
        .rollback(true)
        .build();
    let private = AssignPublicIp::Disabled;
    let update = match what {
        Move::ScalesOut => update.desired_count(3),
        Move::ScalesIn => update.desired_count(1),
        Move::ScalesToZero => update.desired_count(0),
        Move::DeploysAnew => update.force_new_deployment(true),
        Move::DeploysAnotherRevision => update.task_definition(another_revision(bench).await),
        Move::TakesASubnetAway => {
            update.network_configuration(network(&subnets[..1], groups, private))
        }
        Move::TakesGroupsAway => {
            let other = bench.seen.network.security_groups.iter();
            let other = other.map(|group| group.id.clone());
            let other: Vec<_> = other.filter(|id| !groups.contains(id)).collect();
            update.network_configuration(network(subnets, &other[..1], private))
        }
        Move::GivesPublicAddresses => {
            update.network_configuration(network(subnets, groups, AssignPublicIp::Enabled))
        }
        Move::SetsAGracePeriod => update.health_check_grace_period_seconds(91),
        Move::SwitchesTheCircuitBreaker => update.deployment_configuration(
            DeploymentConfiguration::builder()
                .deployment_circuit_breaker(breaker)
                .build(),
        ),
        Move::SetsHealthyPercents => update.deployment_configuration(percents.build()),
        Move::Deletes => {
            let delete = ecs.delete_service().cluster(&service.cluster_arn);
            delete
                .service(&service.arn)
                .force(true)
                .send()
                .await
                .unwrap();
            return;
        }
        Move::AddsAnInboundRule => return rule(bench, "AuthorizeSecurityGroupIngress", 7001).await,
        Move::RemovesTheInboundRule => {
            return rule(bench, "RevokeSecurityGroupIngress", 9003).await;
        }
        Move::AddsAnOutboundRule => return rule(bench, "AuthorizeSecurityGroupEgress", 7002).await,
        Move::RemovesTheOutboundRule => {
            return rule(bench, "RevokeSecurityGroupEgress", 9004).await;
        }
        Move::ChangesTheCheck(part) => return health_check(bench, part).await,
        Move::RaisesTheLimit => return limits(bench, 2, 9).await,
        Move::RaisesTheFloor => return limits(bench, 1, 4).await,
    };
    update.send().await.unwrap();
}

/// A copy of the present revision, as its family's newest.
async fn another_revision(bench: &Bench) -> String {
    let shared = bench.world.context.sdk_config().unwrap();
    let ecs = aws_sdk_ecs::Client::new(&shared);
    let present = ecs
        .describe_task_definition()
        .task_definition(&bench.seen.service.task_definition)
        .send()
        .await
        .unwrap();
    let present = present.task_definition().unwrap().clone();
    let registered = ecs
        .register_task_definition()
        .family(present.family().unwrap())
        .set_container_definitions(present.container_definitions.clone())
        .set_cpu(present.cpu.clone())
        .set_memory(present.memory.clone())
        .set_network_mode(present.network_mode.clone())
        .set_execution_role_arn(present.execution_role_arn.clone())
        .set_task_role_arn(present.task_role_arn.clone())
        .set_requires_compatibilities(present.requires_compatibilities.clone())
        .send()
        .await
        .unwrap();
    let registered = registered.task_definition().unwrap();
    registered.task_definition_arn().unwrap().to_owned()
}

async fn rule(bench: &Bench, action: &str, port: u16) {
    let group = bench.seen.service.security_groups[0].as_str();
    let peer = bench.seen.network.security_groups[0].id.as_str();
    let port = port.to_string();
    let form = [
        ("Action", action),
        ("Version", "2016-11-15"),
        ("GroupId", group),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", &port),
        ("IpPermissions.1.ToPort", &port),
        ("IpPermissions.1.Groups.1.GroupId", peer),
    ];
    let answer = bench.world.context.post_signed_form("ec2", &form).await;
    assert!(answer.is_ok(), "{action}: {answer:?}");
}

async fn health_check(bench: &Bench, part: Check) {
    let shared = bench.world.context.sdk_config().unwrap();
    let change = aws_sdk_elasticloadbalancingv2::Client::new(&shared)
        .modify_target_group()
        .target_group_arn(&bench.seen.target_groups[0].arn);
    let change = match part {
        Check::Path => change.health_check_path("/elsewhere"),
        Check::Port => change.health_check_port("8081"),
        Check::Interval => change.health_check_interval_seconds(47),
        Check::Timeout => change.health_check_timeout_seconds(3),
        Check::Threshold => change.unhealthy_threshold_count(7),
        Check::Matcher => change.matcher(Matcher::builder().http_code("200-399").build()),
    };
    change.send().await.unwrap();
}

async fn limits(bench: &Bench, min: i32, max: i32) {
    let shared = bench.world.context.sdk_config().unwrap();
    aws_sdk_applicationautoscaling::Client::new(&shared)
        .register_scalable_target()
        .service_namespace(ServiceNamespace::Ecs)
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .resource_id(format!("service/prod/{}", bench.seen.service.name))
        .min_capacity(min)
        .max_capacity(max)
        .send()
        .await
        .unwrap();
}

/// Everything that stands in the way of one kind of write, each in a world of its own.
async fn nothing_is_written_after(what: Move, fact: &str, kind: Kind) {
    let mut bench = Bench::new().await;
    bench.prepare(kind).await;
    let removes = [
        (Move::RemovesTheInboundRule, Kind::RevokeIngress),
        (Move::RemovesTheOutboundRule, Kind::RevokeEgress),
    ];
    for (_, revoke) in removes.iter().filter(|(one, _)| *one == what) {
        if kind != *revoke {
            bench.prepare(*revoke).await;
        }
    }
    let plan = bench.plan(operation(kind, &bench.seen));
    happens(&bench, what).await;
    let writes = bench.world.writes();
    bench.world.may_carry_out(&plan, 1).await;
    let outcome = operate(&bench.world.clients, &plan, 1, &[], Attempt::First).await;
    assert_eq!(bench.world.writes(), writes, "{kind:?} after {what:?}");
    let outcome = match outcome {
        // It may be gone altogether.
        Err(error) if what == Move::Deletes => {
            assert!(error.to_string().contains("is gone"), "{error}");
            return;
        }
        outcome => outcome.unwrap(),
    };
    let StepStatus::Refused { drift } = &outcome.status else {
        panic!("{kind:?} after {what:?}: {:?}", outcome.status);
    };
    let named =
        |drift: &&ecs_agent_ecs::Drift| drift.fact.contains(fact) && drift.planned != drift.now;
    assert!(drift.iter().any(|one| named(&one)), "{what:?}: {drift:?}");
}

#[tokio::test]
async fn whatever_moves_under_the_service_stops_an_update() {
    for (what, fact) in MOVES
        .iter()
        .filter(|(_, fact)| fact.starts_with("service."))
    {
        nothing_is_written_after(*what, fact, Kind::Deploy).await;
    }
}

#[tokio::test]
async fn whatever_moves_under_the_thing_that_is_changed_stops_the_change() {
    for (what, fact) in MOVES
        .iter()
        .filter(|(_, fact)| !fact.starts_with("service."))
    {
        for kind in hindered(fact) {
            nothing_is_written_after(*what, fact, kind).await;
        }
    }
}

#[tokio::test]
async fn a_service_that_was_scaled_or_deployed_stops_every_kind_of_write() {
    for kind in hindered("service.") {
        for (what, fact) in [MOVES[0], MOVES[3], MOVES[11]] {
            nothing_is_written_after(what, fact, kind).await;
        }
    }
}
