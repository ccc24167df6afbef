//! Least privilege, on the wire: what a plan's session can do, and that it can do nothing else.
//!
//! For every typed operation the lab, which evaluates session policies as IAM does, is asked three
//! things. Does the session of a plan with that one operation let it succeed, checks included? Does
//! it fail when any one permission (an action on a resource) is taken away? And is every other
//! write, and the same write on the service next door, refused?

use std::collections::BTreeSet;

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use aws_sdk_ecs::types::{ContainerDefinition, Tag};
use aws_smithy_types::retry::RetryConfig;
use ecs_agent_credentials::Statement;
use ecs_agent_ecs::{
    Approved, Attempt, Observation, Permission, Plan, ProposedOperation, StepStatus,
    observe_actions, operate, operate_actions, undo,
};
use ecs_agent_lab::{RequestOutcome, Scenario};

use super::operations::{Bench, KINDS, Kind, WORLD, kind_of, log_group, operation, running_task};
use super::support::{World, approved};

/// The longest session policy that STS takes, in characters.
const LONGEST: usize = 2_048;

/// Sends the write itself, without a plan and without its checks, on the observed service.
async fn send(world: &World, kind: Kind, seen: &Observation) {
    let shared = world.context.sdk_config().unwrap();
    macro_rules! client {
        ($sdk:ident) => {
            $sdk::Client::from_conf(
                $sdk::config::Builder::from(&shared)
                    .retry_config(RetryConfig::disabled())
                    .build(),
            )
        };
    }
    let group = seen.service.security_groups[0].as_str();
    let rule = async |action: &str| {
        let form = [
            ("Action", action),
            ("Version", "2016-11-15"),
            ("GroupId", group),
            ("IpPermissions.1.IpProtocol", "tcp"),
            ("IpPermissions.1.FromPort", "9009"),
            ("IpPermissions.1.ToPort", "9009"),
            ("IpPermissions.1.Groups.1.GroupId", group),
        ];
        world.context.post_signed_form("ec2", &form).await.unwrap();
    };
    let service = &seen.service;
    // Whether it is refused is read from the lab's own record, not from the answer.
    match kind {
        Kind::Register => {
            let base = seen.task_definition.as_ref().unwrap();
            let container = ContainerDefinition::builder().name("web").image("web");
            let tag = Tag::builder().key("k").value("v").build();
            let _answer = client!(aws_sdk_ecs)
                .register_task_definition()
                .family(&base.family)
                .container_definitions(container.build())
                .set_execution_role_arn(base.execution_role_arn.clone())
                .tags(tag)
                .send()
                .await;
        }
        Kind::Deploy | Kind::DeployExisting => {
            let _answer = client!(aws_sdk_ecs)
                .update_service()
                .cluster(&service.cluster_arn)
                .service(&service.arn)
                .desired_count(2)
                .send()
                .await;
        }
        Kind::AuthorizeIngress => rule("AuthorizeSecurityGroupIngress").await,
        Kind::AuthorizeEgress => rule("AuthorizeSecurityGroupEgress").await,
        Kind::RevokeIngress => rule("RevokeSecurityGroupIngress").await,
        Kind::RevokeEgress => rule("RevokeSecurityGroupEgress").await,
        Kind::ModifyTargetGroup => {
            let _answer = client!(aws_sdk_elasticloadbalancingv2)
                .modify_target_group()
                .target_group_arn(&seen.target_groups[0].arn)
                .healthy_threshold_count(6)
                .send()
                .await;
        }
        Kind::CreateLogGroup => {
            let _answer = client!(aws_sdk_cloudwatchlogs)
                .create_log_group()
                .log_group_name(log_group(seen))
                .send()
                .await;
        }
        Kind::RegisterScalableTarget => {
            let _answer = client!(aws_sdk_applicationautoscaling)
                .register_scalable_target()
                .service_namespace(ServiceNamespace::Ecs)
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .resource_id(format!("service/prod/{}", service.name))
                .min_capacity(2)
                .max_capacity(4)
                .send()
                .await;
        }
        Kind::StopTask => {
            let _answer = client!(aws_sdk_ecs)
                .stop_task()
                .cluster(&service.cluster_arn)
                .task(running_task(seen))
                .send()
                .await;
        }
    }
}

