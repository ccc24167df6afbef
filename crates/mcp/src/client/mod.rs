//! Other people's MCP servers, for one invocation: spawned in a clean room or reached over HTTP, held
//! to what a person accepted, ended with the invocation.
//!
//! A child belongs to one invocation. It is started when it is first needed, on the invocation's
//! cell, gets an environment made for it and nothing of ours ([`room`]), and is gone with everything
//! it started when its value is ([`child`], [`kin`]). A server elsewhere has an HTTP client and a
//! session of its own ([`http`], [`remote`]). What either says is [`Untrusted`].
//!
//! What a server says about its tools is shown to a person once ([`consent`]); models are shown that,
//! and never what it says later ([`toolset`]). What it asks in return is next to nothing ([`guest`]).

mod child;
mod consent;
mod declared;
mod definition;
mod digest;
mod elicitation;
mod error;
mod flow;
mod guest;
mod http;
mod identity;
mod kin;
mod landlock;
mod lazy;
mod level;
mod name;
mod output;
mod pool;
mod pre_exec;
mod registry;
mod remote;
mod room;
mod server;
mod settings;
mod stderr;
mod talk;
mod toolset;
mod untrusted;

pub use child::Ending;
pub use consent::{Change, Consent, Difference};
pub use declared::{DeclaredServer, DiagnoseCall, Reach, ToolEffect};
pub use definition::{FieldChange, Offer, ToolDefinition, Unusable};
pub use digest::{Digest, DigestError};
pub use elicitation::{Choice, ChoiceOption, NotAsked};
pub use error::ChildError;
pub use flow::Sources as ArgumentSources;
pub use guest::ChoiceAnswer;
pub use http::{RemoteSettings, ServerUrl, ServerUrlError, TokenError, TokenFile};
pub use identity::{ServerIdentity, Whereabouts};
pub use level::{DetachedReach, NetworkLevel, RoomLevel};
pub use name::{NameError, QualifiedName, ServerName, ToolName};
pub use pool::{ChildPool, Gap};
pub use registry::McpRegistry;
pub use server::ChildServer;
pub use settings::{
    ChildAws, ChildCredentials, ChildLog, ChildNetwork, EnvironmentVariable,
    EnvironmentVariableError, RoomLimits, ServerSettings,
};
pub use toolset::{Inspection, McpTools, OfferedTool, ToolAnswer, ToolError, ToolRequest};
pub use untrusted::{Sink, Untrusted};
