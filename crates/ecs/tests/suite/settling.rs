//! Every operation, interrupted at every point: the program dies after any of its requests, or AWS
//! carries a write out and does not say so. Asked again, the operation is in effect exactly once, what
//! is said about it is true, and undoing it leaves the service as it was.

use std::collections::BTreeMap;

use ecs_agent_ecs::{
    Approved, Attempt, AwsvpcNetwork, CircuitBreaker, Fingerprint, HealthyPercents, Inverse,
    Observation, Operation, Plan, StepOutcome, UpdateService, operate, undo,
};
use ecs_agent_lab::{RequestOutcome, WireFault, WireFaultKind};

use super::operations::{Bench, KINDS, Kind, operation};

/// More requests than any operation makes.
const MOST_REQUESTS: usize = 12;

#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// The program ends when the lab has answered as many requests.
    DiesAfter(usize),
    /// The write fails in this way, as often.
    Fails(WireFaultKind, u32),
}

/// What a plan could have changed. Ids of deployments are new after every change of the service.
fn facts(seen: &Observation) -> BTreeMap<String, String> {
    Fingerprint::of(seen)
        .facts()
        .filter(|(fact, _)| *fact != "service.deployments")
        .map(|(fact, value)| (fact.to_owned(), value.to_owned()))
        .collect()
}

/// Writes that AWS carried out.
fn carried_out(bench: &Bench) -> Vec<String> {
    let requests = bench.world.lab.requests().into_iter();
    requests
        .filter(|request| request.mutating && request.outcome == RequestOutcome::Allowed)
        .map(|request| format!("{}:{}", request.service, request.operation))
        .collect()
}

