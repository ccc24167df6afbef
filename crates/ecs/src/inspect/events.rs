//! A service's events, its deployment, and what is wrong with both and with its load balancer.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Status, TimeWindow, cluster};
use crate::aws::{AwsClients, AwsError};
use crate::observation::{
    DeploymentSnapshot, ServiceEvent, ServiceSnapshot, TargetGroupSnapshot, TargetSnapshot,
    TaskDefinitionSnapshot,
};
use crate::observe::{Recorder, ServiceTarget, describe_service, target_groups};

/// What a service says of itself.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceEvents {
    /// Whether it could be read.
    pub status: Status,
    /// Whether there is such a service.
    pub service_exists: bool,
    /// Its events in the window, newest first.
    pub events: Vec<TimedEvent>,
    /// What is wrong.
    pub issues: Vec<ServiceIssue>,
    /// Its newest deployment.
    pub deployment: Option<DeploymentSummary>,
    /// What it was read from.
    pub raw_data: EventsRaw,
    /// The result in a sentence.
    pub message: String,
}

/// What the answer was read from.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EventsRaw {
    /// The service, with every event.
    pub service: Option<ServiceSnapshot>,
    /// Its target groups with their targets.
    pub target_groups: Vec<TargetGroupSnapshot>,
    /// Parts that could not be read.
    pub not_read: Vec<String>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimedEvent {
    /// Its text.
    pub message: String,
    /// When.
    pub timestamp: DateTime<Utc>,
    /// Its id.
    pub id: String,
}

/// The newest deployment.
#[derive(Debug, Clone, Serialize)]
pub struct DeploymentSummary {
    /// Its id.
    pub id: String,
    /// `PRIMARY`.
    pub status: String,
    /// `IN_PROGRESS`, `COMPLETED` or `FAILED`.
    pub rollout_state: Option<String>,
    /// Why it is in that state: the circuit breaker speaks here.
    pub rollout_state_reason: Option<String>,
    /// How many tasks it wants.
    pub desired_count: i32,
    /// How many start.
    pub pending_count: i32,
    /// How many run.
    pub running_count: i32,
    /// How many of its tasks failed.
    pub failed_tasks: i32,
    /// What it deploys.
    pub task_definition: String,
    /// When it began.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Something that is wrong.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServiceIssue {
    /// The deployment failed.
    FailedDeployment {
        /// ECS's reason.
        reason: String,
    },
    /// Tasks start and do not run.
    StalledDeployment {
        /// How many start.
        pending_count: i32,
        /// How many run.
        running_count: i32,
        /// How many are wanted.
        desired_count: i32,
        /// How many failed.
        failed_tasks: i32,
    },
    /// Fewer tasks run than are wanted.
    BelowDesiredCount {
        /// How many run.
        running_count: i32,
        /// How many are wanted.
        desired_count: i32,
    },
    /// Targets do not pass the load balancer's health check.
    UnhealthyTargets {
        /// The target group.
        target_group: String,
        /// How many.
        count: usize,
        /// Which, and what the load balancer says about each.
        details: Vec<TargetSnapshot>,
    },
    /// The service registers a port that its container does not open.
    PortMismatch {
        /// The target group.
        target_group: String,
        /// The container.
        container: String,
        /// The port that the service registers.
        container_port: i32,
        /// The ports that the task definition opens for that container.
        opened: Vec<i32>,
    },
    /// The load balancer checks another port than the one that traffic goes to.
    HealthCheckPortMismatch {
        /// The target group.
        target_group: String,
        /// The port that the service registers.
        container_port: i32,
        /// The port that is checked.
        health_check_port: String,
    },
}

