//! Calls that wait for a person's decision before they are carried out.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApplyError, Thread, find_spec};
use crate::configuration::{ApprovalRule, DecisionKind};
use crate::effect::{Answer, Effect};
use crate::ids::{FramePath, InterruptId, ToolCallId};
use crate::message::{ToolCall, ToolStatus};
use crate::state::{CallState, OpenInterrupt};

/// What a person decided about a call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
enum Decision {
    Approve,
    Edit {
        arguments: Value,
    },
    Reject {
        #[serde(default)]
        message: String,
    },
    Respond {
        message: String,
    },
}

impl Decision {
    const fn kind(&self) -> DecisionKind {
        match self {
            Self::Approve => DecisionKind::Approve,
            Self::Edit { .. } => DecisionKind::Edit,
            Self::Reject { .. } => DecisionKind::Reject,
            Self::Respond { .. } => DecisionKind::Respond,
        }
    }

    /// Reads an answer that a rule has to allow.
    fn read(answer: &Value, rule: &ApprovalRule) -> Result<Self, ApplyError> {
        let refusal = |given: String| ApplyError::Decision {
            given,
            accepted: rule.words(),
        };
        let shown = || answer.to_string().chars().take(200).collect();
        let decision = Self::deserialize(answer).map_err(|_| refusal(shown()))?;
        if !rule.decisions.contains(&decision.kind()) {
            return Err(refusal(decision.kind().as_str().to_owned()));
        }
        Ok(decision)
    }
}

impl Thread {
    /// The question that a call has to wait for.
    pub(super) fn question(&self, path: &FramePath, id: &ToolCallId) -> Option<Effect> {
        let frame = self.state.frames.get(path).filter(|frame| !frame.closed)?;
        let slot = frame.slot(id)?;
        let CallState::Gated(rule) = &slot.state else {
            return None;
        };
        Some(Effect::RaiseInterrupt {
            frame: path.clone(),
            call_id: id.clone(),
            payload: json!({
                "kind": "tool_approval",
                "agent": frame.agent,
                "tool": slot.call.name,
                "arguments": slot.call.arguments,
                "decisions": rule,
            }),
        })
    }

    pub(super) fn check_may_ask(
        &self,
        path: &FramePath,
        call: &ToolCallId,
    ) -> Result<(), ApplyError> {
        match self.question(path, call) {
            Some(_) => Ok(()),
            None => self.check_outstanding(path, call),
        }
    }

    pub(super) fn check_answer(&self, id: &InterruptId, answer: &Value) -> Result<(), ApplyError> {
        let open = self
            .state
            .interrupts
            .get(id)
            .ok_or(ApplyError::UnknownInterrupt(*id))?;
        let Some(rule) = &open.rule else {
            return Ok(());
        };
        if let Decision::Edit { arguments } = Decision::read(answer, rule)?
            && let Some(spec) = self.spec_of(&open.frame)
        {
            let edited = ToolCall {
                arguments,
                ..open.call.clone()
            };
            self.look_over(&edited, spec)
                .map_err(|given| ApplyError::Decision {
                    given,
                    accepted: rule.words(),
                })?;
        }
        Ok(())
    }

    pub(super) fn take_answer(&mut self, id: &InterruptId, answer: &Value, by: &str) {
        let Some(open) = self.state.interrupts.remove(id) else {
            return;
        };
        let decision = open
            .rule
            .as_ref()
            .and_then(|rule| Decision::read(answer, rule).ok());
        let Some(decision) = decision else {
            // The tool itself asked: it goes on with the answer.
            if let Some(call) = self.call_mut(&open.frame, &open.call.id) {
                *call = CallState::Outstanding {
                    started: false,
                    answer: Some(Answer {
                        question: open.payload,
                        answer: answer.clone(),
                        by: by.to_owned(),
                    }),
                };
            }
            return;
        };
        self.decide(&open, decision, by);
        self.settle_and_return(&open.frame);
    }

    fn decide(&mut self, open: &OpenInterrupt, decision: Decision, by: &str) {
        let (path, id) = (&open.frame, &open.call.id);
        let call = match decision {
            Decision::Approve => open.call.clone(),
            Decision::Edit { arguments } => {
                let note = format!("\n({by} changed the arguments of this call to {arguments})");
                let slot = self
                    .state
                    .frames
                    .get_mut(path)
                    .and_then(|frame| frame.slot_mut(id));
                if let Some(slot) = slot {
                    slot.call.arguments = arguments.clone();
                    slot.note = Some(note);
                }
                ToolCall {
                    arguments,
                    ..open.call.clone()
                }
            }
            Decision::Reject { message } => {
                let mut text = format!("{by} rejected this call; do not repeat it");
                if !message.trim().is_empty() {
                    text.push_str(&format!(". They say: {message}"));
                }
                return self.answer_call(path, id, ToolStatus::Error, text);
            }
            Decision::Respond { message } => {
                return self.answer_call(path, id, ToolStatus::Success, message);
            }
        };
        let spec = Arc::clone(&self.spec);
        let Some(spec) = find_spec(&spec, &self.state, path) else {
            return;
        };
        match self.admit(path, &call, spec) {
            CallState::Answered(crate::message::Message::Tool { status, text, .. }) => {
                self.answer_call(path, id, status, text);
            }
            other @ (CallState::Gated(_)
            | CallState::Outstanding { .. }
            | CallState::Interrupted(_)
            | CallState::Delegated
            | CallState::Answered(_)) => {
                if let Some(state) = self.call_mut(path, id) {
                    *state = other;
                }
            }
        }
    }
}
