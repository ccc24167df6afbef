use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Architecture;

/// A registered revision.
///
/// `body` is what `DescribeTaskDefinition` returns: every field that was registered, also those the
/// lab gives no meaning to, so that describing and registering again is lossless. `spec` is the part
/// of it that the scheduler understands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct TaskDefinition {
    pub(crate) arn: String,
    pub(crate) family: String,
    pub(crate) revision: u32,
    pub(crate) status: TaskDefinitionStatus,
    pub(crate) registered_at: DateTime<Utc>,
    pub(crate) registered_by: String,
    pub(crate) deregistered_at: Option<DateTime<Utc>>,
    pub(crate) body: Value,
    pub(crate) spec: Arc<TaskSpec>,
}

wire_enum! {
    /// Whether a revision may be used by new services and updates.
    TaskDefinitionStatus { Active = "ACTIVE", Inactive = "INACTIVE" }
}

/// The fields of a task definition that decide what happens to its tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TaskSpec {
    pub(crate) family: String,
    pub(crate) network_mode: Option<String>,
    pub(crate) requires_compatibilities: Vec<String>,
    /// Task-level CPU units, as text like the API's.
    pub(crate) cpu: Option<String>,
    /// Task-level memory in MiB, as text like the API's.
    pub(crate) memory: Option<String>,
    pub(crate) execution_role_arn: Option<String>,
    pub(crate) task_role_arn: Option<String>,
    pub(crate) runtime_platform: Option<RuntimePlatform>,
    pub(crate) ephemeral_storage: Option<EphemeralStorage>,
    pub(crate) placement_constraints: Vec<PlacementConstraint>,
    pub(crate) container_definitions: Vec<ContainerDefinition>,
}

/// The platform that the tasks ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RuntimePlatform {
    pub(crate) cpu_architecture: Option<Architecture>,
    pub(crate) operating_system_family: Option<String>,
}

/// The disk of a Fargate task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EphemeralStorage {
    #[serde(rename = "sizeInGiB")]
    pub(crate) size_in_gib: u32,
}

/// Where a task may be placed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PlacementConstraint {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) expression: String,
}

/// One container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerDefinition {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) cpu: u32,
    /// Hard limit, MiB.
    pub(crate) memory: Option<u32>,
    pub(crate) memory_reservation: Option<u32>,
    pub(crate) essential: bool,
    pub(crate) port_mappings: Vec<PortMapping>,
    pub(crate) environment: Vec<KeyValue>,
    pub(crate) secrets: Vec<SecretReference>,
    pub(crate) health_check: Option<ContainerHealthCheck>,
    pub(crate) log_configuration: Option<LogConfiguration>,
    pub(crate) command: Vec<String>,
    pub(crate) entry_point: Vec<String>,
    /// A user id or name; root when absent.
    pub(crate) user: Option<String>,
    pub(crate) readonly_root_filesystem: bool,
    pub(crate) mount_points: Vec<MountPoint>,
    pub(crate) ulimits: Vec<Ulimit>,
    pub(crate) depends_on: Vec<ContainerDependency>,
    /// Seconds that a container which depends on this one waits for it.
    pub(crate) start_timeout: Option<u32>,
    /// Seconds between SIGTERM and SIGKILL.
    pub(crate) stop_timeout: Option<u32>,
    pub(crate) environment_files: Vec<EnvironmentFile>,
}

impl Default for ContainerDefinition {
    fn default() -> Self {
        Self {
            name: String::new(),
            image: String::new(),
            cpu: 0,
            memory: None,
            memory_reservation: None,
            essential: true,
            port_mappings: Vec::new(),
            environment: Vec::new(),
            secrets: Vec::new(),
            health_check: None,
            log_configuration: None,
            command: Vec::new(),
            entry_point: Vec::new(),
            user: None,
            readonly_root_filesystem: false,
            mount_points: Vec::new(),
            ulimits: Vec::new(),
            depends_on: Vec::new(),
            start_timeout: None,
            stop_timeout: None,
            environment_files: Vec::new(),
        }
    }
}

/// Where a volume is mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MountPoint {
    pub(crate) container_path: String,
    pub(crate) read_only: bool,
}

