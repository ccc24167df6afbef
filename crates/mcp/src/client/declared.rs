//! Servers as an operator configures them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::consent::Consent;
use super::http::RemoteSettings;
use super::name::{QualifiedName, ServerName, ToolName};
use super::settings::{ChildCredentials, ServerSettings};

/// What a tool does to the world, as the operator says. What the server says about it does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolEffect {
    /// It only reads: a specialist may call it.
    Reads,
    /// It changes something: only an approved plan could call it.
    Changes,
}

/// A call that every diagnosis makes, whichever model drives it.
#[derive(Debug, Clone, PartialEq)]
pub struct DiagnoseCall {
    /// The tool.
    pub tool: ToolName,
    /// Its arguments; `{cluster}`, `{service}`, `{region}` and `{account}` in their texts stand for the
    /// service that was identified.
    pub arguments: Map<String, Value>,
}

/// How a server is reached.
#[derive(Debug, Clone)]
pub enum Reach {
    /// A child process, over its standard input and output.
    Child(ServerSettings),
    /// Streamable HTTP.
    Remote(RemoteSettings),
}

/// One configured server.
#[derive(Debug, Clone)]
pub struct DeclaredServer {
    /// Its name.
    pub name: ServerName,
    /// How it is reached.
    pub reach: Reach,
    /// The tools that may be used at all.
    pub tools: BTreeMap<ToolName, ToolEffect>,
    /// What a diagnosis asks it.
    pub diagnose: Vec<DiagnoseCall>,
    /// Whether it may ask a person something, by a choice between options.
    pub may_ask: bool,
    /// Most characters of a result that go further.
    pub result_chars: usize,
    /// What a person accepted of it; a server that nobody accepted is not started.
    pub consent: Option<Consent>,
}

impl DeclaredServer {
    /// Tells whether it gets the invocation's AWS.
    #[must_use]
    pub fn gets_aws(&self) -> bool {
        match &self.reach {
            Reach::Child(settings) => settings.credentials == ChildCredentials::SignedReads,
            Reach::Remote(_) => false,
        }
    }

    /// Returns how a tool is called here.
    #[must_use]
    pub fn qualified(&self, tool: &ToolName) -> QualifiedName {
        QualifiedName {
            server: self.name.clone(),
            tool: tool.clone(),
        }
    }
}