/// Ends without a result once the lab has answered as many further requests.
async fn dies_after<T>(bench: &Bench, requests: usize, work: impl Future<Output = T>) -> Option<T> {
    let last = bench.world.lab.requests().len() + requests;
    let death = async {
        while bench.world.lab.requests().len() < last {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = death => None,
        result = work => Some(result),
    }
}

/// What an attempt came to: nothing, when the program died or could not read.
async fn attempt(
    bench: &Bench,
    plan: &Plan<Approved>,
    trouble: Trouble,
) -> (Option<StepOutcome>, bool) {
    let work = operate(&bench.world.clients, plan, 1, &[], Attempt::First);
    match trouble {
        Trouble::DiesAfter(requests) => match dies_after(bench, requests, work).await {
            None => (None, true),
            Some(outcome) => (outcome.ok(), false),
        },
        Trouble::Fails(kind, times) => {
            let write = plan.content().steps[0].operation.write_actions()[0];
            let (_, operation) = write.split_once(':').unwrap();
            bench.world.lab.inject(WireFault {
                service: None,
                operation: Some(operation.to_owned()),
                kind,
                times,
            });
            (work.await.ok(), false)
        }
    }
}

/// Plays one operation under one trouble; says whether the trouble came in its way.
async fn play(kind: Kind, change: fn(&Observation) -> Option<Operation>, trouble: Trouble) -> bool {
    let mut bench = Bench::new().await;
    bench.prepare(kind).await;
    let before = bench.seen.clone();
    let chosen = change(&before).unwrap_or_else(|| operation(kind, &before));
    let plan = bench.plan(chosen.clone());
    let what = format!("{} under {trouble:?}", chosen.name());
    let prepared = carried_out(&bench).len();
    bench.world.may_carry_out(&plan, 1).await;
    let (first, died) = attempt(&bench, &plan, trouble).await;
    let written = carried_out(&bench).len() - prepared;

    // What is said is true: a failed step changed nothing, an applied one did.
    if let Some(outcome) = &first {
        let said = outcome.status.in_effect();
        assert_eq!(said, written > 0, "{what}: {:?}", outcome.status);
    }
    let last = match first {
        Some(outcome) if outcome.status.in_effect() => outcome,
        _ => {
            let again = operate(&bench.world.clients, &plan, 1, &[], Attempt::OutcomeUnknown);
            again
                .await
                .unwrap_or_else(|error| panic!("{what}: {error}"))
        }
    };
    assert!(last.status.in_effect(), "{what}: {:?}", last.status);
    let writes = carried_out(&bench);
    let once = matches!(
        chosen,
        Operation::RegisterTaskDefinitionRevision(_)
            | Operation::UpdateService(_)
            | Operation::AuthorizeSecurityGroup(_)
            | Operation::RevokeSecurityGroup(_)
            | Operation::CreateLogGroup(_)
    );
    let written = writes.len() - prepared;
    assert!(written == 1 || written > 1 && !once, "{what}: {writes:?}");

    let done = [last];
    bench.world.may_undo(&plan, &done).await;
    let undone = undo(&bench.world.clients, &plan, 1, &done, Attempt::First).await;
    let undone = undone.unwrap_or_else(|error| panic!("undoing {what}: {error}"));
    let has_inverse = matches!(plan.content().steps[0].inverse, Inverse::Operation { .. });
    assert_eq!(undone.is_some(), has_inverse, "{what}");
    if let Some(undone) = undone {
        assert!(undone.status.in_effect(), "undoing {what}: {undone:?}");
    }
    bench.world.may_read().await;
    let after = bench.world.observe().await;
    assert_eq!(facts(&after), facts(&before), "{what}");
    assert!(bench.world.lab.health().bystanders_untouched, "{what}");
    died || matches!(trouble, Trouble::Fails(..))
}

/// Dies at every point there is, and has the write fail in every way there is.
async fn settle(kind: Kind, change: fn(&Observation) -> Option<Operation>) {
    let mut died = 0;
    while play(kind, change, Trouble::DiesAfter(died)).await {
        died += 1;
        assert!(died < MOST_REQUESTS, "{kind:?} does not come to its end");
    }
    // At least: before anything, after a look, after the write.
    assert!(died > 2, "{kind:?} was not interrupted");
    for (kind_of_fault, times) in [
        (WireFaultKind::ErrorAfterwards, 1),
        (WireFaultKind::AnswerLost, 1),
        (WireFaultKind::AnswerLost, 10),
    ] {
        play(kind, change, Trouble::Fails(kind_of_fault, times)).await;
    }
}

fn as_it_is(_seen: &Observation) -> Option<Operation> {
    None
}

/// An update of the service that changes one thing.
fn update(seen: &Observation, change: impl FnOnce(&mut UpdateService)) -> Option<Operation> {
    let mut update = UpdateService {
        cluster: seen.service.cluster_arn.clone(),
        service: seen.service.arn.clone(),
        ..UpdateService::default()
    };
    change(&mut update);
    Some(Operation::UpdateService(update))
}

fn forced(seen: &Observation) -> Option<Operation> {
    update(seen, |update| update.force_new_deployment = true)
}

fn counted(seen: &Observation) -> Option<Operation> {
    update(seen, |update| update.desired_count = Some(3))
}

fn broken_circuit(seen: &Observation) -> Option<Operation> {
    let breaker = CircuitBreaker {
        enable: true,
        rollback: true,
    };
    update(seen, |update| update.circuit_breaker = Some(breaker))
}

fn roomy(seen: &Observation) -> Option<Operation> {
    let percents = HealthyPercents {
        minimum: 50,
        maximum: 150,
    };
    update(seen, |update| update.healthy_percents = Some(percents))
}

fn moved(seen: &Observation) -> Option<Operation> {
    let network = AwsvpcNetwork {
        subnets: seen.service.subnets[..1].to_vec(),
        security_groups: seen.service.security_groups.clone(),
        assign_public_ip: seen.service.assign_public_ip.unwrap_or_default(),
    };
    update(seen, |update| update.network = Some(network))
}

/// One test a row, so that they run side by side.
macro_rules! rows {
    ($($name:ident: $($kind:ident $change:ident),+;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                $(settle(Kind::$kind, $change).await;)+
            }
        )*

        #[test]
        fn every_kind_of_write_is_interrupted() {
            let rows: std::collections::BTreeSet<Kind> = [$($(Kind::$kind),+),*].into();
            assert_eq!(rows, KINDS.iter().copied().collect());
        }
    };
}

rows! {
    a_revision_is_registered_once: Register as_it_is;
    a_service_is_updated_once: Deploy as_it_is, DeployExisting as_it_is;
    a_deployment_is_forced_once: Deploy forced;
    a_count_and_a_circuit_breaker_are_set_once: Deploy counted, Deploy broken_circuit;
    a_network_is_set_once: Deploy moved;
    the_bounds_of_deployments_are_set_once: Deploy roomy;
    a_rule_is_added_once: AuthorizeIngress as_it_is, AuthorizeEgress as_it_is;
    a_rule_is_removed_once: RevokeIngress as_it_is, RevokeEgress as_it_is;
    a_health_check_is_changed: ModifyTargetGroup as_it_is;
    a_log_group_is_created_once: CreateLogGroup as_it_is;
    scaling_limits_are_changed: RegisterScalableTarget as_it_is;
    a_task_is_stopped: StopTask as_it_is;
}
