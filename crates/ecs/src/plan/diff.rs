//! Before and after of an operation, line by line.

use super::describe::{rule_words, short};
use super::{
    DiffLine, HealthyPercents, Operation, RegisterTaskDefinitionRevision, RevisionRef,
    TaskDefinitionChange, proof,
};
use crate::observation::{Observation, TaskDefinitionSnapshot};

fn line(field: impl Into<String>, before: Option<String>, after: Option<String>) -> DiffLine {
    DiffLine {
        field: field.into(),
        before,
        after,
    }
}

/// Before and after of an operation, line by line.
pub(crate) fn diff(operation: &Operation, observation: &Observation) -> Vec<DiffLine> {
    let service = &observation.service;
    match operation {
        Operation::RegisterTaskDefinitionRevision(register) => register_diff(register, observation),
        Operation::UpdateService(update) => {
            let mut lines = Vec::new();
            if let Some(revision) = &update.task_definition {
                let after = match revision {
                    RevisionRef::Existing { arn } => short(arn).to_owned(),
                    RevisionRef::Step { step } => format!("revision of step {step}"),
                };
                lines.push(line(
                    "task definition",
                    Some(short(&service.task_definition).to_owned()),
                    Some(after),
                ));
            }
            if let Some(count) = update.desired_count {
                lines.push(line(
                    "desired count",
                    Some(service.desired_count.to_string()),
                    Some(count.to_string()),
                ));
            }
            if let Some(network) = &update.network {
                lines.push(line(
                    "subnets",
                    Some(service.subnets.join(" ")),
                    Some(network.subnets.join(" ")),
                ));
                lines.push(line(
                    "security groups",
                    Some(service.security_groups.join(" ")),
                    Some(network.security_groups.join(" ")),
                ));
                lines.push(line(
                    "public address",
                    service.assign_public_ip.map(|on| on.to_string()),
                    Some(network.assign_public_ip.to_string()),
                ));
                lines.retain(|line| line.before != line.after);
            }
            if let Some(seconds) = update.health_check_grace_period_seconds {
                lines.push(line(
                    "health check grace period",
                    service
                        .health_check_grace_period_seconds
                        .map(|before| format!("{before} s")),
                    Some(format!("{seconds} s")),
                ));
            }
            if let Some(breaker) = update.circuit_breaker {
                let words = |(enable, rollback)| format!("enabled {enable}, rollback {rollback}");
                lines.push(line(
                    "circuit breaker",
                    service.circuit_breaker.map(words),
                    Some(words((breaker.enable, breaker.rollback))),
                ));
            }
            if let Some(percents) = update.healthy_percents {
                let words = |percents: HealthyPercents| {
                    format!("{} % to {} %", percents.minimum, percents.maximum)
                };
                lines.push(line(
                    "tasks during deployments",
                    Some(words(HealthyPercents::of(service))),
                    Some(words(percents)),
                ));
            }
            if update.force_new_deployment {
                lines.push(line(
                    "deployment",
                    Some("present one".to_owned()),
                    Some("new one".to_owned()),
                ));
            }
            lines
        }
        Operation::AuthorizeSecurityGroup(change) => {
            vec![line(
                format!("{} {} rule", change.group, change.direction.as_str()),
                None,
                Some(rule_words(change)),
            )]
        }
        Operation::RevokeSecurityGroup(change) => {
            vec![line(
                format!("{} {} rule", change.group, change.direction.as_str()),
                Some(rule_words(change)),
                None,
            )]
        }
        Operation::ModifyTargetGroupHealthCheck(change) => {
            let before = observation
                .target_groups
                .iter()
                .find(|group| group.arn == change.target_group)
                .map(|group| group.health_check.clone())
                .unwrap_or_default();
            let number = |value: Option<i32>| value.map(|value| value.to_string());
            [
                ("path", before.path, change.path.clone()),
                ("port", before.port, change.port.clone()),
                (
                    "interval",
                    number(before.interval_seconds),
                    number(change.interval_seconds),
                ),
                (
                    "timeout",
                    number(before.timeout_seconds),
                    number(change.timeout_seconds),
                ),
                (
                    "healthy threshold",
                    number(before.healthy_threshold),
                    number(change.healthy_threshold),
                ),
                (
                    "unhealthy threshold",
                    number(before.unhealthy_threshold),
                    number(change.unhealthy_threshold),
                ),
                ("accepted codes", before.matcher, change.matcher.clone()),
            ]
            .into_iter()
            .filter(|(_, _, after)| after.is_some())
            .map(|(field, before, after)| line(format!("health check {field}"), before, after))
            .collect()
        }
        Operation::CreateLogGroup(create) => {
            vec![line("log group", None, Some(create.name.clone()))]
        }
        Operation::RegisterScalableTarget(change) => vec![line(
            "scaling limits",
            observation
                .scaling
                .as_ref()
                .map(|s| format!("{} to {}", s.min_capacity, s.max_capacity)),
            Some(format!(
                "{} to {}",
                change.min_capacity, change.max_capacity
            )),
        )],
        Operation::StopTask(stop) => vec![line("task", Some(short(&stop.task).to_owned()), None)],
    }
}

