//! Task definitions, without the values that may be secret.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One task definition revision (`DescribeTaskDefinition`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TaskDefinitionSnapshot {
    /// ARN with revision.
    pub arn: String,
    /// Family.
    pub family: String,
    /// Revision.
    pub revision: i32,
    /// `ACTIVE`, `INACTIVE`, `DELETE_IN_PROGRESS`.
    pub status: String,
    /// `awsvpc`, `bridge`, `host`, `none`.
    pub network_mode: Option<String>,
    /// `FARGATE`, `EC2`, …
    pub requires_compatibilities: Vec<String>,
    /// Task CPU units.
    pub cpu: Option<i32>,
    /// Task memory in MiB.
    pub memory_mib: Option<i32>,
    /// Role the agent uses to pull images, read secrets and write logs.
    pub execution_role_arn: Option<String>,
    /// Role the application uses.
    pub task_role_arn: Option<String>,
    /// `X86_64` or `ARM64`.
    pub cpu_architecture: Option<String>,
    /// `LINUX`, `WINDOWS_…`.
    pub operating_system_family: Option<String>,
    /// Ephemeral storage in GiB.
    pub ephemeral_storage_gib: Option<i32>,
    /// Containers.
    pub containers: Vec<ContainerDefinition>,
    /// When it was registered.
    pub registered_at: Option<DateTime<Utc>>,
}

/// One container definition. Values of environment variables are never kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ContainerDefinition {
    /// Container name.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Whether its exit stops the task.
    pub essential: bool,
    /// CPU units.
    pub cpu: i32,
    /// Hard memory limit in MiB.
    pub memory_mib: Option<i32>,
    /// Soft memory limit in MiB.
    pub memory_reservation_mib: Option<i32>,
    /// Port mappings.
    pub port_mappings: Vec<PortMapping>,
    /// Names of environment variables.
    pub environment_names: Vec<String>,
    /// Secrets injected as environment variables.
    pub secrets: Vec<SecretReference>,
    /// Whether entry point or command are overridden (their text may hold secrets).
    pub overrides_command: bool,
    /// Log configuration.
    pub log_configuration: Option<LogConfiguration>,
    /// Container health check.
    pub health_check: Option<ContainerHealthCheck>,
    /// Containers it waits for, with the condition.
    pub depends_on: Vec<(String, String)>,
    /// Whether it runs as somebody else than root.
    #[serde(default)]
    pub runs_as_other_user: bool,
    /// Whether its own files are read-only.
    #[serde(default)]
    pub read_only_root: bool,
    /// How many files a process may hold open, when the task definition says so.
    #[serde(default)]
    pub open_files_limit: Option<i32>,
    /// Whether it is the task's FireLens log router.
    #[serde(default)]
    pub is_log_router: bool,
}

/// One port mapping.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PortMapping {
    /// Port inside the container.
    pub container_port: i32,
    /// Port on the host; 0 or absent means dynamic with `bridge`.
    pub host_port: Option<i32>,
    /// `tcp` or `udp`.
    pub protocol: Option<String>,
    /// Name of the mapping, for Service Connect.
    pub name: Option<String>,
}

/// One secret reference.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SecretReference {
    /// Environment variable.
    pub name: String,
    /// Secret or parameter ARN, with JSON key, version stage and id when given.
    pub value_from: String,
}

/// Where a container's output goes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LogConfiguration {
    /// `awslogs`, `awsfirelens`, …
    pub driver: String,
    /// `awslogs-group`.
    pub group: Option<String>,
    /// `awslogs-region`.
    pub region: Option<String>,
    /// `awslogs-stream-prefix`.
    pub stream_prefix: Option<String>,
    /// `awslogs-create-group`.
    pub create_group: bool,
}

/// A container health check; its command may hold secrets, so only its program is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ContainerHealthCheck {
    /// `CMD` or `CMD-SHELL` and the name of the first program.
    pub program: String,
    /// Seconds between checks.
    pub interval_seconds: Option<i32>,
    /// Seconds until a check counts as failed.
    pub timeout_seconds: Option<i32>,
    /// Failures in a row that make it unhealthy.
    pub retries: Option<i32>,
    /// Seconds at the start during which failures do not count.
    pub start_period_seconds: Option<i32>,
}