/// Reads a service's events in the window, and judges deployment and load balancer.
///
/// # Errors
/// [`AwsError`] when the service cannot be read; that it does not exist is an answer.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn service_events(
    clients: &AwsClients,
    target: &ServiceTarget,
    window: TimeWindow,
) -> Result<ServiceEvents, AwsError> {
    let described = describe_service(clients, target).await.outcome;
    let service = match described {
        Ok(Some(service)) if service.status != "INACTIVE" => service,
        Ok(_) => return Ok(ServiceEvents::absent(target)),
        Err(error) if error.is_not_found() => return Ok(ServiceEvents::absent(target)),
        Err(error) => return Err(error),
    };
    let window = window.by_clock_of(clients);
    let (groups, (definitions, unread)) = tokio::join!(
        target_groups(clients, &service),
        cluster::describe_definitions(clients, [service.task_definition.clone()]),
    );
    let mut recorder = Recorder::new(clients.latest_date().unwrap_or(window.to()));
    let groups: Vec<TargetGroupSnapshot> = groups
        .record(&mut recorder)
        .into_iter()
        .map(|group| group.value)
        .collect();
    let (_, _, gaps) = recorder.finish();
    let mut not_read: Vec<String> = unread.iter().map(ToString::to_string).collect();
    not_read.extend(
        gaps.iter()
            .map(|gap| format!("`{}` of {}", gap.call, gap.subject)),
    );
    let events: Vec<TimedEvent> = service
        .events
        .iter()
        .filter(|event| window.holds(event.at))
        .map(timed)
        .collect();
    let issues = issues(&service, &groups, definitions.first());
    let message = format!(
        "{} events of `{target}` in this time; {} issues",
        events.len(),
        issues.len()
    );
    Ok(ServiceEvents {
        status: Status::Success,
        service_exists: true,
        events,
        issues,
        deployment: primary(&service).map(summary),
        raw_data: EventsRaw {
            service: Some(service),
            target_groups: groups,
            not_read,
        },
        message,
    })
}

fn timed(event: &ServiceEvent) -> TimedEvent {
    TimedEvent {
        message: event.message.clone(),
        timestamp: event.at,
        id: event.id.clone(),
    }
}

pub(crate) fn primary(service: &ServiceSnapshot) -> Option<&DeploymentSnapshot> {
    service
        .deployments
        .iter()
        .find(|deployment| deployment.status == "PRIMARY")
}

fn summary(deployment: &DeploymentSnapshot) -> DeploymentSummary {
    DeploymentSummary {
        id: deployment.id.clone(),
        status: deployment.status.clone(),
        rollout_state: deployment.rollout_state.clone(),
        rollout_state_reason: deployment.rollout_state_reason.clone(),
        desired_count: deployment.desired_count,
        pending_count: deployment.pending_count,
        running_count: deployment.running_count,
        failed_tasks: deployment.failed_tasks,
        task_definition: deployment.task_definition.clone(),
        created_at: deployment.created_at,
        updated_at: deployment.updated_at,
    }
}

/// What is wrong, from what was read: a pure function.
fn issues(
    service: &ServiceSnapshot,
    groups: &[TargetGroupSnapshot],
    definition: Option<&TaskDefinitionSnapshot>,
) -> Vec<ServiceIssue> {
    let mut issues = Vec::new();
    if let Some(deployment) = primary(service) {
        if deployment.rollout_state.as_deref() == Some("FAILED") {
            let reason = deployment.rollout_state_reason.clone();
            issues.push(ServiceIssue::FailedDeployment {
                reason: reason.unwrap_or_else(|| "ECS gives no reason".to_owned()),
            });
        } else if deployment.running_count < deployment.desired_count
            && (deployment.pending_count > 0 || deployment.failed_tasks > 0)
        {
            issues.push(ServiceIssue::StalledDeployment {
                pending_count: deployment.pending_count,
                running_count: deployment.running_count,
                desired_count: deployment.desired_count,
                failed_tasks: deployment.failed_tasks,
            });
        } else if service.running_count < service.desired_count {
            issues.push(ServiceIssue::BelowDesiredCount {
                running_count: service.running_count,
                desired_count: service.desired_count,
            });
        }
    }
    for (arn, container, port) in &service.load_balancers {
        let Some(group) = groups.iter().find(|group| group.arn == *arn) else {
            continue;
        };
        issues.extend(balancer_issues(group, container, *port, definition));
    }
    issues
}

