//! The layers on top of each other: the strongest one that sets a field wins.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ecs_agent_core::Prompts;
use ecs_agent_credentials::{CredentialReference, EndpointUrl, Endpoints, Region, RoleArn};
use ecs_agent_models::BaseUrl;

use super::accounts::AccountEntry;
use super::database::DatabasePlace;
use super::environment::{self, EnvironmentLayerError};
use super::file::{self, FileError};
use super::layer::{CredentialChoice, Layer};
use super::mcp_servers::McpTable;
use super::models::{ModelChoice, ModelsTable};
use super::prompts::{self, PromptFolderError};
use super::registry::RegistryEntry;
use super::services::ServiceEntry;
use crate::environment::Environment;
use crate::span::Span;

/// Label of the static credentials that come from the environment.
pub(crate) const ENVIRONMENT_LABEL: &str = "environment";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigurationError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The environment.
    #[error(transparent)]
    Environment(#[from] EnvironmentLayerError),
    /// The folder of prompts.
    #[error(transparent)]
    Prompts(#[from] PromptFolderError),
    /// Nothing says where threads are kept.
    #[error("no data directory: pass `--data-dir DIR` or set `HOME`")]
    NoDataDirectory,
    /// Nothing says which credentials to use, and none are taken unasked.
    #[error("no credentials were chosen")]
    NoCredentials,
    /// A role needs someone to assume it.
    #[error("`external_id` is set but `role_arn` is not: an external id belongs to a role")]
    ExternalIdWithoutRole,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Built in.
    Default,
    /// The TOML file.
    File,
    /// An `ECS_DEEP_AGENT_*` variable.
    Environment,
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        })
    }
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// The whole configuration of one run of the program.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    pub(crate) file: Option<PathBuf>,
    pub(crate) model: Setting<ModelChoice>,
    pub(crate) model_base_url: Option<Setting<BaseUrl>>,
    pub(crate) models: ModelsTable,
    pub(crate) allow_write: Setting<bool>,
    pub(crate) allow_sensitive_data: Setting<bool>,
    pub(crate) region: Option<Setting<Region>>,
    pub(crate) credentials: Option<Setting<CredentialChoice>>,
    pub(crate) role_arn: Option<Setting<RoleArn>>,
    pub(crate) external_id: Option<Setting<String>>,
    pub(crate) require_narrowed: Setting<bool>,
    pub(crate) endpoint_url: Option<Setting<EndpointUrl>>,
    pub(crate) retries: Setting<u32>,
    pub(crate) max_steps: Setting<u32>,
    pub(crate) timeout: Setting<Span>,
    pub(crate) cluster: Option<Setting<String>>,
    pub(crate) service: Option<Setting<String>>,
    pub(crate) organization: Option<Setting<String>>,
    pub(crate) environment: Option<Setting<String>>,
    pub(crate) data_dir: Option<Setting<PathBuf>>,
    pub(crate) database: DatabasePlace,
    pub(crate) mcp: McpTable,
    pub(crate) prompts_folder: Option<Setting<PathBuf>>,
    pub(crate) prompts: Arc<Prompts>,
    pub(crate) registry: Option<RegistryEntry>,
    pub(crate) services: Vec<ServiceEntry>,
    pub(crate) accounts: Vec<AccountEntry>,
}

