use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::repairs::Repairs;
use super::{Change, ScenarioError};
use crate::world::{AppBehaviour, Architecture, CircuitBreaker, DependencyCondition};

/// A scenario: a healthy world, what happened to it, and the truth about it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The scenario's name: lower-case words with hyphens, the same as the file's.
    pub(crate) name: String,
    /// One line for the list of scenarios.
    pub(crate) title: String,
    /// What a person would ask, for example `my api service keeps restarting`.
    pub(crate) request: String,
    /// Everything random follows from this number.
    #[serde(default)]
    pub(crate) seed: u64,
    /// How long the healthy world has run before the scenario starts, in minutes.
    #[serde(default = "an_hour")]
    pub(crate) warm_up_minutes: u32,
    /// The accounts and what runs in them.
    pub(crate) accounts: Vec<AccountDefinition>,
    /// What happened before the scenario starts, oldest first.
    #[serde(default)]
    pub(crate) events: Vec<Event>,
    /// What is really wrong; never shown to the one who diagnoses.
    pub(crate) truth: Truth,
    /// What heals the service and what does not.
    #[serde(default)]
    pub(crate) repairs: Option<Repairs>,
    /// Whether the events happen in every account and region, not only in the target's.
    #[serde(skip)]
    pub(super) everywhere: bool,
    /// What AWS must show at the start, as literal text; checked by the lab's own tests.
    #[serde(default)]
    pub(crate) symptoms: Vec<Symptom>,
}

const fn an_hour() -> u32 {
    60
}

/// An account of a scenario.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountDefinition {
    /// Twelve digits, in quotes.
    pub(crate) id: String,
    /// What exists in each region.
    pub(crate) regions: Vec<RegionDefinition>,
}

/// A region of an account.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegionDefinition {
    /// For example `us-east-1`.
    pub(crate) name: String,
    /// Its ECS clusters.
    pub(crate) clusters: Vec<ClusterDefinition>,
}

/// An ECS cluster.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterDefinition {
    /// Its name, unique within the region.
    pub(crate) name: String,
    /// EC2 instances registered with it (2048 CPU units, 3884 MiB each); needed by `ec2-web`.
    #[serde(default)]
    pub(crate) instances: u32,
    /// Its services.
    pub(crate) services: Vec<ServiceDefinition>,
}

/// A service made from a template, with what differs from it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceDefinition {
    /// Its name, unique within the cluster.
    pub(crate) name: String,
    /// What kind of service it is.
    pub(crate) template: Template,
    /// How many tasks it wants.
    #[serde(default = "two")]
    pub(crate) desired: u32,
    /// The tag of the image it runs.
    #[serde(default = "first_tag")]
    pub(crate) image_tag: String,
    /// Task CPU units.
    #[serde(default = "quarter_cpu")]
    pub(crate) cpu: u32,
    /// Task memory in MiB.
    #[serde(default = "half_gib")]
    pub(crate) memory: u32,
    /// Plain environment variables.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// How its program behaves.
    #[serde(default)]
    pub(crate) app: AppBehaviour,
    /// The platforms its image was built for.
    #[serde(default = "intel")]
    pub(crate) architectures: Vec<Architecture>,
    /// The shell command of its container health check, if it has one.
    #[serde(default)]
    pub(crate) container_health_check: Option<String>,
    /// The deployment circuit breaker.
    #[serde(default)]
    pub(crate) circuit_breaker: CircuitBreaker,
    /// Seconds during which failed health checks after a task's start are ignored.
    #[serde(default = "a_minute")]
    pub(crate) grace_period_seconds: u32,
    /// Application Auto Scaling limits, if it scales.
    #[serde(default)]
    pub(crate) scaling: Option<ScalingDefinition>,
    /// Whether a CloudFormation stack owns it.
    #[serde(default)]
    pub(crate) stack: bool,
    /// Containers beside the program's own.
    #[serde(default)]
    pub(crate) sidecars: Vec<SidecarDefinition>,
}

/// A container beside the program's own, with a repository of its name.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SidecarDefinition {
    /// The container's and its repository's name.
    pub(crate) name: String,
    /// The tag of its image.
    #[serde(default = "first_tag")]
    pub(crate) image_tag: String,
    /// How its program behaves; it should not listen where the main program does.
    pub(crate) app: AppBehaviour,
    /// Whether its end stops the task.
    #[serde(default = "yes")]
    pub(crate) essential: bool,
    /// The shell command of its container health check, if it has one.
    #[serde(default)]
    pub(crate) container_health_check: Option<String>,
    /// What the main container waits for, if it does.
    #[serde(default)]
    pub(crate) awaited: Option<DependencyCondition>,
    /// Seconds that the main container waits for it; ECS's default when absent.
    #[serde(default)]
    pub(crate) start_timeout: Option<u32>,
}

const fn yes() -> bool {
    true
}

