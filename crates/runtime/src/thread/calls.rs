//! The calls of a turn: carried out here, answered with an error, held for a person, or left for
//! the driver; and what becomes of their answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Thread, find_spec};
use crate::agent::AgentSpec;
use crate::budget::Budget;
use crate::builtin::{self, Builtin, TaskArguments, configured_tools_of};
use crate::configuration::is_within;
use crate::context::Wanted;
use crate::file_operation::FileOperation;
use crate::ids::{FramePath, ToolCallId};
use crate::large_result;
use crate::message::{Message, ToolCall, ToolStatus};
use crate::repeats::Verdict;
use crate::schema;
use crate::state::{CallSlot, CallState, Frame};

impl Thread {
    /// Decides about each call of a turn.
    pub(super) fn open_calls(&mut self, path: &FramePath, calls: Vec<ToolCall>) {
        let spec = Arc::clone(&self.spec);
        let Some(spec) = find_spec(&spec, &self.state, path) else {
            return;
        };
        let max_repeats = self
            .state
            .run
            .as_ref()
            .map_or(0, |run| run.budgets.max_repeats);
        let lists = calls
            .iter()
            .filter(|call| call.name == Builtin::WriteTodos.name())
            .count();
        let mut changed: BTreeSet<String> = BTreeSet::new();
        let mut hopeless = false;
        let slots: Vec<CallSlot> = calls
            .into_iter()
            .map(|call| {
                let verdict = self
                    .state
                    .frames
                    .get_mut(path)
                    .map_or(Verdict::New, |frame| {
                        frame.repeats.judge(&call, max_repeats)
                    });
                let state = match verdict {
                    Verdict::New if call.name == Builtin::WriteTodos.name() && lists > 1 => error(
                        &call,
                        "write_todos replaces the whole list; call it only once a turn",
                    ),
                    Verdict::New if !self.claim(&call, spec, &mut changed) => error(
                        &call,
                        "this turn changes the file already; do it in the next turn",
                    ),
                    Verdict::New => self.open_call(path, &call, spec),
                    Verdict::Repeated(times) => error(
                        &call,
                        &format!(
                            "not carried out: this very call gave the same answer {times} times. \
                             Do something else, or answer with what you know"
                        ),
                    ),
                    Verdict::Hopeless => {
                        hopeless = true;
                        error(&call, "not carried out: you repeat yourself")
                    }
                };
                CallSlot {
                    call,
                    state,
                    note: None,
                    refused: verdict != Verdict::New,
                }
            })
            .collect();
        if let Some(frame) = self.state.frames.get_mut(path) {
            frame.calls = slots;
        }
        if hopeless {
            self.give_up(
                path,
                "it made the same call again and again",
                Budget::Repeats,
            );
        }
    }

    /// A turn after which there is no other: nothing that it asks for is carried out.
    pub(super) fn refuse_calls(&mut self, path: &FramePath, calls: Vec<ToolCall>) {
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        frame.calls = calls
            .into_iter()
            .map(|call| CallSlot {
                state: error(&call, "not carried out: it was the last turn"),
                call,
                note: None,
                refused: true,
            })
            .collect();
        self.give_up(path, "it reached its limit of turns", Budget::Steps);
    }

    /// Ends a frame with what is known: a subagent returns to its caller, the main agent's run ends.
    fn give_up(&mut self, path: &FramePath, reason: &str, budget: Budget) {
        if path.is_main() {
            self.state.exhausted.get_or_insert(budget);
            return;
        }
        self.close_frames_inside(path);
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        let mut text = format!("subagent `{}` was stopped: {reason}", frame.agent);
        if let Some(words) = frame.last_text() {
            text.push_str("; its last words: ");
            text.push_str(words);
        }
        for slot in &mut frame.calls {
            if !matches!(slot.state, CallState::Answered(_)) {
                slot.state = error(&slot.call, "not carried out: the agent was stopped");
            }
        }
        settle(frame);
        self.return_to_caller(path, ToolStatus::Error, text);
    }

