//! What every request shares.

use std::sync::Arc;

use ecs_agent_credentials::LeakGuard;
use ecs_agent_runtime::{AgentSpec, ThreadId};
use ecs_agent_store::{Store, TenantScope, ThreadRecord};

use crate::config::{InvocationFactory, Limits, ServerConfig};
use crate::error::{ApiError, THREAD_NOT_FOUND};
use crate::fold::Fold;
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
    runs: Runs,
    limits: Limits,
    allowed_origins: Vec<String>,
    leak_guard: Arc<LeakGuard>,
}

impl App {
    pub(crate) fn new(config: &ServerConfig, factory: InvocationFactory) -> Self {
        Self {
            inner: Arc::new(Inner {
                store: config.store.clone(),
                factory,
                agents: Arc::new(ecs_agent_core::agent_definition()),
                runs: Runs::new(config.limits.runs),
                limits: config.limits,
                allowed_origins: config.allowed_origins.clone(),
                leak_guard: Arc::clone(&config.leak_guard),
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

    pub(crate) fn runs(&self) -> &Runs {
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

    /// Whose threads these are. There is no authentication yet, so there is one tenant.
    pub(crate) fn tenant(&self) -> TenantScope {
        TenantScope::local()
    }

    /// A thread's row, or 404.
    pub(crate) async fn record(&self, thread: ThreadId) -> Result<ThreadRecord, ApiError> {
        self.store()
            .thread(&self.tenant(), thread)
            .await?
            .ok_or(THREAD_NOT_FOUND)
    }

    /// A thread's log, folded, or 404.
    pub(crate) async fn fold(&self, thread: ThreadId) -> Result<Fold, ApiError> {
        Fold::read(self.store(), &self.tenant(), thread, self.agents()).await
    }
}
