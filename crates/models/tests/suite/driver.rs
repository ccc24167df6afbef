//! A driver of the runtime with a time of its own: it asks models as the program's does, and keeps
//! the log.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ecs_agent_models::{Message, Model, ModelError, NoDeltas, ToolCall, ToolSpec, Usage};
use ecs_agent_runtime::{
    AgentLimits, AgentName, AgentSpec, Budgets, Configuration, Effect, Event, EventBody, MessageId,
    RunId, RunOutcome, Thread, ThreadStatus, ToolOutcome,
};
use serde_json::json;
use uuid::Uuid;

/// A conversation with one agent, which has a tool `lookup` and a subagent `helper`.
pub(crate) struct Conversation {
    thread: Thread,
    models: Vec<Arc<dyn Model>>,
    tool: Box<dyn Fn(&ToolCall) -> ToolOutcome>,
    now: DateTime<Utc>,
    events: Vec<Event>,
    /// Every wait that a provider asked for, in seconds.
    pub(crate) waits: Vec<i64>,
}

fn lookup() -> ToolSpec {
    ToolSpec {
        name: "lookup".to_owned(),
        description: "Looks something up.".to_owned(),
        input_schema: json!({
            "type": "object",
            "properties": {"what": {"type": "string"}},
            "required": ["what"],
        }),
    }
}

fn spec() -> AgentSpec {
    let mut helper = AgentSpec::new("helper", "helps", "You help.");
    helper.tools.push(lookup());
    let mut main = AgentSpec::new("main", "finds out", "You find out.");
    main.tools.push(lookup());
    main.subagents.push(helper);
    main
}

impl Conversation {
    /// With this model, and these in its place where it does not answer.
    pub(crate) fn with(models: Vec<Arc<dyn Model>>) -> Self {
        let mut talk = Self {
            thread: Thread::new(spec()),
            models,
            tool: Box::new(|call| ToolOutcome::success(format!("found {}", call.arguments))),
            now: DateTime::from_timestamp(0, 0).unwrap(),
            events: Vec::new(),
            waits: Vec::new(),
        };
        let name = AgentName::new("main");
        let limits = AgentLimits {
            window_tokens: talk.models[0].profile(&name).input_window,
            max_steps: None,
        };
        talk.log(EventBody::Configured {
            configuration: Configuration {
                limits: [(name, limits)].into(),
                ..Configuration::default()
            },
        });
        talk
    }

    /// The same with a tool that answers so.
    pub(crate) fn tool(mut self, tool: impl Fn(&ToolCall) -> ToolOutcome + 'static) -> Self {
        self.tool = Box::new(tool);
        self
    }

    /// The same without knowing how much the model reads.
    pub(crate) fn of_unknown_window(mut self) -> Self {
        self.log(EventBody::Configured {
            configuration: Configuration::default(),
        });
        self
    }

    /// The same thread with other models from here on.
    pub(crate) fn asking(mut self, models: Vec<Arc<dyn Model>>) -> Self {
        self.models = models;
        self
    }

    fn log(&mut self, body: EventBody) {
        let event = Event::new(self.now, body);
        self.thread.apply(&event).unwrap();
        self.events.push(event);
    }

    /// Says something and drives the run to its end.
    pub(crate) async fn say(&mut self, text: &str) -> RunOutcome {
        let id = Uuid::from_u128(u128::try_from(self.events.len()).unwrap());
        if !matches!(self.thread.status(), ThreadStatus::Running) {
            self.log(EventBody::RunStarted {
                run: RunId::new(id),
                budgets: Budgets {
                    max_tokens: 1_000_000_000,
                    ..Budgets::default()
                },
            });
        }
        self.log(EventBody::HumanSaid {
            id: MessageId::new(id),
            text: text.to_owned(),
        });
        for _ in 0..400 {
            let mut effects: VecDeque<Effect> = self.thread.effects().into();
            let Some(effect) = effects.pop_front() else {
                break;
            };
            if let Some(outcome) = self.carry_out(effect).await {
                self.check(&outcome);
                return outcome;
            }
        }
        panic!("a conversation without an end: {:#?}", self.kinds());
    }

