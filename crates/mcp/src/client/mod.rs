//! Other people's MCP servers: spawned in a clean room, spoken to over their pipes, ended with the
//! invocation.
//!
//! A child belongs to one invocation. It is started when it is first needed, on the invocation's
//! cell, gets an environment made for it and nothing of ours ([`room`]), and is gone with everything
//! it started when its value is ([`child`], [`kin`]). What it says is [`Untrusted`].

mod child;
mod kin;
mod landlock;
mod level;
mod output;
mod pool;
mod pre_exec;
mod registry;
mod room;
mod server;
mod settings;
mod stderr;
mod untrusted;

pub use child::Ending;
pub use level::{DetachedReach, NetworkLevel, RoomLevel};
pub use pool::{ChildPool, Gap};
pub use registry::McpRegistry;
pub use server::{ChildError, ChildServer};
pub use settings::{
    ChildAws, ChildCredentials, ChildLog, ChildNetwork, RoomLimits, ServerSettings,
};
pub use untrusted::{Sink, Untrusted};
