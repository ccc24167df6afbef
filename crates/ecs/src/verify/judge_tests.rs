use super::*;
use crate::observation::{DeploymentSnapshot, ScalingSnapshot};
use crate::testing::*;

fn state(before: &World, after: &World) -> VerificationState {
    let observation = after.observe();
    let judged = judge(&Baseline::of(&before.observe()), &observation);
    assert!(!judged.why.is_empty());
    for citation in &judged.evidence {
        assert_eq!(ground_quote(&observation, citation), Ok(()));
    }
    judged.state
}

fn repaired() -> World {
    let mut world = World::healthy();
    world.now = 300;
    world.service.deployments = vec![DeploymentSnapshot {
        id: "ecs-svc/0000000000000000003".to_owned(),
        status: "PRIMARY".to_owned(),
        task_definition: revision_arn(1),
        rollout_state: Some("COMPLETED".to_owned()),
        created_at: Some(at(60)),
        ..DeploymentSnapshot::default()
    }];
    world
}

#[test]
fn a_completed_deployment_is_healthy() {
    assert_eq!(
        state(&World::deploying(|_| {}), &repaired()),
        VerificationState::Healthy
    );
}

#[test]
fn a_deployment_under_way_is_given_time() {
    let mut after = repaired();
    after.service.deployments[0].rollout_state = Some("IN_PROGRESS".to_owned());
    after.service.running_count = 0;
    assert_eq!(
        state(&World::deploying(|_| {}), &after),
        VerificationState::Progressing
    );
}

#[test]
fn fewer_tasks_and_new_failures_are_worse() {
    let mut after = repaired();
    after.service.deployments[0].rollout_state = Some("IN_PROGRESS".to_owned());
    after.service.running_count = 0;
    after.exited(100, 1);
    after.exited(200, 1);
    assert_eq!(
        state(&World::deploying(|_| {}), &after),
        VerificationState::Worse
    );
}

#[test]
fn a_deployment_that_failed_again_is_unchanged() {
    let before = World::deploying(|_| {});
    let mut after = before.clone();
    after.now = 300;
    after.service.deployments[0].rollout_state = Some("FAILED".to_owned());
    assert_eq!(state(&before, &after), VerificationState::Unchanged);
}

#[test]
fn failures_of_before_do_not_count() {
    let mut after = repaired();
    after.exited(-100, 1);
    assert_eq!(
        state(&World::deploying(|_| {}), &after),
        VerificationState::Healthy
    );
}

#[test]
fn what_the_deployment_before_leaves_behind_does_not_count() {
    let mut after = repaired();
    let old = after.exited(100, 1);
    old.task_definition = revision_arn(2);
    old.started_by = Some("ecs-svc/0000000000000000002".to_owned());
    assert_eq!(
        state(&World::deploying(|_| {}), &after),
        VerificationState::Healthy
    );
}

#[test]
fn a_failure_before_the_service_became_steady_is_history() {
    let mut after = repaired();
    after.exited(100, 1);
    assert_eq!(
        state(&World::deploying(|_| {}), &after),
        VerificationState::Progressing
    );
    after.event(200, "(service web) has reached a steady state.");
    assert_eq!(
        state(&World::deploying(|_| {}), &after),
        VerificationState::Healthy
    );
}

#[test]
fn a_service_held_at_its_maximum_is_not_healthy_yet() {
    let activity = |seconds, status: &str| (at(seconds), "alarm".to_owned(), status.to_owned());
    let mut before = World::healthy();
    before.scaling = Some(ScalingSnapshot {
        min_capacity: 1,
        max_capacity: 2,
        activities: vec![activity(-30, "Unfulfilled: AlreadyAtMaxCapacity")],
        ..ScalingSnapshot::default()
    });
    let mut after = before.clone();
    after.now = 60;
    assert_eq!(state(&before, &after), VerificationState::Progressing);
    after
        .scaling
        .as_mut()
        .unwrap()
        .activities
        .insert(0, activity(60, "Successful"));
    assert_eq!(state(&before, &after), VerificationState::Healthy);
    // The load has gone: nobody has asked for more for a while.
    let mut later = before.clone();
    later.now = 1_200;
    assert_eq!(state(&before, &later), VerificationState::Healthy);
}
