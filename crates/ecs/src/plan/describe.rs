//! What the program derives about an operation: effect, permissions, risk, way back, diff.

use super::{
    AwsvpcNetwork, CircuitBreaker, Direction, Fingerprint, HealthyPercents, Inverse,
    ModifyTargetGroupHealthCheck, Operation, Peer, Precondition, RegisterScalableTarget,
    RevisionRef, Risk, SecurityGroupRuleChange, Step, TaskDefinitionChange, UpdateService, diff,
    expected, permissions, proof,
};
use crate::observation::Observation;

/// Makes the step of an operation that obeys the rules.
pub(crate) fn step(
    number: u32,
    operation: Operation,
    reason: String,
    observation: &Observation,
    fingerprint: &Fingerprint,
) -> Step {
    let facts = expected::facts_of(&operation);
    let mut preconditions: Vec<Precondition> = fingerprint
        .facts()
        .filter(|(fact, _)| facts.covers(fact))
        .map(|(fact, value)| Precondition::FactUnchanged {
            fact: fact.to_owned(),
            value: value.to_owned(),
        })
        .collect();
    preconditions.extend(own_preconditions(&operation));
    let (risk, risk_note) = risk(&operation);
    let inverse = inverse(&operation, observation);
    Step {
        number,
        effect: effect(&operation),
        calls: calls(&operation),
        permissions: permissions::of_step(&operation, observation, fingerprint),
        undo_permissions: permissions::of_inverse(&inverse, observation),
        risk,
        risk_note: risk_note.to_owned(),
        blast_radius: blast_radius(&operation, observation),
        preconditions,
        effect_check: effect_check(&operation).to_owned(),
        inverse,
        idempotency: idempotency(&operation).to_owned(),
        diff: diff::diff(&operation, observation),
        unproven: unproven(&operation, observation),
        operation,
        reason,
    }
}

fn own_preconditions(operation: &Operation) -> Vec<Precondition> {
    match operation {
        Operation::UpdateService(UpdateService {
            task_definition: Some(revision),
            ..
        }) => {
            vec![match revision {
                RevisionRef::Existing { arn } => Precondition::RevisionActive { arn: arn.clone() },
                RevisionRef::Step { step } => Precondition::StepApplied { step: *step },
            }]
        }
        Operation::CreateLogGroup(create) => {
            vec![Precondition::LogGroupAbsent {
                name: create.name.clone(),
            }]
        }
        Operation::RegisterTaskDefinitionRevision(_)
        | Operation::UpdateService(_)
        | Operation::AuthorizeSecurityGroup(_)
        | Operation::RevokeSecurityGroup(_)
        | Operation::ModifyTargetGroupHealthCheck(_)
        | Operation::RegisterScalableTarget(_)
        | Operation::StopTask(_) => Vec::new(),
    }
}

pub(crate) fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn effect(operation: &Operation) -> String {
    match operation {
        Operation::RegisterTaskDefinitionRevision(register) if register.changes.is_empty() => {
            format!(
                "Registers the content of {} again as a new, active revision.",
                short(&register.base)
            )
        }
        Operation::RegisterTaskDefinitionRevision(register) => format!(
            "Registers a new revision that is {} except for {} listed change(s).",
            short(&register.base),
            register.changes.len()
        ),
        Operation::UpdateService(update) => {
            let mut parts = Vec::new();
            match &update.task_definition {
                Some(RevisionRef::Existing { arn }) => {
                    parts.push(format!("deploys {}", short(arn)))
                }
                Some(RevisionRef::Step { step }) => {
                    parts.push(format!("deploys the revision of step {step}"));
                }
                None => {}
            }
            if let Some(count) = update.desired_count {
                parts.push(format!("asks for {count} tasks"));
            }
            if update.network.is_some() {
                parts.push("changes the network of new tasks".to_owned());
            }
            if let Some(seconds) = update.health_check_grace_period_seconds {
                parts.push(format!(
                    "gives new tasks {seconds} s before load balancer checks count"
                ));
            }
            if update.circuit_breaker.is_some() {
                parts.push("sets the deployment circuit breaker".to_owned());
            }
            if let Some(percents) = update.healthy_percents {
                parts.push(format!(
                    "keeps between {} % and {} % of its tasks during deployments",
                    percents.minimum, percents.maximum
                ));
            }
            if update.force_new_deployment {
                parts.push("starts a new deployment".to_owned());
            }
            format!("Service {} {}.", short(&update.service), parts.join(", "))
        }
        Operation::AuthorizeSecurityGroup(change) => format!("Lets {}.", rule_words(change)),
        Operation::RevokeSecurityGroup(change) => format!("No longer lets {}.", rule_words(change)),
        Operation::ModifyTargetGroupHealthCheck(_) => {
            "The load balancer checks targets in another way; running tasks stay.".to_owned()
        }
        Operation::CreateLogGroup(create) => {
            format!(
                "Creates the log group {}; new tasks can start writing to it.",
                create.name
            )
        }
        Operation::RegisterScalableTarget(change) => format!(
            "Scaling may choose between {} and {} tasks.",
            change.min_capacity, change.max_capacity
        ),
        Operation::StopTask(stop) => {
            format!(
                "Stops task {}; the scheduler starts another in its place.",
                short(&stop.task)
            )
        }
    }
}

