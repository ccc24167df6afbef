//! A thread's log, folded: what every answer is made from.

use std::sync::Arc;

use ecs_agent_runtime::{
    AgentSpec, ApplyError, EffectKey, EventBody, RunId, RunOutcome, Thread, ThreadId, ThreadStatus,
};
use ecs_agent_store::{Seq, Store, StoredEvent, TenantScope};

use crate::error::ApiError;

/// A thread as its events say it is.
#[derive(Debug, Clone)]
pub(crate) struct Fold {
    id: ThreadId,
    thread: Thread,
    seq: Seq,
}

impl Fold {
    /// A thread to which nothing has happened.
    pub(crate) fn new(id: ThreadId, agents: &Arc<AgentSpec>) -> Self {
        Self {
            id,
            thread: Thread::new(Arc::clone(agents)),
            seq: Seq::START,
        }
    }

    /// The thread as the store has it now.
    pub(crate) async fn read(
        store: &Store,
        tenant: &TenantScope,
        id: ThreadId,
        agents: &Arc<AgentSpec>,
    ) -> Result<Self, ApiError> {
        let mut fold = Self::new(id, agents);
        for stored in store.events(tenant, id, Seq::START).await? {
            fold.apply(&stored)?;
        }
        Ok(fold)
    }

    pub(crate) fn apply(&mut self, stored: &StoredEvent) -> Result<(), ApplyError> {
        self.thread.apply(&stored.event)?;
        self.seq = stored.seq;
        Ok(())
    }

    pub(crate) const fn id(&self) -> ThreadId {
        self.id
    }

    pub(crate) const fn thread(&self) -> &Thread {
        &self.thread
    }

    pub(crate) const fn seq(&self) -> Seq {
        self.seq
    }

    /// The nodes that are to run next, in LangGraph's terms: `model`, `tools`.
    pub(crate) fn next(&self) -> Vec<&'static str> {
        if let ThreadStatus::Ended(RunOutcome::Failed { .. }) = self.thread.status() {
            return vec![MODEL];
        }
        let mut nodes: Vec<&'static str> = self
            .thread
            .outstanding()
            .iter()
            .filter_map(|key| match key {
                EffectKey::Model(_) | EffectKey::Compact(_) => Some(MODEL),
                EffectKey::Tool(..) | EffectKey::Question(..) | EffectKey::Person(_) => Some(TOOLS),
                EffectKey::End => None,
            })
            .collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

/// The node that asks the model.
pub(crate) const MODEL: &str = "model";
/// The node that carries tools out.
pub(crate) const TOOLS: &str = "tools";

/// Where a run stands, in the API's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunStatus {
    Running,
    Success,
    Error,
    Timeout,
    Interrupted,
}

impl RunStatus {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One run as the log has it.
#[derive(Debug, Clone)]
pub(crate) struct LoggedRun {
    pub(crate) id: RunId,
    /// The number of its first event.
    pub(crate) from: Seq,
    pub(crate) created_at: chrono::DateTime<chrono::Utc>,
    pub(crate) updated_at: chrono::DateTime<chrono::Utc>,
    /// How it ended; `None` while it goes on, or when its process died.
    pub(crate) status: Option<RunStatus>,
}

/// Every run of a log, oldest first.
pub(crate) fn runs(
    id: ThreadId,
    agents: &Arc<AgentSpec>,
    events: &[StoredEvent],
) -> Result<Vec<LoggedRun>, ApplyError> {
    let mut fold = Fold::new(id, agents);
    let mut runs: Vec<LoggedRun> = Vec::new();
    for stored in events {
        fold.apply(stored)?;
        if let EventBody::RunStarted { run, .. } = &stored.event.body {
            runs.push(LoggedRun {
                id: *run,
                from: stored.seq,
                created_at: stored.event.at,
                updated_at: stored.event.at,
                status: None,
            });
            continue;
        }
        if let Some(run) = runs.last_mut().filter(|run| run.status.is_none()) {
            run.updated_at = stored.event.at;
            run.status = ended(&fold);
        }
    }
    Ok(runs)
}

/// How the run that the log ends with ended, if it did.
pub(crate) fn ended(fold: &Fold) -> Option<RunStatus> {
    use ecs_agent_runtime::Budget;
    match fold.thread.status() {
        ThreadStatus::Idle | ThreadStatus::Running => None,
        // A run that stops at a question has done what it could.
        ThreadStatus::Interrupted => Some(RunStatus::Success),
        ThreadStatus::Ended(outcome) => Some(match outcome {
            RunOutcome::Completed { .. } => RunStatus::Success,
            RunOutcome::Cancelled { .. } => RunStatus::Interrupted,
            RunOutcome::BudgetExhausted {
                budget: Budget::Time,
            } => RunStatus::Timeout,
            RunOutcome::BudgetExhausted {
                budget:
                    Budget::Steps | Budget::ToolCalls | Budget::Tokens | Budget::Cost | Budget::Repeats,
            }
            | RunOutcome::Failed { .. } => RunStatus::Error,
        }),
    }
}
