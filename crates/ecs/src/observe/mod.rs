//! Reading everything about one service, concurrently and in few sequential round trips.
//!
//! The data's own dependencies make four levels: the service by its name; what the service names;
//! what those name; what those name in turn. Each level is read at once, and recorded in program
//! order, so the same world gives the same evidence ids. What cannot be read becomes a gap and the
//! rest goes on.

mod balancing;
mod compute;
pub(crate) mod images;
mod logs;
pub(crate) mod map;
mod network;
mod recorder;
mod roles;
mod scaling;
mod service;
mod stack;
mod target;

use ecs_agent_credentials::{AccountId, Arn};
use futures_util::future::join_all;

use crate::aws::{AwsClients, AwsError};
use crate::observation::{Cited, Observation, SecretSnapshot, TaskDefinitionSnapshot};

pub(crate) use balancing::{describe_target_groups, target_groups, target_health};
pub(crate) use compute::{family_and_revision, task_definitions};
pub(crate) use recorder::Recorder;
pub(crate) use scaling::read_scalable_target;
pub(crate) use service::describe_service;
pub use target::ServiceTarget;
pub(crate) use target::name_in_arn;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObserveOptions {
    /// Most running and most stopped tasks that are described.
    pub most_tasks: usize,
    /// Most log lines that are kept for each log group.
    pub most_log_lines: usize,
    /// Whether log text is read at all; a person may have turned it off.
    pub read_logs: bool,
}

impl Default for ObserveOptions {
    fn default() -> Self {
        Self {
            most_tasks: 100,
            most_log_lines: 100,
            read_logs: true,
        }
    }
}

/// Why there is no observation at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// The cluster exists and has no such service, or there is no such cluster.
    #[error(
        "there is no service `{service}` in cluster `{cluster}`: check both names and the region"
    )]
    ServiceNotFound {
        /// The service asked for.
        service: String,
        /// The cluster asked for.
        cluster: String,
    },
    /// The service itself could not be read.
    #[error("failed to read service `{service}`")]
    Unreadable {
        /// The service asked for.
        service: String,
        /// What AWS said.
        source: AwsError,
    },
    /// AWS's answer names no account: it does not describe a service.
    #[error("the answer for service `{service}` has no valid ARN: is the endpoint really AWS?")]
    Malformed {
        /// The service asked for.
        service: String,
    },
}

/// Reads everything about one service.
///
/// # Errors
/// Only when the service itself cannot be read; any other failure is a gap in the observation.
///
/// # Cancel safety
/// Dropping the future drops the requests in flight; nothing is written.
pub async fn observe(
    clients: &AwsClients,
    target: &ServiceTarget,
    options: ObserveOptions,
) -> Result<Observation, ObserveError> {
    // Dozens of calls at once make a large future: the caller's stays small.
    Box::pin(read_all(clients, target, options)).await
}

