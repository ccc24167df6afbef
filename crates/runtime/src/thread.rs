//! The machine: an event and a state make the next state; a state alone says what is outstanding.

mod transitions;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::agent::AgentSpec;
use crate::budget::Budget;
use crate::builtin::tools_of;
use crate::effect::{Answer, Attempt, Effect, EffectKey};
use crate::event::{Event, EventBody, RunOutcome};
use crate::ids::{FramePath, InterruptId, ToolCallId};
use crate::message::ModelRequest;
use crate::state::{CallState, Frame, Phase, RunCounts, ThreadState, ThreadStatus};

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
    /// The run is about to end, so nothing new may start.
    #[error("the run is ending; nothing new may start")]
    Ending,
}

impl Thread {
    /// A thread to which nothing has happened.
    pub fn new(spec: impl Into<Arc<AgentSpec>>) -> Self {
        let spec = spec.into();
        let state = ThreadState::new(spec.name.clone());
        Self { spec, state }
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
                };
                self.take_reply(frame, &reply);
            }
            EventBody::ModelFailed {
                frame,
                error,
                retryable,
                usage,
            } => {
                self.count(*usage);
                self.take_model_failure(frame, error, *retryable);
            }
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
                if let Some(open) = self.state.interrupts.remove(interrupt_id)
                    && let Some(call) = self.call_mut(&open.frame, &open.call.id)
                {
                    *call = CallState::Outstanding {
                        started: false,
                        answer: Some(Answer {
                            question: open.payload,
                            answer: answer.clone(),
                            by: by.clone(),
                        }),
                    };
                }
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
            EventBody::RunStarted { .. } | EventBody::HumanSaid { .. } => Ok(()),
            EventBody::CancelRequested { .. }
            | EventBody::BudgetExhausted { .. }
            | EventBody::RunEnded { .. } => running(),
            EventBody::ModelReplied { frame, .. } | EventBody::ModelFailed { frame, .. } => {
                running()?;
                match self.state.frames.get(frame) {
                    Some(open) if open.awaits_model() => Ok(()),
                    Some(open) if !open.closed => Err(ApplyError::NotAwaitingModel(frame.clone())),
                    Some(_) | None => Err(ApplyError::UnknownFrame(frame.clone())),
                }
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
                self.check_outstanding(frame, call_id)
            }
            EventBody::InterruptAnswered { interrupt_id, .. } => {
                if self.state.interrupts.contains_key(interrupt_id) {
                    return Ok(());
                }
                Err(ApplyError::UnknownInterrupt(*interrupt_id))
            }
        }
    }

    /// Everything that is outstanding now. A pure function of the state: whoever drives starts
    /// what it has not in flight yet. Requests are built in full; a driver with much in flight
    /// asks [`Thread::outstanding`] for the keys and [`Thread::effect`] for what is new.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        self.outstanding()
            .iter()
            .filter_map(|key| self.effect(key))
            .collect()
    }

    /// The identities of everything that is outstanding now, without building the requests.
    #[must_use]
    pub fn outstanding(&self) -> Vec<EffectKey> {
        match self.state.phase {
            Phase::Running => {}
            Phase::Idle | Phase::Ended(_) => return Vec::new(),
        }
        if self.ending().is_some() {
            return vec![EffectKey::End];
        }
        let mut turns_left = self
            .state
            .run
            .as_ref()
            .map_or(0, |run| run.budgets.max_steps.saturating_sub(run.steps));
        let mut keys = Vec::new();
        for (path, frame) in self.state.frames.iter().filter(|(_, frame)| !frame.closed) {
            if frame.awaits_model() {
                if turns_left > 0 {
                    turns_left -= 1;
                    keys.push(EffectKey::Model(path.clone()));
                }
                continue;
            }
            for slot in &frame.calls {
                match &slot.state {
                    CallState::Outstanding { .. } => {
                        keys.push(EffectKey::Tool(path.clone(), slot.call.id.clone()));
                    }
                    CallState::Interrupted(id) => keys.push(EffectKey::Person(*id)),
                    CallState::Delegated | CallState::Answered(_) => {}
                }
            }
        }
        keys
    }

    /// One outstanding effect in full, or `None` if it is not outstanding (any more).
    #[must_use]
    pub fn effect(&self, key: &EffectKey) -> Option<Effect> {
        match key {
            EffectKey::Model(path) => {
                let frame = self
                    .state
                    .frames
                    .get(path)
                    .filter(|frame| frame.awaits_model())?;
                let spec = self.spec_of(path)?;
                Some(Effect::CallModel {
                    frame: path.clone(),
                    request: ModelRequest {
                        agent: spec.name.clone(),
                        system: spec.system_prompt.clone(),
                        messages: frame.messages.clone(),
                        tools: tools_of(spec),
                    },
                    attempt: frame.model_failures.saturating_add(1),
                })
            }
            EffectKey::Tool(path, call) => {
                let frame = self.state.frames.get(path).filter(|frame| !frame.closed)?;
                let slot = frame.slot(call)?;
                let CallState::Outstanding { started, answer } = &slot.state else {
                    return None;
                };
                Some(Effect::CallTool {
                    frame: path.clone(),
                    agent: frame.agent.clone(),
                    call: slot.call.clone(),
                    answer: answer.clone(),
                    attempt: if *started {
                        Attempt::OutcomeUnknown
                    } else {
                        Attempt::First
                    },
                })
            }
            EffectKey::Person(id) => self.state.interrupts.get(id).map(|open| Effect::AskPerson {
                interrupt_id: open.id,
                payload: open.payload.clone(),
            }),
            EffectKey::End => self.ending().map(|outcome| Effect::EndRun { outcome }),
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

    /// Where the thread stands.
    #[must_use]
    pub fn status(&self) -> ThreadStatus {
        match &self.state.phase {
            Phase::Idle => ThreadStatus::Idle,
            Phase::Ended(outcome) => ThreadStatus::Ended(outcome.clone()),
            Phase::Running => {
                let only_people = self
                    .outstanding()
                    .iter()
                    .all(|key| matches!(key, EffectKey::Person(_)));
                if only_people {
                    ThreadStatus::Interrupted
                } else {
                    ThreadStatus::Running
                }
            }
        }
    }

    /// When the present run's working time ends; for the driver's timer, which then logs
    /// `BudgetExhausted`. `None` while no time passes: no run is on, or only a person is awaited.
    #[must_use]
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        match self.status() {
            ThreadStatus::Running => self.state.run.as_ref().map(RunCounts::deadline),
            ThreadStatus::Idle | ThreadStatus::Interrupted | ThreadStatus::Ended(_) => None,
        }
    }

    /// How the run is to end, if nothing else may happen any more.
    fn ending(&self) -> Option<RunOutcome> {
        match self.state.phase {
            Phase::Running => {}
            Phase::Idle | Phase::Ended(_) => return None,
        }
        let state = &self.state;
        let main = state.frames.get(&FramePath::main())?;
        if main.is_finished() {
            let text = main.last_text().unwrap_or_default().to_owned();
            return Some(RunOutcome::Completed { text });
        }
        if let Some(by) = &state.cancelled_by {
            return Some(RunOutcome::Cancelled { by: by.clone() });
        }
        if let Some(error) = &state.failure {
            return Some(RunOutcome::Failed {
                error: error.clone(),
            });
        }
        self.exhausted()
            .map(|budget| RunOutcome::BudgetExhausted { budget })
    }

    /// Whether a call that was outstanding may still be started. Time may run out between a
    /// driver's look at the effects and its start of the last of them: that one may begin, and
    /// the run ends right after. Nothing else may.
    fn may_start(&self) -> bool {
        let counted_out = Some(RunOutcome::BudgetExhausted {
            budget: Budget::Time,
        });
        self.ending().is_none() || (self.ending() == counted_out && self.state.exhausted.is_none())
    }

    fn exhausted(&self) -> Option<Budget> {
        let state = &self.state;
        if let Some(budget) = state.exhausted {
            return Some(budget);
        }
        let run = state.run.as_ref()?;
        if run.tool_calls > run.budgets.max_tool_calls {
            Some(Budget::ToolCalls)
        } else if run.usage.total() >= run.budgets.max_tokens {
            Some(Budget::Tokens)
        } else if state.last_at.is_some_and(|at| at >= run.deadline()) {
            Some(Budget::Time)
        } else if run.steps >= run.budgets.max_steps
            && state.frames.values().any(Frame::awaits_model)
        {
            Some(Budget::Steps)
        } else {
            None
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
            Some(CallState::Interrupted(_) | CallState::Delegated | CallState::Answered(_))
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
