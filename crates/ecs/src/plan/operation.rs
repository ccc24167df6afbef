//! The closed set of changes that this program can make.
//!
//! **Architecture Invariant:** there is no operation that grants a permission, reads a secret, runs
//! a command in a container or calls an arbitrary API. What is not in [`Operation`] cannot be
//! planned, approved or executed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::observation::ServiceSnapshot;

/// One typed change of AWS. Complete by definition: a new kind of write is a new variant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Operation {
    /// Registers a new revision of a task definition that differs from its base only as listed.
    RegisterTaskDefinitionRevision(RegisterTaskDefinitionRevision),
    /// Changes the service: revision, count, network, grace period, circuit breaker, bounds of deployments.
    UpdateService(UpdateService),
    /// Adds one rule to a security group.
    AuthorizeSecurityGroup(SecurityGroupRuleChange),
    /// Removes one rule from a security group.
    RevokeSecurityGroup(SecurityGroupRuleChange),
    /// Changes the health check of a target group.
    ModifyTargetGroupHealthCheck(ModifyTargetGroupHealthCheck),
    /// Creates a missing log group that the task definition names.
    CreateLogGroup(CreateLogGroup),
    /// Changes the scaling limits of the service.
    RegisterScalableTarget(RegisterScalableTarget),
    /// Stops one task of the service, so that the scheduler replaces it.
    StopTask(StopTask),
}

/// An IAM action that some operation writes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriteAction {
    /// As IAM names it.
    pub(crate) action: &'static str,
    /// A condition key and its one value, without which the action is never needed.
    pub(crate) condition: Option<(&'static str, &'static str)>,
}

const fn write(action: &'static str) -> WriteAction {
    WriteAction {
        action,
        condition: None,
    }
}

/// Every IAM action that an operation writes with; the policy matrix holds it to the operations.
pub(crate) const WRITE_ACTIONS: [WriteAction; 12] = [
    write("application-autoscaling:RegisterScalableTarget"),
    write("ec2:AuthorizeSecurityGroupEgress"),
    write("ec2:AuthorizeSecurityGroupIngress"),
    write("ec2:RevokeSecurityGroupEgress"),
    write("ec2:RevokeSecurityGroupIngress"),
    write("ecs:RegisterTaskDefinition"),
    write("ecs:StopTask"),
    write("ecs:UpdateService"),
    write("elasticloadbalancing:ModifyTargetGroup"),
    write("logs:CreateLogGroup"),
    // A new revision is marked as its plan's, and passes on the roles of its base.
    WriteAction {
        action: "ecs:TagResource",
        condition: Some(("ecs:CreateAction", "RegisterTaskDefinition")),
    },
    WriteAction {
        action: "iam:PassRole",
        condition: Some(("iam:PassedToService", "ecs-tasks.amazonaws.com")),
    },
];

/// Parameters of [`Operation::RegisterTaskDefinitionRevision`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterTaskDefinitionRevision {
    /// ARN, with revision, of the task definition that is copied.
    pub base: String,
    /// What differs from the base, in order.
    pub changes: Vec<TaskDefinitionChange>,
}

