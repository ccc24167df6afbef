//! What each event does to the state. By the time it gets here it was found to fit.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::Thread;
use super::calls::{error, settle};
use crate::event::{Event, EventBody};
use crate::ids::{FramePath, InterruptId, RunId, ToolCallId};
use crate::large_result;
use crate::message::{FinishReason, Message, Reasoning, ToolCall, ToolOutcome};
use crate::path::FilePath;
use crate::repeats::Repeats;
use crate::state::{CallState, OpenInterrupt, Phase, RunCounts, ThreadStatus};
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
    pub(super) usage: Usage,
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
            frame.forget_failures();
            frame.fallback = 0;
            frame.context.overflows = 0;
        }
    }

    pub(super) fn start_turn(&mut self, text: &str, at: DateTime<Utc>) {
        self.drop_outstanding_work();
        let text = large_result::shown_words(text, &mut self.state.files);
        if let Some(main) = self.state.frames.get_mut(&FramePath::main()) {
            main.turn_start = main.messages.len();
            main.forget_failures();
            main.steps = 0;
            main.repeats = Repeats::default();
            main.push(Message::Human { text });
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
                    CallState::Outstanding { started: false, .. } | CallState::Gated(_) => {
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
                slot.state = error(&slot.call, text);
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
        let last = self.is_own_last_turn(path);
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        frame.forget_failures();
        frame.steps = frame.steps.saturating_add(1);
        let calls: Vec<ToolCall> = reply
            .calls
            .iter()
            .map(|call| ToolCall {
                id: fresh_id(&call.id, &mut frame.used_ids),
                ..call.clone()
            })
            .collect();
        frame.push(Message::Ai {
            text: reply.text.to_owned(),
            tool_calls: calls.clone(),
            reasoning: reply.reasoning.to_vec(),
        });
        frame.context.measure(reply.usage);
        if calls.is_empty() && reply.finish == FinishReason::Truncated && !last {
            frame.push(Message::Human {
                text: CUT.to_owned(),
            });
            return;
        }
        if last && !calls.is_empty() {
            self.refuse_calls(path, calls);
        } else {
            self.open_calls(path, calls);
        }
        self.settle_and_return(path);
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
        self.answer_call(path, call_id, outcome.status, text);
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
        let rule = match std::mem::replace(&mut slot.state, CallState::Interrupted(id)) {
            CallState::Gated(rule) => Some(rule),
            CallState::Outstanding { .. }
            | CallState::Interrupted(_)
            | CallState::Delegated
            | CallState::Answered(_) => None,
        };
        let open = OpenInterrupt {
            id,
            frame: path.clone(),
            agent,
            call: slot.call.clone(),
            payload: payload.clone(),
            raised_at: at,
            rule,
        };
        self.state.interrupts.insert(id, open);
        self.state.used_interrupts.insert(id);
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
