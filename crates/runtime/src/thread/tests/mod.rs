//! The machine driven by hand, event by event.

mod approval;
mod contexts;
mod limits;
mod people;
mod turns;

use chrono::DateTime;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::agent::ToolSpec;
use crate::budget::{Budget, Budgets};
use crate::effect::{Attempt, Effect, EffectKey};
use crate::event::RunOutcome;
use crate::ids::{MessageId, RunId};
use crate::message::{FinishReason, Message, ToolCall, ToolOutcome, ToolStatus};
use crate::state::ThreadStatus;
use crate::usage::Usage;

/// A thread that is driven by hand, second by second.
struct Hand {
    thread: Thread,
    log: Vec<Event>,
    now: i64,
}

fn spec() -> AgentSpec {
    let lookup = ToolSpec {
        name: "lookup".to_owned(),
        description: "Look something up.".to_owned(),
        input_schema: json!({
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        }),
    };
    let mut helper = AgentSpec::new("helper", "helps", "You help.");
    helper.tools.push(lookup.clone());
    let mut main = AgentSpec::new("main", "does", "You do.");
    main.tools.push(lookup);
    main.subagents.push(helper);
    main
}

fn main() -> FramePath {
    FramePath::main()
}

fn sub(call: &str) -> FramePath {
    main().child(call.into())
}

fn lookup(id: &str) -> ToolCall {
    ToolCall::new(id, "lookup", json!({"name": "x"}))
}

fn task(id: &str) -> ToolCall {
    ToolCall::new(
        id,
        "task",
        json!({"description": "look", "subagent_type": "helper"}),
    )
}

fn interrupt(n: u128) -> InterruptId {
    InterruptId::new(Uuid::from_u128(n))
}

impl Hand {
    fn idle() -> Self {
        Self {
            thread: Thread::new(spec()),
            log: Vec::new(),
            now: 0,
        }
    }

    fn started() -> Self {
        Self::with(Budgets::default())
    }

    fn with(budgets: Budgets) -> Self {
        let mut hand = Self::idle();
        hand.run(budgets);
        hand.say("go");
        hand
    }

    fn try_log(&mut self, body: EventBody) -> Result<(), ApplyError> {
        self.now += 1;
        let event = Event::new(DateTime::from_timestamp(self.now, 0).unwrap(), body);
        let before = self.thread.clone();
        let result = self.thread.apply(&event);
        match &result {
            Ok(()) => self.log.push(event),
            Err(_) => assert_eq!(self.thread, before, "a refused event changes nothing"),
        }
        result
    }

    fn log(&mut self, body: EventBody) {
        self.try_log(body).unwrap();
    }

    fn run(&mut self, budgets: Budgets) {
        self.log(EventBody::RunStarted {
            run: RunId::new(Uuid::from_u128(1)),
            budgets,
        });
    }

    fn say(&mut self, text: &str) {
        let id = MessageId::new(Uuid::from_u128(1));
        self.log(EventBody::HumanSaid {
            id,
            text: text.to_owned(),
        });
    }

    fn reply(&mut self, frame: FramePath, text: &str, tool_calls: Vec<ToolCall>) {
        let usage = Usage {
            input_tokens: 10,
            output_tokens: 1,
            ..Usage::default()
        };
        self.log(EventBody::ModelReplied {
            frame,
            text: text.to_owned(),
            tool_calls,
            reasoning: vec![],
            finish: FinishReason::Complete,
            usage,
        });
    }

    fn start(&mut self, frame: FramePath, call: &str) {
        self.log(EventBody::ToolStarted {
            frame,
            call_id: call.into(),
        });
    }

    fn returns(&mut self, frame: FramePath, call: &str, outcome: ToolOutcome) {
        self.log(EventBody::ToolReturned {
            frame,
            call_id: call.into(),
            outcome,
        });
    }

    fn fail(&mut self, frame: FramePath, retryable: bool) {
        self.log(EventBody::ModelFailed {
            frame,
            error: "no answer".to_owned(),
            retryable,
            retry_after_ms: None,
            usage: Usage::default(),
        });
    }

    fn raise(&mut self, frame: FramePath, call: &str, n: u128) {
        self.log(EventBody::InterruptRaised {
            frame,
            call_id: call.into(),
            interrupt_id: interrupt(n),
            payload: json!({"question": n as u64}),
        });
    }

    fn answer(&mut self, n: u128, answer: Value) -> Result<(), ApplyError> {
        self.try_log(EventBody::InterruptAnswered {
            interrupt_id: interrupt(n),
            answer,
            by: "ann".to_owned(),
        })
    }

    fn cancel(&mut self) {
        self.log(EventBody::CancelRequested {
            by: "ann".to_owned(),
        });
    }

    fn end(&mut self) -> RunOutcome {
        let Some(Effect::EndRun { outcome }) = self.thread.effect(&EffectKey::End) else {
            panic!("the run is not ending: {:?}", self.thread.outstanding());
        };
        self.log(EventBody::RunEnded {
            outcome: outcome.clone(),
        });
        outcome
    }

    fn keys(&self) -> Vec<EffectKey> {
        self.thread.outstanding()
    }

    /// The answers in a frame's messages: call, status, text.
    fn answers(&self, frame: &FramePath) -> Vec<(String, ToolStatus, String)> {
        let messages = self.thread.state().frame(frame).unwrap().messages();
        let answers = messages.iter().filter_map(|message| match message {
            Message::Tool {
                call_id,
                status,
                text,
                ..
            } => Some((call_id.to_string(), *status, text.clone())),
            Message::Human { .. } | Message::Ai { .. } => None,
        });
        answers.collect()
    }

    fn only_answer(&self) -> (ToolStatus, String) {
        let answers = self.answers(&main());
        assert_eq!(answers.len(), 1, "{answers:?}");
        (answers[0].1, answers[0].2.clone())
    }
}

fn model(frame: FramePath) -> EffectKey {
    EffectKey::Model(frame)
}

fn tool(frame: FramePath, call: &str) -> EffectKey {
    EffectKey::Tool(frame, call.into())
}
