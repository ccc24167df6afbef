//! Building a task definition revision from its base.
//!
//! SECURITY: these functions handle values that may be secret (environment, commands, log
//! options). They move from AWS's answer into the next request and are neither stored nor shown:
//! nothing here implements `Debug` over them, and errors name containers and variables only.

use std::collections::BTreeMap;

use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder;
use aws_sdk_ecs::types::{
    ContainerDefinition, CpuArchitecture, HealthCheck, RuntimePlatform, Secret, Tag, TaskDefinition,
};

use crate::aws::AwsClients;
use crate::plan::TaskDefinitionChange;

/// Tag that names the plan a revision was registered for.
pub(crate) const PLAN_TAG: &str = "ecs-deep-agent:plan";

/// Tag that names the step of that plan.
pub(crate) const STEP_TAG: &str = "ecs-deep-agent:step";

/// A revision as `DescribeTaskDefinition` gives it, tags included.
pub(crate) struct Revision {
    pub(crate) definition: TaskDefinition,
    pub(crate) tags: Vec<Tag>,
}

impl std::fmt::Debug for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revision")
            .field("arn", &self.definition.task_definition_arn())
            .finish_non_exhaustive()
    }
}

impl Revision {
    /// Whether this revision was registered by this step of this plan.
    pub(crate) fn is_of(&self, plan_hash: &str, step: u32) -> bool {
        let has = |key: &str, value: &str| {
            self.tags
                .iter()
                .any(|tag| tag.key() == Some(key) && tag.value() == Some(value))
        };
        has(PLAN_TAG, plan_hash) && has(STEP_TAG, &step.to_string())
    }
}

/// Applies the approved differences, in order.
///
/// # Errors
/// In words, when a difference does not fit the base: nothing is registered then.
pub(crate) fn change(
    definition: &mut TaskDefinition,
    changes: &[TaskDefinitionChange],
    others: &BTreeMap<String, Revision>,
) -> Result<(), String> {
    changes
        .iter()
        .try_for_each(|change| apply(definition, change, others))
}

fn apply(
    definition: &mut TaskDefinition,
    change: &TaskDefinitionChange,
    others: &BTreeMap<String, Revision>,
) -> Result<(), String> {
    match change {
        TaskDefinitionChange::SetTaskSize { cpu, memory_mib } => {
            definition.cpu = Some(cpu.to_string());
            definition.memory = Some(memory_mib.to_string());
        }
        TaskDefinitionChange::SetCpuArchitecture { architecture } => {
            let family = definition
                .runtime_platform()
                .and_then(|platform| platform.operating_system_family())
                .cloned();
            definition.runtime_platform = Some(
                RuntimePlatform::builder()
                    .cpu_architecture(CpuArchitecture::from(architecture.as_str()))
                    .set_operating_system_family(family)
                    .build(),
            );
        }
        TaskDefinitionChange::SetImage { container, image } => {
            named(definition, container)?.image = Some(image.clone());
        }
        TaskDefinitionChange::SetContainerMemory {
            container,
            memory_mib,
        } => {
            named(definition, container)?.memory = Some(*memory_mib);
        }
        TaskDefinitionChange::SetContainerMemoryReservation {
            container,
            memory_mib,
        } => {
            named(definition, container)?.memory_reservation = Some(*memory_mib);
        }
        TaskDefinitionChange::SetContainerPort {
            container,
            from,
            to,
        } => {
            let mappings = named(definition, container)?
                .port_mappings
                .iter_mut()
                .flatten();
            let mapping = mappings
                .into_iter()
                .find(|mapping| mapping.container_port() == Some(*from))
                .ok_or_else(|| format!("container `{container}` maps no port {from}"))?;
            // With `awsvpc` and `host` the host port equals the container port.
            if mapping.host_port() == Some(*from) {
                mapping.host_port = Some(*to);
            }
            mapping.container_port = Some(*to);
        }
        TaskDefinitionChange::SetHealthCheckTiming {
            container,
            interval_seconds,
            timeout_seconds,
            retries,
            start_period_seconds,
        } => {
            let check = named(definition, container)?
                .health_check
                .as_mut()
                .ok_or_else(|| format!("container `{container}` has no health check"))?;
            check.interval = interval_seconds.or(check.interval);
            check.timeout = timeout_seconds.or(check.timeout);
            check.retries = retries.or(check.retries);
            check.start_period = start_period_seconds.or(check.start_period);
        }
        TaskDefinitionChange::RemoveHealthCheck { container } => {
            named(definition, container)?.health_check = None;
        }
        TaskDefinitionChange::CopyHealthCheck { container, from } => {
            let check: Option<HealthCheck> = other(others, from, container)?.health_check.clone();
            named(definition, container)?.health_check = check;
        }
        TaskDefinitionChange::CopyCommand { container, from } => {
            let source = other(others, from, container)?;
            let (entry_point, command) = (source.entry_point.clone(), source.command.clone());
            let container = named(definition, container)?;
            container.entry_point = entry_point;
            container.command = command;
        }
        TaskDefinitionChange::CopyEnvironmentVariable {
            container,
            name,
            from,
        } => {
            let pair = other(others, from, container)?
                .environment()
                .iter()
                .find(|pair| pair.name() == Some(name.as_str()))
                .cloned()
                .ok_or_else(|| format!("`{from}` sets no variable `{name}`"))?;
            let variables = named(definition, container)?
                .environment
                .get_or_insert_default();
            variables.retain(|pair| pair.name() != Some(name.as_str()));
            variables.push(pair);
        }
        TaskDefinitionChange::SetLogGroupCreation { container, create } => {
            let log = named(definition, container)?
                .log_configuration
                .as_mut()
                .ok_or_else(|| format!("container `{container}` has no log configuration"))?;
            let options = log.options.get_or_insert_default();
            if *create {
                options.insert("awslogs-create-group".to_owned(), "true".to_owned());
            } else {
                options.remove("awslogs-create-group");
            }
        }
        TaskDefinitionChange::AddSecretReference {
            container,
            name,
            value_from,
        } => {
            let secret = Secret::builder().name(name).value_from(value_from).build();
            let secret = secret.map_err(|_| format!("`{name}` is no secret reference"))?;
            let secrets = named(definition, container)?
                .secrets
                .get_or_insert_default();
            secrets.retain(|secret| secret.name() != name.as_str());
            secrets.push(secret);
        }
        TaskDefinitionChange::RemoveSecretReference { container, name } => {
            let secrets = named(definition, container)?
                .secrets
                .get_or_insert_default();
            let before = secrets.len();
            secrets.retain(|secret| secret.name() != name.as_str());
            if secrets.len() == before {
                return Err(format!("container `{container}` has no secret `{name}`"));
            }
        }
        TaskDefinitionChange::SetEssential {
            container,
            essential,
        } => {
            named(definition, container)?.essential = Some(*essential);
        }
    }
    Ok(())
}

