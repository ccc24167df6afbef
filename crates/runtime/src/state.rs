//! What a thread's events add up to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::budget::{Budget, Budgets};
use crate::configuration::{AgentLimits, ApprovalRule, Configuration};
use crate::context::Context;
use crate::effect::Answer;
use crate::event::RunOutcome;
use crate::files::VirtualFiles;
use crate::ids::{AgentName, FramePath, InterruptId, RunId, ToolCallId};
use crate::message::{Message, ToolCall};
use crate::repeats::Repeats;
use crate::todo::Todo;
use crate::usage::Usage;

/// One agent's turn: its own message list, which is its own context window.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub(crate) agent: AgentName,
    pub(crate) messages: Vec<Message>,
    pub(crate) todos: Vec<Todo>,
    /// The calls of the last model turn, until all of them are answered.
    pub(crate) calls: Vec<CallSlot>,
    /// Ids that this frame has used, so that a repeated one is renamed.
    pub(crate) used_ids: BTreeSet<ToolCallId>,
    pub(crate) model_failures: u32,
    /// Not to be asked again before that time.
    pub(crate) retry_at: Option<DateTime<Utc>>,
    /// How many of its models gave up.
    pub(crate) fallback: u32,
    /// Model turns of the present task.
    pub(crate) steps: u32,
    pub(crate) context: Context,
    pub(crate) repeats: Repeats,
    /// Where the present turn's messages begin.
    pub(crate) turn_start: usize,
    /// A closed frame is history: its caller has an answer.
    pub(crate) closed: bool,
}

impl Frame {
    pub(crate) fn new(agent: AgentName) -> Self {
        Self {
            agent,
            messages: Vec::new(),
            todos: Vec::new(),
            calls: Vec::new(),
            used_ids: BTreeSet::new(),
            model_failures: 0,
            retry_at: None,
            fallback: 0,
            steps: 0,
            context: Context::default(),
            repeats: Repeats::default(),
            turn_start: 0,
            closed: false,
        }
    }

    pub(crate) fn push(&mut self, message: Message) {
        self.context.add(&message);
        self.messages.push(message);
    }

    pub(crate) fn forget_failures(&mut self) {
        self.model_failures = 0;
        self.retry_at = None;
    }

    /// Whose turn it is.
    #[must_use]
    pub const fn agent(&self) -> &AgentName {
        &self.agent
    }

    /// Its messages, oldest first. Answers of a turn's calls appear once all of them are there.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Its to-do list.
    #[must_use]
    pub fn todos(&self) -> &[Todo] {
        &self.todos
    }

    /// Whether its caller has an answer already.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The last non-empty words of the present turn.
    #[must_use]
    pub fn last_text(&self) -> Option<&str> {
        let turn = self.messages.get(self.turn_start..).unwrap_or_default();
        turn.iter().rev().find_map(|message| match message {
            Message::Ai { text, .. } if !text.trim().is_empty() => Some(text.as_str()),
            Message::Ai { .. } | Message::Human { .. } | Message::Tool { .. } => None,
        })
    }

    pub(crate) fn awaits_model(&self) -> bool {
        !self.closed
            && self.calls.is_empty()
            && matches!(
                self.messages.last(),
                Some(Message::Human { .. } | Message::Tool { .. })
            )
    }

    /// Whether its last word was an answer, not a wish for tools.
    pub(crate) fn is_finished(&self) -> bool {
        !self.closed && self.calls.is_empty() && !self.awaits_model()
    }

    pub(crate) fn slot(&self, call: &ToolCallId) -> Option<&CallSlot> {
        self.calls.iter().find(|slot| slot.call.id == *call)
    }

    pub(crate) fn slot_mut(&mut self, call: &ToolCallId) -> Option<&mut CallSlot> {
        self.calls.iter_mut().find(|slot| slot.call.id == *call)
    }
}

/// One call of the present turn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CallSlot {
    pub(crate) call: ToolCall,
    pub(crate) state: CallState,
    /// What a person changed about the call, to be told with its answer.
    pub(crate) note: Option<String>,
    /// Answered without having been carried out: says nothing about what the call would answer.
    pub(crate) refused: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallState {
    /// A person must be asked before it is carried out.
    Gated(ApprovalRule),
    /// For the driver to carry out.
    Outstanding {
        started: bool,
        answer: Option<Answer>,
    },
    /// Waiting for a person.
    Interrupted(InterruptId),
    /// Waiting for a subagent.
    Delegated,
    /// Answered: a `Message::Tool`.
    Answered(Message),
}

/// A question to a person that has no answer yet.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenInterrupt {
    /// Its id, by which it is answered.
    pub id: InterruptId,
    /// Whose call asks.
    pub frame: FramePath,
    /// The agent that asks.
    pub agent: AgentName,
    /// The call that asks.
    pub call: ToolCall,
    /// The question.
    pub payload: Value,
    /// Since when it is open.
    pub raised_at: DateTime<Utc>,
    /// What may be decided, if the question is whether the call may be carried out at all. Without
    /// it, the tool itself asks.
    pub rule: Option<ApprovalRule>,
}

