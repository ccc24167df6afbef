//! The machine: an event and a state make the next state; a state alone says what is outstanding.

mod approval;
mod calls;
mod compaction;
mod failures;
mod outstanding;
mod transitions;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agent::AgentSpec;
use crate::event::{Event, EventBody};
use crate::ids::{AgentName, FramePath, InterruptId, ToolCallId};
use crate::state::{CallState, Phase, RunCounts, ThreadState};

/// One thread: a definition and the state that its events add up to.
///
/// ```
/// use ecs_agent_runtime::{AgentSpec, Budgets, Effect, Event, EventBody, MessageId, RunId, Thread};
///
/// let at = chrono::DateTime::from_timestamp(0, 0).unwrap();
/// let id = uuid::Uuid::nil();
/// let mut thread = Thread::new(AgentSpec::new("main", "answers", "You answer."));
/// thread.apply(&Event::new(at, EventBody::RunStarted {
///     run: RunId::new(id),
///     budgets: Budgets::default(),
/// }))?;
/// thread.apply(&Event::new(at, EventBody::HumanSaid {
///     id: MessageId::new(id),
///     text: "hello".to_owned(),
/// }))?;
/// assert!(matches!(thread.effects().as_slice(), [Effect::CallModel { .. }]));
/// # Ok::<(), ecs_agent_runtime::ApplyError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Thread {
    spec: Arc<AgentSpec>,
    /// Tokens of each agent's system prompt and tools.
    overheads: Arc<BTreeMap<AgentName, u64>>,
    state: ThreadState,
}

/// Why an event does not fit a thread's state. The state is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The event belongs to a run, and none is on.
    #[error("no run is on; log `run_started` first")]
    NotRunning,
    /// There is no such frame, or its turn is over.
    #[error("frame `{0}` has no open turn")]
    UnknownFrame(FramePath),
    /// The frame does not wait for a model.
    #[error("frame `{0}` does not wait for a model")]
    NotAwaitingModel(FramePath),
    /// The frame has no such call outstanding.
    #[error("frame `{frame}` has no outstanding call `{call}`")]
    UnknownCall {
        /// The frame.
        frame: FramePath,
        /// The call.
        call: ToolCallId,
    },
    /// There is no such open interrupt.
    #[error("`{0}` is not an open interrupt; it may have been answered or dropped")]
    UnknownInterrupt(InterruptId),
    /// The interrupt's id was used before.
    #[error("`{0}` was raised before; use a new id")]
    RepeatedInterrupt(InterruptId),
    /// A person may not decide that.
    #[error("`{given}` is no decision here; answer {{\"decision\": …}} with one of {accepted}")]
    Decision {
        /// What was given.
        given: String,
        /// What may be decided.
        accepted: String,
    },
    /// A compaction would part calls from their answers, or go back.
    #[error("frame `{0}` cannot be compacted at that message")]
    Compaction(FramePath),
    /// The run is about to end, so nothing new may start.
    #[error("the run is ending; nothing new may start")]
    Ending,
}

impl Thread {
    /// A thread to which nothing has happened.
    pub fn new(spec: impl Into<Arc<AgentSpec>>) -> Self {
        let spec = spec.into();
        let state = ThreadState::new(spec.name.clone());
        Self {
            overheads: Arc::new(compaction::overheads(&spec, &state.configuration)),
            spec,
            state,
        }
    }

    /// A thread to which all of this has happened.
    ///
    /// # Errors
    /// The first event that does not fit, which means the log was not written by checking with
    /// [`Thread::check`], or was written with another definition.
    pub fn replay<'a>(
        spec: impl Into<Arc<AgentSpec>>,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<Self, ApplyError> {
        let mut thread = Self::new(spec);
        for event in events {
            thread.apply(event)?;
        }
        Ok(thread)
    }

    /// Takes in one event. Built-in tools are carried out here.
    ///
    /// # Errors
    /// If the event does not fit; the state is then as it was.
    pub fn apply(&mut self, event: &Event) -> Result<(), ApplyError> {
        self.check(event)?;
        self.stop_the_clock_for_idle_time(event);
        self.state.last_at = Some(
            self.state
                .last_at
                .map_or(event.at, |last| last.max(event.at)),
        );
        match &event.body {
            EventBody::RunStarted { run, budgets } => {
                self.start_run(*run, RunCounts::new(*run, *budgets, event.at));
            }
            EventBody::Configured { configuration } => {
                self.overheads = Arc::new(compaction::overheads(&self.spec, configuration));
                self.state.configuration = Arc::new(configuration.clone());
            }
            EventBody::HumanSaid { id: _, text } => self.start_turn(text, event.at),
            EventBody::ModelReplied {
                frame,
                text,
                tool_calls,
                reasoning,
                finish,
                usage,
            } => {
                self.count(*usage);
                let reply = transitions::Reply {
                    text,
                    calls: tool_calls,
                    reasoning,
                    finish: *finish,
                    usage: *usage,
                };
                self.take_reply(frame, &reply);
            }
            EventBody::ModelFailed {
                frame,
                error,
                retryable,
                usage,
                retry_after_ms,
            } => {
                self.count(*usage);
                self.take_model_failure(frame, error, *retryable);
                self.wait_before_retry(frame, event.at, *retry_after_ms);
            }
            EventBody::ModelFellBack { frame, usage, .. } => {
                self.count(*usage);
                self.fall_back(frame);
            }
            EventBody::ContextOverflowed { frame, error } => self.overflow(frame, error),
            EventBody::Compacted {
                frame,
                keep_from,
                clip_chars,
                summary,
                usage,
            } => self.compact(frame, *keep_from, *clip_chars, summary, *usage),
            EventBody::ToolStarted { frame, call_id } => {
                if let Some(CallState::Outstanding { started, .. }) = self.call_mut(frame, call_id)
                {
                    *started = true;
                }
            }
            EventBody::ToolReturned {
                frame,
                call_id,
                outcome,
            } => {
                self.take_outcome(frame, call_id, outcome);
            }
            EventBody::InterruptRaised {
                frame,
                call_id,
                interrupt_id,
                payload,
            } => {
                self.raise(frame, call_id, *interrupt_id, payload, event.at);
            }
            EventBody::InterruptAnswered {
                interrupt_id,
                answer,
                by,
            } => {
                self.take_answer(interrupt_id, answer, by);
            }
            EventBody::CancelRequested { by } => {
                self.state.cancelled_by.get_or_insert_with(|| by.clone());
            }
            EventBody::BudgetExhausted { budget } => {
                self.state.exhausted.get_or_insert(*budget);
            }
            EventBody::RunEnded { outcome } => self.state.phase = Phase::Ended(outcome.clone()),
        }
        Ok(())
    }

