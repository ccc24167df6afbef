//! A registry of services over MCP, as the configuration file names it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ecs_agent_core::REGISTRY;
use ecs_agent_mcp::{ChildNetwork, McpRegistry, ServerSettings};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::span::Span;

/// The `[registry]` table of the configuration file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistryEntry {
    /// The server's program.
    #[serde(deserialize_with = "absolute")]
    pub(crate) command: PathBuf,
    /// Its arguments.
    #[serde(default)]
    args: Vec<String>,
    /// How long one call may take.
    #[serde(default)]
    timeout: Option<Span>,
    /// What it may read besides the system's own files.
    #[serde(default)]
    readable: Vec<PathBuf>,
    /// Whether it may reach the network.
    #[serde(default)]
    network: bool,
    /// Not offered.
    #[serde(default, deserialize_with = "never", rename = "real_keys")]
    _real_keys: (),
}

impl RegistryEntry {
    /// The registry of one invocation. Its server is started when it is first asked.
    pub(crate) fn registry(&self) -> Arc<McpRegistry> {
        let scratch = std::env::temp_dir();
        let mut settings =
            ServerSettings::new(REGISTRY, self.command.clone(), self.args.clone(), scratch);
        settings.readable.clone_from(&self.readable);
        settings.call_timeout = self.timeout.map_or(Duration::from_secs(30), Span::duration);
        if self.network {
            settings.network = ChildNetwork::Open;
        }
        settings.log = Some(Arc::new(|server: &str, line: &str| {
            tracing::info!(server, line, "an MCP server says");
        }));
        Arc::new(McpRegistry::new(settings))
    }
}

/// No search path decides what is started.
fn absolute<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    let path = PathBuf::deserialize(from)?;
    if path.is_absolute() {
        return Ok(path);
    }
    Err(D::Error::custom(
        "`command` is an absolute path, such as `/usr/bin/python3`",
    ))
}

fn never<'de, D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    Err(D::Error::custom(
        "`real_keys` is not offered: a child process never gets AWS keys; remove it",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RegistryEntry, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_registry_needs_a_program_and_no_more() {
        let entry = read("command = \"/usr/bin/registry\"").unwrap();
        assert!(!entry.network && entry.args.is_empty() && entry.timeout.is_none());
        read("command = \"/usr/bin/registry\"\nargs = [\"a\"]\ntimeout = \"5s\"\nnetwork = true")
            .unwrap();
    }

    #[test]
    fn what_is_not_offered_is_refused_with_a_word_on_it() {
        for (text, said) in [
            ("command = \"registry\"", "absolute path"),
            ("args = []", "missing field `command`"),
            ("command = \"/r\"\nreal_keys = true", "never gets AWS keys"),
            ("command = \"/r\"\nreal_keys = false", "never gets AWS keys"),
            ("command = \"/r\"\nenv = {}", "unknown field `env`"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
