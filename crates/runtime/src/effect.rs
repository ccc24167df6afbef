//! What is outstanding: the work that a driver carries out.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::event::RunOutcome;
use crate::file_operation::FileOperation;
use crate::ids::{AgentName, FramePath, InterruptId, ToolCallId};
use crate::message::{ModelRequest, ToolCall};

/// What is known about earlier tries of a tool call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It was never started.
    First,
    /// It was started and its end was never logged: it may or may not have happened. A tool that
    /// changes anything must look before it repeats.
    OutcomeUnknown,
}

/// A person's answer, together with the very question that it answers.
///
/// A tool decides from these two alone: nothing that was said after the question was asked can
/// change what the answer is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What was asked, as it was logged.
    pub question: Value,
    /// What the person said.
    pub answer: Value,
    /// Who said it.
    pub by: String,
}

/// One piece of outstanding work.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask a model; ends with `ModelReplied` or `ModelFailed`.
    CallModel {
        /// Whose turn it is.
        frame: FramePath,
        /// What to ask.
        request: ModelRequest,
        /// 1 the first time, 2 after one failure, and so on: wait accordingly.
        attempt: u32,
        /// Which of the agent's models to ask: 0 is its own, 1 the first fallback, and so on.
        fallback: u32,
        /// The provider asked not to be asked again before that time.
        not_before: Option<DateTime<Utc>>,
        /// Whether a refusal as too long would be answered by a compaction: log `ContextOverflowed`
        /// then, and `ModelFailed` otherwise.
        may_shorten: bool,
    },
    /// Have a frame's earlier messages summarised; ends with `Compacted`, whatever the model does.
    Compact {
        /// Whose messages.
        frame: FramePath,
        /// What to ask for the summary; `None` if there is nothing to summarise, and only long
        /// results to cut.
        request: Option<ModelRequest>,
        /// Which of the agent's models to ask.
        fallback: u32,
        /// To be logged with the summary.
        keep_from: usize,
        /// To be logged with the summary.
        clip_chars: Option<usize>,
        /// The summary if no model gives one.
        plain_summary: String,
    },
    /// Carry out a file tool on files of a mount: log `ToolStarted`, do it, log `ToolReturned`.
    UseFiles {
        /// Whose call it is.
        frame: FramePath,
        /// The call.
        call_id: ToolCallId,
        /// What to do.
        operation: FileOperation,
        /// Whether it may already have happened.
        attempt: Attempt,
    },
    /// Log `InterruptRaised` with this payload and an id that is new: the call waits for a person.
    RaiseInterrupt {
        /// Whose call it is.
        frame: FramePath,
        /// The call.
        call_id: ToolCallId,
        /// The question.
        payload: Value,
    },
    /// Carry out a tool call: log `ToolStarted`, do it, log `ToolReturned` or `InterruptRaised`.
    CallTool {
        /// Whose call it is.
        frame: FramePath,
        /// The agent that calls.
        agent: AgentName,
        /// The call, its arguments already checked against the tool's schema at the top level.
        call: ToolCall,
        /// The person's answer, if this call raised an interrupt before.
        answer: Option<Answer>,
        /// Whether it may already have happened.
        attempt: Attempt,
    },
    /// Ask a person; ends with `InterruptAnswered`.
    AskPerson {
        /// The question's id.
        interrupt_id: InterruptId,
        /// The question.
        payload: Value,
    },
    /// Let started tools finish or stop, then log `RunEnded` with this outcome.
    EndRun {
        /// How the run ends.
        outcome: RunOutcome,
    },
}

/// An effect's identity: what a driver remembers as in flight.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectKey {
    /// The model call of a frame.
    Model(FramePath),
    /// The compaction of a frame.
    Compact(FramePath),
    /// The question that a call of a frame has to wait for.
    Question(FramePath, ToolCallId),
    /// A tool call of a frame.
    Tool(FramePath, ToolCallId),
    /// A question to a person.
    Person(InterruptId),
    /// The end.
    End,
}

impl Effect {
    /// Its identity.
    #[must_use]
    pub fn key(&self) -> EffectKey {
        match self {
            Self::CallModel { frame, .. } => EffectKey::Model(frame.clone()),
            Self::Compact { frame, .. } => EffectKey::Compact(frame.clone()),
            Self::CallTool { frame, call, .. } => EffectKey::Tool(frame.clone(), call.id.clone()),
            Self::UseFiles { frame, call_id, .. } => {
                EffectKey::Tool(frame.clone(), call_id.clone())
            }
            Self::RaiseInterrupt { frame, call_id, .. } => {
                EffectKey::Question(frame.clone(), call_id.clone())
            }
            Self::AskPerson { interrupt_id, .. } => EffectKey::Person(*interrupt_id),
            Self::EndRun { .. } => EffectKey::End,
        }
    }
}
