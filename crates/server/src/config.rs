//! What a server is given at its start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ecs_agent_core::InvocationSettings;
use ecs_agent_credentials::{LeakGuard, Sources};
use ecs_agent_store::Store;

/// Makes what one invocation is given. Called once a run; what it resolves credentials from is its
/// own affair, and never part of a request.
pub type InvocationFactory =
    Arc<dyn Fn() -> Result<(InvocationSettings, Sources), FactoryError> + Send + Sync>;

/// Why a factory could not make an invocation's settings.
#[derive(Debug, thiserror::Error)]
#[error("the run could not be prepared")]
pub struct FactoryError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl FactoryError {
    /// Wraps the reason.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

/// A server's configuration.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen: a loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The threads to serve: the same store as the invocations'.
    pub store: Store,
    /// Origins of web pages that may call, beside those of this machine: `https://ui.example.com`.
    pub allowed_origins: Vec<String>,
    /// How much at once.
    pub limits: Limits,
    /// Looks at every response: the same guard as the invocations'.
    pub leak_guard: Arc<LeakGuard>,
}

impl ServerConfig {
    /// A server of these threads, with the default limits and no foreign origin.
    #[must_use]
    pub fn new(listen: SocketAddr, store: Store, leak_guard: Arc<LeakGuard>) -> Self {
        Self {
            listen,
            store,
            allowed_origins: Vec::new(),
            limits: Limits::default(),
            leak_guard,
        }
    }
}

/// How much a server takes at once. What goes beyond is refused with a word on when to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest request body.
    pub body_bytes: usize,
    /// Requests that are being answered, not counting open streams.
    pub requests: usize,
    /// Runs at work: each has a thread of the operating system.
    pub runs: usize,
    /// Longest time until an answer begins.
    pub answer_within: Duration,
    /// How long runs may take to end cleanly at shutdown.
    pub shutdown_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            requests: 256,
            runs: 64,
            answer_within: Duration::from_secs(30),
            shutdown_within: Duration::from_secs(30),
        }
    }
}
