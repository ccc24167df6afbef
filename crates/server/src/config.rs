//! What a server is given at its start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ecs_agent_core::InvocationSettings;
use ecs_agent_credentials::{LeakGuard, Sources};
use ecs_agent_store::{Store, TenantId};

use crate::authentication::{Authentication, Caller};

/// Makes what one invocation is given, for the caller who asked for it. Called once a run; what it
/// resolves credentials from is its own affair, and never part of a request. Whatever tenant and
/// person it puts into the settings, the caller's are put in their place.
pub type InvocationFactory =
    Arc<dyn Fn(&Caller) -> Result<(InvocationSettings, Sources), FactoryError> + Send + Sync>;

/// Why a factory could not make an invocation's settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FactoryError {
    /// The program has no credentials that are this tenant's; it lends nobody another's.
    #[error(
        "no AWS credentials are configured here for tenant `{tenant}`; ask whoever runs this server"
    )]
    NoCredentials {
        /// The caller's tenant.
        tenant: TenantId,
    },
    /// Something else.
    #[error("the run could not be prepared")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl FactoryError {
    /// Wraps the reason.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed(reason.into())
    }
}

/// A server's configuration.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one. Without authentication, a loopback address.
    pub listen: SocketAddr,
    /// The threads to serve: the same store as the invocations'.
    pub store: Store,
    /// Origins of web pages that may call, beside those of this machine: `https://ui.example.com`.
    pub allowed_origins: Vec<String>,
    /// What is asked of whoever calls.
    pub authentication: Authentication,
    /// Names that this server is called by, beside those of this machine and plain IP addresses:
    /// `agent.example.com`. Looked at only with authentication; without it there are no others.
    pub allowed_hosts: Vec<String>,
    /// How much at once.
    pub limits: Limits,
    /// Looks at every response: the same guard as the invocations'.
    pub leak_guard: Arc<LeakGuard>,
}

impl ServerConfig {
    /// A server of these threads in development mode, with the default limits and no foreign origin.
    #[must_use]
    pub fn new(listen: SocketAddr, store: Store, leak_guard: Arc<LeakGuard>) -> Self {
        Self {
            listen,
            store,
            allowed_origins: Vec::new(),
            authentication: Authentication::default(),
            allowed_hosts: Vec::new(),
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
    /// Of these, how many one tenant may have: nobody takes them all.
    pub runs_per_tenant: usize,
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
            runs_per_tenant: 16,
            answer_within: Duration::from_secs(30),
            shutdown_within: Duration::from_secs(30),
        }
    }
}
