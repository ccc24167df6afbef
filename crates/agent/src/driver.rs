//! Carries out what the state machine asks for, and logs each outcome before anything follows
//! from it.
//!
//! The driver is the boring half: [`Thread::effects`] says what is outstanding, the driver starts
//! whatever is not in flight, and every completion becomes an event. It keeps nothing that is not
//! in the log, so a process that dies anywhere is continued by folding the log again.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use ecs_agent_credentials::Sink;
use ecs_agent_models::{ModelReply, NoDeltas};
use ecs_agent_runtime::{
    AgentName, Attempt, Budget, Effect, EffectKey, EventBody, FramePath, InterruptId, Message,
    ModelRequest, RunOutcome, ToolCall, ToolOutcome,
};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::exits::{self, LEAK_GUARD};
use crate::framing::framed;
use crate::log::{LogError, ThreadLog};
use crate::runbook::RunbookModel;
use crate::session::Session;
use crate::settings::Oversight;
use crate::supervision::{self, Standing, closing, takeovers};
use crate::tools::{Intent, ToolInput, ToolReply, Toolbox};

/// Longest wait between two tries of a model call.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// How the driver came to a stop.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The run ended, one way or another.
    Ended(RunOutcome),
    /// Only people's answers are outstanding.
    Interrupted,
}

/// Something in flight that came to an end: whose it was, and the event that says so.
type Completion = (EffectKey, EventBody);
type InFlight<'a> = FuturesUnordered<LocalBoxFuture<'a, Completion>>;

/// Drives the thread until the run ends or waits for a person.
///
/// # Cancel safety
/// Dropping the future leaves a log that can be continued. A change to AWS that was in flight is
/// reconciled by whoever continues.
pub(crate) async fn drive(
    log: &mut ThreadLog,
    session: &Session,
    toolbox: &Toolbox,
    cancel: &CancellationToken,
) -> Result<Stop, LogError> {
    // Reads may be dropped at any moment; a change to AWS is always waited for.
    let mut reads: InFlight<'_> = FuturesUnordered::new();
    let mut writes: InFlight<'_> = FuturesUnordered::new();
    let mut busy: BTreeSet<EffectKey> = BTreeSet::new();
    let mut stopping = false;

    loop {
        // Something was withheld: whatever it was, this run cannot be trusted with credentials.
        if !stopping && session.context.withheld().is_some() && !is_ending(log) {
            stopping = true;
            reads.clear();
            let by = LEAK_GUARD.to_owned();
            log.append(EventBody::CancelRequested { by }).await?;
        }
        for effect in log.thread().effects() {
            let key = effect.key();
            match effect {
                Effect::EndRun { outcome } => {
                    if writes.is_empty() {
                        let outcome = last_words(log, session, outcome);
                        log.append(EventBody::RunEnded {
                            outcome: outcome.clone(),
                        })
                        .await?;
                        return Ok(Stop::Ended(outcome));
                    }
                    reads.clear();
                }
                Effect::AskPerson { .. } => {}
                Effect::CallModel {
                    frame,
                    request,
                    attempt,
                } => {
                    if busy.insert(key.clone()) {
                        let standing = standing(log, session);
                        let asked = ask_model(session, key, frame, request, attempt, standing);
                        reads.push(Box::pin(asked));
                    }
                }
                Effect::CallTool {
                    frame,
                    agent,
                    call,
                    answer,
                    attempt,
                } => {
                    if busy.insert(key.clone()) {
                        let input = ToolInput {
                            arguments: call.arguments.clone(),
                            answer,
                            attempt,
                            values: log.state().values().clone(),
                            said: said(log),
                            takeovers: takeovers(log.state()),
                        };
                        let intent = intent_of(toolbox, &agent, &call, &input);
                        if attempt == Attempt::First {
                            match log.append_intent(&frame, &call.id, &intent).await {
                                Err(error) if error.is_used_approval() => {
                                    log.append_intent(&frame, &call.id, &Intent::Reads).await?;
                                    let refused = refused(frame, call, &error);
                                    reads.push(Box::pin(std::future::ready((key, refused))));
                                    continue;
                                }
                                appended => appended?,
                            }
                        }
                        let work = call_tool(session, toolbox, key, frame, agent, call, input);
                        match intent {
                            Intent::Reads => reads.push(Box::pin(work)),
                            Intent::BeginsPlan { .. } | Intent::Writes => {
                                writes.push(Box::pin(work))
                            }
                        }
                    }
                }
            }
        }
        if reads.is_empty() && writes.is_empty() {
            return Ok(Stop::Interrupted);
        }

        let remaining = log.remaining_time();
        tokio::select! {
            biased;
            Some((key, event)) = writes.next(), if !writes.is_empty() => {
                busy.remove(&key);
                log.append_write_outcome(event).await?;
            }
            () = cancel.cancelled(), if !stopping => {
                stopping = true;
                reads.clear();
                log.append(EventBody::CancelRequested { by: "person".to_owned() }).await?;
            }
            Some((key, event)) = reads.next(), if !reads.is_empty() => {
                busy.remove(&key);
                log.append(event).await?;
            }
            () = tokio::time::sleep(remaining), if !stopping => {
                stopping = true;
                reads.clear();
                log.append(EventBody::BudgetExhausted { budget: Budget::Time }).await?;
            }
        }
    }
}

