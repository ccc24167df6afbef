//! What a plan does is seen, done once, and undone without a trace.

use std::collections::BTreeMap;

use ecs_agent_ecs::{
    Approved, Attempt, Fingerprint, Inverse, Observation, Operation, Plan, ProposedOperation,
    StepOutcome, StepStatus, UpdateService, operate, roll_back,
};

use super::support::{World, approved};

/// What a plan could have changed. Ids of deployments are new after every change of the service.
fn facts(observation: &Observation) -> BTreeMap<String, String> {
    Fingerprint::of(observation)
        .facts()
        .filter(|(fact, _)| *fact != "service.deployments")
        .map(|(fact, value)| (fact.to_owned(), value.to_owned()))
        .collect()
}

fn numbers(plan: &Plan<Approved>) -> Vec<u32> {
    plan.content()
        .steps
        .iter()
        .map(|step| step.number)
        .collect()
}

async fn carry_out(world: &World, plan: &Plan<Approved>) -> Vec<StepOutcome> {
    let mut done = Vec::new();
    for step in numbers(plan) {
        world.may_carry_out(plan, step).await;
        let outcome = operate(&world.clients, plan, step, &done, Attempt::First)
            .await
            .unwrap();
        assert_eq!(
            outcome.status,
            StepStatus::Applied,
            "step {step} of {}",
            plan.content().rendered
        );
        done.push(outcome);
    }
    done
}

/// Applies the program's own repair of a scenario, asks again as after a crash, and undoes it.
async fn there_and_back(scenario: &str, writes: &[&str]) {
    let world = World::of(scenario).await;
    let (before, plan) = world.approved_repair().await;
    let done = carry_out(&world, &plan).await;
    assert_eq!(world.writes(), writes, "{scenario}");

    for (index, step) in numbers(&plan).into_iter().enumerate() {
        let again = operate(
            &world.clients,
            &plan,
            step,
            &done[..index],
            Attempt::OutcomeUnknown,
        )
        .await
        .unwrap();
        assert_eq!(
            again.status,
            StepStatus::AlreadyApplied,
            "{scenario}: step {step}"
        );
        assert_eq!(again.produced, done[index].produced, "{scenario}");
    }
    assert_eq!(
        world.writes(),
        writes,
        "{scenario}: asking again wrote again"
    );

    world.may_undo(&plan, &done).await;
    let undone = roll_back(&world.clients, &plan, &done, Attempt::First)
        .await
        .unwrap();
    let inverses = plan
        .content()
        .steps
        .iter()
        .filter(|step| matches!(step.inverse, Inverse::Operation { .. }))
        .count();
    assert_eq!(undone.len(), inverses, "{scenario}");
    for outcome in &undone {
        assert_eq!(outcome.status, StepStatus::Applied, "{scenario}");
    }
    let after_undoing = world.writes().len();
    assert_eq!(after_undoing, writes.len() + inverses, "{scenario}");
    let again = roll_back(&world.clients, &plan, &done, Attempt::OutcomeUnknown)
        .await
        .unwrap();
    for outcome in &again {
        assert_eq!(outcome.status, StepStatus::AlreadyApplied, "{scenario}");
    }
    assert_eq!(world.writes().len(), after_undoing, "{scenario}");
    assert_eq!(
        world.denied(),
        Vec::<String>::new(),
        "{scenario}: the plan's own session was too narrow"
    );

    world.may_read().await;
    assert_eq!(facts(&world.observe().await), facts(&before), "{scenario}");
    assert!(world.lab.health().bystanders_untouched, "{scenario}");
}

#[tokio::test]
async fn a_service_is_changed_and_changed_back() {
    there_and_back("image-tag-not-found", &["ecs:UpdateService"]).await;
    there_and_back("elb-hc-grace-period-short", &["ecs:UpdateService"]).await;
}

#[tokio::test]
async fn a_revision_is_registered_once_and_deployed() {
    there_and_back(
        "required-env-var-missing",
        &["ecs:RegisterTaskDefinition", "ecs:UpdateService"],
    )
    .await;
}

#[tokio::test]
async fn a_security_group_rule_is_added_and_removed() {
    there_and_back(
        "elb-hc-timeout-sg-ingress",
        &["ec2:AuthorizeSecurityGroupIngress"],
    )
    .await;
}

#[tokio::test]
async fn a_health_check_is_changed_and_changed_back() {
    there_and_back(
        "elb-hc-path-mismatch",
        &["elasticloadbalancing:ModifyTargetGroup"],
    )
    .await;
}

#[tokio::test]
async fn scaling_limits_are_changed_and_changed_back() {
    there_and_back(
        "scaling-at-max-capacity",
        &["application-autoscaling:RegisterScalableTarget"],
    )
    .await;
}

#[tokio::test]
async fn a_log_group_is_created_and_a_deployment_forced_once() {
    there_and_back(
        "log-group-missing",
        &["logs:CreateLogGroup", "ecs:UpdateService"],
    )
    .await;
}

#[tokio::test]
async fn nothing_is_written_to_a_service_that_has_moved() {
    let world = World::of("elb-hc-grace-period-short").await;
    let (before, plan) = world.approved_repair().await;
    let somebody_elses = UpdateService {
        cluster: before.service.cluster_arn.clone(),
        service: before.service.arn.clone(),
        health_check_grace_period_seconds: Some(90),
        ..UpdateService::default()
    };
    let other = vec![ProposedOperation {
        operation: Operation::UpdateService(somebody_elses),
        reason: "somebody else's idea".to_owned(),
    }];
    let other = approved(Plan::from_model(other, &before).unwrap());
    carry_out(&world, &other).await;
    let writes = world.writes();

    world.may_carry_out(&plan, 1).await;
    let outcome = operate(&world.clients, &plan, 1, &[], Attempt::First)
        .await
        .unwrap();
    let StepStatus::Refused { drift } = outcome.status else {
        panic!("{:?}", outcome.status);
    };
    assert!(
        drift
            .iter()
            .any(|drift| drift.fact == "service.grace_period_seconds"),
        "{drift:?}"
    );
    assert_eq!(world.writes(), writes);
}

#[tokio::test]
async fn a_plans_session_can_do_nothing_but_the_plan() {
    let world = World::of("elb-hc-path-mismatch").await;
    let (_, plan) = world.approved_repair().await;
    let other = World::of("image-tag-not-found").await;
    let (_, other) = other.approved_repair().await;
    world.may_carry_out(&plan, 1).await;
    let outcome = operate(&world.clients, &other, 1, &[], Attempt::First).await;
    assert!(
        outcome
            .as_ref()
            .map_or(true, |outcome| !outcome.status.in_effect()),
        "{outcome:?}"
    );
    assert_eq!(world.writes(), Vec::<String>::new());
}