const fn two() -> u32 {
    2
}
fn first_tag() -> String {
    "1.4.0".to_owned()
}
const fn quarter_cpu() -> u32 {
    256
}
const fn half_gib() -> u32 {
    512
}
const fn a_minute() -> u32 {
    60
}
fn intel() -> Vec<Architecture> {
    vec![Architecture::X86_64]
}

/// The kinds of service that a scenario can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Template {
    /// A web service on Fargate in private subnets behind an application load balancer.
    FargateWeb,
    /// A program without a load balancer on Fargate in private subnets.
    FargateWorker,
    /// A web service on the cluster's EC2 instances (bridge network) behind a load balancer.
    Ec2Web,
}

/// Limits of Application Auto Scaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScalingDefinition {
    /// Fewest tasks.
    pub(crate) min: u32,
    /// Most tasks.
    pub(crate) max: u32,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    /// How long before the scenario's start.
    pub(crate) minutes_ago: u32,
    /// What changed.
    pub(crate) change: Change,
}

/// What is really wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// The service that is meant.
    pub target: Target,
    /// Ids of failure modes from the catalogue, root cause first; empty for a healthy service.
    pub causes: Vec<String>,
    /// Whether operations on AWS alone can make it healthy.
    pub repairable: bool,
    /// Whether all of those are a person's: permissions, routes, contents of secrets.
    #[serde(default)]
    pub needs_person: bool,
    /// Services that share the target's name: the right thing to do is to ask.
    #[serde(default)]
    pub ambiguous: bool,
}

/// Which service is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Twelve digits; the first account when absent.
    #[serde(default)]
    pub account: Option<String>,
    /// The account's first region when absent.
    #[serde(default)]
    pub region: Option<String>,
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub service: String,
}

/// A literal text that AWS must show about the target at the start.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Symptom {
    /// Where it is shown.
    pub(crate) field: SymptomField,
    /// The text, or a part of it.
    pub(crate) contains: String,
}

/// Where a symptom is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SymptomField {
    /// `DescribeTasks` stoppedReason.
    StoppedReason,
    /// `DescribeTasks` stopCode.
    StopCode,
    /// `DescribeTasks` containers[].reason.
    ContainerReason,
    /// `DescribeTasks` containers[].exitCode.
    ExitCode,
    /// `DescribeServices` events[].message.
    Event,
    /// `DescribeServices` deployments[].rolloutState and rolloutStateReason.
    Rollout,
    /// `DescribeServiceDeployments` status and statusReason.
    ServiceDeployment,
    /// `DescribeTargetHealth` Reason and Description.
    Target,
    /// A log line of the service's group.
    Log,
    /// `DescribeServices` desiredCount and runningCount, as `desired 2 running 0`.
    Counts,
    /// `DescribeTaskDefinition` status of the service's task definition.
    TaskDefinition,
    /// `DescribeScalingActivities` NotScaledReasons[].Code.
    Scaling,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// [`ScenarioError::Malformed`] names the line, the field and what belongs there;
    /// [`ScenarioError::Inconsistent`] names a field whose value does not fit the rest.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self =
            serde_saphyr::from_str(text).map_err(|error| ScenarioError::Malformed {
                file: file.to_owned(),
                problem: error.to_string(),
            })?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The scenario's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line about it.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What a person would ask about it.
    #[must_use]
    pub fn request(&self) -> &str {
        &self.request
    }

    /// What is really wrong.
    #[must_use]
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The JSON Schema of scenario files.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    pub(super) fn wrong(&self, field: &str, problem: impl Into<String>) -> ScenarioError {
        ScenarioError::Inconsistent {
            scenario: self.name.clone(),
            field: field.to_owned(),
            problem: problem.into(),
        }
    }

    pub(super) fn check_again(&self) -> Result<(), ScenarioError> {
        self.check()
    }

    /// The target's account and region with the defaults filled in.
    pub(crate) fn target_place(&self) -> (String, String) {
        let target = &self.truth.target;
        let account = match &target.account {
            Some(id) => self.accounts.iter().find(|account| account.id == *id),
            None => self.accounts.first(),
        };
        let id = account
            .map(|account| account.id.clone())
            .unwrap_or_default();
        let region = target.region.clone().or_else(|| {
            account
                .and_then(|account| account.regions.first())
                .map(|region| region.name.clone())
        });
        (id, region.unwrap_or_default())
    }

    pub(super) fn target_definition(&self) -> Option<&ServiceDefinition> {
        let (account, region) = self.target_place();
        self.accounts
            .iter()
            .find(|candidate| candidate.id == account)?
            .regions
            .iter()
            .find(|candidate| candidate.name == region)?
            .clusters
            .iter()
            .find(|cluster| cluster.name == self.truth.target.cluster)?
            .services
            .iter()
            .find(|service| service.name == self.truth.target.service)
    }
}
