//! The HTTP server: threads and runs for LangGraph clients, and the backend of the MCP tools.
//!
//! The way through: [`serve`] listens on a loopback address and answers the core of the Agent
//! Server API. A run is one invocation of the agent. What clients see (values, updates, states,
//! history, streams) is a projection of the thread's event log, so a stream can be cut anywhere and
//! taken up again, also after a restart; nothing of a thread lives in this process alone.
//!
//! - Everything but a few open routes is behind authentication: a verified credential becomes a
//!   [`Caller`], the only way to a tenant's rows. Without it (development mode) the server refuses to
//!   listen anywhere but on a loopback address. Requests are checked for a foreign `Host` or `Origin`.
//! - Credentials never arrive over HTTP: an [`InvocationFactory`] of the program gives each run
//!   its settings and sources.

mod access;
mod api;
mod authentication;
mod body;
mod checkpoint;
mod config;
mod error;
mod exits;
mod fold;
mod gate;
mod identification;
mod invocation;
mod mcp;
mod page;
mod projection;
mod request;
mod resume;
mod run;
mod serve;
mod state;
mod stream;

pub use authentication::{
    Action, ActionError, Actions, ApiKey, ApiKeyParams, ApiKeys, ApiKeysError, Authentication,
    Caller, LONGEST_LIFE, NoRandomness, Proof,
};
pub use config::{FactoryError, InvocationFactory, Limits, ServerConfig};
pub use mcp::{AgentBackend, serve_mcp_stdio};
pub use serve::{BoundServer, ServeError, bind, router, serve};
