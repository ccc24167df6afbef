//! What an invocation writes beside the event log: its lease, its audit records, its reports.

use std::time::Duration;

use ecs_agent_credentials::{CredentialContext, InvocationId};
use ecs_agent_runtime::{RunId, ThreadId};
use ecs_agent_store::{AuditEntry, RunLease, RunOwner, StoreError, TenantScope};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::AgentError;
use crate::log::ThreadLog;
use crate::settings::InvocationSettings;

/// How much longer than its working time an invocation holds its thread, for the clean-up.
const GRACE: Duration = Duration::from_secs(60);

/// The right to run a thread, and the record of what was done with it.
pub(crate) struct Books {
    settings: InvocationSettings,
    tenant: TenantScope,
    thread: ThreadId,
    invocation: InvocationId,
    lease: RunLease,
}

impl Books {
    /// Takes the thread: one run at a time. A run whose process died no longer counts.
    pub(crate) async fn open(
        settings: &InvocationSettings,
        thread: ThreadId,
        invocation: InvocationId,
    ) -> Result<Self, AgentError> {
        let tenant = TenantScope::local();
        let owner = RunOwner::this_process(RunId::new(Uuid::now_v7()));
        let lasts = Duration::from_secs(settings.budgets.max_seconds).saturating_add(GRACE);
        let now = settings.timer.now();
        let lease = settings
            .store
            .acquire_run(&tenant, thread, &owner, now, lasts)
            .await?;
        let books = Self {
            settings: settings.clone(),
            tenant,
            thread,
            invocation,
            lease,
        };
        books
            .audit(
                "invocation_started",
                json!({"reference": settings.reference.to_string()}),
            )
            .await?;
        Ok(books)
    }

    /// Records every AWS call, keeps the reports, closes the record, gives the thread back.
    pub(crate) async fn close(
        self,
        log: Option<&ThreadLog>,
        context: &CredentialContext,
    ) -> Result<(), StoreError> {
        let calls = context.calls();
        for call in &calls {
            self.audit("aws_call", json!(call)).await?;
        }
        for (path, text) in log.map(ThreadLog::files).unwrap_or_default() {
            let kind = path.trim_start_matches('/');
            let now = self.settings.timer.now();
            self.settings
                .store
                .save_report(&self.tenant, self.thread, kind, &text, now)
                .await?;
        }
        self.audit(
            "invocation_ended",
            json!({"calls": calls.len(), "context_cleared": context.is_cleared()}),
        )
        .await?;
        self.settings
            .store
            .release_run(&self.tenant, self.lease)
            .await
    }

    /// Closes the record of an invocation whose cell ended before it could, and gives the thread
    /// back, so that it can be continued at once.
    pub(crate) async fn close_after_crash(
        settings: &InvocationSettings,
        thread: ThreadId,
        invocation: InvocationId,
    ) -> Result<(), AgentError> {
        let tenant = TenantScope::local();
        let owner = RunOwner::this_process(RunId::new(Uuid::now_v7()));
        let now = settings.timer.now();
        let lease = settings
            .store
            .take_over_run(&tenant, thread, &owner, now, GRACE)
            .await?;
        let books = Self {
            settings: settings.clone(),
            tenant,
            thread,
            invocation,
            lease,
        };
        books.audit("invocation_crashed", json!({})).await?;
        Ok(books
            .settings
            .store
            .release_run(&books.tenant, books.lease)
            .await?)
    }

    async fn audit(&self, kind: &str, mut content: Value) -> Result<(), StoreError> {
        if let Some(object) = content.as_object_mut() {
            object.insert("invocation".to_owned(), json!(self.invocation.to_string()));
        }
        let entry = AuditEntry {
            thread: Some(self.thread),
            at: self.settings.timer.now(),
            kind: kind.to_owned(),
            content,
        };
        self.settings
            .store
            .audit_append(&self.tenant, &entry)
            .await
            .map(|_record| ())
    }
}