    /// Closes every frame that was started, directly or not, from a frame that ends.
    fn close_frames_inside(&mut self, path: &FramePath) {
        for (inner, frame) in &mut self.state.frames {
            if inner.is_inside(path) {
                frame.closed = true;
            }
        }
    }

    /// Claims what a call changes for this turn; `false` if an earlier call has it, or a directory
    /// around it.
    fn claim(&self, call: &ToolCall, spec: &AgentSpec, changed: &mut BTreeSet<String>) -> bool {
        let path = self.builtin(spec, &call.name).and_then(|tool| {
            FileOperation::of(tool, &call.arguments)?
                .ok()?
                .changed_path()
        });
        let Some(path) = path else { return true };
        let taken = changed
            .iter()
            .any(|other| is_within(&path, other) || is_within(other, &path));
        changed.insert(path);
        !taken
    }

    fn open_call(&mut self, path: &FramePath, call: &ToolCall, spec: &AgentSpec) -> CallState {
        if let Err(refusal) = self.look_over(call, spec) {
            return error(call, &refusal);
        }
        match self.state.configuration.approvals.get(&call.name) {
            Some(rule) => CallState::Gated(rule.clone()),
            None => self.admit(path, call, spec),
        }
    }

    /// Whether a call could be carried out at all.
    ///
    /// # Errors
    /// What the model has to do differently.
    pub(super) fn look_over(&self, call: &ToolCall, spec: &AgentSpec) -> Result<(), String> {
        if let Some(tool) = self.builtin(spec, &call.name) {
            if !call.arguments.is_object() {
                return Err(not_an_object(call));
            }
            return match FileOperation::of(tool, &call.arguments) {
                Some(Err(refusal)) => Err(refusal.to_string()),
                Some(Ok(operation)) => operation
                    .touches(&self.state.configuration.mounts)
                    .map(|_| ())
                    .map_err(|refusal| refusal.to_string()),
                None => Ok(()),
            };
        }
        let Some(tool) = spec.tool(&call.name) else {
            let names: Vec<String> = configured_tools_of(spec, &self.state.configuration)
                .into_iter()
                .map(|tool| tool.name)
                .collect();
            let asked: String = call.name.chars().take(80).collect();
            return Err(format!(
                "there is no tool `{asked}`; there are {}",
                names.join(", ")
            ));
        };
        schema::check(&tool.input_schema, &call.arguments).map_err(|refusal| match refusal {
            schema::ArgumentsError::NotAnObject => not_an_object(call),
            schema::ArgumentsError::Missing(_)
            | schema::ArgumentsError::Type { .. }
            | schema::ArgumentsError::NotOneOf { .. }
            | schema::ArgumentsError::Unknown(_) => {
                format!("{refusal}; correct the call of `{}`", tool.name)
            }
        })
    }

    /// Carries a call out that belongs here, and leaves any other to the driver.
    pub(super) fn admit(
        &mut self,
        path: &FramePath,
        call: &ToolCall,
        spec: &AgentSpec,
    ) -> CallState {
        const FOR_THE_DRIVER: CallState = CallState::Outstanding {
            started: false,
            answer: None,
        };
        let Some(tool) = self.builtin(spec, &call.name) else {
            return FOR_THE_DRIVER;
        };
        match FileOperation::of(tool, &call.arguments) {
            Some(Ok(operation)) => {
                if operation.touches(&self.state.configuration.mounts) == Ok(true) {
                    return FOR_THE_DRIVER;
                }
                return match operation.carry_out(&mut self.state.files) {
                    Ok(text) => answered(call, text),
                    Err(refusal) => error(call, &refusal.to_string()),
                };
            }
            Some(Err(refusal)) => return error(call, &refusal.to_string()),
            None => {}
        }
        match tool {
            Builtin::Task => self.delegate(path, call, spec),
            Builtin::CompactConversation => self.wish_for_compaction(path, call),
            Builtin::WriteTodos
            | Builtin::Ls
            | Builtin::ReadFile
            | Builtin::WriteFile
            | Builtin::EditFile
            | Builtin::Delete
            | Builtin::Glob
            | Builtin::Grep => match builtin::todos(&call.arguments) {
                Ok(todos) => {
                    let text = format!("The to-do list has {} items.", todos.len());
                    if let Some(frame) = self.state.frames.get_mut(path) {
                        frame.todos = todos;
                    }
                    answered(call, text)
                }
                Err(refusal) => error(call, &refusal.to_string()),
            },
        }
    }

