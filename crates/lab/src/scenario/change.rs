use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::world::{AppBehaviour, Architecture, KmsKeyState};

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
        /// `HTTP` or `HTTPS`.
        #[serde(default)]
        protocol: Option<String>,
    },
    /// Sets the minimum healthy and the maximum percent of deployments.
    SetDeploymentPercents {
        service: String,
        minimum: u32,
        maximum: u32,
    },
    /// Lets an alarm of the service's deployment configuration go off.
    RaiseAlarm { service: String },
    /// Protects the service's running tasks from scale-in, or no longer does.
    ProtectTasks { service: String, protect: bool },
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
    /// Lets only these services assume a role.
    SetRoleTrust { role: String, services: Vec<String> },
    /// Denies actions to every task role of the account by a service control policy; an empty list
    /// ends that.
    SetServiceControlPolicy { deny: Vec<String> },
    /// Schedules a Secrets Manager secret for deletion.
    ScheduleSecretDeletion { secret: String },
    /// Takes a secret's scheduled deletion back.
    RestoreSecret { secret: String },
    /// Encrypts a secret with a KMS key of the account's own, in that state.
    EncryptSecret { secret: String, state: KmsKeyState },
    /// Creates an SSM parameter.
    PutParameter { parameter: String },
    /// Deletes an SSM parameter.
    DeleteParameter { parameter: String },
    /// Puts an S3 object, given as `bucket/key`.
    PutObject { object: String },
    /// Deletes an S3 object.
    DeleteObject { object: String },
    /// Pushes an image to a repository of an account that the lab does not hold.
    PushForeignImage {
        account: String,
        repository: String,
        tag: String,
    },
    /// Says whether that repository's policy lets this account pull.
    ShareForeignRepository {
        account: String,
        repository: String,
        shared: bool,
    },
    /// Deletes every image of a repository that no tag points at.
    ExpireUntaggedImages { repository: String },
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
    /// Lets the service use these subnets, by letter (`a`, `b` or `c`).
    SetSubnets {
        service: String,
        letters: Vec<String>,
        /// The public subnets instead of the private ones.
        #[serde(default)]
        public: bool,
        /// Whether tasks get a public address.
        #[serde(default)]
        public_ip: bool,
    },
    /// Gives private subnets a network ACL of their own that denies TCP ports before it allows all.
    DenyInNetworkAcl {
        letters: Vec<String>,
        egress: bool,
        from_port: u16,
        to_port: u16,
    },
    /// Deletes the entries of every network ACL that deny before the last one.
    AllowInNetworkAcls,
    /// Deletes the VPC endpoint of an AWS service (`secretsmanager`, `ecr.api`, `s3`, ...).
    DeleteEndpoint { endpoint: String },
    /// Removes every ingress rule of the VPC endpoints' security group.
    CloseEndpoints,
    /// Lets the VPC in on port 443 of the VPC endpoints' security group.
    OpenEndpoints,
    /// Switches private DNS of an interface endpoint on or off.
    SetPrivateDns { endpoint: String, enabled: bool },
    /// Switches DNS support of the VPC on or off.
    SetDnsSupport { enabled: bool },
    /// Lets no resolver know a host name, or lets it be known again.
    SetResolvable { host: String, resolvable: bool },
    /// Lets nothing forward to the service's target group any more.
    DetachTargetGroup { service: String },
    /// Forwards to the service's target group again.
    AttachTargetGroup { service: String },
    /// Deletes the service's target group.
    DeleteTargetGroup { service: String },
    /// Creates a target group like the deleted one, behind the service's load balancer.
    RecreateTargetGroup { service: String },
    /// Enables the service's load balancer in the zones of these public subnets only.
    SetBalancerZones {
        service: String,
        letters: Vec<String>,
    },
    /// Removes every ingress rule of the load balancers' security group.
    CloseBalancers,
    /// Lets everybody in on port 80 of the load balancers' security group.
    OpenBalancers,
    /// Removes the EC2 instances of a cluster; the tasks on them stop.
    RemoveInstances { cluster: String },
    /// Registers more EC2 instances with a cluster.
    AddInstances { cluster: String, count: u32 },
    /// Leaves this much memory free on each instance of a cluster.
    FillInstances { cluster: String, free_mib: u32 },
    /// Connects or disconnects the agents of a cluster's instances.
    SetAgents { cluster: String, connected: bool },
    /// Drains a cluster's instances, or makes them active again.
    DrainInstances { cluster: String, drain: bool },
    /// Sets an attribute of every instance of a cluster; an empty value removes it.
    SetAttribute {
        cluster: String,
        name: String,
        value: String,
    },
    /// Lets something that ECS does not know listen on a port of every instance; 0 ends that.
    OccupyPort { cluster: String, port: u16 },
    /// Leaves zones, by letter, without Fargate capacity.
    SetZonesWithoutFargate { letters: Vec<String> },
    /// Sets the quota of Fargate vCPUs; 0 lifts it.
    SetFargateQuota { vcpus: u32 },
    /// Lets Docker Hub refuse anonymous pulls, or no longer.
    LimitDockerHub { limited: bool },
    /// Throttles ECS's own calls, or no longer.
    ThrottleEcs { throttled: bool },
    /// Lets network interfaces come too late, or in time again.
    DelayInterfaces { late: bool },
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
    /// The container that is changed; the first when absent.
    #[serde(default)]
    pub(crate) container: Option<String>,
    /// Another image, written in full.
    #[serde(default)]
    pub(crate) image: Option<String>,
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
    /// Secrets as variables: name to `<secret name>#<json key>`, or to `ssm:<parameter>`.
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
    /// Whether the log driver creates its group.
    #[serde(default)]
    pub(crate) create_log_group: Option<bool>,
    /// The user that the container runs as.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// Whether the container's own files are read-only.
    #[serde(default)]
    pub(crate) read_only_root: Option<bool>,
    /// How many files a process may hold open.
    #[serde(default)]
    pub(crate) open_files: Option<u32>,
    /// The task's disk in GiB.
    #[serde(default)]
    pub(crate) ephemeral_storage_gib: Option<u32>,
    /// Seconds that containers which depend on this one wait for it.
    #[serde(default)]
    pub(crate) start_timeout: Option<u32>,
    /// Variables from an S3 object, given as `bucket/key`.
    #[serde(default)]
    pub(crate) environment_file: Option<String>,
    /// A fixed port on the host; 0 for a dynamic one.
    #[serde(default)]
    pub(crate) host_port: Option<u16>,
    /// A `memberOf` placement constraint, `attribute:<name> == <value>`.
    #[serde(default)]
    pub(crate) placement: Option<String>,
}