    async fn carry_out(&mut self, effect: Effect) -> Option<RunOutcome> {
        match effect {
            Effect::CallModel {
                frame,
                request,
                attempt,
                fallback,
                not_before,
                may_shorten,
            } => {
                if let Some(until) = not_before {
                    let wait = until.signed_duration_since(self.now);
                    self.waits.push(wait.num_seconds());
                    self.now = self.now.max(until);
                }
                let model = Arc::clone(&self.models[fallback as usize]);
                let event = match model.respond(request, &NoDeltas).await {
                    Ok(reply) => EventBody::ModelReplied {
                        frame,
                        text: reply.text,
                        tool_calls: reply.tool_calls,
                        reasoning: reply.reasoning,
                        finish: reply.finish,
                        usage: reply.usage,
                    },
                    Err(error @ ModelError::ContextTooLong { .. }) if may_shorten => {
                        EventBody::ContextOverflowed {
                            frame,
                            error: error.to_string(),
                        }
                    }
                    Err(error) => {
                        let last = Budgets::default().max_model_attempts;
                        let gives_up = !error.is_retryable() || attempt >= last;
                        if gives_up && (fallback as usize) + 1 < self.models.len() {
                            EventBody::ModelFellBack {
                                frame,
                                error: error.to_string(),
                                usage: error.usage(),
                            }
                        } else {
                            EventBody::ModelFailed {
                                frame,
                                retryable: error.is_retryable(),
                                retry_after_ms: error
                                    .retry_after()
                                    .map(|wait| u64::try_from(wait.as_millis()).unwrap()),
                                usage: error.usage(),
                                error: error.to_string(),
                            }
                        }
                    }
                };
                self.log(event);
            }
            Effect::Compact {
                frame,
                request,
                fallback,
                keep_from,
                clip_chars,
                plain_summary,
            } => {
                let (summary, usage) = match request {
                    None => (plain_summary, Usage::default()),
                    Some(request) => {
                        let model = Arc::clone(&self.models[fallback as usize]);
                        match model.respond(request, &NoDeltas).await {
                            Ok(reply) if reply.tool_calls.is_empty() && !reply.text.is_empty() => {
                                (reply.text, reply.usage)
                            }
                            Ok(reply) => (plain_summary, reply.usage),
                            Err(error) => (plain_summary, error.usage()),
                        }
                    }
                };
                self.log(EventBody::Compacted {
                    frame,
                    keep_from,
                    clip_chars,
                    summary,
                    usage,
                });
            }
            Effect::CallTool { frame, call, .. } => {
                self.log(EventBody::ToolStarted {
                    frame: frame.clone(),
                    call_id: call.id.clone(),
                });
                let outcome = (self.tool)(&call);
                self.log(EventBody::ToolReturned {
                    frame,
                    call_id: call.id,
                    outcome,
                });
            }
            Effect::EndRun { outcome } => {
                self.log(EventBody::RunEnded {
                    outcome: outcome.clone(),
                });
                return Some(outcome);
            }
            other @ (Effect::UseFiles { .. }
            | Effect::RaiseInterrupt { .. }
            | Effect::AskPerson { .. }) => panic!("nobody expects {other:?}"),
        }
        None
    }

    /// Every call is answered exactly once, right after its turn; and folding the log again gives the
    /// same thread.
    fn check(&self, outcome: &RunOutcome) {
        // What a run that was ended early leaves open is answered when the thread goes on.
        let is_over = matches!(outcome, RunOutcome::Completed { .. });
        for (path, frame) in self.thread.state().frames() {
            let mut open = BTreeSet::new();
            for message in frame.messages() {
                match message {
                    Message::Tool { call_id, .. } => {
                        assert!(open.remove(call_id), "{path}: `{call_id}` answers nothing");
                    }
                    Message::Human { .. } | Message::Ai { .. } => {
                        assert!(open.is_empty(), "{path}: {open:?} have no answer");
                        if let Message::Ai { tool_calls, .. } = message {
                            open.extend(tool_calls.iter().map(|call| &call.id));
                        }
                    }
                }
            }
            assert!(
                open.is_empty() || !is_over,
                "{path}: {open:?} have no answer"
            );
        }
        let written = serde_json::to_string(&self.events).unwrap();
        let read: Vec<Event> = serde_json::from_str(&written).unwrap();
        let again = Thread::replay(spec(), &read).unwrap();
        assert!(again == self.thread, "the log folds to another thread");
    }

    /// What all of it took.
    pub(crate) fn usage(&self) -> Usage {
        self.thread.state().usage()
    }

    /// The main agent's messages.
    pub(crate) fn messages(&self) -> &[Message] {
        self.thread.state().messages()
    }

    /// The results that the main agent has of its tools.
    pub(crate) fn results(&self) -> Vec<&str> {
        let messages = self.messages().iter();
        messages
            .filter_map(|message| match message {
                Message::Tool { text, .. } => Some(text.as_str()),
                Message::Human { .. } | Message::Ai { .. } => None,
            })
            .collect()
    }

    /// A file of the thread.
    pub(crate) fn file(&self, path: &str) -> Option<&str> {
        self.thread.state().files().get(path)
    }

    /// The paths of all files.
    pub(crate) fn paths(&self) -> Vec<String> {
        let files = self.thread.state().files().iter();
        files.map(|(path, _)| path.to_string()).collect()
    }

    /// The kinds of what happened, in order.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.events.iter().map(|event| event.body.kind()).collect()
    }

    /// How often something happened.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.kinds().iter().filter(|found| **found == kind).count()
    }

    /// Moves the time on.
    pub(crate) fn later(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }
}
