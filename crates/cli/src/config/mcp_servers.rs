//! Other people's MCP servers, as the configuration file names them, and what was accepted of them.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ecs_agent_mcp::{
    ChildCredentials, ChildNetwork, Consent, DeclaredServer, DiagnoseCall, EnvironmentVariable,
    Reach, RemoteSettings, ServerName, ServerSettings, ServerUrl, TokenFile, ToolEffect, ToolName,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::span::Span;

/// The `[mcp]` table.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct McpTable {
    /// The servers by name.
    pub(crate) servers: BTreeMap<ServerName, McpServerEntry>,
}

/// One `[mcp.servers.NAME]` table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct McpServerEntry {
    at: At,
    tools: BTreeMap<ToolName, Effect>,
    diagnose: Vec<DiagnoseEntry>,
    timeout: Duration,
    start_timeout: Duration,
    output_bytes: usize,
    result_chars: usize,
    may_ask: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum At {
    Program {
        command: PathBuf,
        args: Vec<String>,
        env: BTreeMap<EnvironmentVariable, String>,
        readable: Vec<PathBuf>,
        network: bool,
        credentials: CredentialsWord,
    },
    Url {
        url: ServerUrl,
        token_file: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Effect {
    Reads,
    Changes,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CredentialsWord {
    #[default]
    None,
    Masked,
    Observe,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct DiagnoseEntry {
    tool: ToolName,
    #[serde(default)]
    arguments: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    command: Option<PathBuf>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<EnvironmentVariable, String>,
    #[serde(default)]
    readable: Vec<PathBuf>,
    #[serde(default)]
    network: bool,
    #[serde(default)]
    credentials: CredentialsWord,
    url: Option<ServerUrl>,
    token_file: Option<PathBuf>,
    #[serde(default)]
    read_tools: Vec<ToolName>,
    #[serde(default)]
    mutating_tools: Vec<ToolName>,
    #[serde(default)]
    diagnose: Vec<DiagnoseEntry>,
    timeout: Option<Span>,
    start_timeout: Option<Span>,
    output_bytes: Option<usize>,
    result_chars: Option<usize>,
    #[serde(default)]
    may_ask: bool,
}

/// Why an entry cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum EntryError {
    #[error("an MCP server has either `command` or `url`")]
    CommandOrUrl,
    #[error("`command` is an absolute path, such as `/usr/bin/python3`")]
    Relative,
    #[error(
        "`args`, `env`, `readable`, `network` and `credentials` belong to a `command`, not to a `url`"
    )]
    NotForUrl,
    #[error("`token_file` belongs to a `url`, and is an absolute path")]
    TokenFile,
    #[error("`{0}` is in `read_tools` and in `mutating_tools`: it is one of them")]
    Both(ToolName),
    #[error("`diagnose` calls `{0}`, which is not in `read_tools`")]
    NotRead(ToolName),
    #[error("`output_bytes` is 1024 or more, and `result_chars` 1 or more")]
    TooSmall,
}

impl TryFrom<Written> for McpServerEntry {
    type Error = EntryError;

    fn try_from(written: Written) -> Result<Self, EntryError> {
        let mut tools = BTreeMap::new();
        for tool in written.read_tools {
            tools.insert(tool, Effect::Reads);
        }
        for tool in written.mutating_tools {
            if tools.insert(tool.clone(), Effect::Changes).is_some() {
                return Err(EntryError::Both(tool));
            }
        }
        for call in &written.diagnose {
            if tools.get(&call.tool) != Some(&Effect::Reads) {
                return Err(EntryError::NotRead(call.tool.clone()));
            }
        }
        let of_a_program = !written.args.is_empty()
            || !written.env.is_empty()
            || !written.readable.is_empty()
            || written.network
            || written.credentials != CredentialsWord::None;
        let at = match (written.command, written.url) {
            (Some(command), None) if written.token_file.is_none() => At::Program {
                command,
                args: written.args,
                env: written.env,
                readable: written.readable,
                network: written.network,
                credentials: written.credentials,
            },
            (Some(_), None) => return Err(EntryError::TokenFile),
            (None, Some(_)) if of_a_program => return Err(EntryError::NotForUrl),
            (None, Some(url)) => At::Url {
                url,
                token_file: written.token_file,
            },
            (None, None) | (Some(_), Some(_)) => return Err(EntryError::CommandOrUrl),
        };
        match &at {
            At::Program { command, .. } if !command.is_absolute() => {
                return Err(EntryError::Relative);
            }
            At::Url {
                token_file: Some(file),
                ..
            } if !file.is_absolute() => return Err(EntryError::TokenFile),
            At::Program { .. } | At::Url { .. } => {}
        }
        let entry = Self {
            at,
            tools,
            diagnose: written.diagnose,
            timeout: written
                .timeout
                .map_or(Duration::from_secs(30), Span::duration),
            start_timeout: written
                .start_timeout
                .map_or(Duration::from_secs(20), Span::duration),
            output_bytes: written.output_bytes.unwrap_or(4 << 20),
            result_chars: written.result_chars.unwrap_or(16_000),
            may_ask: written.may_ask,
        };
        match entry.output_bytes < 1024 || entry.result_chars == 0 {
            true => Err(EntryError::TooSmall),
            false => Ok(entry),
        }
    }
}

impl McpServerEntry {
    /// The server as an invocation takes it, with what was accepted of it.
    pub(crate) fn declared(&self, name: &ServerName, consent: Option<Consent>) -> DeclaredServer {
        let reach = match &self.at {
            At::Url { url, token_file } => Reach::Remote(RemoteSettings {
                name: name.to_string(),
                url: url.clone(),
                token: token_file.clone().map(TokenFile::new),
                start_timeout: self.start_timeout,
                call_timeout: self.timeout,
                output_bytes: self.output_bytes,
            }),
            At::Program {
                command,
                args,
                env,
                readable,
                network,
                credentials,
            } => {
                let scratch = std::env::temp_dir();
                let mut settings =
                    ServerSettings::new(name.as_str(), command.clone(), args.clone(), scratch);
                settings.environment = env.clone().into_iter().collect();
                settings.readable.clone_from(readable);
                settings.start_timeout = self.start_timeout;
                settings.call_timeout = self.timeout;
                settings.output_bytes = self.output_bytes;
                settings.credentials = match credentials {
                    CredentialsWord::None => ChildCredentials::None,
                    CredentialsWord::Masked => ChildCredentials::Masked,
                    CredentialsWord::Observe => ChildCredentials::SignedReads,
                };
                if *network {
                    settings.network = ChildNetwork::Open;
                }
                settings.log = Some(Arc::new(|server: &str, line: &str| {
                    tracing::info!(server, line, "an MCP server says");
                }));
                Reach::Child(settings)
            }
        };
        let tools = self.tools.iter().map(|(tool, effect)| {
            let effect = match effect {
                Effect::Reads => ToolEffect::Reads,
                Effect::Changes => ToolEffect::Changes,
            };
            (tool.clone(), effect)
        });
        DeclaredServer {
            name: name.clone(),
            reach,
            tools: tools.collect(),
            diagnose: self
                .diagnose
                .iter()
                .map(|call| DiagnoseCall {
                    tool: call.tool.clone(),
                    arguments: call.arguments.clone(),
                })
                .collect(),
            may_ask: self.may_ask,
            result_chars: self.result_chars,
            consent,
        }
    }
}

/// Reads what was accepted of a server; none if nothing was, or if it cannot be read any more.
pub(crate) fn read_consent(data_dir: &Path, name: &ServerName) -> Option<Consent> {
    let text = std::fs::read_to_string(consent_file(data_dir, name)).ok()?;
    let consent: Consent = serde_json::from_str(&text).ok()?;
    (consent.server == *name).then_some(consent)
}

/// Keeps what was accepted of a server, whole or not at all.
pub(crate) fn keep_consent(data_dir: &Path, consent: &Consent) -> io::Result<()> {
    let file = consent_file(data_dir, &consent.server);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let new = file.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let writer = options.create(true).write(true).truncate(true).mode(0o600);
    serde_json::to_writer_pretty(writer.open(&new)?, consent)?;
    std::fs::rename(new, file)
}

fn consent_file(data_dir: &Path, name: &ServerName) -> PathBuf {
    data_dir.join("mcp-consent").join(format!("{name}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<McpTable, String> {
        toml::from_str(&format!("[servers.x]\n{text}")).map_err(|e| e.message().to_owned())
    }

    #[test]
    fn a_server_is_a_program_or_an_address() {
        read("command = \"/bin/x\"\nread_tools = [\"a\"]\ncredentials = \"observe\"\ndiagnose = [{tool = \"a\"}]").unwrap();
        read("url = \"https://mcp.example.com/mcp\"\ntoken_file = \"/run/token\"").unwrap();
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, said) in [
            ("args = []", "either `command` or `url`"),
            ("command = \"x\"", "absolute path"),
            ("url = \"http://example.com\"", "loopback"),
            (
                "url = \"https://a.example\"\nnetwork = true",
                "belong to a `command`",
            ),
            (
                "command = \"/x\"\nread_tools = [\"a\"]\nmutating_tools = [\"a\"]",
                "one of them",
            ),
            (
                "command = \"/x\"\ndiagnose = [{tool = \"a\"}]",
                "not in `read_tools`",
            ),
            (
                "command = \"/x\"\ncredentials = \"operate\"",
                "unknown variant `operate`",
            ),
            (
                "command = \"/x\"\nreal_keys = true",
                "unknown field `real_keys`",
            ),
            (
                "command = \"/x\"\nenv = {AWS_ENDPOINT_URL = \"x\"}",
                "cannot be set",
            ),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