fn is_ending(log: &ThreadLog) -> bool {
    log.thread().outstanding() == [EffectKey::End]
}

fn intent_of(toolbox: &Toolbox, agent: &AgentName, call: &ToolCall, input: &ToolInput) -> Intent {
    toolbox
        .find(agent.as_str(), &call.name)
        .map_or(Intent::Reads, |tool| tool.intent(input))
}

async fn ask_model(
    session: &Session,
    key: EffectKey,
    frame: FramePath,
    request: ModelRequest,
    attempt: u32,
    standing: Option<Standing>,
) -> Completion {
    let replied = |frame, reply: ModelReply| EventBody::ModelReplied {
        frame,
        text: reply.text,
        tool_calls: reply.tool_calls,
        reasoning: reply.reasoning,
        finish: reply.finish,
        usage: reply.usage,
    };
    if let Some(standing) = &standing
        && let Some(reply) = supervision::before(&request, standing)
    {
        return (key, replied(frame, reply));
    }
    if attempt > 1 {
        let wait = Duration::from_secs(1u64 << attempt.saturating_sub(2).min(5));
        session
            .settings
            .timer
            .sleep(wait.min(LONGEST_BACKOFF))
            .await;
    }
    if exits::inspect(&session.context, Sink::ModelRequest, &request).is_err() {
        return (key, exits::model_refused(frame));
    }
    let shown = framed(request.clone(), &session.frame_key);
    let most = session.settings.budgets.max_model_attempts;
    let event = match (
        session.settings.model.respond(shown, &NoDeltas).await,
        standing,
    ) {
        (Ok(reply), Some(standing)) => {
            replied(frame, supervision::after(&request, reply, &standing))
        }
        (Ok(reply), None) => replied(frame, reply),
        (Err(error), Some(standing)) if !error.is_retryable() || attempt >= most => {
            let reply = supervision::instead_of(&request, &error, &standing);
            replied(frame, reply)
        }
        (Err(error), _) => EventBody::ModelFailed {
            frame,
            error: error.to_string(),
            retryable: error.is_retryable(),
            usage: error.usage(),
        },
    };
    (key, event)
}

/// How far the work is, where the runbook watches over a model; `None` where nobody does.
fn standing(log: &ThreadLog, session: &Session) -> Option<Standing> {
    let settings = &session.settings;
    if settings.oversight == Oversight::None || settings.model.name() == RunbookModel::NAME {
        return None;
    }
    let turn = said(log).len();
    Some(Standing::of(log.state().values(), settings.mode, turn))
}

/// What a person is told at the end: the program's verdict, whatever the model said.
fn last_words(log: &ThreadLog, session: &Session, outcome: RunOutcome) -> RunOutcome {
    match (outcome, standing(log, session)) {
        (RunOutcome::Completed { text }, Some(standing)) => RunOutcome::Completed {
            text: closing(&standing, &text),
        },
        (outcome, _) => outcome,
    }
}

/// What the person said, oldest first. Nobody else speaks to the main agent.
fn said(log: &ThreadLog) -> Vec<String> {
    log.state()
        .messages()
        .iter()
        .filter_map(|message| match message {
            Message::Human { text } => Some(text.clone()),
            Message::Ai { .. } | Message::Tool { .. } => None,
        })
        .collect()
}

async fn call_tool(
    session: &Session,
    toolbox: &Toolbox,
    key: EffectKey,
    frame: FramePath,
    agent: AgentName,
    call: ToolCall,
    input: ToolInput,
) -> Completion {
    let reply = match toolbox.find(agent.as_str(), &call.name) {
        None => ToolReply::Returned(ToolOutcome::error(format!(
            "agent `{agent}` has no tool `{}`",
            call.name
        ))),
        Some(tool) => survive(tool.call(session, input)).await,
    };
    let event = match reply {
        ToolReply::Returned(outcome) => EventBody::ToolReturned {
            frame,
            call_id: call.id,
            outcome,
        },
        ToolReply::Ask(payload) => raise(frame, &call, payload),
    };
    (key, event)
}

/// A second run of a plan: nothing is done, and the agent is told.
fn refused(frame: FramePath, call: ToolCall, error: &LogError) -> EventBody {
    let why =
        std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    EventBody::ToolReturned {
        frame,
        call_id: call.id,
        outcome: ToolOutcome::error(json!({"error": format!("refused: {why}")}).to_string()),
    }
}

fn raise(frame: FramePath, call: &ToolCall, payload: Value) -> EventBody {
    EventBody::InterruptRaised {
        frame,
        call_id: call.id.clone(),
        interrupt_id: InterruptId::new(Uuid::now_v7()),
        payload,
    }
}

/// A tool that panics is a tool that failed: the model reads so and the run goes on.
async fn survive(work: impl Future<Output = ToolReply>) -> ToolReply {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or_else(|_payload| {
            ToolReply::Returned(ToolOutcome::error(
                "the tool failed unexpectedly; its place is in the log of the program",
            ))
        })
}
