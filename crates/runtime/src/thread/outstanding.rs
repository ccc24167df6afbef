//! What is outstanding: a pure function of the state.

use chrono::{DateTime, Utc};

use super::Thread;
use crate::budget::Budget;
use crate::builtin::{Builtin, configured_tools_of};
use crate::effect::{Attempt, Effect, EffectKey};
use crate::event::RunOutcome;
use crate::file_operation::FileOperation;
use crate::ids::FramePath;
use crate::message::{ModelRequest, ToolCall};
use crate::state::{CallState, Frame, Phase, RunCounts, ThreadStatus};

/// What a model is told on its last turn.
const LAST_TURN: &str = "\n\nThis is your last turn: no tool is called for you any more. Answer now \
                         with what you have found, and say what is still open.";

impl Thread {
    /// Everything that is outstanding now. A pure function of the state: whoever drives starts
    /// what it has not in flight yet. Requests are built in full; a driver with much in flight
    /// asks [`Thread::outstanding`] for the keys and [`Thread::effect`] for what is new.
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
                    keys.push(match self.compaction_due(frame) {
                        Some(_) => EffectKey::Compact(path.clone()),
                        None => EffectKey::Model(path.clone()),
                    });
                }
                continue;
            }
            for slot in &frame.calls {
                match &slot.state {
                    CallState::Gated(_) => {
                        keys.push(EffectKey::Question(path.clone(), slot.call.id.clone()));
                    }
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
                Some(Effect::CallModel {
                    frame: path.clone(),
                    request: self.request(path, frame)?,
                    attempt: frame.model_failures.saturating_add(1),
                    fallback: frame.fallback,
                    not_before: frame.retry_at,
                    may_shorten: self.would_shorten(frame),
                })
            }
            EffectKey::Compact(path) => self.compaction(path),
            EffectKey::Tool(path, call) => {
                let frame = self.state.frames.get(path).filter(|frame| !frame.closed)?;
                let slot = frame.slot(call)?;
                let CallState::Outstanding { started, answer } = &slot.state else {
                    return None;
                };
                let attempt = if *started {
                    Attempt::OutcomeUnknown
                } else {
                    Attempt::First
                };
                if let Some(operation) = self.file_operation(path, &slot.call) {
                    return Some(Effect::UseFiles {
                        frame: path.clone(),
                        call_id: slot.call.id.clone(),
                        operation,
                        attempt,
                    });
                }
                Some(Effect::CallTool {
                    frame: path.clone(),
                    agent: frame.agent.clone(),
                    call: slot.call.clone(),
                    answer: answer.clone(),
                    attempt,
                })
            }
            EffectKey::Question(path, call) => self.question(path, call),
            EffectKey::Person(id) => self.state.interrupts.get(id).map(|open| Effect::AskPerson {
                interrupt_id: open.id,
                payload: open.payload.clone(),
            }),
            EffectKey::End => self.ending().map(|outcome| Effect::EndRun { outcome }),
        }
    }

    /// What a frame's model is asked.
    fn request(&self, path: &FramePath, frame: &Frame) -> Option<ModelRequest> {
        let spec = self.spec_of(path)?;
        let configuration = &self.state.configuration;
        let mut system = spec.system_prompt.clone();
        system.push_str(&configuration.guidance.prompt(&spec.name));
        if self.is_last_turn(path, frame) {
            system.push_str(LAST_TURN);
        }
        Some(ModelRequest {
            agent: spec.name.clone(),
            system,
            messages: frame.context.view(&frame.messages),
            tools: configured_tools_of(spec, configuration),
        })
    }

    /// Whether a frame has no turn left after the one that it waits for.
    fn is_last_turn(&self, path: &FramePath, frame: &Frame) -> bool {
        let last_of_run = path.is_main()
            && self
                .state
                .run
                .as_ref()
                .is_some_and(|run| run.steps.saturating_add(1) >= run.budgets.max_steps);
        last_of_run || self.is_last_of_task(frame)
    }

    fn is_last_of_task(&self, frame: &Frame) -> bool {
        let limit = self.state.limits(&frame.agent).max_steps;
        limit.is_some_and(|limit| frame.steps.saturating_add(1) >= limit)
    }

    /// Whether a frame is on the last turn that its own agent's limits allow.
    pub(super) fn is_own_last_turn(&self, path: &FramePath) -> bool {
        let frame = self.state.frames.get(path);
        frame.is_some_and(|frame| self.is_last_of_task(frame))
    }

    /// The operation of a call that is for files outside the thread.
    fn file_operation(&self, path: &FramePath, call: &ToolCall) -> Option<FileOperation> {
        let spec = self.spec_of(path)?;
        let tool =
            Builtin::of(spec, &self.state.configuration).find(|tool| tool.name() == call.name)?;
        FileOperation::of(tool, &call.arguments)?.ok()
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
    pub(super) fn ending(&self) -> Option<RunOutcome> {
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

    /// Whether a call that was outstanding may still be started. Time may run out between a
    /// driver's look at the effects and its start of the last of them: that one may begin, and
    /// the run ends right after. Nothing else may.
    pub(super) fn may_start(&self) -> bool {
        let counted_out = Some(RunOutcome::BudgetExhausted {
            budget: Budget::Time,
        });
        self.ending().is_none() || (self.ending() == counted_out && self.state.exhausted.is_none())
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
        } else if run
            .budgets
            .max_cost_microdollars
            .is_some_and(|limit| run.usage.cost.picodollars() / 1_000_000 >= limit)
        {
            Some(Budget::Cost)
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
}