/// Sends the write and says whether the lab let it through to its handler.
async fn is_let_through(world: &World, kind: Kind, seen: &Observation) -> bool {
    let before = world.lab.requests().len();
    send(world, kind, seen).await;
    let requests = world.lab.requests();
    let [request] = &requests[before..] else {
        panic!("{kind:?} is one request: {:?}", &requests[before..]);
    };
    assert!(request.mutating, "{request:?}");
    !matches!(request.outcome, RequestOutcome::Denied(_))
}

/// Each action on each resource under each set of conditions, one by one.
fn atoms(permissions: &[Permission]) -> Vec<Statement> {
    permissions
        .iter()
        .flat_map(|permission| {
            permission.actions.iter().flat_map(move |action| {
                permission.resources.iter().map(move |resource| Statement {
                    sid: None,
                    actions: vec![action.clone()],
                    resources: vec![resource.clone()],
                    conditions: permission.conditions.clone(),
                })
            })
        })
        .collect()
}

/// Every list that lacks one of the permissions, with what it lacks.
fn each_without_one(permissions: &[Permission]) -> Vec<(String, Vec<Statement>)> {
    let all = atoms(permissions);
    (0..all.len())
        .map(|lacking| {
            let mut rest = all.clone();
            let gone = rest.remove(lacking);
            (
                format!("{} on {}", gone.actions[0], gone.resources[0]),
                rest,
            )
        })
        .filter(|(_, rest)| !rest.is_empty())
        .collect()
}

async fn row(kind: Kind) {
    let mut bench = Bench::new().await;
    bench.prepare(kind).await;
    let plan = bench.plan(operation(kind, &bench.seen));
    assert_eq!(kind_of(&plan.content().steps[0].operation), kind);
    let world = &bench.world;
    let session = plan.sessions().unwrap().remove(0);
    let policy = session.policy();
    assert!(policy.to_json().len() <= LONGEST, "{}", policy.to_json());
    assert!(policy.packed_bytes() <= 800, "{}", policy.to_json());

    // Minimal: without any one permission the operation fails, and changes nothing.
    let writes = world.writes().len();
    let lacking = each_without_one(&session.permissions);
    assert!(lacking.len() > 1, "{kind:?}: {lacking:?}");
    for (what, statements) in lacking {
        world.narrow_to(statements).await;
        let outcome = operate(&world.clients, &plan, 1, &[], Attempt::First).await;
        let succeeded = outcome
            .as_ref()
            .is_ok_and(|outcome| outcome.status.in_effect());
        assert!(!succeeded, "{kind:?} does not need {what}: {outcome:?}");
    }
    let applied = |request: &&ecs_agent_lab::RequestRecord| {
        request.mutating && request.outcome == RequestOutcome::Allowed
    };
    let applied_before = world.lab.requests()[..].iter().filter(applied).count();
    let prepared = usize::from(matches!(kind, Kind::RevokeIngress | Kind::RevokeEgress));
    assert_eq!(applied_before, prepared, "{kind:?}");

    // Nothing else: no other write on the service, no write at all on the service next door.
    world.may_carry_out(&plan, 1).await;
    let same = |other: Kind| {
        let deploys = [Kind::Deploy, Kind::DeployExisting];
        other == kind || (deploys.contains(&other) && deploys.contains(&kind))
    };
    for other in KINDS {
        let next_door = is_let_through(world, *other, &bench.sibling).await;
        assert!(!next_door, "{kind:?} allows {other:?} on the sibling");
        if !same(*other) {
            let let_through = is_let_through(world, *other, &bench.seen).await;
            assert!(!let_through, "{kind:?} allows {other:?} on the service");
        }
    }

    // Sufficient: under its own session it succeeds, with its checks, and no call is refused.
    let denied = world.denied().len();
    let outcome = operate(&world.clients, &plan, 1, &[], Attempt::First)
        .await
        .unwrap();
    assert_eq!(outcome.status, StepStatus::Applied, "{kind:?}");
    assert_eq!(
        world.denied().len(),
        denied,
        "{:?}",
        &world.denied()[denied..]
    );
    assert!(world.writes().len() > writes);

    undo_row(&bench, kind, &plan, &[outcome]).await;

    // The lab lets the write itself through: what was refused above was refused by the policy.
    world.may_carry_out(&plan, 1).await;
    assert!(is_let_through(world, kind, &bench.seen).await, "{kind:?}");
}