pub(crate) fn rule_words(change: &SecurityGroupRuleChange) -> String {
    let peer = match &change.rule.peer {
        Peer::Group { id } | Peer::PrefixList { id } => id,
        Peer::Cidr { cidr } => cidr,
    };
    let ports = if change.rule.from_port == change.rule.to_port {
        change.rule.from_port.to_string()
    } else {
        format!("{}-{}", change.rule.from_port, change.rule.to_port)
    };
    match change.direction {
        Direction::Ingress => format!("{peer} reach members of {} on TCP {ports}", change.group),
        Direction::Egress => format!("members of {} reach {peer} on TCP {ports}", change.group),
    }
}

fn calls(operation: &Operation) -> Vec<String> {
    operation
        .read_actions()
        .iter()
        .copied()
        .chain(operation.write_actions().iter().copied())
        .map(|call| call.replace("elasticloadbalancing:", "elbv2:"))
        .collect()
}

fn risk(operation: &Operation) -> (Risk, &'static str) {
    match operation {
        Operation::RegisterTaskDefinitionRevision(_) => (
            Risk::Low,
            "adds a revision that nothing runs until a service is updated",
        ),
        Operation::UpdateService(update) => {
            if update.desired_count == Some(0) {
                (Risk::High, "stops every task")
            } else if update.network.is_some() {
                (Risk::Medium, "new tasks start in another network")
            } else if update.task_definition.is_some() || update.force_new_deployment {
                (
                    Risk::Medium,
                    "replaces running tasks step by step within the deployment limits",
                )
            } else {
                (
                    Risk::Low,
                    "changes settings without replacing running tasks",
                )
            }
        }
        Operation::AuthorizeSecurityGroup(change) => match &change.rule.peer {
            Peer::Cidr { cidr } if cidr == "0.0.0.0/0" => (
                Risk::Medium,
                "members of the group can reach any host on this port",
            ),
            Peer::Cidr { .. } | Peer::Group { .. } | Peer::PrefixList { .. } => {
                (Risk::Low, "one rule, one port, one peer")
            }
        },
        Operation::RevokeSecurityGroup(_) => (Risk::Medium, "traffic that uses the rule stops"),
        Operation::ModifyTargetGroupHealthCheck(_) => {
            (Risk::Low, "targets are judged anew; none is replaced by it")
        }
        Operation::CreateLogGroup(_) => (Risk::Low, "adds an empty log group"),
        Operation::RegisterScalableTarget(_) => (
            Risk::Medium,
            "more tasks cost more and lean more on what they depend on",
        ),
        Operation::StopTask(_) => (Risk::Medium, "requests in flight on that task are lost"),
    }
}

fn blast_radius(operation: &Operation, observation: &Observation) -> String {
    let service = &observation.service;
    match operation {
        Operation::RegisterTaskDefinitionRevision(_) => "no running task".to_owned(),
        Operation::UpdateService(_) => format!(
            "service {} only: {} running of {} wanted tasks",
            service.name, service.running_count, service.desired_count
        ),
        Operation::AuthorizeSecurityGroup(change) | Operation::RevokeSecurityGroup(change) => {
            format!(
                "every network interface in {}, also of other services that share the group",
                change.group
            )
        }
        Operation::ModifyTargetGroupHealthCheck(change) => {
            format!("all targets of {}", short(&change.target_group))
        }
        Operation::CreateLogGroup(_) => {
            "every workload that writes to a group of this name".to_owned()
        }
        Operation::RegisterScalableTarget(_) => format!("the number of tasks of {}", service.name),
        Operation::StopTask(_) => "one task".to_owned(),
    }
}

