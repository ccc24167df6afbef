//! The operator's registry: names people use, and the service and role each one means.

use ecs_agent_core::RegisteredService;
use ecs_agent_credentials::{CredentialReference, RoleArn};
use serde::Deserialize;

/// One `[[services]]` entry of the configuration file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceEntry {
    /// Name that people use.
    pub(crate) name: String,
    /// Cluster name or ARN.
    pub(crate) cluster: String,
    /// Service name.
    pub(crate) service: String,
    #[serde(default)]
    pub(crate) organization: Option<String>,
    #[serde(default)]
    pub(crate) environment: Option<String>,
    /// Role that reaches the service's account.
    #[serde(default)]
    pub(crate) role_arn: Option<RoleArn>,
    #[serde(default)]
    pub(crate) external_id: Option<String>,
}

impl ServiceEntry {
    /// The entry as the agent takes it, its role assumed from `base`.
    pub(crate) fn registered(&self, base: &CredentialReference) -> RegisteredService {
        let credentials = self.role_arn.as_ref().map_or_else(
            || base.clone(),
            |role_arn| CredentialReference::AssumeRole {
                role_arn: role_arn.clone(),
                external_id: self.external_id.clone(),
                base: Box::new(base.clone()),
            },
        );
        RegisteredService {
            name: self.name.clone(),
            organization: self.organization.clone(),
            environment: self.environment.clone(),
            cluster: self.cluster.clone(),
            service: self.service.clone(),
            credentials,
        }
    }
}