fn balancer_issues(
    group: &TargetGroupSnapshot,
    container: &str,
    port: i32,
    definition: Option<&TaskDefinitionSnapshot>,
) -> Vec<ServiceIssue> {
    let mut issues = Vec::new();
    // A target that is being added or taken away is in order.
    let unhealthy: Vec<TargetSnapshot> = group
        .targets
        .iter()
        .filter(|target| matches!(target.state.as_str(), "unhealthy" | "unavailable"))
        .cloned()
        .collect();
    if !unhealthy.is_empty() {
        issues.push(ServiceIssue::UnhealthyTargets {
            target_group: group.name.clone(),
            count: unhealthy.len(),
            details: unhealthy,
        });
    }
    // ECS registers every target with the container's port, whatever the group's default port is:
    // a difference to that default means nothing. What matters is whether the container opens it.
    let opened: Option<Vec<i32>> = definition
        .and_then(|definition| {
            definition
                .containers
                .iter()
                .find(|found| found.name == container)
        })
        .map(|found| {
            found
                .port_mappings
                .iter()
                .map(|mapping| mapping.container_port)
                .collect()
        });
    if let Some(opened) = opened
        && !opened.contains(&port)
    {
        issues.push(ServiceIssue::PortMismatch {
            target_group: group.name.clone(),
            container: container.to_owned(),
            container_port: port,
            opened,
        });
    }
    // Targets on instances have a host port that nobody chose, so only `ip` targets can be compared.
    let checked = group.health_check.port.as_deref().unwrap_or("traffic-port");
    if group.target_type.as_deref() == Some("ip")
        && checked != "traffic-port"
        && checked != port.to_string()
    {
        issues.push(ServiceIssue::HealthCheckPortMismatch {
            target_group: group.name.clone(),
            container_port: port,
            health_check_port: checked.to_owned(),
        });
    }
    issues
}

impl ServiceEvents {
    fn absent(target: &ServiceTarget) -> Self {
        Self {
            status: Status::Success,
            service_exists: false,
            events: Vec::new(),
            issues: Vec::new(),
            deployment: None,
            raw_data: EventsRaw::default(),
            message: format!(
                "there is no service `{}` in cluster `{}` here",
                target.service_name(),
                target.cluster_name()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{ContainerDefinition, HealthCheck, PortMapping};

    fn group(port: i32, check: &str, kind: &str) -> TargetGroupSnapshot {
        TargetGroupSnapshot {
            name: "api".to_owned(),
            target_type: Some(kind.to_owned()),
            port: Some(port),
            health_check: HealthCheck {
                port: Some(check.to_owned()),
                ..HealthCheck::default()
            },
            ..TargetGroupSnapshot::default()
        }
    }

    fn definition(ports: &[i32]) -> TaskDefinitionSnapshot {
        let port_mappings = ports.iter().map(|port| PortMapping {
            container_port: *port,
            ..PortMapping::default()
        });
        TaskDefinitionSnapshot {
            containers: vec![ContainerDefinition {
                name: "app".to_owned(),
                port_mappings: port_mappings.collect(),
                ..ContainerDefinition::default()
            }],
            ..TaskDefinitionSnapshot::default()
        }
    }

    #[test]
    fn the_default_port_of_a_target_group_is_no_mismatch() {
        for (default, check, kind, opened, expected) in [
            (80, "traffic-port", "ip", &[8080][..], ""),
            (80, "8080", "ip", &[8080], ""),
            (80, "traffic-port", "ip", &[3000], "port_mismatch"),
            (
                8080,
                "9090",
                "ip",
                &[8080, 9090],
                "health_check_port_mismatch",
            ),
            (8080, "9090", "instance", &[8080], ""),
        ] {
            let found = balancer_issues(
                &group(default, check, kind),
                "app",
                8080,
                Some(&definition(opened)),
            );
            let kinds: Vec<String> = found
                .iter()
                .map(|issue| serde_json::to_value(issue).unwrap()["type"].to_string())
                .collect();
            assert_eq!(
                kinds.join(",").replace('"', ""),
                expected,
                "{kind} {default} {check}"
            );
        }
    }
}
