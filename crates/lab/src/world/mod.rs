//! The world: plain data for everything an ECS service depends on, and the functions that change it.
//!
//! No async, no I/O, no clock: virtual time is passed in, ids come from the seed. Whoever speaks AWS
//! over the wire reads the `pub(crate)` fields and calls the methods of [`World`] that mirror AWS's
//! mutating operations (`world/operations`); each of those gives an [`AwsError`] as AWS would.
//! What *follows* from a change (tasks that stop, targets that turn healthy) is the business of
//! `scheduler`, reached through [`World::advance`].

/// An enum whose values are AWS's literal strings.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub(crate) enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// The value as AWS writes it.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

mod account;
mod app;
mod capacity;
mod ecs;
mod error;
mod ids;
mod load_balancing;
mod logs;
mod network;
mod operations;
mod registry;
mod scaling;
mod secrets;
mod stacks;
mod task;
mod task_definition;

pub(crate) use account::{AccessKey, Account, ManagedPolicy, Role, RolePolicy, User, not_allowed};
pub(crate) use app::AppBehaviour;
pub(crate) use capacity::{CapacityProvider, ContainerInstance, Resources};
pub(crate) use ecs::{
    AssignPublicIp, CircuitBreaker, Cluster, Deployment, DeploymentConfiguration, DeploymentStatus,
    LaunchType, LoadBalancerBinding, NetworkConfiguration, RolloutState, Service,
    ServiceDeployment, ServiceDeploymentStatus, ServiceStatus, uuid_shaped,
};
pub(crate) use error::AwsError;
pub(crate) use ids::Ids;
pub(crate) use load_balancing::{
    HealthCheck, HealthCheckPort, Listener, ListenerRule, LoadBalancer, Target, TargetGroup,
    TargetReason, TargetState, TargetType,
};
pub(crate) use logs::{LogEvent, LogGroup, LogStream};
pub(crate) use network::{
    InternetGateway, IpRange, NatGateway, NetworkAcl, NetworkAclEntry, Permission, Route,
    RouteState, RouteTable, RouteTarget, SecurityGroup, Subnet, Vpc, VpcEndpoint, VpcEndpointType,
    cidr_holds,
};
pub(crate) use operations::{
    DeploymentConfigurationInput, HealthCheckChange, IngressOrEgress, NetworkConfigurationInput,
    RouteChange, ScalableTargetChange, UpdateServiceInput, begin_deployment,
};
pub(crate) use registry::{Architecture, ForeignRepository, Image, Repository};
pub(crate) use scaling::{ScalableTarget, ScalingActivity, ScalingPolicy};
pub(crate) use secrets::{KmsKey, KmsKeyState, Parameter, Secret};
pub(crate) use stacks::{Stack, StackEvent, StackResource};
pub(crate) use task::{
    Container, ContainerHealth, ContainerStatus, Ending, NetworkAttachment, OrderingFailure,
    StopCode, Task, TaskStatus,
};
pub(crate) use task_definition::{
    ContainerDefinition, ContainerHealthCheck, DependencyCondition, SecretReference,
    TaskDefinition, TaskDefinitionStatus, TaskSpec,
};

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Every account of the lab at one moment of virtual time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct World {
    pub(crate) seed: u64,
    /// The virtual time; moved only by [`World::advance`].
    pub(crate) now: DateTime<Utc>,
    /// By account id.
    pub(crate) accounts: BTreeMap<String, Account>,
}

