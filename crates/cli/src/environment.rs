//! The environment as it was at the start: read here, once, and nowhere else in the program.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ecs_agent_credentials::{CredentialInputError, SecretText, StaticCredentials};

/// Prefix of the variables that configure this program.
pub(crate) const PREFIX: &str = "ECS_DEEP_AGENT_";

/// Set, this makes the AWS SDK write every request body that it signs into the log.
const LOG_SIGNABLE_BODY: &str = "LOG_SIGNABLE_BODY";

/// What this program takes from the environment. No secret is in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// `ECS_DEEP_AGENT_*`, by the part after the prefix.
    pub(crate) settings: BTreeMap<String, String>,
    /// Where the person's own configuration is.
    pub(crate) config_home: Option<PathBuf>,
    /// Where the person's own data is.
    pub(crate) data_home: Option<PathBuf>,
    /// The log filter, from `ECS_DEEP_AGENT_LOG`.
    pub(crate) log: Option<String>,
    /// Whether request bodies would be logged by the AWS SDK.
    pub(crate) logs_signable_bodies: bool,
    /// Who is at the keyboard, for the record of who approved.
    pub(crate) user: Option<String>,
}

impl Environment {
    /// Reads the environment of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the program reads its environment"
    )]
    pub(crate) fn of_this_process() -> Self {
        Self::from_variables(std::env::vars_os().filter_map(|(name, value)| {
            // A name or value that is not text can be none of ours.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// Reads it from a list, keeping only what this program knows: no secret gets in by accident.
    pub(crate) fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut environment = Self::default();
        let mut home = None;
        for (name, value) in variables {
            match name.as_str() {
                // The directory specification says to ignore what is not absolute.
                "XDG_CONFIG_HOME" => environment.config_home = absolute(value),
                "XDG_DATA_HOME" => environment.data_home = absolute(value),
                "HOME" => home = absolute(value),
                "USER" | "LOGNAME" => environment.user = Some(value),
                "ECS_DEEP_AGENT_LOG" => environment.log = Some(value),
                LOG_SIGNABLE_BODY => environment.logs_signable_bodies = true,
                _ => {
                    if let Some(field) = name.strip_prefix(PREFIX) {
                        environment.settings.insert(field.to_owned(), value);
                    }
                }
            }
        }
        if let Some(home) = home {
            environment
                .config_home
                .get_or_insert_with(|| home.join(".config"));
            environment
                .data_home
                .get_or_insert_with(|| home.join(".local/share"));
        }
        environment
    }
}

/// Why there are no static credentials in the environment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvironmentCredentialsError {
    /// A variable that must be there is not.
    #[error("`{0}` is not set, and `--credentials env` was asked for")]
    Missing(&'static str),
    /// A value is not what it should be.
    #[error("the credentials in the environment cannot be used")]
    Malformed(#[source] CredentialInputError),
}

/// Takes the static keys from the environment, when the person asked for that.
///
/// # Security
/// The process's own environment block keeps them until it ends; that is why it is made
/// unreadable to others at the start, and why nothing but this function looks.
#[expect(
    clippy::disallowed_methods,
    reason = "the person asked for the keys in the environment"
)]
pub(crate) fn static_credentials() -> Result<StaticCredentials, EnvironmentCredentialsError> {
    let required =
        |name| std::env::var(name).map_err(|_| EnvironmentCredentialsError::Missing(name));
    let access_key_id = required("AWS_ACCESS_KEY_ID")?;
    let secret_access_key = SecretText::from(required("AWS_SECRET_ACCESS_KEY")?);
    let session_token = std::env::var("AWS_SESSION_TOKEN")
        .ok()
        .filter(|t| !t.is_empty())
        .map(SecretText::from);
    StaticCredentials::new(&access_key_id, secret_access_key, session_token, None)
        .map_err(EnvironmentCredentialsError::Malformed)
}

/// Takes a model provider's key from the environment; an empty variable counts as not set.
///
/// # Security
/// As with [`static_credentials`]: nothing looks unless the person chose a model of that provider.
#[expect(
    clippy::disallowed_methods,
    reason = "the person chose a model whose key is in the environment"
)]
pub(crate) fn model_key(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|key| !key.is_empty())
}

/// Takes the database's URL from the variable that the configuration names; an empty one counts as
/// not set.
///
/// # Security
/// As with [`model_key`]: the URL may hold a password.
#[expect(
    clippy::disallowed_methods,
    reason = "the configuration names the variable of the database's URL"
)]
pub(crate) fn database_url(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|url| !url.is_empty())
}

fn absolute(path: String) -> Option<PathBuf> {
    Some(PathBuf::from(path)).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::from_variables(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn only_what_the_program_knows_is_kept() {
        let read = environment(&[
            (
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            ),
            ("ECS_DEEP_AGENT_REGION", "eu-west-1"),
        ]);
        assert_eq!(read.settings.len(), 1);
        assert!(!format!("{read:?}").contains("wJalr"));
    }

    #[test]
    fn the_home_directory_stands_in_for_the_xdg_directories() {
        let read = environment(&[("HOME", "/home/ada"), ("XDG_DATA_HOME", "relative")]);
        assert_eq!(read.config_home, Some("/home/ada/.config".into()));
        assert_eq!(read.data_home, Some("/home/ada/.local/share".into()));
    }
}