/// The same for undoing it: sufficient and minimal.
async fn undo_row(
    bench: &Bench,
    kind: Kind,
    plan: &Plan<Approved>,
    done: &[ecs_agent_ecs::StepOutcome],
) {
    let world = &bench.world;
    let sessions = plan.rollback_sessions(done).unwrap();
    let Some(session) = sessions.first() else {
        let nothing_to_undo = [Kind::Register, Kind::CreateLogGroup, Kind::StopTask];
        assert!(nothing_to_undo.contains(&kind), "{kind:?} has no way back");
        return;
    };
    for (what, statements) in each_without_one(&session.permissions) {
        world.narrow_to(statements).await;
        let outcome = undo(&world.clients, plan, 1, done, Attempt::First).await;
        let succeeded = outcome
            .as_ref()
            .is_ok_and(|outcome| outcome.as_ref().is_some_and(|one| one.status.in_effect()));
        assert!(
            !succeeded,
            "undoing {kind:?} does not need {what}: {outcome:?}"
        );
    }
    world.may_undo(plan, done).await;
    let denied = world.denied().len();
    let outcome = undo(&world.clients, plan, 1, done, Attempt::First)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(outcome.status, StepStatus::Applied, "undoing {kind:?}");
    assert_eq!(world.denied().len(), denied, "undoing {kind:?}");
}

/// The roles that an administrator makes allow what the operations need, and nothing that none does.
#[tokio::test]
async fn the_shipped_roles_allow_what_the_operations_need_and_no_more() {
    let mut bench = Bench::new().await;
    let mut needed = BTreeSet::new();
    for kind in KINDS {
        bench.prepare(*kind).await;
        let plan = bench.plan(operation(*kind, &bench.seen));
        let content = plan.content();
        for permission in content
            .session_policy
            .iter()
            .chain(&content.rollback_policy)
        {
            needed.extend(permission.actions.iter().cloned());
        }
    }
    let reads: BTreeSet<String> = observe_actions().map(str::to_owned).collect();
    let writes: BTreeSet<String> = operate_actions().map(str::to_owned).collect();
    let allowed = &reads | &writes;
    let lacking: Vec<_> = needed.difference(&allowed).collect();
    assert!(lacking.is_empty(), "the operate role lacks {lacking:?}");
    let unused: Vec<_> = writes.difference(&needed).collect();
    assert!(unused.is_empty(), "no operation needs {unused:?}");
}

