//! One operation of every kind, and a service on which each has something to do.

use std::time::Duration;

use ecs_agent_ecs::{
    Approved, Attempt, CreateLogGroup, Direction, ModifyTargetGroupHealthCheck, Observation,
    ObserveOptions, Operation, Peer, Plan, PortRule, ProposedOperation, RegisterScalableTarget,
    RegisterTaskDefinitionRevision, RevisionRef, SecurityGroupRuleChange, ServiceTarget,
    StepStatus, StopTask, TaskDefinitionChange, UpdateService, observe, operate,
};
use ecs_agent_lab::Scenario;

use super::support::{World, approved};

/// A service whose log group is missing, so that every operation has something to do, and its
/// sibling in the same cluster.
pub(super) const WORLD: &str = r#"
name: policy-matrix
title: Every operation has something to do
request: api
accounts:
- id: "111122223333"
  regions:
  - name: us-east-1
    clusters:
    - name: prod
      services:
      - {name: api, template: fargate-web, scaling: {min: 2, max: 4}}
      - {name: billing, template: fargate-web, scaling: {min: 2, max: 4}}
events:
- {minutes_ago: 15, change: {delete-log-group: {log_group: /ecs/prod/api}}}
truth:
  target: {cluster: prod, service: api}
  causes: []
  repairable: false
"#;

/// Declares the kinds of write and the list of all of them.
macro_rules! kinds {
    ($($kind:ident),* $(,)?) => {
        /// A kind of write: one variant of [`Operation`], or one of its directions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Kind { $($kind),* }
        pub(super) const KINDS: &[Kind] = &[$(Kind::$kind),*];
    };
}

kinds![
    Register,
    Deploy,
    DeployExisting,
    AuthorizeIngress,
    AuthorizeEgress,
    RevokeIngress,
    RevokeEgress,
    ModifyTargetGroup,
    CreateLogGroup,
    RegisterScalableTarget,
    StopTask,
];

/// The kind of an operation. Without a wildcard on purpose: a new operation does not compile until
/// it has a row in the matrix.
pub(super) fn kind_of(operation: &Operation) -> Kind {
    match operation {
        Operation::RegisterTaskDefinitionRevision(_) => Kind::Register,
        Operation::UpdateService(update) => match update.task_definition {
            Some(RevisionRef::Existing { .. }) => Kind::DeployExisting,
            Some(RevisionRef::Step { .. }) | None => Kind::Deploy,
        },
        Operation::AuthorizeSecurityGroup(change) => match change.direction {
            Direction::Ingress => Kind::AuthorizeIngress,
            Direction::Egress => Kind::AuthorizeEgress,
        },
        Operation::RevokeSecurityGroup(change) => match change.direction {
            Direction::Ingress => Kind::RevokeIngress,
            Direction::Egress => Kind::RevokeEgress,
        },
        Operation::ModifyTargetGroupHealthCheck(_) => Kind::ModifyTargetGroup,
        Operation::CreateLogGroup(_) => Kind::CreateLogGroup,
        Operation::RegisterScalableTarget(_) => Kind::RegisterScalableTarget,
        Operation::StopTask(_) => Kind::StopTask,
    }
}

