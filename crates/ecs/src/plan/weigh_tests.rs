use super::*;
use crate::analyse::analyse;
use crate::plan::{StopTask, UpdateService, propose};
use crate::testing::*;

/// A service whose tag is missing, with a running task of the revision before.
fn broken() -> (Observation, Diagnosis) {
    let mut world = World::deploying(|next| next.containers[0].image = image("1.5.0"));
    world.images.insert(0, image_snapshot("1.5.0", false));
    world.stopped(
        -60,
        "TaskFailedToStart",
        "CannotPullContainerError: failed to resolve ref 1.5.0: not found",
    );
    let observation = world.observe();
    let diagnosis = analyse(&observation, &catalogue());
    (observation, diagnosis)
}

fn healthy() -> (Observation, Diagnosis) {
    let observation = World::healthy().observe();
    let diagnosis = analyse(&observation, &catalogue());
    (observation, diagnosis)
}

/// A change that the rules allow and nothing asks for.
fn stop_a_task(observation: &Observation) -> Vec<ProposedOperation> {
    let task = observation
        .tasks
        .iter()
        .find(|task| task.last_status == "RUNNING")
        .unwrap();
    vec![ProposedOperation {
        operation: Operation::StopTask(StopTask {
            cluster: observation.service.cluster_arn.clone(),
            task: task.arn.clone(),
        }),
        reason: "the log says so".to_owned(),
    }]
}

fn operations(plan: &Plan<Proposed>) -> Vec<Operation> {
    let steps = plan.content().steps.iter();
    steps.map(|step| step.operation.clone()).collect()
}

#[test]
fn the_derived_plan_comes_first_and_names_the_models_as_an_alternative() {
    let (observation, diagnosis) = broken();
    let derived = propose(&observation, &diagnosis).unwrap();
    let models = stop_a_task(&observation);
    let weighed = weigh(models.clone(), &observation, &diagnosis, DerivedPlan::Open).unwrap();
    assert_eq!(weighed.origin, PlanOrigin::Findings);
    assert_eq!(operations(&weighed.plan), operations(&derived));
    assert_eq!(weighed.plan.unproven().count(), derived.unproven().count());
    let last = weighed.plan.content().alternatives.last().unwrap();
    assert!(
        last.title.starts_with("The language model's plan: "),
        "{last:?}"
    );
    assert_eq!(last.operations, [models[0].operation.clone()]);
}

#[test]
fn the_models_plan_is_offered_after_a_rejection_and_every_step_is_unproven() {
    let (observation, diagnosis) = broken();
    let models = stop_a_task(&observation);
    let weighed = weigh(
        models.clone(),
        &observation,
        &diagnosis,
        DerivedPlan::Rejected,
    )
    .unwrap();
    assert_eq!(weighed.origin, PlanOrigin::Model);
    assert_eq!(operations(&weighed.plan), [models[0].operation.clone()]);
    let step = &weighed.plan.content().steps[0];
    assert!(step.unproven.iter().any(|why| why == UNPROVEN));
    assert!(
        step.reason
            .starts_with("the language model says, unchecked: ")
    );
    assert!(weighed.plan.content().rendered.contains(UNPROVEN));
}

#[test]
fn a_model_that_proposes_the_derived_plan_is_not_shown_twice() {
    let (observation, diagnosis) = broken();
    let derived = propose(&observation, &diagnosis).unwrap();
    let same = operations(&derived)
        .into_iter()
        .map(|operation| ProposedOperation {
            operation,
            reason: String::new(),
        })
        .collect();
    let weighed = weigh(same, &observation, &diagnosis, DerivedPlan::Open).unwrap();
    assert_eq!(weighed.plan.content(), derived.content());
}

#[test]
fn nothing_is_proposed_for_a_healthy_service() {
    let (observation, diagnosis) = healthy();
    let error = weigh(
        stop_a_task(&observation),
        &observation,
        &diagnosis,
        DerivedPlan::Open,
    );
    assert!(
        matches!(error, Err(PlanError::NothingToRepair { .. })),
        "{error:?}"
    );
}

#[test]
fn what_breaks_the_rules_is_refused_even_if_it_would_not_be_offered() {
    let (observation, diagnosis) = broken();
    let elsewhere = vec![ProposedOperation {
        operation: Operation::UpdateService(UpdateService {
            cluster: observation.service.cluster_arn.clone(),
            service: "arn:aws:ecs:eu-central-1:111122223333:service/shop/billing".to_owned(),
            task_definition: None,
            desired_count: Some(0),
            force_new_deployment: false,
            network: None,
            health_check_grace_period_seconds: None,
            circuit_breaker: None,
            healthy_percents: None,
        }),
        reason: String::new(),
    }];
    let error = weigh(elsewhere, &observation, &diagnosis, DerivedPlan::Open);
    assert!(
        matches!(error, Err(PlanError::NotInInventory { .. })),
        "{error:?}"
    );
    let none = weigh(Vec::new(), &observation, &diagnosis, DerivedPlan::Open);
    assert_eq!(none.unwrap_err(), PlanError::Empty);
}