/// One approved difference between a task definition revision and its base.
///
/// Values of environment variables, commands and health check commands are never written here: they
/// can only be copied, by the program, from a revision that AWS already holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum TaskDefinitionChange {
    /// Sets the image of a container.
    SetImage {
        /// Container name.
        container: String,
        /// Image reference that ran healthy before or that the registry lists.
        image: String,
    },
    /// Sets CPU and memory of the whole task; on Fargate a valid pair.
    SetTaskSize {
        /// CPU units, 1024 is one vCPU.
        cpu: i32,
        /// Memory in MiB.
        memory_mib: i32,
    },
    /// Sets the hard memory limit of a container.
    SetContainerMemory {
        /// Container name.
        container: String,
        /// MiB.
        memory_mib: i32,
    },
    /// Sets the soft memory limit of a container.
    SetContainerMemoryReservation {
        /// Container name.
        container: String,
        /// MiB.
        memory_mib: i32,
    },
    /// Moves a port mapping of a container to another container port.
    SetContainerPort {
        /// Container name.
        container: String,
        /// Container port of the mapping to change.
        from: i32,
        /// Its new container port.
        to: i32,
    },
    /// Sets the timings of a container health check; its command stays.
    SetHealthCheckTiming {
        /// Container name.
        container: String,
        /// Seconds between checks (5 to 300).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interval_seconds: Option<i32>,
        /// Seconds until a check fails (2 to 120).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_seconds: Option<i32>,
        /// Failures in a row (1 to 10).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retries: Option<i32>,
        /// Seconds at the start during which failures do not count (0 to 300).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        start_period_seconds: Option<i32>,
    },
    /// Removes a container health check.
    RemoveHealthCheck {
        /// Container name.
        container: String,
    },
    /// Copies a container health check, command included, from another revision.
    CopyHealthCheck {
        /// Container name.
        container: String,
        /// ARN of the revision to copy from.
        from: String,
    },
    /// Copies entry point and command of a container from another revision.
    CopyCommand {
        /// Container name.
        container: String,
        /// ARN of the revision to copy from.
        from: String,
    },
    /// Copies one environment variable, whose value is never shown, from another revision.
    CopyEnvironmentVariable {
        /// Container name.
        container: String,
        /// Name of the variable.
        name: String,
        /// ARN of the revision to copy from.
        from: String,
    },
    /// Lets the log driver create the group that is missing, or stops it from doing so.
    SetLogGroupCreation {
        /// Container name.
        container: String,
        /// Value of `awslogs-create-group`.
        create: bool,
    },
    /// Adds a secret that another revision of the family already refers to.
    AddSecretReference {
        /// Container name.
        container: String,
        /// Environment variable.
        name: String,
        /// Secret or parameter ARN as a known revision writes it.
        value_from: String,
    },
    /// Removes a secret reference.
    RemoveSecretReference {
        /// Container name.
        container: String,
        /// Environment variable.
        name: String,
    },
    /// Says whether the exit of a container stops the task.
    SetEssential {
        /// Container name.
        container: String,
        /// Whether it is essential.
        essential: bool,
    },
    /// Sets the CPU architecture of the task.
    SetCpuArchitecture {
        /// Architecture.
        architecture: CpuArchitecture,
    },
}

/// A CPU architecture that ECS offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CpuArchitecture {
    /// 64-bit x86.
    #[serde(rename = "X86_64")]
    X86,
    /// 64-bit ARM.
    #[serde(rename = "ARM64")]
    Arm,
}

impl CpuArchitecture {
    /// The word that the ECS API uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86 => "X86_64",
            Self::Arm => "ARM64",
        }
    }
}

/// A task definition revision: one that exists, or the one that an earlier operation registers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum RevisionRef {
    /// A revision that exists.
    Existing {
        /// Its ARN.
        arn: String,
    },
    /// The revision that an earlier step of the same plan registers.
    Step {
        /// Number of that step, counted from 1.
        step: u32,
    },
}

/// Parameters of [`Operation::UpdateService`]; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateService {
    /// Cluster ARN.
    pub cluster: String,
    /// Service ARN.
    pub service: String,
    /// Revision to deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition: Option<RevisionRef>,
    /// Tasks wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_count: Option<i32>,
    /// Starts a deployment even if nothing else changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force_new_deployment: bool,
    /// Network configuration; replaces the present one whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<AwsvpcNetwork>,
    /// Seconds during which failing load balancer checks do not count after a start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_grace_period_seconds: Option<i32>,
    /// Deployment circuit breaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
    /// How far the number of tasks may move during a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_percents: Option<HealthyPercents>,
}

/// Bounds of a rolling deployment, in percent of the desired count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthyPercents {
    /// Tasks that stay healthy, rounded up (0 to 100).
    pub minimum: i32,
    /// Tasks that may run at once, rounded down (100 to 200).
    pub maximum: i32,
}

impl HealthyPercents {
    /// Those of the service; ECS's defaults where none are said.
    pub(crate) fn of(service: &ServiceSnapshot) -> Self {
        Self {
            minimum: service.minimum_healthy_percent.unwrap_or(100),
            maximum: service.maximum_percent.unwrap_or(200),
        }
    }

