//! Configuration: one TOML file, the environment and flags, each stronger than the one before.

mod accounts;
mod database;
mod environment;
mod file;
mod layer;
mod mcp_servers;
mod merge;
mod models;
mod prompts;
mod registry;
mod services;

pub(crate) use database::DatabasePlace;
pub(crate) use layer::{CredentialChoice, CredentialKeyword, Layer};
pub(crate) use mcp_servers::{McpTable, keep_consent, read_consent};
pub(crate) use merge::{Configuration, ConfigurationError, ENVIRONMENT_LABEL, Origin, Setting};
pub(crate) use models::{KeyPlace, ModelChoice, ModelsTable, ProviderEntry};
