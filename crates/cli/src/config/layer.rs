//! One layer of the configuration: what one source says, and nothing about the others.

use std::path::PathBuf;

use clap::ValueEnum;
use ecs_agent_credentials::{EndpointUrl, Region, RoleArn};
use ecs_agent_models::BaseUrl;
use serde::{Deserialize, Serialize};

use super::accounts::AccountEntry;
use super::database::DatabasePlace;
use super::mcp_servers::McpTable;
use super::models::{ModelChoice, ModelsTable};
use super::registry::RegistryEntry;
use super::services::ServiceEntry;
use crate::span::Span;

/// What one source of configuration sets; a field it leaves out is for a weaker one to set.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    pub(crate) model: Option<ModelChoice>,
    pub(crate) model_base_url: Option<BaseUrl>,
    pub(crate) allow_write: Option<bool>,
    pub(crate) allow_sensitive_data: Option<bool>,
    pub(crate) region: Option<Region>,
    pub(crate) credentials: Option<CredentialKeyword>,
    pub(crate) profile: Option<String>,
    pub(crate) role_arn: Option<RoleArn>,
    pub(crate) external_id: Option<String>,
    pub(crate) require_narrowed: Option<bool>,
    pub(crate) endpoint_url: Option<EndpointUrl>,
    pub(crate) retries: Option<u32>,
    pub(crate) max_steps: Option<u32>,
    pub(crate) timeout: Option<Span>,
    pub(crate) cluster: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) organization: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) database: DatabasePlace,
    pub(crate) mcp: McpTable,
    pub(crate) models: ModelsTable,
    pub(crate) prompts: Option<PathBuf>,
    pub(crate) registry: Option<RegistryEntry>,
    pub(crate) services: Vec<ServiceEntry>,
    pub(crate) accounts: Vec<AccountEntry>,
}

impl Layer {
    /// Where this layer wants credentials to come from; a profile is one way to say it.
    pub(crate) fn credential_choice(&self) -> Option<CredentialChoice> {
        match (self.credentials, &self.profile) {
            (_, Some(name)) => Some(CredentialChoice::Profile(name.clone())),
            (Some(CredentialKeyword::Env), None) => Some(CredentialChoice::Environment),
            (Some(CredentialKeyword::Chain), None) => Some(CredentialChoice::Chain),
            (None, None) => None,
        }
    }

    /// Whether this layer names two sources of credentials.
    pub(crate) const fn names_two_sources(&self) -> bool {
        self.credentials.is_some() && self.profile.is_some()
    }
}

/// Sources of credentials that have no name of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CredentialKeyword {
    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
    Env,
    /// The AWS default chain: environment, profile, SSO, container, instance.
    Chain,
}

/// Where the credentials come from that the invocation starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CredentialChoice {
    /// A profile of the AWS configuration files.
    Profile(String),
    /// The static keys in the environment.
    Environment,
    /// The AWS default chain.
    Chain,
}

impl std::fmt::Display for CredentialChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Environment => f.write_str("env"),
            Self::Chain => f.write_str("chain"),
        }
    }
}
