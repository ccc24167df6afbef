//! Carries out what the state machine asks for, and logs each outcome before anything follows
//! from it.
//!
//! The driver is the boring half: [`Thread::outstanding`](ecs_agent_runtime::Thread::outstanding)
//! says what is outstanding, the driver starts whatever is not in flight, and every completion
//! becomes an event. It keeps nothing that is not in the log, so a process that dies anywhere is
//! continued by folding the log again.

mod files;
mod models;
mod streaming;

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use ecs_agent_runtime::{
    AgentName, Attempt, Budget, Effect, EffectKey, EventBody, FramePath, InterruptId, Message,
    ModelRequest, RunOutcome, ToolCall, ToolCallId, ToolOutcome,
};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::exits::LEAK_GUARD;
use crate::log::{LogError, ThreadLog};
use crate::runbook::RunbookModel;
use crate::session::Session;
use crate::settings::Oversight;
use crate::supervision::{Standing, closing, takeovers};
use crate::tools::{Intent, ToolInput, ToolReply, Toolbox};

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

/// What is in flight. Reads may be dropped at any moment; a change to AWS is always waited for.
struct Flight<'a> {
    reads: InFlight<'a>,
    writes: InFlight<'a>,
    busy: BTreeSet<EffectKey>,
}

impl Flight<'_> {
    fn is_empty(&self) -> bool {
        self.reads.is_empty() && self.writes.is_empty()
    }
}

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
    let mut flight = Flight {
        reads: FuturesUnordered::new(),
        writes: FuturesUnordered::new(),
        busy: BTreeSet::new(),
    };
    let mut stopping = false;

    loop {
        // Something was withheld: whatever it was, this run cannot be trusted with credentials.
        if !stopping && session.context.withheld().is_some() && !is_ending(log) {
            stopping = true;
            flight.reads.clear();
            let by = LEAK_GUARD.to_owned();
            log.append(EventBody::CancelRequested { by }).await?;
        }
        let mut asked = false;
        for key in log.thread().outstanding() {
            if flight.busy.contains(&key) {
                continue;
            }
            // Starting one effect can make another one moot.
            let Some(effect) = log.thread().effect(&key) else {
                continue;
            };
            match effect {
                Effect::EndRun { outcome } => {
                    if flight.writes.is_empty() {
                        let outcome = last_words(log, session, outcome);
                        log.append(EventBody::RunEnded {
                            outcome: outcome.clone(),
                        })
                        .await?;
                        return Ok(Stop::Ended(outcome));
                    }
                    flight.reads.clear();
                }
                Effect::AskPerson { .. } => {}
                Effect::RaiseInterrupt {
                    frame,
                    call_id,
                    payload,
                } => {
                    log.append(raise(frame, call_id, payload)).await?;
                    asked = true;
                }
                other @ (Effect::CallModel { .. }
                | Effect::Compact { .. }
                | Effect::UseFiles { .. }
                | Effect::CallTool { .. }) => {
                    start(other, key, log, session, toolbox, &mut flight).await?
                }
            }
        }
        if flight.is_empty() {
            // A question that could not be logged as it was has been answered by a notice.
            if asked {
                continue;
            }
            return Ok(Stop::Interrupted);
        }

        let remaining = log.remaining_time();
        let Flight {
            reads,
            writes,
            busy,
        } = &mut flight;
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

/// Starts what takes its time.
async fn start<'a>(
    effect: Effect,
    key: EffectKey,
    log: &mut ThreadLog,
    session: &'a Session,
    toolbox: &'a Toolbox,
    flight: &mut Flight<'a>,
) -> Result<(), LogError> {
    match effect {
        Effect::CallModel {
            frame,
            request,
            attempt,
            fallback,
            not_before,
            may_shorten,
        } => {
            let call = models::Call {
                oversight: oversight(log, session, &frame, &request),
                frame,
                request,
                attempt,
                fallback,
                not_before,
                may_shorten,
                attempts: session.settings.budgets.max_model_attempts,
            };
            let ask = models::ask(session, call);
            flight.reads.push(keyed(key.clone(), ask));
        }
        Effect::Compact {
            frame,
            request,
            fallback,
            keep_from,
            clip_chars,
            plain_summary,
        } => {
            let summary = models::summarise(session, request, fallback, plain_summary);
            let event = async move {
                let (summary, usage) = summary.await;
                EventBody::Compacted {
                    frame,
                    keep_from,
                    clip_chars,
                    summary,
                    usage,
                }
            };
            flight.reads.push(keyed(key.clone(), event));
        }
        Effect::UseFiles {
            frame,
            call_id,
            operation,
            attempt,
        } => {
            if attempt == Attempt::First {
                log.append_intent(&frame, &call_id, &Intent::Reads).await?;
            }
            let files = log.state().files().clone();
            let event = async move {
                EventBody::ToolReturned {
                    frame,
                    call_id,
                    outcome: files::carry_out(session, operation, files).await,
                }
            };
            flight.reads.push(keyed(key.clone(), event));
        }
        Effect::CallTool {
            frame,
            agent,
            call,
            answer,
            attempt,
        } => {
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
                        let done = std::future::ready(refused);
                        flight.reads.push(keyed(key.clone(), done));
                        flight.busy.insert(key);
                        return Ok(());
                    }
                    appended => appended?,
                }
            }
            let work = keyed(
                key.clone(),
                call_tool(session, toolbox, frame, agent, call, input),
            );
            match intent {
                Intent::Reads => flight.reads.push(work),
                Intent::BeginsPlan { .. } | Intent::Writes => flight.writes.push(work),
            }
        }
        Effect::AskPerson { .. } | Effect::RaiseInterrupt { .. } | Effect::EndRun { .. } => {
            return Ok(());
        }
    }
    flight.busy.insert(key);
    Ok(())
}

fn keyed<'a>(
    key: EffectKey,
    work: impl Future<Output = EventBody> + 'a,
) -> LocalBoxFuture<'a, Completion> {
    Box::pin(async move { (key, work.await) })
}

fn is_ending(log: &ThreadLog) -> bool {
    log.thread().outstanding() == [EffectKey::End]
}

fn intent_of(toolbox: &Toolbox, agent: &AgentName, call: &ToolCall, input: &ToolInput) -> Intent {
    toolbox
        .find(agent.as_str(), &call.name)
        .map_or(Intent::Reads, |tool| tool.intent(input))
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

/// What the runbook needs to watch over one model call: the work, and the whole history, also where
/// the model reads a summary of it.
fn oversight(
    log: &ThreadLog,
    session: &Session,
    frame: &FramePath,
    request: &ModelRequest,
) -> Option<models::Watched> {
    let standing = standing(log, session)?;
    let messages = log.state().frame(frame)?.messages().to_vec();
    let history = ModelRequest {
        messages,
        ..request.clone()
    };
    Some(models::Watched { standing, history })
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
    frame: FramePath,
    agent: AgentName,
    call: ToolCall,
    input: ToolInput,
) -> EventBody {
    let reply = match toolbox.find(agent.as_str(), &call.name) {
        None => ToolReply::Returned(ToolOutcome::error(format!(
            "agent `{agent}` has no tool `{}`",
            call.name
        ))),
        Some(tool) => survive(tool.call(session, input)).await,
    };
    match reply {
        ToolReply::Returned(outcome) => EventBody::ToolReturned {
            frame,
            call_id: call.id,
            outcome,
        },
        ToolReply::Ask(payload) => raise(frame, call.id, payload),
    }
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

fn raise(frame: FramePath, call_id: ToolCallId, payload: Value) -> EventBody {
    EventBody::InterruptRaised {
        frame,
        call_id,
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