fn register_diff(
    register: &RegisterTaskDefinitionRevision,
    observation: &Observation,
) -> Vec<DiffLine> {
    let base = proof::definitions(observation).find(|definition| definition.arn == register.base);
    if register.changes.is_empty() {
        return vec![line(
            "revision",
            Some(format!("{} (inactive)", short(&register.base))),
            Some("equal, active".to_owned()),
        )];
    }
    register
        .changes
        .iter()
        .flat_map(|change| change_diff(change, base))
        .collect()
}

fn change_diff(
    change: &TaskDefinitionChange,
    base: Option<&TaskDefinitionSnapshot>,
) -> Vec<DiffLine> {
    let container = change.container().and_then(|name| {
        base?
            .containers
            .iter()
            .find(|container| container.name == name)
    });
    let named = |field: &str| {
        format!(
            "container {}: {field}",
            change.container().unwrap_or_default()
        )
    };
    let mib = |value: Option<i32>| value.map(|value| format!("{value} MiB"));
    match change {
        TaskDefinitionChange::SetImage { image, .. } => {
            vec![line(
                named("image"),
                container.map(|c| c.image.clone()),
                Some(image.clone()),
            )]
        }
        TaskDefinitionChange::SetTaskSize { cpu, memory_mib } => {
            let cpu_before = base.and_then(|base| base.cpu);
            let memory_before = base.and_then(|base| base.memory_mib);
            [
                line(
                    "task CPU",
                    cpu_before.map(|cpu| cpu.to_string()),
                    Some(cpu.to_string()),
                ),
                line("task memory", mib(memory_before), mib(Some(*memory_mib))),
            ]
            .into_iter()
            .filter(|line| line.before != line.after)
            .collect()
        }
        TaskDefinitionChange::SetContainerMemory { memory_mib, .. } => {
            vec![line(
                named("memory limit"),
                mib(container.and_then(|c| c.memory_mib)),
                mib(Some(*memory_mib)),
            )]
        }
        TaskDefinitionChange::SetContainerMemoryReservation { memory_mib, .. } => vec![line(
            named("memory reservation"),
            mib(container.and_then(|c| c.memory_reservation_mib)),
            mib(Some(*memory_mib)),
        )],
        TaskDefinitionChange::SetContainerPort { from, to, .. } => {
            vec![line(
                named("port"),
                Some(from.to_string()),
                Some(to.to_string()),
            )]
        }
        TaskDefinitionChange::SetHealthCheckTiming {
            interval_seconds,
            timeout_seconds,
            retries,
            start_period_seconds,
            ..
        } => {
            let before = container
                .and_then(|c| c.health_check.clone())
                .unwrap_or_default();
            [
                ("interval", before.interval_seconds, interval_seconds),
                ("timeout", before.timeout_seconds, timeout_seconds),
                ("retries", before.retries, retries),
                (
                    "start period",
                    before.start_period_seconds,
                    start_period_seconds,
                ),
            ]
            .into_iter()
            .filter(|(_, _, after)| after.is_some())
            .map(|(field, before, after)| {
                line(
                    named(&format!("health check {field}")),
                    before.map(|value| value.to_string()),
                    after.map(|value| value.to_string()),
                )
            })
            .collect()
        }
        TaskDefinitionChange::RemoveHealthCheck { .. } => {
            vec![line(
                named("health check"),
                container.and_then(|c| Some(c.health_check.as_ref()?.program.clone())),
                None,
            )]
        }
        TaskDefinitionChange::CopyHealthCheck { from, .. } => {
            vec![line(
                named("health check"),
                None,
                Some(format!("as in {}", short(from))),
            )]
        }
        TaskDefinitionChange::CopyCommand { from, .. } => {
            vec![line(
                named("command"),
                None,
                Some(format!("as in {}", short(from))),
            )]
        }
        TaskDefinitionChange::CopyEnvironmentVariable { name, from, .. } => {
            vec![line(
                named(&format!("variable {name}")),
                None,
                Some(format!("value as in {}", short(from))),
            )]
        }
        TaskDefinitionChange::SetLogGroupCreation { create, .. } => {
            vec![line(
                named("awslogs-create-group"),
                Some((!create).to_string()),
                Some(create.to_string()),
            )]
        }
        TaskDefinitionChange::AddSecretReference {
            name, value_from, ..
        } => {
            let before =
                container.and_then(|c| c.secrets.iter().find(|secret| &secret.name == name));
            vec![line(
                named(&format!("secret {name}")),
                before.map(|s| s.value_from.clone()),
                Some(value_from.clone()),
            )]
        }
        TaskDefinitionChange::RemoveSecretReference { name, .. } => {
            let before =
                container.and_then(|c| c.secrets.iter().find(|secret| &secret.name == name));
            vec![line(
                named(&format!("secret {name}")),
                before.map(|s| s.value_from.clone()),
                None,
            )]
        }
        TaskDefinitionChange::SetEssential { essential, .. } => {
            vec![line(
                named("essential"),
                container.map(|c| c.essential.to_string()),
                Some(essential.to_string()),
            )]
        }
        TaskDefinitionChange::SetCpuArchitecture { architecture } => vec![line(
            "CPU architecture",
            base.and_then(|base| base.cpu_architecture.clone()),
            Some(architecture.as_str().to_owned()),
        )],
    }
}
