//! Further accounts that services lean on, and the role that reads each one.

use ecs_agent_core::FurtherAccount;
use ecs_agent_credentials::{AccountId, ContextName, CredentialReference, Region, RoleArn};
use serde::Deserialize;

/// One `[[accounts]]` entry of the configuration file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountEntry {
    /// What reports and the audit call the credentials.
    name: ContextName,
    /// The account that is read; credentials of another one are refused.
    account_id: AccountId,
    /// The region that is read there, if it is not the service's own.
    #[serde(default)]
    region: Option<Region>,
    /// Role that may read it.
    role_arn: RoleArn,
    #[serde(default)]
    external_id: Option<String>,
}

impl AccountEntry {
    /// The entry as the agent takes it, its role assumed from `base`.
    pub(crate) fn account(&self, base: &CredentialReference) -> FurtherAccount {
        FurtherAccount {
            name: self.name.clone(),
            account: self.account_id.clone(),
            region: self.region.clone(),
            credentials: CredentialReference::AssumeRole {
                role_arn: self.role_arn.clone(),
                external_id: self.external_id.clone(),
                base: Box::new(base.clone()),
            },
        }
    }
}
