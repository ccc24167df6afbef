use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ids, Task, TaskStatus};

/// `DescribeServices` shows this many newest events.
const EVENTS_SHOWN: usize = 100;

/// An ECS cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) status: String,
    pub(crate) capacity_providers: Vec<String>,
    pub(crate) container_insights: bool,
    pub(crate) tags: Vec<(String, String)>,
}

/// An ECS service with its deployments and tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) arn: String,
    /// The cluster's name.
    pub(crate) cluster: String,
    pub(crate) cluster_arn: String,
    pub(crate) status: ServiceStatus,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) created_by: String,
    pub(crate) launch_type: LaunchType,
    pub(crate) platform_version: Option<String>,
    pub(crate) desired_count: u32,
    pub(crate) running_count: u32,
    pub(crate) pending_count: u32,
    /// ARN that the service asks for; the primary deployment's.
    pub(crate) task_definition: String,
    pub(crate) deployment_configuration: DeploymentConfiguration,
    pub(crate) network: Option<NetworkConfiguration>,
    pub(crate) load_balancers: Vec<LoadBalancerBinding>,
    pub(crate) health_check_grace_period_seconds: Option<u32>,
    pub(crate) enable_execute_command: bool,
    pub(crate) enable_ecs_managed_tags: bool,
    pub(crate) propagate_tags: String,
    pub(crate) role_arn: Option<String>,
    pub(crate) tags: Vec<(String, String)>,
    /// Newest first: the primary, then those being replaced.
    pub(crate) deployments: Vec<Deployment>,
    /// Newest first, at most 100.
    pub(crate) events: VecDeque<ServiceEvent>,
    /// `ListServiceDeployments`, newest first.
    pub(crate) service_deployments: Vec<ServiceDeployment>,
    /// In order of creation; stopped ones leave after an hour.
    pub(crate) tasks: Vec<Task>,
    pub(crate) ids: Ids,
    /// Consecutive tasks that never reached RUNNING: drives the launch back-off.
    pub(crate) launch_failures: u32,
    pub(crate) next_launch_at: DateTime<Utc>,
    /// Whether an alarm of the deployment configuration is in ALARM.
    pub(crate) alarm_raised: bool,
    /// Whether the last thing said was a steady state.
    pub(crate) steady: bool,
    pub(crate) steady_said_at: Option<DateTime<Utc>>,
    /// Target groups in which tasks of it drain that it may have left since.
    pub(crate) draining: Vec<String>,
    /// Nothing about the service changes by itself before this time.
    pub(crate) wakes_at: DateTime<Utc>,
}

wire_enum! { ServiceStatus { Active = "ACTIVE", Draining = "DRAINING", Inactive = "INACTIVE" } }
wire_enum! { LaunchType { Fargate = "FARGATE", Ec2 = "EC2" } }
wire_enum! { AssignPublicIp { Enabled = "ENABLED", Disabled = "DISABLED" } }
wire_enum! { DeploymentStatus { Primary = "PRIMARY", Active = "ACTIVE", Inactive = "INACTIVE" } }
wire_enum! {
    RolloutState { InProgress = "IN_PROGRESS", Completed = "COMPLETED", Failed = "FAILED" }
}
wire_enum! {
    /// `DescribeServiceDeployments` status.
    ServiceDeploymentStatus {
        InProgress = "IN_PROGRESS", Successful = "SUCCESSFUL", Stopped = "STOPPED",
        RollbackInProgress = "ROLLBACK_IN_PROGRESS", RollbackSuccessful = "ROLLBACK_SUCCESSFUL",
        RollbackFailed = "ROLLBACK_FAILED",
    }
}

/// How a rolling deployment proceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentConfiguration {
    #[serde(default = "two_hundred")]
    pub(crate) maximum_percent: u32,
    #[serde(default = "one_hundred")]
    pub(crate) minimum_healthy_percent: u32,
    #[serde(default)]
    pub(crate) deployment_circuit_breaker: CircuitBreaker,
}

const fn two_hundred() -> u32 {
    200
}

const fn one_hundred() -> u32 {
    100
}

impl Default for DeploymentConfiguration {
    fn default() -> Self {
        Self {
            maximum_percent: two_hundred(),
            minimum_healthy_percent: one_hundred(),
            deployment_circuit_breaker: CircuitBreaker::default(),
        }
    }
}