    /// Whether an event fits. Check before appending to a log: a log with an event that does not
    /// fit cannot be folded again.
    ///
    /// # Errors
    /// The reason why it does not.
    pub fn check(&self, event: &Event) -> Result<(), ApplyError> {
        let running = || match self.state.phase {
            Phase::Running => Ok(()),
            Phase::Idle | Phase::Ended(_) => Err(ApplyError::NotRunning),
        };
        match &event.body {
            EventBody::RunStarted { .. }
            | EventBody::Configured { .. }
            | EventBody::HumanSaid { .. } => Ok(()),
            EventBody::CancelRequested { .. }
            | EventBody::BudgetExhausted { .. }
            | EventBody::RunEnded { .. } => running(),
            EventBody::ModelReplied { frame, .. }
            | EventBody::ModelFailed { frame, .. }
            | EventBody::ModelFellBack { frame, .. }
            | EventBody::ContextOverflowed { frame, .. } => {
                running()?;
                self.check_awaits_model(frame)
            }
            EventBody::Compacted {
                frame, keep_from, ..
            } => {
                running()?;
                self.check_awaits_model(frame)?;
                self.check_compaction(frame, *keep_from)
            }
            EventBody::ToolStarted { frame, call_id } => {
                running()?;
                if !self.may_start() {
                    return Err(ApplyError::Ending);
                }
                self.check_outstanding(frame, call_id)
            }
            // What a tool did is recorded whenever it is known, even after the run's end.
            EventBody::ToolReturned { frame, call_id, .. } => {
                if self
                    .state
                    .abandoned
                    .contains(&(frame.clone(), call_id.clone()))
                {
                    return Ok(());
                }
                self.check_outstanding(frame, call_id)
            }
            EventBody::InterruptRaised {
                frame,
                call_id,
                interrupt_id,
                ..
            } => {
                running()?;
                if self.state.used_interrupts.contains(interrupt_id) {
                    return Err(ApplyError::RepeatedInterrupt(*interrupt_id));
                }
                self.check_may_ask(frame, call_id)
            }
            EventBody::InterruptAnswered {
                interrupt_id,
                answer,
                ..
            } => self.check_answer(interrupt_id, answer),
        }
    }

    /// The definition.
    #[must_use]
    pub fn spec(&self) -> &AgentSpec {
        &self.spec
    }

    /// What the events add up to.
    #[must_use]
    pub const fn state(&self) -> &ThreadState {
        &self.state
    }

    fn check_awaits_model(&self, path: &FramePath) -> Result<(), ApplyError> {
        match self.state.frames.get(path) {
            Some(open) if open.awaits_model() => Ok(()),
            Some(open) if !open.closed => Err(ApplyError::NotAwaitingModel(path.clone())),
            Some(_) | None => Err(ApplyError::UnknownFrame(path.clone())),
        }
    }

    fn check_outstanding(&self, path: &FramePath, call: &ToolCallId) -> Result<(), ApplyError> {
        let frame = self
            .state
            .frames
            .get(path)
            .filter(|frame| !frame.closed)
            .ok_or_else(|| ApplyError::UnknownFrame(path.clone()))?;
        match frame.slot(call).map(|slot| &slot.state) {
            Some(CallState::Outstanding { .. }) => Ok(()),
            Some(
                CallState::Gated(_)
                | CallState::Interrupted(_)
                | CallState::Delegated
                | CallState::Answered(_),
            )
            | None => Err(ApplyError::UnknownCall {
                frame: path.clone(),
                call: call.clone(),
            }),
        }
    }

    fn spec_of(&self, path: &FramePath) -> Option<&AgentSpec> {
        find_spec(&self.spec, &self.state, path)
    }
}

/// The definition of a frame's agent: found from the main agent inwards.
fn find_spec<'a>(
    main: &'a AgentSpec,
    state: &ThreadState,
    path: &FramePath,
) -> Option<&'a AgentSpec> {
    let mut spec = main;
    let mut at = FramePath::main();
    for call in path.calls() {
        at = at.child(call.clone());
        spec = spec.subagent(state.frames.get(&at)?.agent.as_str())?;
    }
    Some(spec)
}

#[cfg(test)]
mod tests;
