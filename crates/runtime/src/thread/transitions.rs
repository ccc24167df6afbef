//! What each event does to the state. By the time it gets here it was found to fit.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Thread, find_spec};
use crate::agent::AgentSpec;
use crate::builtin::{self, Builtin, TaskArguments, tools_of};
use crate::event::{Event, EventBody};
use crate::ids::{FramePath, InterruptId, RunId, ToolCallId};
use crate::large_result;
use crate::message::{FinishReason, Message, Reasoning, ToolCall, ToolOutcome, ToolStatus};
use crate::path::FilePath;
use crate::schema;
use crate::state::{CallSlot, CallState, Frame, OpenInterrupt, Phase, RunCounts, ThreadStatus};
use crate::usage::Usage;

/// What a model is told whose words were cut.
const CUT: &str = "Your answer was cut off at the limit of its length and was not used. Say it again, \
                   shorter.";

/// What a model answered, without what it took.
pub(super) struct Reply<'a> {
    pub(super) text: &'a str,
    pub(super) calls: &'a [ToolCall],
    pub(super) reasoning: &'a [Reasoning],
    pub(super) finish: FinishReason,
}

impl Thread {
    /// The time in which only a person was awaited, or no process was running, is not counted.
    pub(super) fn stop_the_clock_for_idle_time(&mut self, event: &Event) {
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

    pub(super) fn start_run(&mut self, run: RunId, mut counts: RunCounts) {
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

    pub(super) fn start_turn(&mut self, text: &str, at: DateTime<Utc>) {
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

    /// Counts what a model call took, whether or not it was answered.
    pub(super) fn count(&mut self, usage: Usage) {
        self.state.usage = self.state.usage.plus(usage);
        if let Some(run) = &mut self.state.run {
            run.usage = run.usage.plus(usage);
        }
    }

    pub(super) fn take_reply(&mut self, path: &FramePath, reply: &Reply<'_>) {
        if let Some(run) = &mut self.state.run {
            run.steps = run.steps.saturating_add(1);
            let calls = u32::try_from(reply.calls.len()).unwrap_or(u32::MAX);
            run.tool_calls = run.tool_calls.saturating_add(calls);
        }
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        frame.model_failures = 0;
        let calls: Vec<ToolCall> = reply
            .calls
            .iter()
            .map(|call| ToolCall {
                id: fresh_id(&call.id, &mut frame.used_ids),
                ..call.clone()
            })
            .collect();
        frame.messages.push(Message::Ai {
            text: reply.text.to_owned(),
            tool_calls: calls.clone(),
            reasoning: reply.reasoning.to_vec(),
        });
        if calls.is_empty() && reply.finish == FinishReason::Truncated {
            frame.messages.push(Message::Human {
                text: CUT.to_owned(),
            });
            return;
        }
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
        if !call.arguments.is_object() {
            return error(call, &schema::ArgumentsError::NotAnObject.to_string());
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
        if !call.arguments.is_object() {
            return error(call, &schema::ArgumentsError::NotAnObject.to_string());
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

    pub(super) fn take_model_failure(&mut self, path: &FramePath, reason: &str, retryable: bool) {
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

    pub(super) fn take_outcome(
        &mut self,
        path: &FramePath,
        call_id: &ToolCallId,
        outcome: &ToolOutcome,
    ) {
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

    pub(super) fn raise(
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

    pub(super) fn call_mut(
        &mut self,
        path: &FramePath,
        call: &ToolCallId,
    ) -> Option<&mut CallState> {
        let slot = self.state.frames.get_mut(path)?.slot_mut(call)?;
        Some(&mut slot.state)
    }
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
