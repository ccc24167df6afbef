use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{AppBehaviour, LaunchType};

/// A task, from its creation until an hour after it stopped.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Task {
    /// 32 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) cluster: String,
    /// `service:<name>`.
    pub(crate) group: String,
    /// The deployment's id, `ecs-svc/...`.
    pub(crate) started_by: String,
    pub(crate) task_definition: String,
    pub(crate) launch_type: LaunchType,
    pub(crate) platform_version: Option<String>,
    pub(crate) availability_zone: String,
    pub(crate) cpu: String,
    pub(crate) memory: String,
    pub(crate) last_status: TaskStatus,
    /// `RUNNING` or `STOPPED`.
    pub(crate) desired_status: TaskStatus,
    pub(crate) health: ContainerHealth,
    /// `CONNECTED` once the network or the instance is there.
    pub(crate) connectivity: Option<String>,
    pub(crate) containers: Vec<Container>,
    /// The network interface of an awsvpc task.
    pub(crate) attachment: Option<NetworkAttachment>,
    /// EC2: the container instance's ARN.
    pub(crate) container_instance: Option<String>,
    pub(crate) version: u32,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) connectivity_at: Option<DateTime<Utc>>,
    pub(crate) pull_started_at: Option<DateTime<Utc>>,
    pub(crate) pull_stopped_at: Option<DateTime<Utc>>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) stopping_at: Option<DateTime<Utc>>,
    pub(crate) stopped_at: Option<DateTime<Utc>>,
    pub(crate) execution_stopped_at: Option<DateTime<Utc>>,
    pub(crate) stop_code: Option<StopCode>,
    pub(crate) stopped_reason: Option<String>,
    /// When its present phase ends.
    pub(crate) phase_ends_at: DateTime<Utc>,
    /// How the program will end by itself, known from its start.
    pub(crate) ending: Option<Ending>,
    /// What keeps its containers from being started, known from the pull on.
    pub(crate) ordering_failure: Option<OrderingFailure>,
    /// Whether it is protected from scale-in.
    pub(crate) protected: bool,
    /// Whether it ever counted as a working task of its deployment.
    pub(crate) was_ready: bool,
    /// Whether its end already counted against its deployment.
    pub(crate) failure_counted: bool,
}

wire_enum! {
    /// `lastStatus` of a task, in the order of its life.
    TaskStatus {
        Provisioning = "PROVISIONING", Pending = "PENDING", Activating = "ACTIVATING",
        Running = "RUNNING", Deactivating = "DEACTIVATING", Stopping = "STOPPING",
        Deprovisioning = "DEPROVISIONING", Stopped = "STOPPED",
    }
}

wire_enum! {
    /// Why a task stopped, in a word.
    StopCode {
        TaskFailedToStart = "TaskFailedToStart",
        EssentialContainerExited = "EssentialContainerExited",
        UserInitiated = "UserInitiated",
        ServiceSchedulerInitiated = "ServiceSchedulerInitiated",
        SpotInterruption = "SpotInterruption",
        TerminationNotice = "TerminationNotice",
    }
}

wire_enum! {
    /// `lastStatus` of a container.
    ContainerStatus { Pending = "PENDING", Running = "RUNNING", Stopped = "STOPPED" }
}

wire_enum! {
    /// `healthStatus` of a container or task.
    ContainerHealth { Healthy = "HEALTHY", Unhealthy = "UNHEALTHY", Unknown = "UNKNOWN" }
}

/// A container of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) image: String,
    /// Known once the image was pulled.
    pub(crate) image_digest: Option<String>,
    pub(crate) runtime_id: Option<String>,
    pub(crate) status: ContainerStatus,
    pub(crate) health: ContainerHealth,
    pub(crate) exit_code: Option<i32>,
    pub(crate) reason: Option<String>,
    pub(crate) cpu: u32,
    pub(crate) memory: Option<u32>,
    pub(crate) memory_reservation: Option<u32>,
    /// `(container port, host port)` for bridge networking.
    pub(crate) host_ports: Vec<(u16, u16)>,
    pub(crate) health_failures: u32,
    pub(crate) next_health_check_at: Option<DateTime<Utc>>,
    /// The program inside, once the image was pulled.
    pub(crate) app: Option<Arc<AppBehaviour>>,
    /// Whether it has logged that it listens.
    pub(crate) announced: bool,
    /// When each of the program's periodic lines is due, in the program's order.
    pub(crate) next_lines_at: Vec<DateTime<Utc>>,
}

/// The end that a program comes to without anybody stopping it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Ending {
    pub(crate) at: DateTime<Utc>,
    /// The container's name.
    pub(crate) container: String,
    pub(crate) exit_code: i32,
    /// The task's `stoppedReason`.
    pub(crate) task_reason: String,
    /// The container's `reason`.
    pub(crate) container_reason: Option<String>,
    /// What it logs last.
    pub(crate) lines: Vec<String>,
}

/// A container that another one waits for and that does not come to what it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OrderingFailure {
    /// The container that is waited for.
    pub(crate) container: String,
    /// The container that waits.
    pub(crate) target: String,
    pub(crate) exit_code: Option<i32>,
    /// The task's `stoppedReason`.
    pub(crate) reason: String,
    /// What the container logs last.
    pub(crate) lines: Vec<String>,
}

/// The elastic network interface of an awsvpc task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NetworkAttachment {
    /// UUID-shaped id of the attachment.
    pub(crate) id: String,
    /// `PRECREATED`, `ATTACHED` or `DELETED`.
    pub(crate) status: String,
    pub(crate) subnet: String,
    pub(crate) network_interface: String,
    pub(crate) mac_address: String,
    pub(crate) private_ip: String,
    pub(crate) public_ip: Option<String>,
    pub(crate) security_groups: Vec<String>,
}

impl Task {
    /// Whether it still counts towards its service: not stopped, not on its way there.
    pub(crate) fn is_wanted(&self) -> bool {
        self.desired_status == TaskStatus::Running
    }

    pub(crate) fn is_running(&self) -> bool {
        self.last_status == TaskStatus::Running
    }
}
