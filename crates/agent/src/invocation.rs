//! One invocation's life: make a context, run on its own cell, clear, always.

use std::collections::BTreeMap;

use ecs_agent_credentials::{
    Cell, CellError, ClearGuard, CredentialContext, InvocationId, SessionIdentity, Sink, Sources,
};
use ecs_agent_runtime::{Budget, InterruptId, RunId, RunOutcome, ThreadId};
use ecs_agent_store::{AuditChain, RunOwner};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::agent::{AgentError, EcsDeepAgent, Input};
use crate::books::Books;
use crate::driver::Stop;
use crate::exits;
use crate::log::ThreadLog;
use crate::settings::InvocationSettings;
use crate::trail::AuditTrail;

/// What an invocation left behind.
#[derive(Debug)]
pub struct InvocationResult {
    /// The thread.
    pub thread: ThreadId,
    /// The invocation.
    pub invocation: InvocationId,
    /// How it ended.
    pub status: InvocationStatus,
    /// The thread's typed state.
    pub values: BTreeMap<String, Value>,
    /// The thread's files.
    pub files: BTreeMap<String, String>,
    /// AWS calls made.
    pub calls: usize,
    /// How often their requests were sent, retries included, whether or not an answer came.
    pub attempts: usize,
    /// AWS's ids of the calls' last answers. A call that was never answered has none.
    pub request_ids: Vec<String>,
    /// Whether the credential context was wiped. Never false.
    pub context_cleared: bool,
    /// How long the audit chain was at the end, and the hash of its last record. Kept somewhere
    /// else, it shows later whether the chain was cut or written anew.
    pub audit: AuditChain,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum InvocationStatus {
    /// The main agent said its last word.
    Done {
        /// The last word.
        text: String,
    },
    /// People's answers are needed; the thread waits, the credentials are gone.
    Interrupted(Vec<OpenInterrupt>),
    /// Someone asked for the end.
    Cancelled,
    /// A limit was reached; what was found is kept.
    BudgetExhausted {
        /// Which limit.
        budget: Budget,
    },
    /// It could not go on; what was found is kept.
    Failed {
        /// Why.
        error: String,
    },
}

/// One open question.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenInterrupt {
    /// Its name.
    pub id: InterruptId,
    /// What is asked.
    pub payload: Value,
}

/// Why an invocation has no result.
#[derive(Debug, thiserror::Error)]
pub enum InvocationError {
    /// The agent could not run.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The cell ended before the agent did. The context is cleared all the same.
    #[error("the invocation ended abnormally")]
    Cell(#[from] CellError),
}

/// Runs one invocation on a thread: the graph's one node.
///
/// Makes an empty credential context, runs the agent on a cell of its own, and clears the context
/// whatever happens: return, error, panic, cancellation, or the caller dropping this future.
///
/// # Errors
/// [`InvocationError`]. The thread's log holds whatever was reached.
///
/// # Cancel safety
/// Dropping the future ends the cell and clears the context; [`Input::Continue`] takes the thread
/// up again.
pub async fn invoke(
    settings: InvocationSettings,
    sources: Sources,
    thread: ThreadId,
    input: Input,
    cancel: CancellationToken,
) -> Result<InvocationResult, InvocationError> {
    let invocation = InvocationId::new(Uuid::now_v7());
    // The cell's own token stays untouched: cancelling is an event, so that it is logged and a
    // change to AWS in flight is waited for.
    let on_cell = settings.clone();
    let owner = RunOwner::this_process(RunId::new(Uuid::now_v7()));
    let mut record = Record {
        settings,
        thread,
        invocation,
        owner: owner.clone(),
        caller_waits: true,
    };
    let ran = Cell::run(
        &invocation.to_string(),
        CancellationToken::new(),
        move || run_on_cell(on_cell, sources, thread, input, cancel, invocation, owner),
    )
    .await;
    record.caller_waits = false;
    match ran {
        Ok(outcome) => Ok(outcome?),
        Err(crash) => {
            record.close().await?;
            Err(crash.into())
        }
    }
}

/// The record of an invocation that may end before it can close its record itself.
struct Record {
    settings: InvocationSettings,
    thread: ThreadId,
    invocation: InvocationId,
    owner: RunOwner,
    /// Cleared when the cell has ended. Until then a drop means that the caller has gone.
    caller_waits: bool,
}

impl Record {
    async fn close(&self) -> Result<(), AgentError> {
        Books::close_after_crash(&self.settings, self.thread, self.invocation, &self.owner).await
    }
}

impl Drop for Record {
    /// Closes the record of an invocation that nobody waits for any longer: otherwise its thread
    /// would stay taken until the lease ends, and the audit would not say how it ended.
    fn drop(&mut self) {
        if !self.caller_waits {
            return;
        }
        let record = Self {
            settings: self.settings.clone(),
            caller_waits: false,
            owner: self.owner.clone(),
            ..*self
        };
        // Dropping the cell has waited for its thread. This waits for one more write, on a thread
        // of its own, since there may be a runtime on this one.
        let closing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            match runtime.map(|runtime| runtime.block_on(record.close())) {
                Ok(Ok(())) => {}
                // Nobody is left to be told; the lease ends by itself.
                Ok(Err(_)) | Err(_) => tracing::error!(
                    thread = %record.thread,
                    "the record of a dropped invocation could not be closed"
                ),
            }
        });
        // A thread that panicked has closed nothing, and there is nobody to tell.
        let _ = closing.join();
    }
}