impl Configuration {
    /// Reads the file, puts the environment over it and the flags over both.
    pub(crate) fn load(
        named_file: Option<&Path>,
        flags: Layer,
        environment: &Environment,
    ) -> Result<Self, ConfigurationError> {
        let found = file::find_and_read(named_file, environment.config_home.as_deref())?;
        let (file, file_layer) = found.unzip();
        let layers = Layers {
            flags,
            environment: environment::layer(&environment.settings)?,
            file: file_layer.unwrap_or_default(),
        };
        let usual_data_dir = environment.data_home.as_ref().map(|home| Setting {
            value: home.join("ecs-deep-agent"),
            origin: Origin::Default,
        });
        let prompts_folder = layers.strongest(|l| l.prompts.clone());
        let folder = prompts_folder
            .as_ref()
            .map(|setting| setting.value.as_path());
        let prompts = Arc::new(prompts::read(folder)?);
        let configuration = Self {
            file,
            model: layers.or(|l| l.model.clone(), ModelChoice::Runbook),
            model_base_url: layers.strongest(|l| l.model_base_url.clone()),
            models: layers.file.models.clone(),
            allow_write: layers.or(|l| l.allow_write, true),
            allow_sensitive_data: layers.or(|l| l.allow_sensitive_data, true),
            region: layers.strongest(|l| l.region.clone()),
            credentials: layers.strongest(Layer::credential_choice),
            role_arn: layers.strongest(|l| l.role_arn.clone()),
            external_id: layers.strongest(|l| l.external_id.clone()),
            require_narrowed: layers.or(|l| l.require_narrowed, false),
            endpoint_url: layers.strongest(|l| l.endpoint_url.clone()),
            retries: layers.or(|l| l.retries, 3),
            max_steps: layers.or(|l| l.max_steps, 200),
            timeout: layers.or(|l| l.timeout, Span::minutes(30)),
            cluster: layers.strongest(|l| l.cluster.clone()),
            service: layers.strongest(|l| l.service.clone()),
            organization: layers.strongest(|l| l.organization.clone()),
            environment: layers.strongest(|l| l.environment.clone()),
            data_dir: layers.strongest(|l| l.data_dir.clone()).or(usual_data_dir),
            database: layers.file.database,
            mcp: layers.file.mcp,
            prompts_folder,
            prompts,
            registry: layers.file.registry,
            services: layers.file.services,
            accounts: layers.file.accounts,
        };
        if configuration.external_id.is_some() && configuration.role_arn.is_none() {
            return Err(ConfigurationError::ExternalIdWithoutRole);
        }
        Ok(configuration)
    }

    /// What the invocation starts with: a name, never a secret.
    pub(crate) fn reference(&self) -> Result<CredentialReference, ConfigurationError> {
        let chosen = self.credentials.as_ref().map(|chosen| &chosen.value);
        let base = match chosen {
            Some(CredentialChoice::Profile(name)) => {
                CredentialReference::Profile { name: name.clone() }
            }
            Some(CredentialChoice::Chain) => CredentialReference::DefaultChain,
            // With a registry there may be nothing else: its services bring their own credentials,
            // and whatever is not registered finds these keys missing.
            None if self.registry.is_none() => return Err(ConfigurationError::NoCredentials),
            Some(CredentialChoice::Environment) | None => CredentialReference::Static {
                label: ENVIRONMENT_LABEL.to_owned(),
            },
        };
        Ok(match &self.role_arn {
            None => base,
            Some(role) => CredentialReference::AssumeRole {
                role_arn: role.value.clone(),
                external_id: self.external_id.as_ref().map(|id| id.value.clone()),
                base: Box::new(base),
            },
        })
    }

    /// Where AWS is.
    pub(crate) fn endpoints(&self) -> Endpoints {
        self.endpoint_url
            .as_ref()
            .map_or(Endpoints::Aws, |url| Endpoints::Override(url.value.clone()))
    }

    /// Where threads and reports are kept.
    pub(crate) fn data_dir(&self) -> Result<&Path, ConfigurationError> {
        let setting = self
            .data_dir
            .as_ref()
            .ok_or(ConfigurationError::NoDataDirectory)?;
        Ok(&setting.value)
    }
}

/// The three layers.
struct Layers {
    flags: Layer,
    environment: Layer,
    file: Layer,
}

impl Layers {
    fn strongest<T>(&self, field: impl Fn(&Layer) -> Option<T>) -> Option<Setting<T>> {
        [
            (Origin::Flag, &self.flags),
            (Origin::Environment, &self.environment),
            (Origin::File, &self.file),
        ]
        .into_iter()
        .find_map(|(origin, layer)| field(layer).map(|value| Setting { value, origin }))
    }

    fn or<T>(&self, field: impl Fn(&Layer) -> Option<T>, default: T) -> Setting<T> {
        self.strongest(field).unwrap_or(Setting {
            value: default,
            origin: Origin::Default,
        })
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