/// What one account holds in one region.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) vpcs: BTreeMap<String, Vpc>,
    pub(crate) subnets: BTreeMap<String, Subnet>,
    pub(crate) route_tables: BTreeMap<String, RouteTable>,
    pub(crate) nat_gateways: BTreeMap<String, NatGateway>,
    pub(crate) internet_gateways: BTreeMap<String, InternetGateway>,
    pub(crate) vpc_endpoints: BTreeMap<String, VpcEndpoint>,
    pub(crate) network_acls: BTreeMap<String, NetworkAcl>,
    pub(crate) security_groups: BTreeMap<String, SecurityGroup>,
    /// ECR repositories by name.
    pub(crate) repositories: BTreeMap<String, Repository>,
    /// Repositories of other accounts, by registry host and name.
    pub(crate) foreign_repositories: BTreeMap<String, ForeignRepository>,
    /// Secrets Manager secrets by full ARN.
    pub(crate) secrets: BTreeMap<String, Secret>,
    /// KMS keys by ARN.
    pub(crate) kms_keys: BTreeMap<String, KmsKey>,
    /// S3 objects, as `bucket/key`.
    pub(crate) objects: Vec<String>,
    /// SSM parameters by name.
    pub(crate) parameters: BTreeMap<String, Parameter>,
    /// By log group name.
    pub(crate) log_groups: BTreeMap<String, LogGroup>,
    /// By ARN, as the next three.
    pub(crate) load_balancers: BTreeMap<String, LoadBalancer>,
    pub(crate) listeners: BTreeMap<String, Listener>,
    pub(crate) listener_rules: BTreeMap<String, ListenerRule>,
    pub(crate) target_groups: BTreeMap<String, TargetGroup>,
    /// By cluster name.
    pub(crate) clusters: BTreeMap<String, Cluster>,
    /// By `cluster/service`; see [`Region::service`].
    pub(crate) services: BTreeMap<String, Service>,
    /// By family; each family's revisions in ascending order.
    pub(crate) task_definitions: BTreeMap<String, Vec<TaskDefinition>>,
    /// By container instance id (the last part of the ARN).
    pub(crate) container_instances: BTreeMap<String, ContainerInstance>,
    pub(crate) capacity_providers: BTreeMap<String, CapacityProvider>,
    /// By resource id, `service/<cluster>/<service>`.
    pub(crate) scalable_targets: BTreeMap<String, ScalableTarget>,
    pub(crate) scaling_policies: Vec<ScalingPolicy>,
    pub(crate) scaling_activities: Vec<ScalingActivity>,
    /// CloudFormation stacks by name.
    pub(crate) stacks: BTreeMap<String, Stack>,
    /// Endpoints outside AWS's own that are switched off, as `host:port`.
    pub(crate) unreachable_hosts: Vec<String>,
    /// Host names that no resolver knows.
    pub(crate) unknown_hosts: Vec<String>,
    /// What AWS itself does not do right now.
    pub(crate) troubles: Troubles,
    pub(crate) ids: Ids,
}

/// Faults on AWS's side of the fence, and limits that it sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Troubles {
    /// Availability zones without Fargate capacity.
    pub(crate) zones_without_fargate: Vec<String>,
    /// The account's quota of Fargate On-Demand vCPUs.
    pub(crate) fargate_vcpu_quota: Option<u32>,
    /// Whether Docker Hub refuses anonymous pulls from this address.
    pub(crate) docker_hub_limited: bool,
    /// Whether ECS's own calls are throttled.
    pub(crate) ecs_throttled: bool,
    /// Whether network interfaces are not provided in time.
    pub(crate) interfaces_late: bool,
}

impl World {
    /// An empty world at `start`.
    pub(crate) fn new(seed: u64, start: DateTime<Utc>) -> Self {
        Self {
            seed,
            now: start,
            accounts: BTreeMap::new(),
        }
    }

    /// The account, if the lab has it.
    pub(crate) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// The account's view of a region; `None` where it holds nothing.
    pub(crate) fn region(&self, account: &str, region: &str) -> Option<&Region> {
        self.accounts.get(account)?.regions.get(region)
    }

    pub(crate) fn region_mut(&mut self, account: &str, region: &str) -> Option<&mut Region> {
        self.accounts.get_mut(account)?.regions.get_mut(region)
    }
}

