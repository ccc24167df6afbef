use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::world::{AppBehaviour, Architecture};

/// Something that changes in the world. `service` is `<cluster>/<service>` in the target's account
/// and region.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Change {
    /// Registers a revision that differs from the present one in what is given, and deploys it.
    Deploy(Box<Deploy>),
    /// Deploys an existing revision.
    DeployRevision {
        service: String,
        /// The revision's number.
        revision: u32,
    },
    /// Starts a new deployment of the same revision.
    ForceNewDeployment { service: String },
    /// Sets the number of tasks.
    SetDesiredCount { service: String, count: u32 },
    /// Sets the health check grace period.
    SetGracePeriod { service: String, seconds: u32 },
    /// Sets the deployment circuit breaker.
    SetCircuitBreaker {
        service: String,
        enable: bool,
        rollback: bool,
    },
    /// Changes the health check of the service's target group.
    SetHealthCheck {
        service: String,
        #[serde(default)]
        path: Option<String>,
        /// A fixed port instead of the traffic port; 0 for the traffic port.
        #[serde(default)]
        port: Option<u16>,
        #[serde(default)]
        success_codes: Option<String>,
    },
    /// Adds or overwrites an image in a repository.
    PushImage {
        repository: String,
        tag: String,
        /// How its program behaves.
        #[serde(default)]
        app: Box<AppBehaviour>,
        /// The platforms it was built for; X86_64 when absent.
        #[serde(default)]
        architectures: Vec<Architecture>,
        /// Whether the manifest names its platforms, so that the pull itself fails on others.
        #[serde(default)]
        manifest_list: bool,
    },
    /// Deletes an image's tag.
    DeleteImage { repository: String, tag: String },
    /// Deletes a repository with its images.
    DeleteRepository { repository: String },
    /// Detaches a managed policy, given by its name, from a role.
    DetachRolePolicy { role: String, policy: String },
    /// Attaches a managed policy, given by its name, to a role.
    AttachRolePolicy { role: String, policy: String },
    /// Deletes an inline policy of a role.
    DeleteRolePolicy { role: String, policy: String },
    /// Puts an inline policy that allows, or with `deny: true` denies, actions.
    PutRolePolicy {
        role: String,
        policy: String,
        actions: Vec<String>,
        /// `*` when absent.
        #[serde(default)]
        resources: Vec<String>,
        #[serde(default)]
        deny: bool,
    },
    /// Deletes a Secrets Manager secret.
    DeleteSecret { secret: String },
    /// Sets the keys of a secret's JSON object.
    SetSecretKeys { secret: String, keys: Vec<String> },
    /// Deletes a log group.
    DeleteLogGroup { log_group: String },
    /// Creates a log group.
    CreateLogGroup { log_group: String },
    /// Removes every ingress rule of the service's security group.
    RevokeIngress { service: String },
    /// Removes every egress rule of the service's security group.
    RevokeEgress { service: String },
    /// Lets the load balancer in on a port of the service's security group.
    AuthorizeIngress { service: String, port: u16 },
    /// Lets the service's security group out to anywhere on a port.
    AuthorizeEgress { service: String, port: u16 },
    /// Removes the default route of the private subnets.
    DeleteDefaultRoute,
    /// Deletes the NAT gateway; the default route of the private subnets becomes a black hole.
    DeleteNatGateway,
    /// Gives the private subnets their default route through the NAT gateway (again).
    RestoreDefaultRoute,
    /// Creates the VPC endpoints that tasks need when there is no other way out.
    AddEndpoints,
    /// Leaves the service's subnets without a free address.
    ExhaustSubnets { service: String },
    /// Lets the service use these private subnets, by letter (`a`, `b` or `c`).
    SetSubnets {
        service: String,
        letters: Vec<String>,
    },
    /// Removes the EC2 instances of a cluster; the tasks on them stop.
    RemoveInstances { cluster: String },
    /// Registers more EC2 instances with a cluster.
    AddInstances { cluster: String, count: u32 },
    /// Leaves this much memory free on each instance of a cluster.
    FillInstances { cluster: String, free_mib: u32 },
    /// Deregisters the revision that the service uses.
    DeregisterTaskDefinition { service: String },
    /// Sets how many tasks the load calls for.
    SetLoad { service: String, tasks: u32 },
    /// Sets the limits of Application Auto Scaling.
    SetScaling { service: String, min: u32, max: u32 },
    /// Switches an endpoint outside AWS off or on.
    SetReachable {
        host: String,
        port: u16,
        reachable: bool,
    },
    /// Stops one task of the service, as a person would.
    StopTask { service: String },
    /// Denies actions to the role that the agent works with.
    DenyAgent { actions: Vec<String> },
}

/// What a new revision changes.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deploy {
    /// `<cluster>/<service>`.
    pub(crate) service: String,
    /// Another tag of the same repository.
    #[serde(default)]
    pub(crate) image_tag: Option<String>,
    /// Another repository of the same registry.
    #[serde(default)]
    pub(crate) repository: Option<String>,
    /// Variables to set.
    #[serde(default)]
    pub(crate) set_environment: BTreeMap<String, String>,
    /// Variables to drop.
    #[serde(default)]
    pub(crate) unset_environment: Vec<String>,
    /// Task CPU units.
    #[serde(default)]
    pub(crate) cpu: Option<u32>,
    /// Task and container memory in MiB.
    #[serde(default)]
    pub(crate) memory: Option<u32>,
    /// Secrets as variables: name to `<secret name>#<json key>`.
    #[serde(default)]
    pub(crate) set_secrets: BTreeMap<String, String>,
    /// The platform asked for.
    #[serde(default)]
    pub(crate) architecture: Option<Architecture>,
    /// The shell command of the container health check; an empty one removes the check.
    #[serde(default)]
    pub(crate) container_health_check: Option<String>,
    /// Another log group.
    #[serde(default)]
    pub(crate) log_group: Option<String>,
}
