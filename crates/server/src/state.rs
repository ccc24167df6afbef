//! What every request shares. Handlers reach it through [`crate::access::Access`].

use std::sync::Arc;

use ecs_agent_credentials::LeakGuard;
use ecs_agent_runtime::AgentSpec;
use ecs_agent_store::Store;

use crate::authentication::Authentication;
use crate::config::{InvocationFactory, Limits, ServerConfig};
use crate::mcp::McpCallers;
use crate::run::Runs;

/// The one graph, under the name that the replaced system had.
pub(crate) const GRAPH_ID: &str = "ecs_deep_agent";

/// Its assistant: UUIDv5 of the graph's name, as LangGraph servers make it, so that bookmarks and
/// configurations of the replaced system go on working.
pub(crate) const ASSISTANT_ID: &str = "f3464c70-db03-5ccf-88cb-d9a4eb58b70e";

/// The server's state; cloning it is cheap.
#[derive(Clone)]
pub(crate) struct App {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    factory: InvocationFactory,
    agents: Arc<AgentSpec>,
    runs: Arc<Runs>,
    limits: Limits,
    authentication: Authentication,
    allowed_origins: Vec<String>,
    allowed_hosts: Vec<String>,
    leak_guard: Arc<LeakGuard>,
    mcp_callers: McpCallers,
}

impl App {
    pub(crate) fn new(config: &ServerConfig, factory: InvocationFactory) -> Self {
        Self {
            inner: Arc::new(Inner {
                store: config.store.clone(),
                factory,
                agents: Arc::new(ecs_agent_core::agent_definition()),
                runs: Arc::new(Runs::new(config.limits.runs, config.limits.runs_per_tenant)),
                limits: config.limits,
                authentication: config.authentication.clone(),
                allowed_origins: config.allowed_origins.clone(),
                allowed_hosts: config.allowed_hosts.clone(),
                leak_guard: Arc::clone(&config.leak_guard),
                mcp_callers: McpCallers::default(),
            }),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn factory(&self) -> &InvocationFactory {
        &self.inner.factory
    }

    pub(crate) fn agents(&self) -> &Arc<AgentSpec> {
        &self.inner.agents
    }

    pub(crate) fn runs(&self) -> &Arc<Runs> {
        &self.inner.runs
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(crate) fn leak_guard(&self) -> &Arc<LeakGuard> {
        &self.inner.leak_guard
    }

    pub(crate) fn allowed_origins(&self) -> &[String] {
        &self.inner.allowed_origins
    }

    pub(crate) fn authentication(&self) -> &Authentication {
        &self.inner.authentication
    }

    pub(crate) fn mcp_callers(&self) -> &McpCallers {
        &self.inner.mcp_callers
    }

    pub(crate) fn allowed_hosts(&self) -> &[String] {
        &self.inner.allowed_hosts
    }
}