/// A resource limit of a container's processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Ulimit {
    pub(crate) name: String,
    pub(crate) soft_limit: u32,
    pub(crate) hard_limit: u32,
}

/// A container that has to come to something before another one starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerDependency {
    pub(crate) container_name: String,
    pub(crate) condition: DependencyCondition,
}

/// What a container waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum DependencyCondition {
    Start,
    Complete,
    Success,
    Healthy,
}

/// A file of variables in S3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EnvironmentFile {
    /// The object's ARN.
    pub(crate) value: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// A port mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PortMapping {
    pub(crate) container_port: u16,
    pub(crate) host_port: Option<u16>,
    pub(crate) protocol: Option<String>,
}

/// An environment variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct KeyValue {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// A secret handed to a container as an environment variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SecretReference {
    pub(crate) name: String,
    /// A Secrets Manager ARN with optional `:key:stage:version`, or an SSM name or ARN.
    pub(crate) value_from: String,
}

/// A container health check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerHealthCheck {
    pub(crate) command: Vec<String>,
    pub(crate) interval: u32,
    pub(crate) timeout: u32,
    pub(crate) retries: u32,
    pub(crate) start_period: Option<u32>,
}

impl Default for ContainerHealthCheck {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            interval: 30,
            timeout: 5,
            retries: 3,
            start_period: None,
        }
    }
}

/// A container's log driver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LogConfiguration {
    pub(crate) log_driver: String,
    pub(crate) options: std::collections::BTreeMap<String, String>,
}

impl TaskSpec {
    /// The architecture that the tasks run on.
    pub(crate) fn architecture(&self) -> Architecture {
        self.runtime_platform
            .as_ref()
            .and_then(|platform| platform.cpu_architecture)
            .unwrap_or(Architecture::X86_64)
    }

    /// The room on the task's disk in MiB. Fargate keeps some of its 20 GiB for itself.
    pub(crate) fn disk_mib(&self) -> u32 {
        let gib = self
            .ephemeral_storage
            .as_ref()
            .map_or(20, |storage| storage.size_in_gib);
        gib.saturating_mul(1_024)
    }

    pub(crate) fn is_awsvpc(&self) -> bool {
        self.network_mode.as_deref() == Some("awsvpc")
    }

    /// CPU units that placement reserves.
    pub(crate) fn reserved_cpu(&self) -> u32 {
        self.cpu
            .as_deref()
            .and_then(|cpu| cpu.parse().ok())
            .unwrap_or_else(|| self.container_definitions.iter().map(|c| c.cpu).sum())
    }

    /// MiB that placement reserves.
    pub(crate) fn reserved_memory_mib(&self) -> u32 {
        self.memory
            .as_deref()
            .and_then(|memory| memory.parse().ok())
            .unwrap_or_else(|| {
                self.container_definitions
                    .iter()
                    .map(|c| c.memory_reservation.or(c.memory).unwrap_or(0))
                    .sum()
            })
    }

    /// The hard limit on a container's memory, MiB.
    pub(crate) fn memory_limit_mib(&self, container: &ContainerDefinition) -> Option<u32> {
        container.memory.or_else(|| {
            self.memory
                .as_deref()
                .and_then(|memory| memory.parse().ok())
        })
    }
}

impl ContainerDefinition {
    /// The value of a plain environment variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .iter()
            .find(|v| v.name == name)
            .map(|v| v.value.as_str())
    }

    /// How many files a process may hold open; Fargate's default (ECS Developer Guide, "Fargate
    /// task definition differences").
    pub(crate) fn open_files_limit(&self) -> u32 {
        self.ulimits
            .iter()
            .find(|limit| limit.name == "nofile")
            .map_or(65_535, |limit| limit.soft_limit)
    }

    /// Whether the container may write to a directory.
    pub(crate) fn may_write(&self, directory: &str) -> bool {
        !self.readonly_root_filesystem
            || self
                .mount_points
                .iter()
                .any(|mount| !mount.read_only && directory.starts_with(&mount.container_path))
    }

    /// Whether a variable of that name reaches the process, plain or as a secret.
    pub(crate) fn provides(&self, name: &str) -> bool {
        self.variable(name).is_some() || self.secrets.iter().any(|secret| secret.name == name)
    }
}