fn effect_check(operation: &Operation) -> &'static str {
    match operation {
        Operation::RegisterTaskDefinitionRevision(_) => {
            "the answer names the new revision, and it differs from its base at the listed places only"
        }
        Operation::UpdateService(_) => "the service, read again, has the values asked for",
        Operation::AuthorizeSecurityGroup(_) => "the group, read again, has the rule",
        Operation::RevokeSecurityGroup(_) => "the group, read again, has the rule no more",
        Operation::ModifyTargetGroupHealthCheck(_) => {
            "the target group, read again, has the health check asked for"
        }
        Operation::CreateLogGroup(_) => "the log group is listed",
        Operation::RegisterScalableTarget(_) => "the scalable target, read again, has the limits",
        Operation::StopTask(_) => "the task, read again, is to be stopped",
    }
}

fn idempotency(operation: &Operation) -> &'static str {
    match operation {
        Operation::RegisterTaskDefinitionRevision(_) => {
            "twice makes two equal revisions: after a crash the newest of the family is compared first"
        }
        Operation::UpdateService(_) => {
            "setting the same values again changes nothing; a forced deployment is looked for first"
        }
        Operation::AuthorizeSecurityGroup(_) | Operation::RevokeSecurityGroup(_) => {
            "AWS refuses a duplicate, which counts as done"
        }
        Operation::ModifyTargetGroupHealthCheck(_) | Operation::RegisterScalableTarget(_) => {
            "setting the same values again changes nothing"
        }
        Operation::CreateLogGroup(_) => "AWS refuses a second one, which counts as done",
        Operation::StopTask(_) => "stopping a stopped task changes nothing",
    }
}

fn inverse(operation: &Operation, observation: &Observation) -> Inverse {
    let service = &observation.service;
    match operation {
        Operation::RegisterTaskDefinitionRevision(_) => Inverse::NothingToUndo {
            why: "the registered revision stays unused".to_owned(),
        },
        Operation::UpdateService(update) => {
            let back = UpdateService {
                cluster: update.cluster.clone(),
                service: update.service.clone(),
                task_definition: update
                    .task_definition
                    .as_ref()
                    .map(|_| RevisionRef::Existing {
                        arn: service.task_definition.clone(),
                    }),
                desired_count: update.desired_count.map(|_| service.desired_count),
                force_new_deployment: false,
                network: update.network.as_ref().map(|_| AwsvpcNetwork {
                    subnets: service.subnets.clone(),
                    security_groups: service.security_groups.clone(),
                    assign_public_ip: service.assign_public_ip.unwrap_or(false),
                }),
                health_check_grace_period_seconds: update
                    .health_check_grace_period_seconds
                    .map(|_| service.health_check_grace_period_seconds.unwrap_or(0)),
                circuit_breaker: update.circuit_breaker.map(|_| {
                    let (enable, rollback) = service.circuit_breaker.unwrap_or((false, false));
                    CircuitBreaker { enable, rollback }
                }),
                healthy_percents: update
                    .healthy_percents
                    .map(|_| HealthyPercents::of(service)),
            };
            let only_forced = back.task_definition.is_none()
                && back.desired_count.is_none()
                && back.network.is_none()
                && back.health_check_grace_period_seconds.is_none()
                && back.circuit_breaker.is_none()
                && back.healthy_percents.is_none();
            if only_forced {
                return Inverse::NothingToUndo {
                    why: "the same revision was deployed again".to_owned(),
                };
            }
            Inverse::Operation {
                operation: Operation::UpdateService(back),
            }
        }
        Operation::AuthorizeSecurityGroup(change) => Inverse::Operation {
            operation: Operation::RevokeSecurityGroup(change.clone()),
        },
        Operation::RevokeSecurityGroup(change) => Inverse::Operation {
            operation: Operation::AuthorizeSecurityGroup(change.clone()),
        },
        Operation::ModifyTargetGroupHealthCheck(change) => {
            let before = observation
                .target_groups
                .iter()
                .find(|group| group.arn == change.target_group)
                .map(|group| group.health_check.clone())
                .unwrap_or_default();
            Inverse::Operation {
                operation: Operation::ModifyTargetGroupHealthCheck(ModifyTargetGroupHealthCheck {
                    target_group: change.target_group.clone(),
                    path: change.path.as_ref().and(before.path),
                    port: change.port.as_ref().and(before.port),
                    interval_seconds: change.interval_seconds.and(before.interval_seconds),
                    timeout_seconds: change.timeout_seconds.and(before.timeout_seconds),
                    healthy_threshold: change.healthy_threshold.and(before.healthy_threshold),
                    unhealthy_threshold: change.unhealthy_threshold.and(before.unhealthy_threshold),
                    matcher: change.matcher.as_ref().and(before.matcher),
                }),
            }
        }
        Operation::CreateLogGroup(_) => Inverse::NothingToUndo {
            why: "an empty log group costs nothing, and deleting logs is never done".to_owned(),
        },
        Operation::RegisterScalableTarget(change) => match &observation.scaling {
            Some(before) => Inverse::Operation {
                operation: Operation::RegisterScalableTarget(RegisterScalableTarget {
                    service: change.service.clone(),
                    min_capacity: before.min_capacity,
                    max_capacity: before.max_capacity,
                }),
            },
            None => Inverse::Irreversible {
                why: "the limits before are not known".to_owned(),
            },
        },
        Operation::StopTask(_) => Inverse::Irreversible {
            why: "a stopped task stays stopped; the scheduler starts another".to_owned(),
        },
    }
}