impl Region {
    /// A region that holds nothing yet.
    pub(crate) fn new(account: &str, name: &str, ids: Ids) -> Self {
        Self {
            name: name.to_owned(),
            account: account.to_owned(),
            vpcs: BTreeMap::new(),
            subnets: BTreeMap::new(),
            route_tables: BTreeMap::new(),
            nat_gateways: BTreeMap::new(),
            internet_gateways: BTreeMap::new(),
            vpc_endpoints: BTreeMap::new(),
            network_acls: BTreeMap::new(),
            security_groups: BTreeMap::new(),
            repositories: BTreeMap::new(),
            foreign_repositories: BTreeMap::new(),
            secrets: BTreeMap::new(),
            kms_keys: BTreeMap::new(),
            objects: Vec::new(),
            parameters: BTreeMap::new(),
            log_groups: BTreeMap::new(),
            load_balancers: BTreeMap::new(),
            listeners: BTreeMap::new(),
            listener_rules: BTreeMap::new(),
            target_groups: BTreeMap::new(),
            clusters: BTreeMap::new(),
            services: BTreeMap::new(),
            task_definitions: BTreeMap::new(),
            container_instances: BTreeMap::new(),
            capacity_providers: BTreeMap::new(),
            scalable_targets: BTreeMap::new(),
            scaling_policies: Vec::new(),
            scaling_activities: Vec::new(),
            stacks: BTreeMap::new(),
            unreachable_hosts: Vec::new(),
            unknown_hosts: Vec::new(),
            troubles: Troubles::default(),
            ids,
        }
    }

    /// The service by cluster and service name.
    pub(crate) fn service(&self, cluster: &str, service: &str) -> Option<&Service> {
        self.services.get(&format!("{cluster}/{service}"))
    }

    pub(crate) fn service_mut(&mut self, cluster: &str, service: &str) -> Option<&mut Service> {
        self.services.get_mut(&format!("{cluster}/{service}"))
    }

    /// Every service of a cluster, by name.
    pub(crate) fn services_of<'a>(
        &'a self,
        cluster: &'a str,
    ) -> impl Iterator<Item = &'a Service> + 'a {
        self.services
            .values()
            .filter(move |service| service.cluster == cluster)
    }

    /// Every task of a cluster, stopped ones (visible for an hour) included.
    pub(crate) fn tasks_of<'a>(&'a self, cluster: &'a str) -> impl Iterator<Item = &'a Task> + 'a {
        self.services_of(cluster)
            .flat_map(|service| service.tasks.iter())
    }

    /// Resolves `family`, `family:revision` or an ARN; the bare family is its newest ACTIVE revision.
    pub(crate) fn task_definition(&self, reference: &str) -> Option<&TaskDefinition> {
        let name = reference
            .rsplit_once("task-definition/")
            .map_or(reference, |(_, name)| name);
        match name.split_once(':') {
            Some((family, revision)) => {
                let revision: u32 = revision.parse().ok()?;
                self.task_definitions
                    .get(family)?
                    .iter()
                    .find(|td| td.revision == revision)
            }
            None => self
                .task_definitions
                .get(name)?
                .iter()
                .rev()
                .find(|td| td.status == TaskDefinitionStatus::Active),
        }
    }

    /// Lets every service look at the world again: something it depends on has changed.
    pub(crate) fn wake(&mut self, now: DateTime<Utc>) {
        for service in self.services.values_mut() {
            service.wakes_at = now;
        }
        for group in self.target_groups.values_mut() {
            let interval = i64::from(group.health_check.interval_seconds);
            let next_check = now + chrono::TimeDelta::seconds(interval);
            for target in &mut group.targets {
                target.next_check_at = target.next_check_at.min(next_check);
            }
        }
    }

    /// `arn:aws:<service>:<region>:<account>:<resource>`.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!(
            "arn:aws:{service}:{}:{}:{resource}",
            self.name, self.account
        )
    }

    /// The registry host of this account and region.
    pub(crate) fn registry_host(&self) -> String {
        format!("{}.dkr.ecr.{}.amazonaws.com", self.account, self.name)
    }
}