async fn read_all(
    clients: &AwsClients,
    target: &ServiceTarget,
    options: ObserveOptions,
) -> Result<Observation, ObserveError> {
    // Level 1: what can be asked for by the service's name.
    let (described, listed, scaling) = tokio::join!(
        describe_service(clients, target),
        compute::list_tasks(clients, target, options),
        scaling::read(clients, target),
    );
    let unreadable = |source| ObserveError::Unreadable {
        service: target.service().to_owned(),
        source,
    };
    let (source, service) = match described.outcome {
        Ok(Some(service)) => (described.source, service),
        Ok(None) => return Err(target.not_found()),
        Err(error) if error.is_not_found() => return Err(target.not_found()),
        Err(error) => return Err(unreadable(error)),
    };
    let account = account_of(&service.arn).ok_or_else(|| ObserveError::Malformed {
        service: target.service().to_owned(),
    })?;
    let started_at = source
        .read_at
        .or(clients.latest_date())
        .unwrap_or_else(chrono::Utc::now);
    let mut recorder = Recorder::new(started_at);
    let service = recorder.cite(&source, service);
    let task_arns = listed.record(&mut recorder);
    let scaling = scaling.record(&mut recorder);

    // Level 2: what the service and the task lists name.
    let (definitions, revisions, tasks, groups, subnets, instances, stack) = tokio::join!(
        compute::task_definitions(clients, compute::deployed(&service)),
        compute::list_revisions(clients, &service),
        compute::describe_tasks(clients, target, &task_arns),
        balancing::target_groups(clients, &service),
        network::around_service(clients, &service),
        compute::list_instances(clients, target, &service),
        stack::find(clients, &service),
    );
    let mut definitions = compute::record_definitions(&mut recorder, definitions);
    let tasks = compute::record_tasks(&mut recorder, tasks);
    let target_groups = groups.record(&mut recorder);
    let mut network = subnets.record(&mut recorder);
    let instance_arns = instances.map_or_else(Vec::new, |reading| {
        recorder
            .take_all(reading)
            .into_iter()
            .map(|(_, arn)| arn)
            .collect()
    });

    // Level 3: what task definitions, tasks, target groups and subnets name.
    let primary = definitions
        .iter()
        .position(|definition| definition.value.arn == service.task_definition)
        .map(|index| definitions.remove(index));
    let more = compute::more_revisions(
        &mut recorder,
        revisions,
        &service,
        &primary,
        &definitions,
        &tasks,
    );
    let vpcs = network::vpcs(&network);
    let now = clients.latest_date().unwrap_or(started_at);
    let named = || {
        primary
            .iter()
            .chain(&definitions)
            .map(|definition| &definition.value)
    };
    let (more, balancers, routes, images, roles, logs, instances, stack) = tokio::join!(
        compute::task_definitions(clients, more),
        balancing::load_balancers(clients, &target_groups),
        network::around_vpcs(clients, &vpcs),
        images::read(clients, named()),
        roles::read(
            clients,
            &account,
            primary.as_ref().map(|primary| &primary.value)
        ),
        logs::read(
            clients,
            primary.as_ref().map(|primary| &primary.value),
            &tasks,
            now,
            options
        ),
        compute::describe_instances(clients, target, &instance_arns),
        stack.events(clients),
    );
    definitions.extend(compute::record_definitions(&mut recorder, more));
    definitions.sort_by_key(|definition| std::cmp::Reverse(definition.value.revision));
    routes.record(&mut recorder, &mut network);
    let images = images.record(&mut recorder);
    let fallback = primary.as_ref().map(|primary| primary.evidence);
    let roles = roles.record(&mut recorder, fallback);
    let log_groups = logs.record(&mut recorder, options);
    let container_instances = instances
        .into_iter()
        .flat_map(|reading| recorder.cite_all(reading))
        .collect();
    let stack = stack.record(&mut recorder, &service);

    // Level 4: what load balancers and endpoints name.
    let groups = network::more_security_groups(&network, &balancers);
    let (rules, groups) = tokio::join!(
        balancers.rules(clients),
        network::security_groups(clients, groups),
    );
    let load_balancers = rules.record(&mut recorder);
    if let Some(groups) = groups {
        network.security_groups.extend(recorder.cite_all(groups));
    }

    let secrets = secrets(primary.as_ref());
    let (observed_at, evidence, gaps) = recorder.finish();
    Ok(Observation {
        observed_at,
        account,
        region: clients.region().clone(),
        evidence,
        gaps,
        service,
        task_definition: primary,
        other_task_definitions: definitions,
        tasks,
        container_instances,
        target_groups,
        load_balancers,
        network,
        images,
        secrets,
        roles,
        log_groups,
        scaling,
        stack,
    })
}

fn account_of(arn: &str) -> Option<AccountId> {
    arn.parse::<Arn>().ok()?.account()
}

/// The secrets that the task definition names. Whether they exist is not asked: ECS's own
/// `stoppedReason` decides that, and metadata of secrets needs permissions few readers have.
fn secrets(definition: Option<&Cited<TaskDefinitionSnapshot>>) -> Vec<Cited<SecretSnapshot>> {
    let Some(definition) = definition else {
        return Vec::new();
    };
    let mut named: Vec<String> = definition
        .containers
        .iter()
        .flat_map(|container| &container.secrets)
        .map(|secret| secret.value_from.clone())
        .collect();
    named.sort();
    named.dedup();
    named
        .into_iter()
        .map(|value_from| {
            let value = SecretSnapshot {
                value_from,
                ..SecretSnapshot::default()
            };
            Cited {
                value,
                evidence: definition.evidence,
            }
        })
        .collect()
}

/// Runs one read for each item, all at once.
pub(crate) async fn each<'a, T, I, F, R>(items: I, read: impl Fn(&'a T) -> F) -> Vec<R>
where
    T: 'a,
    I: IntoIterator<Item = &'a T>,
    F: Future<Output = R>,
{
    join_all(items.into_iter().map(read)).await
}