    /// Whether ECS can stop or start a task of a service of this size during a deployment.
    ///
    /// Source: "Service event messages" in the Amazon ECS Developer Guide.
    #[must_use]
    pub fn leave_room(self, desired_count: i32) -> bool {
        let desired = i64::from(desired_count);
        let least = (desired * i64::from(self.minimum) + 99).div_euclid(100);
        let most = (desired * i64::from(self.maximum)).div_euclid(100);
        desired == 0 || least < desired || most > desired
    }
}

/// An `awsvpc` network configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsvpcNetwork {
    /// Subnet ids.
    pub subnets: Vec<String>,
    /// Security group ids.
    pub security_groups: Vec<String>,
    /// Whether tasks get a public address.
    pub assign_public_ip: bool,
}

/// The deployment circuit breaker's two switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CircuitBreaker {
    /// Whether failing deployments are stopped.
    pub enable: bool,
    /// Whether a stopped deployment is rolled back.
    pub rollback: bool,
}

/// Parameters of [`Operation::AuthorizeSecurityGroup`] and [`Operation::RevokeSecurityGroup`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityGroupRuleChange {
    /// Security group id.
    pub group: String,
    /// Which side of the group.
    pub direction: Direction,
    /// The rule.
    pub rule: PortRule,
}

/// Inbound or outbound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Inbound.
    Ingress,
    /// Outbound.
    Egress,
}

impl Direction {
    /// The word for a person.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "inbound",
            Self::Egress => "outbound",
        }
    }
}

/// One TCP rule with exactly one peer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PortRule {
    /// First TCP port.
    pub from_port: i32,
    /// Last TCP port.
    pub to_port: i32,
    /// The other side.
    pub peer: Peer,
}

/// Who is on the other side of a security group rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "peer", rename_all = "snake_case", deny_unknown_fields)]
pub enum Peer {
    /// Members of another security group.
    Group {
        /// Its id.
        id: String,
    },
    /// An address block; the whole internet is allowed for outbound 443 only.
    Cidr {
        /// IPv4 block.
        cidr: String,
    },
    /// A managed prefix list, such as the one of Amazon S3.
    PrefixList {
        /// Its id.
        id: String,
    },
}

/// Parameters of [`Operation::ModifyTargetGroupHealthCheck`]; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModifyTargetGroupHealthCheck {
    /// Target group ARN.
    pub target_group: String,
    /// Path of an HTTP check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Port, or `traffic-port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Seconds between checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<i32>,
    /// Seconds until a check fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<i32>,
    /// Successes in a row that make a target healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_threshold: Option<i32>,
    /// Failures in a row that make a target unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealthy_threshold: Option<i32>,
    /// Accepted HTTP codes, such as `200-299`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matcher: Option<String>,
}

/// Parameters of [`Operation::CreateLogGroup`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateLogGroup {
    /// Name that a log configuration of the task definition uses.
    pub name: String,
}

/// Parameters of [`Operation::RegisterScalableTarget`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterScalableTarget {
    /// Service ARN.
    pub service: String,
    /// Least desired count.
    pub min_capacity: i32,
    /// Greatest desired count.
    pub max_capacity: i32,
}

/// Parameters of [`Operation::StopTask`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopTask {
    /// Cluster ARN.
    pub cluster: String,
    /// Task ARN.
    pub task: String,
}

