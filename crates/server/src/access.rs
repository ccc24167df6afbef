//! A caller at the server: what a handler may reach, and as whom.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use ecs_agent_core::InvocationSettings;
use ecs_agent_credentials::Sources;
use ecs_agent_runtime::ThreadId;
use ecs_agent_store::{Seq, Store, StoredEvent, TenantScope, ThreadRecord};

use crate::authentication::{Action, Caller};
use crate::config::FactoryError;
use crate::error::{ApiError, THREAD_NOT_FOUND, chain};
use crate::fold::Fold;
use crate::invocation;
use crate::run::ThreadKey;
use crate::state::App;

/// A caller's way to the server: every read and write through it is under their tenant.
///
/// Handlers take this and not [`App`]; it exists only behind authentication.
#[derive(Clone)]
pub(crate) struct Access {
    app: App,
    caller: Caller,
}

impl Access {
    pub(crate) const fn app(&self) -> &App {
        &self.app
    }

    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(crate) const fn tenant(&self) -> &TenantScope {
        self.caller.tenant()
    }

    pub(crate) fn store(&self) -> &Store {
        self.app.store()
    }

    /// Refuses what the caller may not do.
    ///
    /// # Errors
    /// [`ApiError::NotAllowed`].
    pub(crate) fn allow(&self, action: Action) -> Result<(), ApiError> {
        match self.caller.may(action) {
            true => Ok(()),
            false => Err(ApiError::NotAllowed(action)),
        }
    }

    /// A thread of the caller's, as the runs at work are known by.
    pub(crate) fn key(&self, thread: ThreadId) -> ThreadKey {
        ThreadKey::new(self.tenant().clone(), thread)
    }

    /// A thread's row, or 404.
    pub(crate) async fn record(&self, thread: ThreadId) -> Result<ThreadRecord, ApiError> {
        self.store()
            .thread(self.tenant(), thread)
            .await?
            .ok_or(THREAD_NOT_FOUND)
    }

    /// A thread's events behind `after`, or 404.
    pub(crate) async fn events(
        &self,
        thread: ThreadId,
        after: Seq,
    ) -> Result<Vec<StoredEvent>, ApiError> {
        Ok(self.store().events(self.tenant(), thread, after).await?)
    }

    /// A thread's log, folded, or 404.
    pub(crate) async fn fold(&self, thread: ThreadId) -> Result<Fold, ApiError> {
        Fold::read(self.store(), self.tenant(), thread, self.app.agents()).await
    }

    /// What one invocation for this caller is given.
    ///
    /// # Errors
    /// [`ApiError::NoCredentials`], when there are none of the caller's tenant; [`ApiError::Run`],
    /// when the program could not make it.
    pub(crate) fn invocation(&self) -> Result<(InvocationSettings, Sources), ApiError> {
        invocation::prepare(self.app.factory(), &self.caller).map_err(|error| match error {
            FactoryError::NoCredentials { .. } => ApiError::NoCredentials(error.to_string()),
            FactoryError::Failed(_) => ApiError::Run(chain(&error)),
        })
    }
}

impl FromRequestParts<App> for Access {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>().cloned();
        Ok(Self {
            app: app.clone(),
            // INVARIANT: only the authentication layer puts one there; without it nobody comes in.
            caller: caller.ok_or(ApiError::Unauthenticated("a credential is needed"))?,
        })
    }
}
