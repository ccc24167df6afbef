//! The mutating operations of the AWS APIs, as methods of [`World`].

use serde::Deserialize;

mod ecs;
mod load_balancing;
mod network;
mod other;
mod registration;

pub(crate) use ecs::begin_deployment;
pub(crate) use load_balancing::HealthCheckChange;
pub(crate) use network::{IngressOrEgress, RouteChange};
pub(crate) use other::ScalableTargetChange;

use super::{CircuitBreaker, DeploymentConfiguration, LoadBalancerBinding, NetworkConfiguration};

/// `UpdateService`'s input: what is absent stays as it is. Deserializes from the request's JSON.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct UpdateServiceInput {
    /// Cluster name or ARN.
    pub(crate) cluster: Option<String>,
    /// Service name or ARN.
    pub(crate) service: String,
    pub(crate) task_definition: Option<String>,
    pub(crate) desired_count: Option<u32>,
    pub(crate) force_new_deployment: bool,
    pub(crate) network_configuration: Option<NetworkConfigurationInput>,
    pub(crate) health_check_grace_period_seconds: Option<u32>,
    pub(crate) deployment_configuration: Option<DeploymentConfigurationInput>,
    pub(crate) load_balancers: Option<Vec<LoadBalancerBinding>>,
    pub(crate) platform_version: Option<String>,
    pub(crate) enable_execute_command: Option<bool>,
}

/// `deploymentConfiguration`: what is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeploymentConfigurationInput {
    pub(crate) maximum_percent: Option<u32>,
    pub(crate) minimum_healthy_percent: Option<u32>,
    pub(crate) deployment_circuit_breaker: Option<CircuitBreaker>,
}

impl DeploymentConfigurationInput {
    /// The present configuration with what is given.
    fn over(self, present: DeploymentConfiguration) -> DeploymentConfiguration {
        DeploymentConfiguration {
            maximum_percent: self.maximum_percent.unwrap_or(present.maximum_percent),
            minimum_healthy_percent: self
                .minimum_healthy_percent
                .unwrap_or(present.minimum_healthy_percent),
            deployment_circuit_breaker: self
                .deployment_circuit_breaker
                .unwrap_or(present.deployment_circuit_breaker),
        }
    }
}

/// The wrapper that the API puts around [`NetworkConfiguration`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NetworkConfigurationInput {
    pub(crate) awsvpc_configuration: NetworkConfiguration,
}
