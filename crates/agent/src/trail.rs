//! The audit trail of one invocation: who did what, appended while it happens.
//!
//! What the credential context was used for is taken from it as soon as it is known and appended in
//! batches, one transaction each, while the run goes on. What the invocation itself decides is
//! appended before it happens; whatever happened before that comes before it in the chain.

use std::sync::Arc;

use ecs_agent_credentials::{ContextEvent, CredentialContext, InvocationId, LeakBlocked, Sink};
use ecs_agent_runtime::ThreadId;
use ecs_agent_store::{AuditEntry, StoreError, TenantScope};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::exits;
use crate::settings::InvocationSettings;

/// Most events of one transaction.
const BATCH: usize = 256;

/// Writes an invocation's records into the tenant's audit chain.
pub(crate) struct AuditTrail {
    settings: InvocationSettings,
    tenant: TenantScope,
    thread: ThreadId,
    invocation: InvocationId,
    /// For whom the invocation acts, if that is known.
    person: Option<String>,
    context: Arc<CredentialContext>,
    /// What was taken from the context and is not yet durable. Held while it is written, so that
    /// the chain has the order of what happened.
    unwritten: Mutex<Vec<AuditEntry>>,
}

impl AuditTrail {
    pub(crate) fn new(
        settings: InvocationSettings,
        thread: ThreadId,
        context: Arc<CredentialContext>,
        person: Option<String>,
    ) -> Arc<Self> {
        Arc::new(Self {
            tenant: settings.tenant.clone(),
            settings,
            thread,
            invocation: context.invocation(),
            person,
            context,
            unwritten: Mutex::new(Vec::new()),
        })
    }

    /// Appends a record behind everything that happened so far. It is durable when this returns.
    pub(crate) async fn record(&self, kind: &str, content: Value) -> Result<(), StoreError> {
        self.write(Some((kind, content))).await
    }

    /// Appends everything that happened so far.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        self.write(None).await
    }

    /// Appends what happens, as it happens, until it is told to stop and has nothing left.
    ///
    /// # Errors
    /// If the store refuses. An invocation whose calls cannot be recorded has to end.
    pub(crate) async fn follow(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return self.flush().await,
                () = self.context.event_recorded() => self.flush().await?,
            }
        }
    }

    async fn write(&self, mut last: Option<(&str, Value)>) -> Result<(), StoreError> {
        let mut unwritten = self.unwritten.lock().await;
        loop {
            let taken = self.context.take_events(BATCH);
            let complete = taken.events.len() < BATCH;
            if taken.lost > 0 {
                unwritten.push(self.entry("events_lost", json!({"count": taken.lost})));
            }
            for event in &taken.events {
                let (kind, content) = told(event);
                unwritten.push(self.entry(kind, content));
            }
            if complete && let Some((kind, content)) = last.take() {
                unwritten.push(self.entry(kind, content));
            }
            if !unwritten.is_empty() {
                let store = &self.settings.store;
                store
                    .audit_append_all(&self.tenant, unwritten.iter())
                    .await?;
                unwritten.clear();
            }
            if complete {
                return Ok(());
            }
        }
    }

    /// A record; one that would hold a secret says that it does not.
    fn entry(&self, kind: &str, mut content: Value) -> AuditEntry {
        if exits::inspect(&self.context, Sink::Audit, &content).is_err() {
            content = json!({ "withheld": LeakBlocked::NOTICE });
        }
        if let Some(object) = content.as_object_mut() {
            object.insert("invocation".to_owned(), json!(self.invocation.to_string()));
            object.insert("person".to_owned(), json!(self.person));
        }
        AuditEntry {
            thread: Some(self.thread),
            at: self.settings.timer.now(),
            kind: kind.to_owned(),
            content,
        }
    }
}

/// What a record says of an event.
fn told(event: &ContextEvent) -> (&'static str, Value) {
    match event {
        ContextEvent::Minted(mint) => ("credentials_minted", json!(mint)),
        ContextEvent::Called(call) => ("aws_call", json!(call)),
        ContextEvent::Cleared => ("context_cleared", json!({})),
        // The type may learn of more; a kind without a name of its own is recorded all the same.
        other => ("context_event", json!(other)),
    }
}