/// An operation of that kind on the observed service.
pub(super) fn operation(kind: Kind, seen: &Observation) -> Operation {
    let update = |change: fn(&mut UpdateService)| {
        let mut update = UpdateService {
            cluster: seen.service.cluster_arn.clone(),
            service: seen.service.arn.clone(),
            ..UpdateService::default()
        };
        change(&mut update);
        Operation::UpdateService(update)
    };
    let group = &seen.network.security_groups[0];
    let rule = |direction: Direction, port: i32| SecurityGroupRuleChange {
        group: seen.service.security_groups[0].clone(),
        direction,
        rule: PortRule {
            from_port: port,
            to_port: port,
            peer: Peer::Group {
                id: group.id.clone(),
            },
        },
    };
    match kind {
        Kind::Register => {
            let base = seen.task_definition.as_ref().unwrap();
            let changes = vec![TaskDefinitionChange::SetTaskSize {
                cpu: 1024,
                memory_mib: 4096,
            }];
            Operation::RegisterTaskDefinitionRevision(RegisterTaskDefinitionRevision {
                base: base.arn.clone(),
                changes,
            })
        }
        Kind::Deploy => update(|update| update.health_check_grace_period_seconds = Some(77)),
        Kind::DeployExisting => {
            let Operation::UpdateService(mut deploy) = update(|update| {
                update.health_check_grace_period_seconds = Some(78);
            }) else {
                unreachable!("it is an update")
            };
            deploy.task_definition = Some(RevisionRef::Existing {
                arn: seen.service.task_definition.clone(),
            });
            Operation::UpdateService(deploy)
        }
        Kind::AuthorizeIngress => Operation::AuthorizeSecurityGroup(rule(Direction::Ingress, 9001)),
        Kind::AuthorizeEgress => Operation::AuthorizeSecurityGroup(rule(Direction::Egress, 9002)),
        Kind::RevokeIngress => Operation::RevokeSecurityGroup(rule(Direction::Ingress, 9003)),
        Kind::RevokeEgress => Operation::RevokeSecurityGroup(rule(Direction::Egress, 9004)),
        Kind::ModifyTargetGroup => {
            Operation::ModifyTargetGroupHealthCheck(ModifyTargetGroupHealthCheck {
                target_group: seen.target_groups[0].arn.clone(),
                healthy_threshold: Some(7),
                ..ModifyTargetGroupHealthCheck::default()
            })
        }
        Kind::CreateLogGroup => Operation::CreateLogGroup(CreateLogGroup {
            name: log_group(seen),
        }),
        Kind::RegisterScalableTarget => Operation::RegisterScalableTarget(RegisterScalableTarget {
            service: seen.service.arn.clone(),
            min_capacity: 2,
            max_capacity: 5,
        }),
        Kind::StopTask => Operation::StopTask(StopTask {
            cluster: seen.service.cluster_arn.clone(),
            task: running_task(seen),
        }),
    }
}

pub(super) fn log_group(seen: &Observation) -> String {
    let definition = seen.task_definition.as_ref().unwrap();
    let log = definition.containers[0].log_configuration.as_ref().unwrap();
    log.group.clone().unwrap()
}

pub(super) fn running_task(seen: &Observation) -> String {
    let running = |status: &str| status == "RUNNING";
    let task = seen.tasks.iter().find(|task| running(&task.last_status));
    task.unwrap().arn.clone()
}

/// A lab with the service and its sibling, both read.
pub(super) struct Bench {
    pub(super) world: World,
    pub(super) seen: Observation,
    pub(super) sibling: Observation,
}

impl Bench {
    pub(super) async fn new() -> Self {
        let scenario = Scenario::parse("policy-matrix.yaml", WORLD).unwrap();
        let world = World::playing(scenario).await;
        // Scaling sets the count anew at each full minute; it has no part in this.
        world.lab.advance(Duration::from_secs(5));
        let seen = world.observe().await;
        let sibling = ServiceTarget::new("prod", "billing");
        let sibling = observe(&world.clients, &sibling, ObserveOptions::default())
            .await
            .unwrap();
        Self {
            world,
            seen,
            sibling,
        }
    }

    /// What has to be there before an operation has something to do.
    pub(super) async fn prepare(&mut self, kind: Kind) {
        let needs = match kind {
            Kind::RevokeIngress => (Direction::Ingress, 9003),
            Kind::RevokeEgress => (Direction::Egress, 9004),
            Kind::Register
            | Kind::Deploy
            | Kind::DeployExisting
            | Kind::AuthorizeIngress
            | Kind::AuthorizeEgress
            | Kind::ModifyTargetGroup
            | Kind::CreateLogGroup
            | Kind::RegisterScalableTarget
            | Kind::StopTask => return,
        };
        let Operation::RevokeSecurityGroup(rule) = operation(kind, &self.seen) else {
            unreachable!("it revokes")
        };
        assert_eq!((rule.direction, rule.rule.from_port), needs);
        let adds = self.plan(Operation::AuthorizeSecurityGroup(rule));
        self.world.may_carry_out(&adds, 1).await;
        let added = operate(&self.world.clients, &adds, 1, &[], Attempt::First).await;
        assert_eq!(added.unwrap().status, StepStatus::Applied);
        self.world.may_read().await;
        self.seen = self.world.observe().await;
    }

    pub(super) fn plan(&self, operation: Operation) -> Plan<Approved> {
        let proposed = ProposedOperation {
            operation,
            reason: "the matrix".to_owned(),
        };
        approved(Plan::from_model(vec![proposed], &self.seen).unwrap())
    }
}
