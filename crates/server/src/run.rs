//! The runs at work in this process: one a thread, a bounded number in all.
//!
//! A run is one invocation. What it does is in the thread's log; here is only what a log cannot
//! tell: that somebody is at it, how to stop it, and when it is over.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ecs_agent_core::{
    AgentError, Input, InvocationError, InvocationResult, InvocationSettings, Progress,
    ProgressSink, invoke,
};
use ecs_agent_credentials::Sources;
use ecs_agent_runtime::{EventBody, RunId, ThreadId};
use ecs_agent_store::{LeaseError, TenantScope};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::error::{ApiError, chain};

/// How many runs that left nothing in the log are remembered.
const REMEMBERED: usize = 256;

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RunProgress {
    /// The run and the number of its first event, once that is in the log.
    pub(crate) started: Option<(RunId, u64)>,
    /// The number of the last event.
    pub(crate) seq: u64,
    /// Set when nothing more will come.
    pub(crate) finished: Option<Finish>,
}

/// How the invocation came to its end; how the run did is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finish {
    /// In order.
    Regular,
    /// Another process runs the thread.
    Held(String),
    /// It could not go on.
    Failed(String),
}

impl Finish {
    fn of(ended: Result<InvocationResult, InvocationError>) -> Self {
        match ended {
            Ok(_) => Self::Regular,
            Err(InvocationError::Agent(AgentError::Lease(error @ LeaseError::Held { .. }))) => {
                Self::Held(chain(&error))
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a run failed");
                Self::Failed(chain(&error))
            }
        }
    }
}

/// A run that was begun, as those see it who wait for it.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) progress: watch::Receiver<RunProgress>,
    pub(crate) cancel: CancellationToken,
}

impl Watched {
    /// Waits until nothing more will come.
    pub(crate) async fn finished(&mut self) -> Finish {
        let waited = self
            .progress
            .wait_for(|progress| progress.finished.is_some())
            .await;
        // The sender goes only after it said so.
        waited
            .ok()
            .and_then(|progress| progress.finished.clone())
            .unwrap_or(Finish::Regular)
    }
}

/// A thread of a tenant. The id alone names nothing: two tenants may have the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ThreadKey {
    tenant: TenantScope,
    thread: ThreadId,
}

impl ThreadKey {
    pub(crate) const fn new(tenant: TenantScope, thread: ThreadId) -> Self {
        Self { tenant, thread }
    }
}

type Active = Arc<Mutex<BTreeMap<ThreadKey, Option<Watched>>>>;