/// The deployment circuit breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CircuitBreaker {
    /// Whether a deployment whose tasks keep failing is given up.
    pub(crate) enable: bool,
    /// Whether the last completed deployment is brought back then.
    pub(crate) rollback: bool,
}

/// `awsvpcConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NetworkConfiguration {
    pub(crate) subnets: Vec<String>,
    #[serde(default)]
    pub(crate) security_groups: Vec<String>,
    #[serde(default = "disabled")]
    pub(crate) assign_public_ip: AssignPublicIp,
}

const fn disabled() -> AssignPublicIp {
    AssignPublicIp::Disabled
}

/// A service's tie to a target group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadBalancerBinding {
    pub(crate) target_group_arn: String,
    pub(crate) container_name: String,
    pub(crate) container_port: u16,
}

/// One deployment of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Deployment {
    /// `ecs-svc/<19 digits>`.
    pub(crate) id: String,
    pub(crate) status: DeploymentStatus,
    pub(crate) task_definition: String,
    pub(crate) desired_count: u32,
    pub(crate) running_count: u32,
    pub(crate) pending_count: u32,
    /// Consecutive failures, as the API's `failedTasks`.
    pub(crate) failed_tasks: u32,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) rollout_state: RolloutState,
    pub(crate) rollout_state_reason: String,
    pub(crate) launch_type: LaunchType,
    pub(crate) platform_version: Option<String>,
    pub(crate) network: Option<NetworkConfiguration>,
    pub(crate) load_balancers: Vec<LoadBalancerBinding>,
    /// Digest that each container's tag had when the deployment first pulled it: version consistency.
    pub(crate) pinned: std::collections::BTreeMap<String, String>,
}

/// One event of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ServiceEvent {
    /// UUID-shaped.
    pub(crate) id: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) message: String,
}

/// The record of one deployment that outlives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ServiceDeployment {
    pub(crate) arn: String,
    /// The deployment's id, `ecs-svc/...`.
    pub(crate) deployment: String,
    pub(crate) task_definition: String,
    pub(crate) source_task_definition: Option<String>,
    pub(crate) status: ServiceDeploymentStatus,
    pub(crate) status_reason: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

impl Service {
    /// Adds `(service <name>) <text>` to the events.
    pub(crate) fn say(&mut self, at: DateTime<Utc>, text: &str) {
        let message = format!("(service {}) {text}", self.name);
        self.steady = false;
        let id = uuid_shaped(&self.ids.hex(32));
        self.events.push_front(ServiceEvent { id, at, message });
        self.events.truncate(EVENTS_SHOWN);
    }

    /// The deployment that the service wants.
    pub(crate) fn primary(&self) -> Option<&Deployment> {
        self.deployments
            .iter()
            .find(|d| d.status == DeploymentStatus::Primary)
    }

    pub(crate) fn primary_mut(&mut self) -> Option<&mut Deployment> {
        self.deployments
            .iter_mut()
            .find(|d| d.status == DeploymentStatus::Primary)
    }

    /// The task, if it still exists.
    pub(crate) fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// Brings the counts of the service and its deployments up to date with its tasks.
    pub(crate) fn recount(&mut self) {
        let count = |deployment: Option<&str>, running: bool| {
            let wanted = self.tasks.iter().filter(|task| {
                deployment.is_none_or(|id| task.started_by == id)
                    && if running {
                        task.last_status == TaskStatus::Running
                    } else {
                        task.is_wanted() && task.last_status < TaskStatus::Running
                    }
            });
            u32::try_from(wanted.count()).unwrap_or(u32::MAX)
        };
        let counts: Vec<(u32, u32)> = self
            .deployments
            .iter()
            .map(|d| (count(Some(&d.id), true), count(Some(&d.id), false)))
            .collect();
        let (running, pending) = (count(None, true), count(None, false));
        self.running_count = running;
        self.pending_count = pending;
        for (deployment, (running, pending)) in self.deployments.iter_mut().zip(counts) {
            deployment.running_count = running;
            deployment.pending_count = pending;
        }
    }
}

/// `8-4-4-4-12` out of 32 hexadecimal digits.
pub(crate) fn uuid_shaped(hex: &str) -> String {
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}
