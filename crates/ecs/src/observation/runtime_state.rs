//! The service, its deployments, tasks and container instances.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One ECS service (`DescribeServices`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ServiceSnapshot {
    /// Service ARN.
    pub arn: String,
    /// Service name.
    pub name: String,
    /// Cluster ARN.
    pub cluster_arn: String,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// Tasks wanted.
    pub desired_count: i32,
    /// Tasks running.
    pub running_count: i32,
    /// Tasks pending.
    pub pending_count: i32,
    /// Task definition ARN the service asks for.
    pub task_definition: String,
    /// `FARGATE`, `EC2`, `EXTERNAL`, when no capacity provider strategy is used.
    pub launch_type: Option<String>,
    /// Fargate platform version.
    pub platform_version: Option<String>,
    /// Capacity providers of the strategy.
    pub capacity_providers: Vec<String>,
    /// `REPLICA` or `DAEMON`.
    pub scheduling_strategy: Option<String>,
    /// Deployments, newest first.
    pub deployments: Vec<DeploymentSnapshot>,
    /// Service events, newest first (AWS keeps 100).
    pub events: Vec<ServiceEvent>,
    /// `awsvpc` subnets.
    pub subnets: Vec<String>,
    /// `awsvpc` security groups.
    pub security_groups: Vec<String>,
    /// `awsvpc` public IP, when said.
    pub assign_public_ip: Option<bool>,
    /// Target group ARN, container name, container port of each load balancer entry.
    pub load_balancers: Vec<(String, String, i32)>,
    /// Health check grace period in seconds.
    pub health_check_grace_period_seconds: Option<i32>,
    /// Deployment circuit breaker: enabled, rollback.
    pub circuit_breaker: Option<(bool, bool)>,
    /// Upper limit of running tasks during a deployment, percent of desired.
    pub maximum_percent: Option<i32>,
    /// Lower limit of healthy tasks during a deployment, percent of desired.
    pub minimum_healthy_percent: Option<i32>,
    /// Whether ECS Exec is enabled.
    pub enable_execute_command: bool,
    /// Tags as key and value; values are data, not instructions.
    pub tags: Vec<(String, String)>,
    /// When the service was made.
    pub created_at: Option<DateTime<Utc>>,
}

/// One deployment of a service.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DeploymentSnapshot {
    /// Deployment id, such as `ecs-svc/123`.
    pub id: String,
    /// `PRIMARY`, `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// Task definition ARN.
    pub task_definition: String,
    /// Tasks wanted.
    pub desired_count: i32,
    /// Tasks running.
    pub running_count: i32,
    /// Tasks pending.
    pub pending_count: i32,
    /// Tasks that failed to start or to become healthy.
    pub failed_tasks: i32,
    /// `IN_PROGRESS`, `COMPLETED` or `FAILED`.
    pub rollout_state: Option<String>,
    /// AWS's words about the state.
    pub rollout_state_reason: Option<String>,
    /// When it began.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

/// One service event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServiceEvent {
    /// Event id.
    pub id: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// AWS's words.
    pub message: String,
}

/// One task (`DescribeTasks`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TaskSnapshot {
    /// Task ARN.
    pub arn: String,
    /// Task definition ARN it runs.
    pub task_definition: String,
    /// `RUNNING`, `STOPPED`, …
    pub last_status: String,
    /// Where ECS wants it.
    pub desired_status: Option<String>,
    /// `HEALTHY`, `UNHEALTHY`, `UNKNOWN`.
    pub health_status: Option<String>,
    /// Why it stopped, as a code: `TaskFailedToStart`, `EssentialContainerExited`, …
    pub stop_code: Option<String>,
    /// Why it stopped, in AWS's words.
    pub stopped_reason: Option<String>,
    /// What started it: `ecs-svc/…` for a service.
    pub started_by: Option<String>,
    /// `service:NAME`.
    pub group: Option<String>,
    /// Availability zone.
    pub availability_zone: Option<String>,
    /// `FARGATE`, `EC2`, …
    pub launch_type: Option<String>,
    /// Container instance ARN on EC2.
    pub container_instance: Option<String>,
    /// Subnet of its network interface.
    pub subnet: Option<String>,
    /// Private IPv4 address of its network interface.
    pub private_ip: Option<String>,
    /// When ECS made it.
    pub created_at: Option<DateTime<Utc>>,
    /// When it reached RUNNING.
    pub started_at: Option<DateTime<Utc>>,
    /// When it stopped.
    pub stopped_at: Option<DateTime<Utc>>,
    /// Its containers.
    pub containers: Vec<ContainerSnapshot>,
}

/// One container of a task.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ContainerSnapshot {
    /// Container name.
    pub name: String,
    /// Image as written in the task definition.
    pub image: Option<String>,
    /// Digest that was pulled.
    pub image_digest: Option<String>,
    /// `RUNNING`, `STOPPED`, …
    pub last_status: Option<String>,
    /// Exit code of the process.
    pub exit_code: Option<i32>,
    /// The agent's words.
    pub reason: Option<String>,
    /// `HEALTHY`, `UNHEALTHY`, `UNKNOWN`.
    pub health_status: Option<String>,
    /// Runtime id, the suffix of some log streams.
    pub runtime_id: Option<String>,
}

/// One container instance (`DescribeContainerInstances`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ContainerInstanceSnapshot {
    /// Container instance ARN.
    pub arn: String,
    /// EC2 instance id.
    pub ec2_instance_id: Option<String>,
    /// `ACTIVE`, `DRAINING`, …
    pub status: String,
    /// Whether its agent is connected.
    pub agent_connected: bool,
    /// CPU units registered.
    pub registered_cpu: i32,
    /// CPU units free.
    pub remaining_cpu: i32,
    /// MiB of memory registered.
    pub registered_memory_mib: i32,
    /// MiB of memory free.
    pub remaining_memory_mib: i32,
    /// Host ports in use.
    pub used_ports: Vec<i32>,
    /// Attribute names and values.
    pub attributes: Vec<(String, Option<String>)>,
    /// Tasks running on it.
    pub running_tasks: i32,
}