/// The counts of the present run, or of the last one.
#[derive(Debug, Clone, PartialEq)]
pub struct RunCounts {
    /// The run.
    pub run: RunId,
    /// Its limits.
    pub budgets: Budgets,
    /// Model turns so far.
    pub steps: u32,
    /// Tool calls so far.
    pub tool_calls: u32,
    /// Tokens so far.
    pub usage: Usage,
    /// When it started, moved on by every span in which nothing was running.
    pub started_at: DateTime<Utc>,
}

impl RunCounts {
    pub(crate) fn new(run: RunId, budgets: Budgets, at: DateTime<Utc>) -> Self {
        Self {
            run,
            budgets,
            steps: 0,
            tool_calls: 0,
            usage: Usage::default(),
            started_at: at,
        }
    }

    /// When its working time ends, as far as is known now.
    #[must_use]
    pub fn deadline(&self) -> DateTime<Utc> {
        i64::try_from(self.budgets.max_seconds)
            .ok()
            .and_then(TimeDelta::try_seconds)
            .and_then(|budget| self.started_at.checked_add_signed(budget))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Moves the deadline by a span in which nothing was running.
    pub(crate) fn pause(&mut self, from: DateTime<Utc>, until: DateTime<Utc>) {
        let span = until.signed_duration_since(from).max(TimeDelta::zero());
        self.started_at = self
            .started_at
            .checked_add_signed(span)
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
    }

    /// Goes on from the counts of a run that did not end.
    pub(crate) fn carry(&mut self, died: &Self) {
        self.steps = died.steps;
        self.tool_calls = died.tool_calls;
        self.usage = died.usage;
        self.started_at = died.started_at;
    }
}

/// Where a thread stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThreadStatus {
    /// Nothing was ever asked.
    Idle,
    /// Something is outstanding that is not a person's answer.
    Running,
    /// Only a person's answer is outstanding.
    Interrupted,
    /// The last run ended.
    Ended(RunOutcome),
}

/// The phase that the events say; `Running` is split by what is outstanding in [`ThreadStatus`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Phase {
    Idle,
    Running,
    Ended(RunOutcome),
}

/// What a thread's events add up to. Built only by [`Thread::apply`](crate::Thread::apply).
#[derive(Debug, Clone, PartialEq)]
pub struct ThreadState {
    pub(crate) phase: Phase,
    pub(crate) frames: BTreeMap<FramePath, Frame>,
    pub(crate) files: VirtualFiles,
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) usage: Usage,
    pub(crate) interrupts: BTreeMap<InterruptId, OpenInterrupt>,
    /// Every interrupt id ever raised: an id names one question for ever.
    pub(crate) used_interrupts: BTreeSet<InterruptId>,
    pub(crate) run: Option<RunCounts>,
    pub(crate) configuration: Arc<Configuration>,
    pub(crate) cancelled_by: Option<String>,
    pub(crate) exhausted: Option<Budget>,
    pub(crate) failure: Option<String>,
    /// Started calls whose frame moved on: their late outcome is still recorded.
    pub(crate) abandoned: BTreeSet<(FramePath, ToolCallId)>,
    pub(crate) last_at: Option<DateTime<Utc>>,
}

impl ThreadState {
    pub(crate) fn new(main: AgentName) -> Self {
        Self {
            phase: Phase::Idle,
            frames: BTreeMap::from([(FramePath::main(), Frame::new(main))]),
            files: VirtualFiles::default(),
            values: BTreeMap::new(),
            usage: Usage::default(),
            interrupts: BTreeMap::new(),
            used_interrupts: BTreeSet::new(),
            run: None,
            configuration: Arc::default(),
            cancelled_by: None,
            exhausted: None,
            failure: None,
            abandoned: BTreeSet::new(),
            last_at: None,
        }
    }

    pub(crate) fn limits(&self, agent: &AgentName) -> AgentLimits {
        let limits = &self.configuration.limits;
        limits.get(agent).copied().unwrap_or_default()
    }

    /// Every frame that there was, the main agent's first.
    pub fn frames(&self) -> impl Iterator<Item = (&FramePath, &Frame)> {
        self.frames.iter()
    }

    /// One frame.
    #[must_use]
    pub fn frame(&self, path: &FramePath) -> Option<&Frame> {
        self.frames.get(path)
    }

    /// The main agent's messages.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        self.frames
            .get(&FramePath::main())
            .map_or(&[], Frame::messages)
    }

    /// The main agent's to-do list.
    #[must_use]
    pub fn todos(&self) -> &[Todo] {
        self.frames
            .get(&FramePath::main())
            .map_or(&[], Frame::todos)
    }

    /// The thread's files, which all its agents share.
    #[must_use]
    pub const fn files(&self) -> &VirtualFiles {
        &self.files
    }

    /// The domain's typed state, by key.
    #[must_use]
    pub const fn values(&self) -> &BTreeMap<String, Value> {
        &self.values
    }

    /// One value of the domain.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Tokens of all runs together.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// The questions that wait for a person, by id.
    #[must_use]
    pub const fn interrupts(&self) -> &BTreeMap<InterruptId, OpenInterrupt> {
        &self.interrupts
    }

    /// The counts of the present run, or of the last one.
    #[must_use]
    pub const fn run(&self) -> Option<&RunCounts> {
        self.run.as_ref()
    }

    /// What shapes the thread beyond its agents' definition.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// When the last event happened.
    #[must_use]
    pub const fn last_event_at(&self) -> Option<DateTime<Utc>> {
        self.last_at
    }
}