async fn run_on_cell(
    settings: InvocationSettings,
    sources: Sources,
    thread: ThreadId,
    input: Input,
    cancel: CancellationToken,
    invocation: InvocationId,
    owner: RunOwner,
) -> Result<InvocationResult, AgentError> {
    let context = CredentialContext::guarded(
        invocation,
        settings.region.clone(),
        settings.endpoints.clone(),
        settings.leak_guard.clone(),
    );
    let guard = ClearGuard::new(context.clone());
    if let Some(person) = &settings.person {
        sources.act_as(session_of(person, &settings, thread, invocation));
    }
    let person = sources.person().map(str::to_owned);
    let sources = sources.watched_by(&context);
    let trail = AuditTrail::new(settings.clone(), thread, context.clone(), person);
    let books = Books::open(&settings, thread, owner, trail.clone()).await?;
    let agent = EcsDeepAgent::builder()
        .credential_context(context.clone(), sources)
        .settings(settings)
        .trail(trail.clone())
        .build(thread)?;
    let ran = run_on_record(&agent, input, &cancel, &trail).await;
    let left = ran.as_ref().ok();
    let left = left.map(|(_, log)| (log.state().values().clone(), log.files()));
    // On a hit the context knows, which is what decides below.
    let _withheld = exits::inspect(&context, Sink::ThreadState, &left);
    drop(guard);
    let audit = books
        .close(ran.as_ref().ok().map(|(_, log)| log), &context)
        .await?;
    // The guard's word comes first: what else went wrong then is a consequence of it.
    if let Some(blocked) = context.withheld() {
        return Err(blocked.into());
    }
    let (stop, log) = ran?;
    let (values, files) = left.unwrap_or_default();
    let calls = context.calls();
    let attempts = calls.iter().map(|call| call.attempts as usize).sum();
    Ok(InvocationResult {
        thread,
        invocation,
        status: status(stop, &log),
        values,
        files,
        calls: calls.len(),
        attempts,
        request_ids: calls
            .into_iter()
            .filter_map(|call| call.request_id)
            .collect(),
        context_cleared: context.is_cleared(),
        audit,
    })
}

/// What AWS's audit trail will say: the invocation, the person, the tenant and the thread.
fn session_of(
    person: &str,
    settings: &InvocationSettings,
    thread: ThreadId,
    invocation: InvocationId,
) -> SessionIdentity {
    let named = SessionIdentity::of(invocation).on_behalf_of(person);
    let tagged = named
        .clone()
        .with_tag("tenant", settings.tenant.tenant().as_str())
        .and_then(|session| session.with_tag("thread", &thread.as_uuid().to_string()));
    // INVARIANT: a tenant's and a thread's id are words that STS takes.
    tagged.unwrap_or(named)
}

/// Runs the agent while the trail is written beside it. A trail that cannot be written ends the
/// run: nothing is done that nobody can account for.
async fn run_on_record(
    agent: &EcsDeepAgent,
    input: Input,
    cancel: &CancellationToken,
    trail: &AuditTrail,
) -> Result<(Stop, ThreadLog), AgentError> {
    let stop = CancellationToken::new();
    let mut follow = std::pin::pin!(trail.follow(&stop));
    tokio::select! {
        ran = agent.run(input, cancel) => {
            // What is being written is written to its end.
            stop.cancel();
            follow.await?;
            ran
        }
        failed = &mut follow => {
            failed?;
            // INVARIANT: it follows until it is stopped, and nobody stopped it.
            Err(AgentError::Unrecorded)
        }
    }
}

fn status(stop: Stop, log: &ThreadLog) -> InvocationStatus {
    match stop {
        Stop::Interrupted => InvocationStatus::Interrupted(
            log.state()
                .interrupts()
                .values()
                .map(|open| OpenInterrupt {
                    id: open.id,
                    payload: open.payload.clone(),
                })
                .collect(),
        ),
        Stop::Ended(RunOutcome::Completed { text }) => InvocationStatus::Done { text },
        Stop::Ended(RunOutcome::Cancelled { .. }) => InvocationStatus::Cancelled,
        Stop::Ended(RunOutcome::BudgetExhausted { budget }) => {
            InvocationStatus::BudgetExhausted { budget }
        }
        Stop::Ended(RunOutcome::Failed { error }) => InvocationStatus::Failed { error },
    }
}
