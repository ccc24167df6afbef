//! Configuration: one TOML file, the environment and flags, each stronger than the one before.

mod accounts;
mod environment;
mod file;
mod layer;
mod merge;
mod registry;
mod services;

pub(crate) use layer::{CredentialChoice, CredentialKeyword, Layer, ModelChoice};
pub(crate) use merge::{Configuration, ConfigurationError, ENVIRONMENT_LABEL, Origin, Setting};
