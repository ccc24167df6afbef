//! What an invocation writes beside the event log: its lease, its audit records, its reports.

use std::sync::Arc;
use std::time::Duration;

use ecs_agent_credentials::{CredentialContext, InvocationId, Sink};
use ecs_agent_runtime::ThreadId;
use ecs_agent_store::{AuditChain, AuditEntry, RunLease, RunOwner, StoreError, TenantScope};
use serde_json::json;

use crate::agent::AgentError;
use crate::exits;
use crate::log::ThreadLog;
use crate::settings::InvocationSettings;
use crate::trail::AuditTrail;

/// How much longer than its working time an invocation holds its thread, for the clean-up.
const GRACE: Duration = Duration::from_secs(60);

/// The right to run a thread, and the record of what was done with it.
pub(crate) struct Books {
    settings: InvocationSettings,
    tenant: TenantScope,
    thread: ThreadId,
    trail: Arc<AuditTrail>,
    lease: RunLease,
}

impl Books {
    /// Takes the thread: one run at a time. A run whose process died no longer counts.
    pub(crate) async fn open(
        settings: &InvocationSettings,
        thread: ThreadId,
        owner: RunOwner,
        trail: Arc<AuditTrail>,
    ) -> Result<Self, AgentError> {
        let tenant = settings.tenant.clone();
        let lasts = Duration::from_secs(settings.budgets.max_seconds).saturating_add(GRACE);
        let now = settings.timer.now();
        let lease = settings
            .store
            .acquire_run(&tenant, thread, &owner, now, lasts)
            .await?;
        trail
            .record(
                "invocation_started",
                json!({"reference": settings.reference.to_string()}),
            )
            .await?;
        Ok(Self {
            settings: settings.clone(),
            tenant,
            thread,
            trail,
            lease,
        })
    }

    /// Keeps the reports, closes the record, gives the thread back. Returns the audit chain's head,
    /// to be kept somewhere else.
    pub(crate) async fn close(
        self,
        log: Option<&ThreadLog>,
        context: &CredentialContext,
    ) -> Result<AuditChain, StoreError> {
        for (path, text) in log.map(ThreadLog::files).unwrap_or_default() {
            let kind = path.trim_start_matches('/');
            let text = exits::text_or_notice(context, Sink::Report, &text);
            let now = self.settings.timer.now();
            self.settings
                .store
                .save_report(&self.tenant, self.thread, kind, text, now)
                .await?;
        }
        let content = json!({
            "calls": context.calls().len(),
            "context_cleared": context.is_cleared(),
        });
        self.trail.record("invocation_ended", content).await?;
        let head = self.settings.store.audit_head(&self.tenant).await?;
        self.settings
            .store
            .release_run(&self.tenant, self.lease)
            .await?;
        Ok(head)
    }

    /// Closes the record of an invocation whose cell ended before it could, and gives the thread
    /// back, so that it can be continued at once. The lease is this owner's or nobody's: another
    /// run's is left alone.
    pub(crate) async fn close_after_crash(
        settings: &InvocationSettings,
        thread: ThreadId,
        invocation: InvocationId,
        owner: &RunOwner,
    ) -> Result<(), AgentError> {
        let tenant = settings.tenant.clone();
        let now = settings.timer.now();
        let lease = settings
            .store
            .acquire_run(&tenant, thread, owner, now, GRACE)
            .await?;
        let entry = AuditEntry {
            thread: Some(thread),
            at: settings.timer.now(),
            kind: "invocation_crashed".to_owned(),
            content: json!({"invocation": invocation.to_string()}),
        };
        settings.store.audit_append(&tenant, &entry).await?;
        Ok(settings.store.release_run(&tenant, lease).await?)
    }
}
