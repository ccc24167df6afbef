//! How far a service's deployment is.

use aws_sdk_ecs::types::DesiredStatus;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::cluster;
use super::events::primary;
use super::stack::{StackEvent, StackStatus, stack_status};
use crate::aws::{AwsClients, AwsError};
use crate::observation::ServiceSnapshot;
use crate::observe::{ServiceTarget, describe_service, name_in_arn};

/// Most events of the stack that are shown.
const RECENT_EVENTS: usize = 5;

/// How far a service is, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Readiness {
    /// Its deployment is complete and every wanted task runs.
    Ready {
        /// How many.
        running: i32,
    },
    /// It is still on its way.
    Waiting {
        /// How many tasks run.
        running: i32,
        /// How many are wanted.
        desired: i32,
        /// How many tasks of the deployment failed so far.
        failed: i32,
    },
    /// It will not get there by itself.
    Failed {
        /// Why.
        reason: String,
    },
    /// There is no such service.
    Absent,
}

impl Readiness {
    /// What a person reads.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Ready { running } => format!("the service is ready with {running} running tasks"),
            Self::Waiting {
                running,
                desired,
                failed: 0,
            } => format!("{running} of {desired} tasks run"),
            Self::Waiting {
                running,
                desired,
                failed,
            } => format!("{running} of {desired} tasks run; {failed} failed in this deployment"),
            Self::Failed { reason } => format!("the deployment failed: {reason}"),
            Self::Absent => "there is no such service here".to_owned(),
        }
    }
}

/// Reads how far a service is.
///
/// # Errors
/// [`AwsError`] when it cannot be read.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn readiness(
    clients: &AwsClients,
    target: &ServiceTarget,
) -> Result<Readiness, AwsError> {
    match describe_service(clients, target).await.outcome {
        Ok(Some(service)) if service.status != "INACTIVE" => Ok(ready(&service)),
        Ok(_) => Ok(Readiness::Absent),
        Err(error) if error.is_not_found() => Ok(Readiness::Absent),
        Err(error) => Err(error),
    }
}

/// A running task of an older deployment does not make a service ready.
fn ready(service: &ServiceSnapshot) -> Readiness {
    let deployment = primary(service);
    let state = deployment.and_then(|deployment| deployment.rollout_state.as_deref());
    if state == Some("FAILED") {
        let reason = deployment.and_then(|deployment| deployment.rollout_state_reason.clone());
        return Readiness::Failed {
            reason: reason.unwrap_or_else(|| "ECS gives no reason".to_owned()),
        };
    }
    let complete = match state {
        Some(state) => state == "COMPLETED",
        // Deployment controllers other than ECS's own have no rollout state.
        None => service.deployments.len() <= 1,
    };
    if complete && service.running_count >= service.desired_count && service.desired_count > 0 {
        return Readiness::Ready {
            running: service.running_count,
        };
    }
    if complete && service.desired_count == 0 {
        return Readiness::Failed {
            reason: "the service wants no task (its desired count is 0)".to_owned(),
        };
    }
    Readiness::Waiting {
        running: service.running_count,
        desired: service.desired_count,
        failed: deployment.map_or(0, |deployment| deployment.failed_tasks),
    }
}

/// An application's deployment: its stack, its service, its tasks.
#[derive(Debug, Clone, Serialize)]
pub struct DeploymentStatus {
    /// The application.
    pub app_name: String,
    /// The cluster that was looked in.
    pub cluster: String,
    /// `COMPLETE`, `IN_PROGRESS`, `FAILED`, `NOT_FOUND` or `INFRASTRUCTURE_UNAVAILABLE`.
    pub status: &'static str,
    /// The service's own status.
    pub service_status: Option<String>,
    /// Where its newest deployment stands.
    pub deployment_status: Option<String>,
    /// Why.
    pub deployment_reason: Option<String>,
    /// The stack.
    pub stack_status: StackBrief,
    /// Where the application answers.
    pub alb_url: Option<String>,
    /// Its tasks.
    pub tasks: Vec<TaskBrief>,
    /// How many run.
    pub running_count: i32,
    /// How many are wanted.
    pub desired_count: i32,
    /// How many start.
    pub pending_count: i32,
    /// The result in a sentence.
    pub message: String,
    /// What to do for a name of one's own, once it runs.
    pub custom_domain_guidance: Option<Vec<String>>,
}