fn named<'d>(
    definition: &'d mut TaskDefinition,
    container: &str,
) -> Result<&'d mut ContainerDefinition, String> {
    definition
        .container_definitions
        .iter_mut()
        .flatten()
        .find(|candidate| candidate.name() == Some(container))
        .ok_or_else(|| format!("the base revision has no container `{container}`"))
}

fn other<'r>(
    others: &'r BTreeMap<String, Revision>,
    arn: &str,
    container: &str,
) -> Result<&'r ContainerDefinition, String> {
    others
        .get(arn)
        .and_then(|revision| {
            let containers = revision.definition.container_definitions();
            containers
                .iter()
                .find(|candidate| candidate.name() == Some(container))
        })
        .ok_or_else(|| format!("`{arn}` has no container `{container}` to copy from"))
}

/// The request that registers the revision, marked as this step's.
pub(crate) fn request(
    clients: &AwsClients,
    revision: Revision,
    plan_hash: &str,
    step: u32,
) -> RegisterTaskDefinitionFluentBuilder {
    let Revision { definition, tags } = revision;
    let own = [
        (PLAN_TAG, plan_hash.to_owned()),
        (STEP_TAG, step.to_string()),
    ];
    let tags = tags
        .into_iter()
        // AWS refuses tags it reserves for itself.
        .filter(|tag| tag.key().is_none_or(|key| !key.starts_with("aws:")))
        .filter(|tag| own.iter().all(|(key, _)| tag.key() != Some(*key)))
        .chain(
            own.iter()
                .map(|(key, value)| Tag::builder().key(*key).value(value).build()),
        )
        .collect();
    clients
        .ecs
        .register_task_definition()
        .set_family(definition.family)
        .set_task_role_arn(definition.task_role_arn)
        .set_execution_role_arn(definition.execution_role_arn)
        .set_network_mode(definition.network_mode)
        .set_container_definitions(definition.container_definitions)
        .set_volumes(definition.volumes)
        .set_placement_constraints(definition.placement_constraints)
        .set_requires_compatibilities(definition.requires_compatibilities)
        .set_cpu(definition.cpu)
        .set_memory(definition.memory)
        .set_pid_mode(definition.pid_mode)
        .set_ipc_mode(definition.ipc_mode)
        .set_proxy_configuration(definition.proxy_configuration)
        .set_ephemeral_storage(definition.ephemeral_storage)
        .set_runtime_platform(definition.runtime_platform)
        .set_enable_fault_injection(definition.enable_fault_injection)
        .set_tags(Some(tags))
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
