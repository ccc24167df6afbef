//! The machine: an event and a state make the next state; a state alone says what is outstanding.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::agent::AgentSpec;
use crate::budget::Budget;
use crate::builtin::{self, Builtin, TaskArguments, tools_of};
use crate::effect::{Answer, Attempt, Effect, EffectKey};
use crate::event::{Event, EventBody, RunOutcome};
use crate::ids::{FramePath, InterruptId, RunId, ToolCallId};
use crate::large_result;
use crate::message::{Message, ModelRequest, ToolCall, ToolOutcome, ToolStatus, Usage};
use crate::path::FilePath;
use crate::schema;
use crate::state::{
    CallSlot, CallState, Frame, OpenInterrupt, Phase, RunCounts, ThreadState, ThreadStatus,
};

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
                usage,
            } => {
                self.take_reply(frame, text, tool_calls, *usage);
            }
            EventBody::ModelFailed {
                frame,
                error,
                retryable,
            } => {
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
                if self.ending().is_some() {
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
    /// what it has not in flight yet.
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

    /// The time in which only a person was awaited, or no process was running, is not counted.
    fn stop_the_clock_for_idle_time(&mut self, event: &Event) {
        let idle = match self.status() {
            ThreadStatus::Interrupted => true,
            // A run that starts while another is on: the other one died at some point since.
            ThreadStatus::Running => matches!(event.body, EventBody::RunStarted { .. }),
            ThreadStatus::Idle | ThreadStatus::Ended(_) => false,
        };
        if let (true, Some(last), Some(run)) = (idle, self.state.last_at, &mut self.state.run) {
            run.pause(last, event.at);
        }
    }

    fn start_run(&mut self, run: RunId, mut counts: RunCounts) {
        match (&self.state.phase, &self.state.run) {
            (Phase::Running, Some(died)) => counts.carry(died),
            (Phase::Running, None) | (Phase::Idle | Phase::Ended(_), _) => {}
        }
        counts.run = run;
        self.state.run = Some(counts);
        self.state.phase = Phase::Running;
        self.clear_the_reasons_to_end();
    }

    fn clear_the_reasons_to_end(&mut self) {
        self.state.cancelled_by = None;
        self.state.exhausted = None;
        self.state.failure = None;
        for frame in self.state.frames.values_mut() {
            frame.model_failures = 0;
        }
    }

    fn start_turn(&mut self, text: &str, at: DateTime<Utc>) {
        self.drop_outstanding_work();
        if let Some(main) = self.state.frames.get_mut(&FramePath::main()) {
            main.turn_start = main.messages.len();
            main.model_failures = 0;
            main.messages.push(Message::Human {
                text: text.to_owned(),
            });
        }
        if let (Phase::Ended(_), Some(run)) = (&self.state.phase, &self.state.run) {
            self.state.run = Some(RunCounts::new(run.run, run.budgets, at));
            self.state.phase = Phase::Running;
            self.clear_the_reasons_to_end();
        }
    }

    /// Answers every outstanding call of the main agent, so that its messages stay whole, and
    /// closes every subagent. What was started is remembered: its outcome may still come.
    fn drop_outstanding_work(&mut self) {
        self.state.interrupts.clear();
        for (path, frame) in &mut self.state.frames {
            for slot in &mut frame.calls {
                let (started, text) = match &slot.state {
                    CallState::Answered(_) => continue,
                    CallState::Outstanding { started: true, .. } => (
                        true,
                        "Not finished before the person's next message. Its outcome is unknown: look before repeating it.",
                    ),
                    CallState::Outstanding { started: false, .. } => {
                        (false, "Not done: the person's next message came first.")
                    }
                    CallState::Interrupted(_) => (
                        false,
                        "Not done: the person wrote a new message instead of answering.",
                    ),
                    CallState::Delegated => (
                        false,
                        "The subagent was stopped by the person's next message.",
                    ),
                };
                if started {
                    self.state
                        .abandoned
                        .insert((path.clone(), slot.call.id.clone()));
                }
                slot.state = CallState::Answered(error_message(&slot.call, text));
            }
            settle(frame);
            frame.closed |= !path.is_main();
        }
    }

    fn take_reply(&mut self, path: &FramePath, text: &str, calls: &[ToolCall], usage: Usage) {
        self.state.usage = self.state.usage.plus(usage);
        if let Some(run) = &mut self.state.run {
            run.usage = run.usage.plus(usage);
            run.steps = run.steps.saturating_add(1);
            let calls = u32::try_from(calls.len()).unwrap_or(u32::MAX);
            run.tool_calls = run.tool_calls.saturating_add(calls);
        }
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        frame.model_failures = 0;
        let calls: Vec<ToolCall> = calls
            .iter()
            .map(|call| ToolCall {
                id: fresh_id(&call.id, &mut frame.used_ids),
                ..call.clone()
            })
            .collect();
        frame.messages.push(Message::Ai {
            text: text.to_owned(),
            tool_calls: calls.clone(),
        });
        self.open_calls(path, calls);
        self.settle_and_return(path);
    }

    /// Decides about each call of a turn: carried out here, answered with an error, or left for
    /// the driver.
    fn open_calls(&mut self, path: &FramePath, calls: Vec<ToolCall>) {
        let spec = Arc::clone(&self.spec);
        let Some(spec) = find_spec(&spec, &self.state, path) else {
            return;
        };
        let lists = calls
            .iter()
            .filter(|call| call.name == Builtin::WriteTodos.name())
            .count();
        let mut mutated: BTreeSet<FilePath> = BTreeSet::new();
        let slots: Vec<CallSlot> = calls
            .into_iter()
            .map(|call| {
                let state = match Builtin::of(spec).find(|tool| tool.name() == call.name) {
                    Some(Builtin::Task) => self.delegate(path, &call, spec),
                    Some(Builtin::WriteTodos) if lists > 1 => error(
                        &call,
                        "write_todos replaces the whole list; call it only once a turn",
                    ),
                    Some(tool) => {
                        let first = builtin::mutated_path(tool, &call.arguments)
                            .is_none_or(|file| mutated.insert(file));
                        if first {
                            self.carry_out(path, &call, tool)
                        } else {
                            error(
                                &call,
                                "this turn changes the file already; do it in the next turn",
                            )
                        }
                    }
                    None => offer(&call, spec),
                };
                CallSlot { call, state }
            })
            .collect();
        if let Some(frame) = self.state.frames.get_mut(path) {
            frame.calls = slots;
        }
    }

    fn carry_out(&mut self, path: &FramePath, call: &ToolCall, tool: Builtin) -> CallState {
        if let Err(refusal) = no_object(call) {
            return refusal;
        }
        if let Some(result) = builtin::on_files(tool, &call.arguments, &mut self.state.files) {
            return match result {
                Ok(text) => CallState::Answered(message(call, ToolStatus::Success, text)),
                Err(refusal) => error(call, &refusal.to_string()),
            };
        }
        match builtin::todos(&call.arguments) {
            Ok(todos) => {
                let text = format!("The to-do list has {} items.", todos.len());
                if let Some(frame) = self.state.frames.get_mut(path) {
                    frame.todos = todos;
                }
                CallState::Answered(message(call, ToolStatus::Success, text))
            }
            Err(refusal) => error(call, &refusal.to_string()),
        }
    }

    fn delegate(&mut self, path: &FramePath, call: &ToolCall, spec: &AgentSpec) -> CallState {
        if let Err(refusal) = no_object(call) {
            return refusal;
        }
        let task: TaskArguments = match builtin::arguments(Builtin::Task, &call.arguments) {
            Ok(task) => task,
            Err(refusal) => return error(call, &refusal.to_string()),
        };
        let Some(subagent) = spec.subagent(&task.subagent_type) else {
            let names: Vec<&str> = spec
                .subagents
                .iter()
                .map(|agent| agent.name.as_str())
                .collect();
            let asked: String = task.subagent_type.chars().take(80).collect();
            let text = format!(
                "there is no subagent `{asked}`; there are {}",
                names.join(", ")
            );
            return error(call, &text);
        };
        let mut frame = Frame::new(subagent.name.clone());
        frame.messages.push(Message::Human {
            text: task.description,
        });
        self.state.frames.insert(path.child(call.id.clone()), frame);
        CallState::Delegated
    }

    fn take_model_failure(&mut self, path: &FramePath, reason: &str, retryable: bool) {
        let attempts = self
            .state
            .run
            .as_ref()
            .map_or(1, |run| run.budgets.max_model_attempts);
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        frame.model_failures = frame.model_failures.saturating_add(1);
        if retryable && frame.model_failures < attempts {
            return;
        }
        let tries = frame.model_failures;
        let text = format!(
            "the model of `{}` failed after {tries} tries: {reason}",
            frame.agent
        );
        // A subagent's failure is its caller's to judge; its siblings go on.
        if path.is_main() {
            self.state.failure = Some(text);
        } else {
            self.return_to_caller(path, ToolStatus::Error, text);
        }
    }

    fn take_outcome(&mut self, path: &FramePath, call_id: &ToolCallId, outcome: &ToolOutcome) {
        let mut notes = String::new();
        for (file, content) in &outcome.files {
            let kept =
                file.parse::<FilePath>()
                    .map_err(Into::into)
                    .and_then(|file| match content {
                        Some(content) => self.state.files.put(file, content.clone()),
                        None => {
                            self.state.files.remove(&file);
                            Ok(())
                        }
                    });
            if let Err(reason) = kept {
                notes.push_str(&format!("\n(a file was not kept: {reason})"));
            }
        }
        for (key, value) in &outcome.values {
            if value.is_null() {
                self.state.values.remove(key);
            } else {
                self.state.values.insert(key.clone(), value.clone());
            }
        }
        if self
            .state
            .abandoned
            .remove(&(path.clone(), call_id.clone()))
        {
            return;
        }
        let mut text = large_result::shown(&outcome.text, path, call_id, &mut self.state.files);
        text.push_str(&notes);
        if let Some(slot) = self
            .state
            .frames
            .get_mut(path)
            .and_then(|frame| frame.slot_mut(call_id))
        {
            slot.state = CallState::Answered(message(&slot.call, outcome.status, text));
        }
        self.settle_and_return(path);
    }

    fn raise(
        &mut self,
        path: &FramePath,
        call_id: &ToolCallId,
        id: InterruptId,
        payload: &serde_json::Value,
        at: DateTime<Utc>,
    ) {
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        let agent = frame.agent.clone();
        let Some(slot) = frame.slot_mut(call_id) else {
            return;
        };
        slot.state = CallState::Interrupted(id);
        let open = OpenInterrupt {
            id,
            frame: path.clone(),
            agent,
            call: slot.call.clone(),
            payload: payload.clone(),
            raised_at: at,
        };
        self.state.interrupts.insert(id, open);
        self.state.used_interrupts.insert(id);
    }

    /// Writes a turn's answers down once all are there; a subagent that is done returns its words.
    fn settle_and_return(&mut self, path: &FramePath) {
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        settle(frame);
        if path.is_main() || !frame.is_finished() {
            return;
        }
        let (status, text) = match frame.last_text() {
            Some(text) => (ToolStatus::Success, text.to_owned()),
            None => (
                ToolStatus::Error,
                format!("subagent `{}` ended without a word", frame.agent),
            ),
        };
        self.return_to_caller(path, status, text);
    }

    fn return_to_caller(&mut self, path: &FramePath, status: ToolStatus, text: String) {
        let Some((caller, call)) = path.parent() else {
            return;
        };
        if let Some(frame) = self.state.frames.get_mut(path) {
            frame.closed = true;
        }
        let text = large_result::shown(&text, &caller, call, &mut self.state.files);
        if let Some(slot) = self
            .state
            .frames
            .get_mut(&caller)
            .and_then(|frame| frame.slot_mut(call))
        {
            slot.state = CallState::Answered(message(&slot.call, status, text));
        }
        self.settle_and_return(&caller);
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

    fn call_mut(&mut self, path: &FramePath, call: &ToolCallId) -> Option<&mut CallState> {
        let slot = self.state.frames.get_mut(path)?.slot_mut(call)?;
        Some(&mut slot.state)
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

fn settle(frame: &mut Frame) {
    let done = frame
        .calls
        .iter()
        .all(|slot| matches!(slot.state, CallState::Answered(_)));
    if !done {
        return;
    }
    for slot in std::mem::take(&mut frame.calls) {
        if let CallState::Answered(answer) = slot.state {
            frame.messages.push(answer);
        }
    }
}

/// A call of an own tool is the driver's; anything else is an error that names what there is.
fn offer(call: &ToolCall, spec: &AgentSpec) -> CallState {
    let Some(tool) = spec.tool(&call.name) else {
        let names: Vec<String> = tools_of(spec).into_iter().map(|tool| tool.name).collect();
        let asked: String = call.name.chars().take(80).collect();
        return error(
            call,
            &format!("there is no tool `{asked}`; there are {}", names.join(", ")),
        );
    };
    match schema::check(&tool.input_schema, &call.arguments) {
        Ok(()) => CallState::Outstanding {
            started: false,
            answer: None,
        },
        Err(refusal) => error(
            call,
            &format!("{refusal}; correct the call of `{}`", tool.name),
        ),
    }
}

fn no_object(call: &ToolCall) -> Result<(), CallState> {
    if call.arguments.is_object() {
        return Ok(());
    }
    Err(error(
        call,
        &schema::ArgumentsError::NotAnObject.to_string(),
    ))
}

fn error(call: &ToolCall, text: &str) -> CallState {
    CallState::Answered(error_message(call, text))
}

fn error_message(call: &ToolCall, text: &str) -> Message {
    message(call, ToolStatus::Error, text.to_owned())
}

fn message(call: &ToolCall, status: ToolStatus, text: String) -> Message {
    Message::Tool {
        call_id: call.id.clone(),
        name: call.name.clone(),
        status,
        text,
    }
}

/// The id itself, or with a number if it is empty or the frame has used it.
fn fresh_id(id: &ToolCallId, used: &mut BTreeSet<ToolCallId>) -> ToolCallId {
    let base = if id.as_str().is_empty() {
        "call"
    } else {
        id.as_str()
    };
    let mut fresh = ToolCallId::new(base);
    let mut n = 2_u64;
    while !used.insert(fresh.clone()) {
        fresh = ToolCallId::new(format!("{base}~{n}"));
        n = n.saturating_add(1);
    }
    fresh
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
