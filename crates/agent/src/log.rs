//! One thread's event log, open for appending: the store's rows and the state they add up to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ecs_agent_credentials::{CredentialContext, LeakBlocked};
use ecs_agent_runtime::{
    AgentSpec, ApplyError, Event, EventBody, FramePath, Thread, ThreadId, ThreadState, ToolCallId,
};
use ecs_agent_store::{AppendError, Approval, Seq, StoreError, TenantScope};
use serde_json::{Value, json};

use crate::exits;
use crate::progress::Progress;
use crate::session::values;
use crate::settings::{InvocationSettings, LogMoment};
use crate::tools::Intent;
use crate::trail::AuditTrail;

/// Why the log could not be read or extended. Nothing that was logged is lost.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log could not be read.
    #[error("the thread's log could not be read")]
    Store(#[from] StoreError),
    /// The log could not be extended.
    #[error("the thread's log could not be extended")]
    Append(#[from] AppendError),
    /// An event does not fit the thread's state.
    #[error("an event does not fit the thread")]
    Apply(#[from] ApplyError),
    /// An event held a secret in use; it was not logged.
    #[error(transparent)]
    Leak(#[from] LeakBlocked),
}

impl LogError {
    /// Whether the approval of a plan was used before, so that the plan must not begin again.
    pub(crate) const fn is_used_approval(&self) -> bool {
        matches!(self, Self::Append(AppendError::ApprovalConsumed { .. }))
    }
}

/// A thread with its log.
pub(crate) struct ThreadLog {
    settings: InvocationSettings,
    trail: Arc<AuditTrail>,
    context: Arc<CredentialContext>,
    tenant: TenantScope,
    id: ThreadId,
    thread: Thread,
    seq: Seq,
}

impl ThreadLog {
    /// Folds the stored events.
    pub(crate) async fn open(
        trail: Arc<AuditTrail>,
        settings: &InvocationSettings,
        context: &Arc<CredentialContext>,
        id: ThreadId,
        agents: AgentSpec,
    ) -> Result<Self, LogError> {
        let tenant = settings.tenant.clone();
        let mut thread = Thread::new(agents);
        let mut seq = Seq::START;
        for stored in settings.store.events(&tenant, id, Seq::START).await? {
            thread.apply(&stored.event)?;
            seq = stored.seq;
        }
        Ok(Self {
            settings: settings.clone(),
            trail,
            context: Arc::clone(context),
            tenant,
            id,
            thread,
            seq,
        })
    }

    pub(crate) const fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Makes an event durable, then part of the state.
    ///
    /// The state is asked first: an event that does not fit never reaches the log. Neither does one
    /// that holds a secret: where it can, a notice takes the place of its words.
    pub(crate) async fn append(&mut self, body: EventBody) -> Result<(), LogError> {
        let body = exits::event_or_notice(&self.context, body)?;
        let event = Event::new(self.settings.timer.now(), body);
        self.thread.check(&event)?;
        if let EventBody::InterruptAnswered {
            interrupt_id,
            answer,
            by,
        } = &event.body
        {
            let asked = self.state().interrupts().get(interrupt_id);
            let plan = asked.and_then(|open| open.payload.get("plan_hash"));
            let content = json!({
                "interrupt": interrupt_id, "answer": answer, "by": by, "plan": plan,
            });
            self.trail.record("person_answered", content).await?;
        }
        if let EventBody::ToolReturned { .. } = &event.body {
            // What a result rests on is recorded before anything rests on the result.
            self.trail.flush().await?;
        }
        self.tell(LogMoment::AboutToAppend(self.seq.next().get()));
        self.seq = self
            .settings
            .store
            .append(&self.tenant, self.id, self.seq, &event)
            .await?;
        self.accept(&event)
    }

    /// Logs that a tool call is about to happen; the first step of a plan uses its approval up in
    /// the same transaction.
    pub(crate) async fn append_intent(
        &mut self,
        frame: &FramePath,
        call_id: &ToolCallId,
        intent: &Intent,
    ) -> Result<(), LogError> {
        match intent {
            Intent::Reads => {}
            Intent::Writes => {
                self.trail
                    .record("write_intended", json!({ "call": call_id }))
                    .await?;
            }
            Intent::BeginsPlan {
                plan_hash,
                approval,
            } => {
                let content = json!({"call": call_id, "plan": plan_hash, "approval": approval});
                self.trail.record("plan_begun", content).await?;
            }
        }
        let body = EventBody::ToolStarted {
            frame: frame.clone(),
            call_id: call_id.clone(),
        };
        let Intent::BeginsPlan {
            plan_hash,
            approval,
        } = intent
        else {
            return self.append(body).await;
        };
        let body = exits::event_or_notice(&self.context, body)?;
        let approval = Approval {
            plan_hash: plan_hash.clone(),
            approval: approval.clone(),
        };
        let event = Event::new(self.settings.timer.now(), body);
        self.thread.check(&event)?;
        self.tell(LogMoment::AboutToAppend(self.seq.next().get()));
        self.seq = self
            .settings
            .store
            .consume_approval(&self.tenant, self.id, self.seq, &approval, &event)
            .await?;
        self.accept(&event)
    }

    /// Logs how a change to AWS ended, behind the record of every call that it made.
    pub(crate) async fn append_write_outcome(&mut self, body: EventBody) -> Result<(), LogError> {
        if let EventBody::ToolReturned {
            call_id, outcome, ..
        } = &body
        {
            let steps: Vec<Value> = [values::EXECUTION, values::ROLLBACK]
                .iter()
                .filter_map(|key| outcome.values.get(*key)?.as_array())
                .flatten()
                .map(|step| json!({"step": step.get("step"), "status": step.get("status")}))
                .collect();
            let content = json!({"call": call_id, "status": outcome.status, "steps": steps});
            self.trail.record("write_ended", content).await?;
        }
        self.append(body).await
    }

    /// Working time that is left.
    pub(crate) fn remaining_time(&self) -> Duration {
        let now = self.settings.timer.now();
        self.thread.deadline().map_or(
            Duration::from_secs(self.settings.budgets.max_seconds),
            |deadline| {
                deadline
                    .signed_duration_since(now)
                    .to_std()
                    .unwrap_or_default()
            },
        )
    }

    /// The thread's files by path.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        self.state()
            .files()
            .iter()
            .map(|(path, text)| (path.to_string(), text.to_owned()))
            .collect()
    }

    /// What the events add up to.
    pub(crate) fn state(&self) -> &ThreadState {
        self.thread.state()
    }

    fn tell(&self, moment: LogMoment) {
        if let Some(hook) = &self.settings.log_hook {
            hook(moment);
        }
    }

    fn accept(&mut self, event: &Event) -> Result<(), LogError> {
        self.settings.progress.progress(&Progress::Event {
            seq: self.seq.get(),
            event,
        });
        self.tell(LogMoment::Appended(self.seq.get()));
        Ok(self.thread.apply(event)?)
    }
}