/// Values that nothing in the observation proves to be good.
fn unproven(operation: &Operation, observation: &Observation) -> Vec<String> {
    match operation {
        Operation::RegisterTaskDefinitionRevision(register) => register
            .changes
            .iter()
            .filter_map(|change| match change {
                TaskDefinitionChange::SetImage { image, .. }
                    if !proof::image_is_proven(observation, image) =>
                {
                    Some(format!(
                        "image `{image}` exists, but never ran healthy here as far as is known"
                    ))
                }
                TaskDefinitionChange::SetCpuArchitecture { architecture } => Some(format!(
                    "architecture `{}` is concluded from the program's failure on the other one",
                    architecture.as_str()
                )),
                TaskDefinitionChange::SetContainerPort { to, .. } => Some(format!(
                    "port {to} is read from a log line, which the program writes"
                )),
                TaskDefinitionChange::SetImage { .. }
                | TaskDefinitionChange::SetTaskSize { .. }
                | TaskDefinitionChange::SetContainerMemory { .. }
                | TaskDefinitionChange::SetContainerMemoryReservation { .. }
                | TaskDefinitionChange::SetHealthCheckTiming { .. }
                | TaskDefinitionChange::RemoveHealthCheck { .. }
                | TaskDefinitionChange::CopyHealthCheck { .. }
                | TaskDefinitionChange::CopyCommand { .. }
                | TaskDefinitionChange::CopyEnvironmentVariable { .. }
                | TaskDefinitionChange::SetLogGroupCreation { .. }
                | TaskDefinitionChange::AddSecretReference { .. }
                | TaskDefinitionChange::RemoveSecretReference { .. }
                | TaskDefinitionChange::SetEssential { .. } => None,
            })
            .collect(),
        Operation::UpdateService(update) => {
            let mut unproven = Vec::new();
            if let Some(RevisionRef::Existing { arn }) = &update.task_definition {
                let proven = proof::definitions(observation)
                    .filter(|definition| &definition.arn == arn)
                    .any(|definition| proof::ran_healthy(observation, definition).is_some());
                if !proven {
                    unproven.push(format!(
                        "{} never ran healthy as far as is known",
                        short(arn)
                    ));
                }
            }
            if let Some(network) = &update.network {
                let known = &observation.network.subnets;
                for subnet in &network.subnets {
                    let read = known.iter().any(|one| &one.id == subnet);
                    if !read && !observation.service.subnets.contains(subnet) {
                        unproven.push(format!("free addresses of subnet `{subnet}` were not read"));
                    }
                }
            }
            unproven
        }
        Operation::ModifyTargetGroupHealthCheck(change) => change
            .path
            .iter()
            .map(|path| format!("path `{path}` is not known to answer with success"))
            .collect(),
        Operation::AuthorizeSecurityGroup(_)
        | Operation::RevokeSecurityGroup(_)
        | Operation::CreateLogGroup(_)
        | Operation::RegisterScalableTarget(_)
        | Operation::StopTask(_) => Vec::new(),
    }
}
