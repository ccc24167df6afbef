//! The permissions that an operation needs: its write, and the reads that check it, on exactly what
//! they concern.
//!
//! INVARIANT: every entry is needed. `tests/suite/policy_matrix.rs` takes each away and sees the
//! operation fail.

use super::{Fingerprint, Inverse, Operation, Permission, proof};
use crate::observation::Observation;

/// What a step needs.
pub(crate) fn of_step(
    operation: &Operation,
    observation: &Observation,
    fingerprint: &Fingerprint,
) -> Vec<Permission> {
    let mut reads: Vec<&str> = operation.read_actions().to_vec();
    // An update compares the scaling limits as well, if there are any.
    let compares_limits = matches!(operation, Operation::UpdateService(_));
    if compares_limits && fingerprint.fact("scaling.limits").is_some() {
        reads.push("application-autoscaling:DescribeScalableTargets");
    }
    merged(writes(operation, observation).chain(read_permissions(&reads, operation, observation)))
}

/// What undoing a step needs; nothing if it is not undone by an operation.
///
/// An inverse is compared with its own trace only, so that the service is read for an inverse that
/// updates it and for no other.
pub(crate) fn of_inverse(inverse: &Inverse, observation: &Observation) -> Vec<Permission> {
    let operation = match inverse {
        Inverse::Operation { operation } => operation,
        Inverse::NothingToUndo { .. } | Inverse::Irreversible { .. } => return Vec::new(),
    };
    let of_service = matches!(operation, Operation::UpdateService(_));
    let reads: Vec<&str> = operation
        .read_actions()
        .iter()
        .copied()
        .filter(|action| of_service == (*action == "ecs:DescribeServices"))
        .collect();
    merged(writes(operation, observation).chain(read_permissions(&reads, operation, observation)))
}

/// Everything that is said once, statements with the same resources and conditions joined.
pub(crate) fn merged(permissions: impl IntoIterator<Item = Permission>) -> Vec<Permission> {
    let mut joined: Vec<Permission> = Vec::new();
    for mut permission in permissions {
        permission.resources = deduplicated(permission.resources);
        let same = joined.iter_mut().find(|other| {
            other.resources == permission.resources && other.conditions == permission.conditions
        });
        match same {
            Some(other) => other.actions.append(&mut permission.actions),
            None => joined.push(permission),
        }
    }
    for permission in &mut joined {
        permission.actions.sort();
        permission.actions.dedup();
    }
    joined.sort();
    joined
}

/// The reads, on the finest resource that AWS knows for each.
fn read_permissions(
    reads: &[&str],
    operation: &Operation,
    observation: &Observation,
) -> Vec<Permission> {
    let service = &observation.service;
    let in_cluster = |permission: Permission| {
        permission.when("ArnEquals", "ecs:cluster", service.cluster_arn.clone())
    };
    reads
        .iter()
        .map(|action| match (*action, operation) {
            ("ecs:DescribeServices", _) => {
                in_cluster(Permission::new(&[action], vec![service.arn.clone()]))
            }
            ("ecs:DescribeTasks", Operation::StopTask(stop)) => {
                in_cluster(Permission::new(&[action], vec![stop.task.clone()]))
            }
            // AWS knows no finer resource for the other reads.
            _ => Permission::new(&[action], vec!["*".to_owned()]),
        })
        .collect()
}

fn writes(
    operation: &Operation,
    observation: &Observation,
) -> impl Iterator<Item = Permission> + use<> {
    let write = operation.write_actions();
    let partition = observation.service.arn.split(':').nth(1).unwrap_or("aws");
    let here = |service: &str, resource: &str| {
        format!(
            "arn:{partition}:{service}:{}:{}:{resource}",
            observation.region, observation.account
        )
    };
    let needed = match operation {
        Operation::RegisterTaskDefinitionRevision(register) => {
            let family = register
                .base
                .rsplit_once(':')
                .map_or(register.base.as_str(), |(arn, _)| arn);
            // RegisterTaskDefinition knows resources by family and any revision.
            let revisions = vec![format!("{family}:*")];
            let mut needed = vec![
                Permission::new(write, revisions.clone()),
                // The revision is marked as this plan's, so that a second try finds it.
                Permission::new(&["ecs:TagResource"], revisions).when(
                    "StringEquals",
                    "ecs:CreateAction",
                    "RegisterTaskDefinition",
                ),
            ];
            let roles: Vec<String> = proof::definitions(observation)
                .filter(|definition| definition.arn == register.base)
                .flat_map(|d| [d.execution_role_arn.clone(), d.task_role_arn.clone()])
                .flatten()
                .collect();
            if !roles.is_empty() {
                needed.push(
                    Permission::new(&["iam:PassRole"], deduplicated(roles)).when(
                        "StringEquals",
                        "iam:PassedToService",
                        "ecs-tasks.amazonaws.com",
                    ),
                );
            }
            needed
        }
        Operation::UpdateService(update) => {
            vec![Permission::new(write, vec![update.service.clone()]).when(
                "ArnEquals",
                "ecs:cluster",
                update.cluster.clone(),
            )]
        }
        Operation::AuthorizeSecurityGroup(change) | Operation::RevokeSecurityGroup(change) => {
            vec![Permission::new(
                write,
                vec![here("ec2", &format!("security-group/{}", change.group))],
            )]
        }
        Operation::ModifyTargetGroupHealthCheck(change) => {
            vec![Permission::new(write, vec![change.target_group.clone()])]
        }
        // Source: Amazon CloudWatch Logs User Guide, "Log group" resources: the form that ends in
        // `:*` is the one for every action but tagging.
        Operation::CreateLogGroup(create) => {
            vec![Permission::new(
                write,
                vec![here("logs", &format!("log-group:{}:*", create.name))],
            )]
        }
        Operation::RegisterScalableTarget(_) => {
            let target = observation
                .scaling
                .as_ref()
                .and_then(|scaling| scaling.arn.clone());
            vec![match target {
                Some(arn) => Permission::new(write, vec![arn]),
                // AWS tells the ARN of every target that has one; without it, the narrowest is the
                // kind of thing that is scaled.
                None => Permission::new(write, vec!["*".to_owned()]).when(
                    "StringEquals",
                    "application-autoscaling:service-namespace",
                    "ecs",
                ),
            }]
        }
        Operation::StopTask(stop) => vec![Permission::new(write, vec![stop.task.clone()]).when(
            "ArnEquals",
            "ecs:cluster",
            stop.cluster.clone(),
        )],
    };
    needed.into_iter()
}

fn deduplicated(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values.dedup();
    values
}
