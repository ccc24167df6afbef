//! What is known about a server before it is started.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ecs_agent_credentials::{AllowedOperations, CredentialContext, EndpointLimits};
use serde::Deserialize;

use super::talk::Bounds;

/// Which AWS a child gets.
///
/// There is no variant that puts real keys into a child: a server that cannot use an endpoint URL
/// cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildCredentials {
    /// No AWS at all: no keys, no endpoint.
    None,
    /// The names only: region and account, in `AWS_REGION` and `ECS_DEEP_AGENT_ACCOUNT`. For a server
    /// that looks something up by them elsewhere.
    Masked,
    /// Placeholder keys and the invocation's signing endpoint: the reads of a diagnosis.
    SignedReads,
}

/// What a child may reach besides its signing endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildNetwork {
    /// Nothing.
    Closed,
    /// Whatever this machine can reach: for a server that asks a service of its own.
    Open,
}

/// Where a child's diagnostic output goes, line by line: bounded, scrubbed and printable.
pub type ChildLog = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// One MCP server on standard input and output.
#[derive(Clone)]
pub struct ServerSettings {
    /// Its name here, for messages and records.
    pub name: String,
    /// The program, as an absolute path: no search path decides what is started.
    pub command: PathBuf,
    /// Its arguments. Every process of this user can read them, so no secret belongs here.
    pub arguments: Vec<String>,
    /// Variables of its environment, checked by [`EnvironmentVariable`].
    pub environment: Vec<(EnvironmentVariable, String)>,
    /// Files and directories that it may read besides the system's own: where it is installed, and
    /// its data.
    pub readable: Vec<PathBuf>,
    /// Where its own empty home directory is made.
    pub scratch: PathBuf,
    /// Which AWS it gets.
    pub credentials: ChildCredentials,
    /// What it may reach besides.
    pub network: ChildNetwork,
    /// Time until it must have begun a session.
    pub start_timeout: Duration,
    /// Time that one call may take.
    pub call_timeout: Duration,
    /// Bytes that it may write during one call.
    pub output_bytes: usize,
    /// Limits of its processes.
    pub limits: RoomLimits,
    /// Where its standard error goes.
    pub log: Option<ChildLog>,
}

impl ServerSettings {
    /// A server with the usual limits and no AWS.
    pub fn new(
        name: impl Into<String>,
        command: impl Into<PathBuf>,
        arguments: Vec<String>,
        scratch: impl Into<PathBuf>,
    ) -> Self {
        Self {
            name: name.into(),
            command: command.into(),
            arguments,
            environment: Vec::new(),
            readable: Vec::new(),
            scratch: scratch.into(),
            credentials: ChildCredentials::None,
            network: ChildNetwork::Closed,
            start_timeout: Duration::from_secs(20),
            call_timeout: Duration::from_secs(30),
            output_bytes: 4 * 1024 * 1024,
            limits: RoomLimits::default(),
            log: None,
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            start_timeout: self.start_timeout,
            call_timeout: self.call_timeout,
            output_bytes: self.output_bytes,
        }
    }
}

impl fmt::Debug for ServerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments are somebody's configuration and may hold what does not belong there.
        f.debug_struct("ServerSettings")
            .field("name", &self.name)
            .field("command", &self.command)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// A variable that a configuration may set for a child.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct EnvironmentVariable(String);

/// A variable that a configuration may not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` cannot be set for an MCP server: names are capitals, digits and `_`; what begins with \
     `AWS_` or `LD_`, and `PATH`, `HOME` and `TMPDIR`, are not the configuration's to give"
)]
pub struct EnvironmentVariableError {
    name: String,
}

impl EnvironmentVariable {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EnvironmentVariable {
    type Error = EnvironmentVariableError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        // SECURITY: with these a child would find keys, other endpoints than its own, or other code.
        let ours = [
            "PATH",
            "HOME",
            "TMPDIR",
            "ECS_DEEP_AGENT_CHILD",
            "ECS_DEEP_AGENT_ACCOUNT",
        ];
        let fits = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && !name.starts_with("AWS_")
            && !name.starts_with("LD_")
            && !ours.contains(&name.as_str());
        match fits {
            true => Ok(Self(name)),
            false => Err(EnvironmentVariableError { name }),
        }
    }
}

/// Limits of one child and of each process that it starts (`setrlimit(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomLimits {
    /// Address space, in bytes.
    pub memory: u64,
    /// Largest file, in bytes.
    pub file: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Processes and threads. Counted for the child alone where it has a user namespace of its own;
    /// elsewhere the kernel counts those of the whole user, and no limit is set.
    pub processes: u64,
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self {
            memory: 4 << 30,
            file: 64 << 20,
            descriptors: 256,
            processes: 128,
        }
    }
}

/// An invocation's AWS, as its children may use it.
#[derive(Debug, Clone)]
pub struct ChildAws {
    /// The invocation's context.
    pub context: Arc<CredentialContext>,
    /// What a child may ask for.
    pub allowed: AllowedOperations,
    /// How much of it.
    pub limits: EndpointLimits,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_gives_a_child_neither_keys_nor_other_code() {
        for good in ["FASTMCP_LOG_LEVEL", "ALLOW_SENSITIVE_DATA", "X2"] {
            assert_eq!(
                EnvironmentVariable::try_from(good.to_owned())
                    .unwrap()
                    .as_str(),
                good
            );
        }
        for bad in [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ENDPOINT_URL",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "LD_PRELOAD",
            "PATH",
            "HOME",
            "ECS_DEEP_AGENT_CHILD",
            "lower",
            "A=B",
            "",
        ] {
            assert!(
                EnvironmentVariable::try_from(bad.to_owned()).is_err(),
                "{bad}"
            );
        }
    }
}