impl Operation {
    /// The operation's name as the model, the log and the report write it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::RegisterTaskDefinitionRevision(_) => "register_task_definition_revision",
            Self::UpdateService(_) => "update_service",
            Self::AuthorizeSecurityGroup(_) => "authorize_security_group",
            Self::RevokeSecurityGroup(_) => "revoke_security_group",
            Self::ModifyTargetGroupHealthCheck(_) => "modify_target_group_health_check",
            Self::CreateLogGroup(_) => "create_log_group",
            Self::RegisterScalableTarget(_) => "register_scalable_target",
            Self::StopTask(_) => "stop_task",
        }
    }

    /// The writing IAM actions that the operation calls, in order; an exhaustive list.
    #[must_use]
    pub fn write_actions(&self) -> &'static [&'static str] {
        match self {
            Self::RegisterTaskDefinitionRevision(_) => &["ecs:RegisterTaskDefinition"],
            Self::UpdateService(_) => &["ecs:UpdateService"],
            Self::AuthorizeSecurityGroup(change) => match change.direction {
                Direction::Ingress => &["ec2:AuthorizeSecurityGroupIngress"],
                Direction::Egress => &["ec2:AuthorizeSecurityGroupEgress"],
            },
            Self::RevokeSecurityGroup(change) => match change.direction {
                Direction::Ingress => &["ec2:RevokeSecurityGroupIngress"],
                Direction::Egress => &["ec2:RevokeSecurityGroupEgress"],
            },
            Self::ModifyTargetGroupHealthCheck(_) => &["elasticloadbalancing:ModifyTargetGroup"],
            Self::CreateLogGroup(_) => &["logs:CreateLogGroup"],
            Self::RegisterScalableTarget(_) => &["application-autoscaling:RegisterScalableTarget"],
            Self::StopTask(_) => &["ecs:StopTask"],
        }
    }

    /// The AWS reads that check the operation before and after its write; an exhaustive list.
    ///
    /// A service with scaling limits has them read again before an update, too.
    #[must_use]
    pub fn read_actions(&self) -> &'static [&'static str] {
        match self {
            Self::RegisterTaskDefinitionRevision(_) => &[
                "ecs:DescribeServices",
                "ecs:DescribeTaskDefinition",
                "ecs:ListTaskDefinitions",
            ],
            // An existing revision has to be active; one of the same plan was just registered.
            Self::UpdateService(UpdateService {
                task_definition: Some(RevisionRef::Existing { .. }),
                ..
            }) => &["ecs:DescribeServices", "ecs:DescribeTaskDefinition"],
            Self::UpdateService(_) => &["ecs:DescribeServices"],
            Self::AuthorizeSecurityGroup(_) | Self::RevokeSecurityGroup(_) => {
                &["ecs:DescribeServices", "ec2:DescribeSecurityGroups"]
            }
            Self::ModifyTargetGroupHealthCheck(_) => &[
                "ecs:DescribeServices",
                "elasticloadbalancing:DescribeTargetGroups",
            ],
            Self::CreateLogGroup(_) => &["ecs:DescribeServices", "logs:DescribeLogGroups"],
            Self::RegisterScalableTarget(_) => &[
                "ecs:DescribeServices",
                "application-autoscaling:DescribeScalableTargets",
            ],
            Self::StopTask(_) => &["ecs:DescribeServices", "ecs:DescribeTasks"],
        }
    }
}

impl TaskDefinitionChange {
    /// The container it is about, if it is about one.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        match self {
            Self::SetImage { container, .. }
            | Self::SetContainerMemory { container, .. }
            | Self::SetContainerMemoryReservation { container, .. }
            | Self::SetContainerPort { container, .. }
            | Self::SetHealthCheckTiming { container, .. }
            | Self::RemoveHealthCheck { container }
            | Self::CopyHealthCheck { container, .. }
            | Self::CopyCommand { container, .. }
            | Self::CopyEnvironmentVariable { container, .. }
            | Self::SetLogGroupCreation { container, .. }
            | Self::AddSecretReference { container, .. }
            | Self::RemoveSecretReference { container, .. }
            | Self::SetEssential { container, .. } => Some(container),
            Self::SetTaskSize { .. } | Self::SetCpuArchitecture { .. } => None,
        }
    }

    /// The other revision it copies from, if it does.
    #[must_use]
    pub fn copies_from(&self) -> Option<&str> {
        match self {
            Self::CopyHealthCheck { from, .. }
            | Self::CopyCommand { from, .. }
            | Self::CopyEnvironmentVariable { from, .. } => Some(from),
            Self::SetImage { .. }
            | Self::SetTaskSize { .. }
            | Self::SetContainerMemory { .. }
            | Self::SetContainerMemoryReservation { .. }
            | Self::SetContainerPort { .. }
            | Self::SetHealthCheckTiming { .. }
            | Self::RemoveHealthCheck { .. }
            | Self::SetLogGroupCreation { .. }
            | Self::AddSecretReference { .. }
            | Self::RemoveSecretReference { .. }
            | Self::SetEssential { .. }
            | Self::SetCpuArchitecture { .. } => None,
        }
    }
}
