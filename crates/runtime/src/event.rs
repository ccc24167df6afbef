//! What happened to a thread, in the order it happened. The one thing that is stored.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::budget::{Budget, Budgets};
use crate::configuration::Configuration;
use crate::ids::{FramePath, InterruptId, MessageId, RunId, ToolCallId};
use crate::message::{FinishReason, Reasoning, ToolCall, ToolOutcome};
use crate::usage::Usage;

/// The version that events are written with. Kinds and optional fields may be added to a version;
/// nothing is ever renamed or removed within one.
pub const EVENT_VERSION: u32 = 1;

/// One thing that happened, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When, by the clock of whoever appended it.
    pub at: DateTime<Utc>,
    /// What.
    pub body: EventBody,
}

impl Event {
    /// An event.
    #[must_use]
    pub const fn new(at: DateTime<Utc>, body: EventBody) -> Self {
        Self { at, body }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventBody {
    /// A run took up the thread: a new turn, or the rest of one that an earlier run left.
    RunStarted {
        /// The run.
        run: RunId,
        /// Its limits.
        budgets: Budgets,
    },
    /// What shapes the thread beyond its agents' definition is from now on this.
    Configured {
        /// All of it.
        configuration: Configuration,
    },
    /// The person said something, which starts a new turn of the main agent.
    HumanSaid {
        /// The message's id.
        id: MessageId,
        /// The words.
        text: String,
    },
    /// A model answered.
    ModelReplied {
        /// Whose model call it was.
        frame: FramePath,
        /// What it said.
        text: String,
        /// The tools it wants called; none ends the agent's turn.
        tool_calls: Vec<ToolCall>,
        /// How it came to that.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reasoning: Vec<Reasoning>,
        /// Why it ended where it did.
        #[serde(default, skip_serializing_if = "FinishReason::is_complete")]
        finish: FinishReason,
        /// What it took.
        usage: Usage,
    },
    /// A model call failed.
    ModelFailed {
        /// Whose model call it was.
        frame: FramePath,
        /// Why, in words for a person.
        error: String,
        /// Whether trying again may help.
        retryable: bool,
        /// What it took all the same.
        #[serde(default, skip_serializing_if = "Usage::is_nothing")]
        usage: Usage,
        /// How long the provider asked to wait before that, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// A model gave up, and the agent's next one takes its place for the rest of the run.
    ModelFellBack {
        /// Whose model call it was.
        frame: FramePath,
        /// Why the model before gave up, in words for a person.
        error: String,
        /// What it took all the same.
        #[serde(default, skip_serializing_if = "Usage::is_nothing")]
        usage: Usage,
    },
    /// A model refused a request as longer than it can read.
    ContextOverflowed {
        /// Whose model call it was.
        frame: FramePath,
        /// What it said, in words for a person.
        error: String,
    },
    /// The earlier messages of a frame gave place to a summary, in what its model reads. The frame's
    /// history stays as it is.
    Compacted {
        /// Whose messages.
        frame: FramePath,
        /// The first message that is still read as it is, counted from 0.
        keep_from: usize,
        /// To how many bytes the tool results that stay are cut, if they had to be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clip_chars: Option<usize>,
        /// The summary of the messages before.
        summary: String,
        /// What the summary took.
        usage: Usage,
    },
    /// A tool call is about to be carried out: from here on its effect may have happened.
    ToolStarted {
        /// Whose call it is.
        frame: FramePath,
        /// The call.
        call_id: ToolCallId,
    },
    /// A tool call ended.
    ToolReturned {
        /// Whose call it is.
        frame: FramePath,
        /// The call.
        call_id: ToolCallId,
        /// How it ended.
        outcome: ToolOutcome,
    },
    /// A tool call needs a person's answer before it goes on.
    InterruptRaised {
        /// Whose call it is.
        frame: FramePath,
        /// The call.
        call_id: ToolCallId,
        /// The question's id.
        interrupt_id: InterruptId,
        /// The question.
        payload: Value,
    },
    /// A person answered.
    InterruptAnswered {
        /// The question's id.
        interrupt_id: InterruptId,
        /// The answer, which the tool gets.
        answer: Value,
        /// Who answered.
        by: String,
    },
    /// A person, or whoever runs the process, asked for the run to end.
    CancelRequested {
        /// Who asked.
        by: String,
    },
    /// The driver noticed a limit that only it can see (its timer, money).
    BudgetExhausted {
        /// Which.
        budget: Budget,
    },
    /// The run ended.
    RunEnded {
        /// How.
        outcome: RunOutcome,
    },
}

impl EventBody {
    /// The kind's tag, as it is stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "run_started",
            Self::Configured { .. } => "configured",
            Self::HumanSaid { .. } => "human_said",
            Self::ModelReplied { .. } => "model_replied",
            Self::ModelFailed { .. } => "model_failed",
            Self::ModelFellBack { .. } => "model_fell_back",
            Self::ContextOverflowed { .. } => "context_overflowed",
            Self::Compacted { .. } => "compacted",
            Self::ToolStarted { .. } => "tool_started",
            Self::ToolReturned { .. } => "tool_returned",
            Self::InterruptRaised { .. } => "interrupt_raised",
            Self::InterruptAnswered { .. } => "interrupt_answered",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::BudgetExhausted { .. } => "budget_exhausted",
            Self::RunEnded { .. } => "run_ended",
        }
    }
}

/// How a run ended. Whatever it was, the thread keeps what is known and can be taken up again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RunOutcome {
    /// The main agent ended its turn.
    Completed {
        /// Its last words.
        text: String,
    },
    /// Someone asked for the end.
    Cancelled {
        /// Who.
        by: String,
    },
    /// A limit was reached.
    BudgetExhausted {
        /// Which.
        budget: Budget,
    },
    /// It could not go on.
    Failed {
        /// Why, in words for a person.
        error: String,
    },
}