/// Every run at work.
pub(crate) struct Runs {
    active: Active,
    /// Runs that had nothing to do, newest last: their clients ask about them once.
    idle: Mutex<VecDeque<(ThreadKey, RunId)>>,
    slots: Arc<Semaphore>,
    per_tenant: usize,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Runs {
    pub(crate) fn new(slots: usize, per_tenant: usize) -> Self {
        Self {
            active: Arc::default(),
            idle: Mutex::default(),
            slots: Arc::new(Semaphore::new(slots)),
            per_tenant,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Takes a thread for one run, before anything of it is read, so that nothing changes between
    /// looking and running.
    ///
    /// # Errors
    /// [`ApiError::Conflict`] when a run is on; [`ApiError::Busy`] when there are too many, of all
    /// tenants or of this one.
    pub(crate) fn claim(&self, thread: ThreadKey) -> Result<Claim, ApiError> {
        if self.stop.is_cancelled() {
            return Err(ApiError::Busy("the server is shutting down"));
        }
        let slot = Arc::clone(&self.slots)
            .try_acquire_owned()
            .map_err(|_| ApiError::Busy("too many runs are at work"))?;
        let mut active = locked(&self.active);
        if active.contains_key(&thread) {
            return Err(ApiError::Conflict(
                "a run is already at work on this thread; wait for its end or cancel it (runs are not queued)"
                    .to_owned(),
            ));
        }
        let of_tenant = active
            .keys()
            .filter(|key| key.tenant == thread.tenant)
            .count();
        if of_tenant >= self.per_tenant {
            return Err(ApiError::Busy("too many runs of this tenant are at work"));
        }
        active.insert(thread.clone(), None);
        Ok(Claim {
            active: Arc::clone(&self.active),
            thread,
            _slot: slot,
        })
    }

    /// Starts an invocation on a claimed thread.
    pub(crate) fn start(
        &self,
        claim: Claim,
        mut settings: InvocationSettings,
        sources: Sources,
        input: Input,
    ) -> Watched {
        let (sender, progress) = watch::channel(RunProgress::default());
        let sender = Arc::new(sender);
        let watched = Watched {
            progress,
            cancel: self.stop.child_token(),
        };
        if let Some(entry) = locked(&self.active).get_mut(&claim.thread) {
            *entry = Some(watched.clone());
        }
        settings.progress = Arc::new(Tee {
            inner: Arc::clone(&settings.progress),
            sender: Arc::clone(&sender),
        });
        let cancel = watched.cancel.clone();
        self.tasks.spawn(async move {
            let thread = claim.thread.thread;
            let finish = Finish::of(invoke(settings, sources, thread, input, cancel).await);
            // The thread is free before anybody learns of the end: whoever asks then must not be
            // told that the run is still on.
            drop(claim);
            sender.send_modify(|progress| progress.finished = Some(finish));
        });
        watched
    }

    /// A run that had nothing to do.
    pub(crate) fn remember_idle(&self, thread: ThreadKey) -> RunId {
        let run = RunId::new(Uuid::now_v7());
        let mut idle = locked(&self.idle);
        if idle.len() >= REMEMBERED {
            idle.pop_front();
        }
        idle.push_back((thread, run));
        run
    }

    /// Whether this was a run that had nothing to do.
    pub(crate) fn was_idle(&self, thread: &ThreadKey, run: RunId) -> bool {
        locked(&self.idle)
            .iter()
            .any(|(key, idle)| key == thread && *idle == run)
    }

    /// The run at work on a thread, if it is this one.
    pub(crate) fn watched(&self, thread: &ThreadKey, run: RunId) -> Option<Watched> {
        let watched = locked(&self.active).get(thread).cloned().flatten()?;
        let same = watched
            .progress
            .borrow()
            .started
            .is_some_and(|(started, _)| started == run);
        same.then_some(watched)
    }

    /// Whether a run is at work on a thread.
    pub(crate) fn is_active(&self, thread: &ThreadKey) -> bool {
        locked(&self.active).contains_key(thread)
    }

    /// A token that is cancelled when the server goes down.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stop.child_token()
    }

    /// Lets the way down wait for this.
    pub(crate) fn tracked<F: Future>(&self, call: F) -> impl Future<Output = F::Output> {
        self.tasks.track_future(call)
    }

    /// Cancels every run and waits until they are over, for a while.
    pub(crate) async fn shut_down(&self, within: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(within, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                runs = self.tasks.len(),
                "runs are still at work; they can be continued later"
            );
        }
    }
}

/// A thread that is taken for one run; free again when this is dropped.
pub(crate) struct Claim {
    active: Active,
    thread: ThreadKey,
    _slot: OwnedSemaphorePermit,
}

impl Drop for Claim {
    fn drop(&mut self) {
        locked(&self.active).remove(&self.thread);
    }
}

/// Tells the waiting clients what the program's own sink is told. Never blocks.
struct Tee {
    inner: Arc<dyn ProgressSink>,
    sender: Arc<watch::Sender<RunProgress>>,
}

impl ProgressSink for Tee {
    fn progress(&self, progress: &Progress<'_>) {
        self.inner.progress(progress);
        if let Progress::Event { seq, event } = progress {
            let seq = *seq;
            self.sender.send_modify(|known| {
                known.seq = seq;
                if let EventBody::RunStarted { run, .. } = &event.body {
                    known.started.get_or_insert((*run, seq));
                }
            });
        }
    }
}

/// Nothing is half-done behind these locks when a holder panics.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
