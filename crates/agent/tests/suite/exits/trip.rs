//! The wire that an invocation trips over.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ecs_agent_core::{Progress, ProgressSink, RunbookModel};
use ecs_agent_models::{DeltaSink, Message, Model, ModelError, ModelReply};
use ecs_agent_runtime::{EventBody, ModelRequest};
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Exit, Phase};

/// Told everything that happens on the cell; at its moment it panics, cancels, or says so.
pub(super) struct Trip {
    phase: Phase,
    exit: Exit,
    cancel: CancellationToken,
    lock: Mutex<()>,
    tripped: AtomicBool,
    reached: Notify,
}

impl Trip {
    pub(super) fn new(phase: Phase, exit: Exit, cancel: CancellationToken) -> Self {
        Self {
            phase,
            exit,
            cancel,
            lock: Mutex::new(()),
            tripped: AtomicBool::new(false),
            reached: Notify::new(),
        }
    }

    /// Waits for the moment.
    pub(super) async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Whether this is the moment. A tool's remark is made inside it; an event is told by the
    /// driver, which a panic takes down.
    fn is_it(&self, progress: &Progress<'_>) -> bool {
        let in_the_driver = self.exit == Exit::PanicHoldingALock;
        let specialist = match self.phase {
            Phase::BeforeFill => {
                return matches!(progress, Progress::Event { seq: 2, .. });
            }
            Phase::InASignedCall => "triage-specialist",
            Phase::IntentLogged => "fix-executor",
            Phase::AwaitingApproval | Phase::AtTheEnd => return false,
        };
        match progress {
            Progress::Delta { .. } => false,
            Progress::Note { agent, .. } => !in_the_driver && *agent == specialist,
            Progress::Event { event, .. } => match &event.body {
                EventBody::ToolStarted { call_id, .. } => {
                    in_the_driver && call_id.as_str().starts_with(specialist)
                }
                _ => false,
            },
        }
    }
}

impl ProgressSink for Trip {
    fn progress(&self, progress: &Progress<'_>) {
        if !self.is_it(progress) || self.tripped.swap(true, Ordering::SeqCst) {
            return;
        }
        match self.exit {
            Exit::PanicInATool => panic!("in a tool"),
            Exit::PanicHoldingALock => {
                let _held = self.lock.lock().unwrap();
                panic!("holding a lock");
            }
            // At once, so that nothing more can happen before it.
            Exit::Cancel if self.phase != Phase::InASignedCall => self.cancel.cancel(),
            _ => self.reached.notify_one(),
        }
    }
}

/// The runbook, whose provider refuses one agent: the first time, or once it has seen an answer.
#[derive(Debug)]
pub(super) struct FailsFor(pub(super) &'static str);

impl Model for FailsFor {
    fn name(&self) -> &str {
        "refused"
    }

    fn respond<'a>(
        &'a self,
        request: ModelRequest,
        deltas: &'a dyn DeltaSink,
    ) -> BoxFuture<'a, Result<ModelReply, ModelError>> {
        let is_answer = |message: &Message| matches!(message, Message::Tool { .. });
        let answered = request.messages.iter().any(is_answer);
        if request.agent.as_str() == self.0 && (answered || self.0 == "main") {
            let refused = ModelError::Denied {
                model: "refused".to_owned(),
                reason: "a drill".to_owned(),
            };
            return Box::pin(std::future::ready(Err(refused)));
        }
        RunbookModel.respond(request, deltas)
    }
}