/// The stored form: `{"v":1,"at":…,"type":…,…}`.
#[derive(Serialize)]
struct WrittenEvent<'a> {
    v: u32,
    at: DateTime<Utc>,
    #[serde(flatten)]
    body: &'a EventBody,
}

#[derive(Deserialize)]
struct ReadEvent {
    v: u32,
    at: DateTime<Utc>,
    #[serde(flatten)]
    body: Value,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WrittenEvent {
            v: EVENT_VERSION,
            at: self.at,
            body: &self.body,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;

        let read = ReadEvent::deserialize(deserializer)?;
        if read.v != EVENT_VERSION {
            return Err(D::Error::custom(format!(
                "event version {} is not known to this program (it knows {EVENT_VERSION}); use a newer one",
                read.v
            )));
        }
        let body = EventBody::deserialize(read.body).map_err(D::Error::custom)?;
        Ok(Self { at: read.at, body })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn the_stored_form_is_fixed() {
        let event = Event::new(
            at(60),
            EventBody::InterruptAnswered {
                interrupt_id: InterruptId::new(Uuid::from_u128(1)),
                answer: json!({"decision": "approve"}),
                by: "local".to_owned(),
            },
        );
        let written = serde_json::to_value(&event).unwrap();
        assert_eq!(
            written,
            json!({
                "v": 1,
                "at": "1970-01-01T00:01:00Z",
                "type": "interrupt_answered",
                "interrupt_id": "interrupt-00000000-0000-0000-0000-000000000001",
                "answer": {"decision": "approve"},
                "by": "local",
            })
        );
        assert_eq!(serde_json::from_value::<Event>(written).unwrap(), event);
    }

    #[test]
    fn a_later_version_and_an_unknown_kind_are_refused() {
        let later =
            json!({"v": 2, "at": "1970-01-01T00:01:00Z", "type": "cancel_requested", "by": "x"});
        assert!(
            serde_json::from_value::<Event>(later)
                .unwrap_err()
                .to_string()
                .contains("newer")
        );
        let unknown = json!({"v": 1, "at": "1970-01-01T00:01:00Z", "type": "other"});
        assert!(serde_json::from_value::<Event>(unknown).is_err());
    }

    #[test]
    fn the_tag_is_the_kind() {
        let body = EventBody::RunEnded {
            outcome: RunOutcome::Cancelled { by: "x".to_owned() },
        };
        assert_eq!(serde_json::to_value(&body).unwrap()["type"], body.kind());
    }
}
