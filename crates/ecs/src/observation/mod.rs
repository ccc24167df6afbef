//! A typed snapshot of everything that was read about one service.
//!
//! An [`Observation`] is data: it has no connection to AWS, and every analysis is a pure function
//! of it. Each datum carries the id of the [`Evidence`] it came from, so that a claim can be
//! checked against what AWS said, and what could not be read is a [`Gap`], never a silent default.

mod evidence;
mod load_balancing;
mod network;
mod runtime_state;
mod surroundings;
mod task_definition;

use chrono::{DateTime, Utc};
use ecs_agent_credentials::{AccountId, Region};
use serde::{Deserialize, Serialize};

pub use evidence::{Cited, Evidence, EvidenceId, EvidenceLog, Gap, GapReason};
pub use load_balancing::{
    HealthCheck, ListenerSnapshot, LoadBalancerSnapshot, TargetGroupSnapshot, TargetSnapshot,
};
pub use network::{
    NatGatewaySnapshot, NetworkAclEntry, NetworkAclSnapshot, NetworkSnapshot, RouteSnapshot,
    RouteTableSnapshot, SecurityGroupSnapshot, SecurityRule, SubnetSnapshot, VpcEndpointSnapshot,
};
pub use runtime_state::{
    ContainerInstanceSnapshot, ContainerSnapshot, DeploymentSnapshot, ServiceEvent,
    ServiceSnapshot, TaskSnapshot,
};
pub use surroundings::{
    ImageSnapshot, LogGroupSnapshot, LogLine, RoleSnapshot, ScalingSnapshot, SecretSnapshot,
    SimulatedAction, StackSnapshot,
};
pub use task_definition::{
    ContainerDefinition, ContainerHealthCheck, LogConfiguration, PortMapping, SecretReference,
    TaskDefinitionSnapshot,
};

/// Everything that was read about one service at one moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Observation {
    /// AWS's own time of the observation (the latest `Date` header), not the local clock.
    pub observed_at: DateTime<Utc>,
    /// The account that answered `GetCallerIdentity`.
    pub account: AccountId,
    /// The region that was read.
    pub region: Region,
    /// All evidence, in the order it was read.
    pub evidence: EvidenceLog,
    /// What could not be read, and what that hides.
    pub gaps: Vec<Gap>,
    /// The service itself.
    pub service: Cited<ServiceSnapshot>,
    /// The task definition of the primary deployment, when it could be read.
    pub task_definition: Option<Cited<TaskDefinitionSnapshot>>,
    /// Other task definitions that matter: of older deployments, of stopped tasks, and the previous
    /// revision of the family; newest first.
    pub other_task_definitions: Vec<Cited<TaskDefinitionSnapshot>>,
    /// Running and recently stopped tasks, newest first.
    pub tasks: Vec<Cited<TaskSnapshot>>,
    /// Container instances of the cluster; empty for Fargate services.
    pub container_instances: Vec<Cited<ContainerInstanceSnapshot>>,
    /// Target groups the service registers with.
    pub target_groups: Vec<Cited<TargetGroupSnapshot>>,
    /// Load balancers in front of those target groups.
    pub load_balancers: Vec<Cited<LoadBalancerSnapshot>>,
    /// Subnets, routes, security groups and endpoints around the service's tasks.
    pub network: NetworkSnapshot,
    /// Images that the task definition names, as the registry knows them.
    pub images: Vec<Cited<ImageSnapshot>>,
    /// Secrets and parameters that the task definition refers to (never their values).
    pub secrets: Vec<Cited<SecretSnapshot>>,
    /// Execution role and task role.
    pub roles: Vec<Cited<RoleSnapshot>>,
    /// Log groups that the containers write to, with recent lines.
    pub log_groups: Vec<Cited<LogGroupSnapshot>>,
    /// Application Auto Scaling of the service.
    pub scaling: Option<Cited<ScalingSnapshot>>,
    /// The CloudFormation stack that owns the service, if any.
    pub stack: Option<Cited<StackSnapshot>>,
}