    fn delegate(&mut self, path: &FramePath, call: &ToolCall, spec: &AgentSpec) -> CallState {
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
        frame.push(Message::Human {
            text: large_result::shown_words(&task.description, &mut self.state.files),
        });
        self.state.frames.insert(path.child(call.id.clone()), frame);
        CallState::Delegated
    }

    fn wish_for_compaction(&mut self, path: &FramePath, call: &ToolCall) -> CallState {
        let Some(frame) = self.state.frames.get_mut(path) else {
            return error(call, "the agent has ended");
        };
        let window = self
            .state
            .configuration
            .limits
            .get(&frame.agent)
            .and_then(|limits| limits.window_tokens);
        let overhead = self.overheads.get(&frame.agent).copied().unwrap_or(0);
        if !frame.context.grants_wish(overhead, window) {
            return error(
                call,
                "not needed yet: less than half of the conversation's room is used",
            );
        }
        frame.context.wanted = Some(Wanted::ByAgent);
        answered(
            call,
            "Your conversation is summarised before your next turn.".to_owned(),
        )
    }

    fn builtin(&self, spec: &AgentSpec, name: &str) -> Option<Builtin> {
        Builtin::of(spec, &self.state.configuration).find(|tool| tool.name() == name)
    }

    /// Gives a call its answer.
    pub(super) fn answer_call(
        &mut self,
        path: &FramePath,
        call: &ToolCallId,
        status: ToolStatus,
        mut text: String,
    ) {
        let Some(slot) = self
            .state
            .frames
            .get_mut(path)
            .and_then(|frame| frame.slot_mut(call))
        else {
            return;
        };
        if let Some(note) = &slot.note {
            text.push_str(note);
        }
        slot.state = CallState::Answered(message(&slot.call, status, text));
    }

    /// Writes a turn's answers down once all are there; a subagent that is done returns its words.
    pub(super) fn settle_and_return(&mut self, path: &FramePath) {
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

    pub(super) fn return_to_caller(&mut self, path: &FramePath, status: ToolStatus, text: String) {
        let Some((caller, call)) = path.parent() else {
            return;
        };
        if let Some(frame) = self.state.frames.get_mut(path) {
            frame.closed = true;
        }
        let text = large_result::shown(&text, &caller, call, &mut self.state.files);
        self.answer_call(&caller, call, status, text);
        self.settle_and_return(&caller);
    }
}

/// Writes the answers of a frame's turn into its messages, once all of them are there.
pub(super) fn settle(frame: &mut Frame) {
    let done = frame
        .calls
        .iter()
        .all(|slot| matches!(slot.state, CallState::Answered(_)));
    if !done {
        return;
    }
    for slot in std::mem::take(&mut frame.calls) {
        let CallState::Answered(answer) = slot.state else {
            continue;
        };
        if let (false, Message::Tool { text, .. }) = (slot.refused, &answer) {
            frame.repeats.note(&slot.call, text);
        }
        frame.push(answer);
    }
}

/// What a model is told whose arguments were no JSON object: a provider passes a text on that it
/// could not read.
fn not_an_object(call: &ToolCall) -> String {
    let refusal = schema::ArgumentsError::NotAnObject;
    let detail = call
        .arguments
        .as_str()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(text).err());
    match detail {
        Some(error) => format!("{refusal}, and these are no JSON: {error}; write them again"),
        None => refusal.to_string(),
    }
}

fn answered(call: &ToolCall, text: String) -> CallState {
    CallState::Answered(message(call, ToolStatus::Success, text))
}

pub(super) fn error(call: &ToolCall, text: &str) -> CallState {
    CallState::Answered(message(call, ToolStatus::Error, text.to_owned()))
}

fn message(call: &ToolCall, status: ToolStatus, text: String) -> Message {
    Message::Tool {
        call_id: call.id.clone(),
        name: call.name.clone(),
        status,
        text,
    }
}