/// A stack in brief.
#[derive(Debug, Clone, Serialize)]
pub struct StackBrief {
    /// The stack's name; `null` when none of the usual names exists.
    pub name: Option<String>,
    /// CloudFormation's status, or `NOT_FOUND`.
    pub status: String,
    /// When it was made.
    pub creation_time: Option<DateTime<Utc>>,
    /// When it was last changed.
    pub last_updated_time: Option<DateTime<Utc>>,
    /// What it returns.
    pub outputs: std::collections::BTreeMap<String, String>,
    /// Its newest events.
    pub recent_events: Vec<StackEvent>,
}

/// A task in brief.
#[derive(Debug, Clone, Serialize)]
pub struct TaskBrief {
    /// Its id.
    pub task_id: String,
    /// Its status.
    pub status: String,
    /// What its health checks say.
    pub health_status: Option<String>,
    /// When it started to run.
    pub started_at: Option<DateTime<Utc>>,
}

/// Which application is meant.
#[derive(Debug, Clone, Copy)]
pub struct AppQuery<'a> {
    /// Its name, which the names of the rest are made from.
    pub app: &'a str,
    /// Its cluster, else `APP-cluster`.
    pub cluster: Option<&'a str>,
    /// Its stack, else `APP-ecs-infrastructure` or `APP-ecs`.
    pub stack: Option<&'a str>,
    /// Its service, else `APP-service`.
    pub service: Option<&'a str>,
}

/// Reads an application's deployment; the service is read whether or not there is a stack.
///
/// # Errors
/// [`AwsError`] when neither can be read.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn deployment_status(
    clients: &AwsClients,
    query: AppQuery<'_>,
) -> Result<DeploymentStatus, AwsError> {
    let app = query.app;
    let cluster = query
        .cluster
        .map_or_else(|| format!("{app}-cluster"), str::to_owned);
    let service = query
        .service
        .map_or_else(|| format!("{app}-service"), str::to_owned);
    let stacks = match query.stack {
        Some(stack) => vec![stack.to_owned()],
        None => vec![format!("{app}-ecs-infrastructure"), format!("{app}-ecs")],
    };
    let target = ServiceTarget::new(&cluster, &service);
    let (stacks, described, running) = tokio::join!(
        futures_util::future::join_all(
            stacks
                .iter()
                .map(|name| async move { (name.clone(), stack_status(clients, name).await) })
        ),
        describe_service(clients, &target),
        cluster::list_tasks(clients, &cluster, Some(&service), DesiredStatus::Running),
    );
    let stack = stacks
        .into_iter()
        .find_map(|(name, stack)| Some((name, stack.ok().filter(|stack| stack.stack_exists)?)));
    let service = match described.outcome {
        Ok(service) => service.filter(|service| service.status != "INACTIVE"),
        Err(error) if error.is_not_found() || stack.is_some() => None,
        Err(error) => return Err(error),
    };
    let running = running.map(|pages| pages.items).unwrap_or_default();
    let tasks = cluster::describe_tasks(clients, &cluster, &running).await;
    let tasks = tasks
        .unwrap_or_default()
        .into_iter()
        .map(|task| TaskBrief {
            task_id: name_in_arn(&task.arn).to_owned(),
            status: task.last_status,
            health_status: task.health_status,
            started_at: task.started_at,
        })
        .collect();
    Ok(assembled(app, cluster, stack, service.as_ref(), tasks))
}