/// A plan whose permissions do not fit one session runs under several, each step under the one that
/// it is in, and under no other.
#[tokio::test]
async fn a_plan_that_fits_no_session_is_carried_out_under_several() {
    // As long as ECS lets the name of a task definition family be that is made of both.
    let long = |word: &str| format!("{word}-{}", "x".repeat(100));
    let (cluster, service) = (long("prod"), long("api"));
    let world = WORLD.replace("- name: prod", &format!("- name: {cluster}"));
    let world = world.replace(
        "cluster: prod, service: api",
        &format!("cluster: {cluster}, service: {service}"),
    );
    let world = world.replace("name: api,", &format!("name: {service},"));
    let world = world.replace("/ecs/prod/api", &format!("/ecs/{cluster}/{service}"));
    let scenario = Scenario::parse("policy-matrix.yaml", &world).unwrap();
    let world = World::playing(scenario).await;
    let seen = world.observe().await;
    let proposed = [
        Kind::CreateLogGroup,
        Kind::AuthorizeIngress,
        Kind::Register,
        Kind::RegisterScalableTarget,
        Kind::ModifyTargetGroup,
        Kind::StopTask,
    ]
    .map(|kind| ProposedOperation {
        operation: operation(kind, &seen),
        reason: "the matrix".to_owned(),
    });
    let plan = approved(Plan::from_model(proposed.to_vec(), &seen).unwrap());
    let sessions = plan.sessions().unwrap();
    assert!(sessions.len() > 1, "{sessions:?}");

    // The sessions together are what the person was shown.
    let shown: BTreeSet<String> = atoms(&plan.content().session_policy)
        .iter()
        .map(said)
        .collect();
    let granted = sessions
        .iter()
        .flat_map(|session| atoms(&session.permissions));
    assert_eq!(
        granted.map(|atom| said(&atom)).collect::<BTreeSet<_>>(),
        shown
    );

    let mut done = Vec::new();
    for session in &sessions {
        let [first, ..] = session.steps.as_slice() else {
            panic!("a session without steps")
        };
        if *first > 1 {
            // Under the session before, this one's first step is refused.
            world.may_carry_out(&plan, first - 1).await;
            let refused = operate(&world.clients, &plan, *first, &done, Attempt::First).await;
            let in_effect = refused
                .as_ref()
                .is_ok_and(|outcome| outcome.status.in_effect());
            assert!(
                !in_effect,
                "step {first} under another session: {refused:?}"
            );
        }
        for step in &session.steps {
            world.may_carry_out(&plan, *step).await;
            let denied = world.denied().len();
            let outcome = operate(&world.clients, &plan, *step, &done, Attempt::First)
                .await
                .unwrap();
            assert_eq!(outcome.status, StepStatus::Applied, "step {step}");
            assert_eq!(world.denied().len(), denied, "step {step}");
            done.push(outcome);
        }
    }
    // Every part says which it is, and all rest on the one approval.
    let grants: BTreeSet<_> = (1..=6)
        .map(|step| plan.grant(step).unwrap())
        .map(|grant| {
            (
                grant.plan_hash().to_owned(),
                grant.part().map(str::to_owned),
            )
        })
        .collect();
    assert_eq!(grants.len(), sessions.len());
    assert!(grants.iter().all(|(hash, _)| hash == plan.hash().as_str()));
}

fn said(atom: &Statement) -> String {
    format!(
        "{:?} {:?} {:?}",
        atom.actions, atom.resources, atom.conditions
    )
}

/// One test a row, so that they run side by side.
macro_rules! rows {
    ($($name:ident: $($kind:ident),+;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                $(row(Kind::$kind).await;)+
            }
        )*

        #[test]
        fn every_kind_of_write_has_a_row() {
            let rows: BTreeSet<Kind> = [$($(Kind::$kind),+),*].into();
            assert_eq!(rows, KINDS.iter().copied().collect());
        }
    };
}

rows! {
    registering_a_revision_needs_all_it_has_and_gets_nothing_else: Register;
    updating_a_service_needs_all_it_has_and_gets_nothing_else: Deploy;
    deploying_a_revision_needs_all_it_has_and_gets_nothing_else: DeployExisting;
    adding_a_rule_needs_all_it_has_and_gets_nothing_else: AuthorizeIngress, AuthorizeEgress;
    removing_a_rule_needs_all_it_has_and_gets_nothing_else: RevokeIngress, RevokeEgress;
    changing_a_health_check_needs_all_it_has_and_gets_nothing_else: ModifyTargetGroup;
    creating_a_log_group_needs_all_it_has_and_gets_nothing_else: CreateLogGroup;
    changing_scaling_limits_needs_all_it_has_and_gets_nothing_else: RegisterScalableTarget;
    stopping_a_task_needs_all_it_has_and_gets_nothing_else: StopTask;
}

#[tokio::test]
async fn a_session_that_observes_can_write_nothing() {
    let bench = Bench::new().await;
    bench.world.may_read().await;
    for kind in KINDS {
        for seen in [&bench.seen, &bench.sibling] {
            let let_through = is_let_through(&bench.world, *kind, seen).await;
            assert!(!let_through, "an observation may {kind:?}");
        }
    }
    assert!(bench.world.lab.health().bystanders_untouched);
}