fn assembled(
    app: &str,
    cluster: String,
    stack: Option<(String, StackStatus)>,
    service: Option<&ServiceSnapshot>,
    tasks: Vec<TaskBrief>,
) -> DeploymentStatus {
    let (name, stack) = stack.map_or((None, None), |(name, stack)| (Some(name), Some(stack)));
    let brief = StackBrief {
        name,
        status: stack
            .as_ref()
            .and_then(|stack| stack.stack_status.clone())
            .unwrap_or_else(|| "NOT_FOUND".to_owned()),
        creation_time: stack.as_ref().and_then(|stack| stack.created_at),
        last_updated_time: stack.as_ref().and_then(|stack| stack.updated_at),
        outputs: stack
            .iter()
            .flat_map(|stack| stack.outputs.clone())
            .collect(),
        recent_events: stack
            .map(|stack| stack.raw_events.into_iter().take(RECENT_EVENTS).collect())
            .unwrap_or_default(),
    };
    let readiness = service.map(ready);
    let stack_failed = brief.status.contains("FAIL") || brief.status.contains("ROLLBACK");
    let status = match &readiness {
        Some(Readiness::Ready { .. }) if !stack_failed => "COMPLETE",
        Some(Readiness::Failed { .. }) => "FAILED",
        Some(_) if stack_failed => "FAILED",
        Some(_) => "IN_PROGRESS",
        None if brief.name.is_none() => "NOT_FOUND",
        None if stack_failed => "INFRASTRUCTURE_UNAVAILABLE",
        None => "IN_PROGRESS",
    };
    let deployment = service.and_then(primary);
    let alb_url = ["LoadBalancerDNS", "LoadBalancerUrl"]
        .iter()
        .find_map(|key| brief.outputs.get(*key))
        .map(|host| match host.contains("://") {
            true => host.clone(),
            false => format!("http://{host}"),
        });
    let words = match &readiness {
        Some(readiness) => readiness.words(),
        None => "there is no such service here".to_owned(),
    };
    DeploymentStatus {
        app_name: app.to_owned(),
        message: format!("{app}: {status}; stack {}; {words}", brief.status),
        custom_domain_guidance: alb_url
            .as_ref()
            .filter(|_| status == "COMPLETE")
            .map(|url| custom_domain(url)),
        cluster,
        status,
        service_status: service.map(|service| service.status.clone()),
        deployment_status: deployment.and_then(|deployment| deployment.rollout_state.clone()),
        deployment_reason: deployment
            .and_then(|deployment| deployment.rollout_state_reason.clone()),
        stack_status: brief,
        alb_url,
        tasks,
        running_count: service.map_or(0, |service| service.running_count),
        desired_count: service.map_or(0, |service| service.desired_count),
        pending_count: service.map_or(0, |service| service.pending_count),
    }
}

fn custom_domain(url: &str) -> Vec<String> {
    let host = url.split("://").nth(1).unwrap_or(url).trim_end_matches('/');
    vec![
        "ask AWS Certificate Manager for a certificate of your name, validated by DNS".to_owned(),
        "add an HTTPS listener with it to the load balancer, and redirect port 80 to it".to_owned(),
        format!("point your name at {host}: an alias record in Route 53, a CNAME elsewhere"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::DeploymentSnapshot;

    fn service(state: Option<&str>, running: i32, desired: i32) -> ServiceSnapshot {
        ServiceSnapshot {
            status: "ACTIVE".to_owned(),
            running_count: running,
            desired_count: desired,
            deployments: vec![DeploymentSnapshot {
                status: "PRIMARY".to_owned(),
                rollout_state: state.map(str::to_owned),
                rollout_state_reason: Some("tasks failed to start".to_owned()),
                ..DeploymentSnapshot::default()
            }],
            ..ServiceSnapshot::default()
        }
    }

    #[test]
    fn one_old_task_that_runs_does_not_make_a_service_ready() {
        for (state, running, desired, expected) in [
            (Some("COMPLETED"), 2, 2, "ready"),
            (Some("IN_PROGRESS"), 2, 2, "waiting"),
            (Some("IN_PROGRESS"), 1, 2, "waiting"),
            (Some("FAILED"), 2, 2, "failed"),
            (Some("COMPLETED"), 0, 0, "failed"),
            (None, 2, 2, "ready"),
        ] {
            let found = serde_json::to_value(ready(&service(state, running, desired))).unwrap();
            assert_eq!(found["state"], expected, "{state:?} {running}/{desired}");
        }
    }
}
