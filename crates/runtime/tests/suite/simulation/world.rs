//! A thread with a driver, a disk, tools and people around it, of which everything goes wrong that
//! can.

use std::collections::{BTreeMap, BTreeSet};

use ecs_agent_runtime::{
    Attempt, Budget, Budgets, Cost, Effect, EffectKey, Event, EventBody, FinishReason, FramePath,
    Message, RunOutcome, Thread, ThreadStatus, ToolCall, ToolCallId, Usage,
};
use serde_json::{Value, json};

use super::chance::Chance;
use super::{Fault, Weather, script};
use crate::suite::{at, interrupt, run_id, said};

/// Events after which a history counts as one without an end.
const MOST_STEPS: usize = 4_000;

/// Work that was started and has not been logged as ended.
struct Flight {
    key: EffectKey,
    effect: Effect,
    /// Whether the tool has done what it does.
    done: bool,
}

/// What has to be the same however often a run was interrupted.
#[derive(Debug, PartialEq)]
pub(super) struct Ending {
    outcome: RunOutcome,
    histories: BTreeMap<FramePath, Vec<Message>>,
    values: BTreeMap<String, Value>,
    notes: BTreeMap<String, String>,
    changes: BTreeMap<(FramePath, ToolCallId), u32>,
}

pub(super) struct World {
    plot: u64,
    weather: Weather,
    fault: Fault,
    chance: Chance,
    budgets: Budgets,
    thread: Thread,
    disk: Vec<Event>,
    flights: Vec<Flight>,
    /// How often `change` really changed something, by call.
    changes: BTreeMap<(FramePath, ToolCallId), u32>,
    outcomes: BTreeSet<(FramePath, ToolCallId)>,
    delivered: Vec<EventBody>,
    counts: Counts,
    now: i64,
    questions: u128,
    crashes: usize,
    messages: usize,
    steps: usize,
}

/// What the world counts by itself of the run at hand.
#[derive(Default)]
struct Counts {
    replies: u32,
    calls: u32,
    tokens: u64,
    picodollars: u64,
    largest: (u32, u64, u64),
}

impl World {
    pub(super) fn new(plot: u64, schedule: u64, weather: Weather, fault: Fault) -> Self {
        let budgets = script::budgets(plot, weather == Weather::Rough);
        let mut world = Self {
            plot,
            weather,
            fault,
            chance: Chance::of(schedule),
            budgets,
            thread: Thread::new(script::spec()),
            disk: Vec::new(),
            flights: Vec::new(),
            changes: BTreeMap::new(),
            outcomes: BTreeSet::new(),
            delivered: Vec::new(),
            counts: Counts::default(),
            now: 0,
            questions: 0,
            crashes: 0,
            messages: 0,
            steps: 0,
        };
        let configuration = script::configuration(plot);
        world.log(EventBody::Configured { configuration });
        world.log(world.run_started());
        world.log(said(0).body);
        world
    }

    /// Runs it to its end.
    pub(super) fn run(mut self) -> Ending {
        loop {
            self.steps += 1;
            assert!(self.steps < MOST_STEPS, "a history without an end");
            self.check();
            if let ThreadStatus::Ended(outcome) = self.thread.status() {
                if self.goes_on_after_the_end() {
                    continue;
                }
                return self.close(outcome);
            }
            if !self.disturb() {
                self.start_what_is_outstanding();
                self.go_on();
            }
        }
    }

    fn run_started(&self) -> EventBody {
        let budgets = match self.fault {
            Fault::RaisesItsBudgets => script::budgets(self.plot, false),
            _ => self.budgets,
        };
        EventBody::RunStarted {
            run: run_id(),
            budgets,
        }
    }

    fn is_calm(&self) -> bool {
        self.weather == Weather::Calm
    }

    /// Makes an event durable, then part of the state, as a driver does.
    fn log(&mut self, body: EventBody) {
        let event = Event::new(at(self.now), body);
        if let Err(reason) = self.thread.check(&event) {
            panic!("{reason}: {event:?}");
        }
        self.count(&event.body);
        self.thread.apply(&event).unwrap();
        let forgotten = self.fault == Fault::ForgetsAnOutcome
            && matches!(event.body, EventBody::ToolReturned { .. })
            && self.chance.once_in(3);
        if !forgotten {
            self.disk.push(event);
        }
        self.now += i64::try_from(self.chance.below(3)).unwrap();
    }

    fn count(&mut self, body: &EventBody) {
        let (calls, usage) = match body {
            EventBody::ModelReplied {
                tool_calls, usage, ..
            } => {
                self.counts.replies += 1;
                (u32::try_from(tool_calls.len()).unwrap(), *usage)
            }
            EventBody::Compacted { usage, .. } => (0, *usage),
            EventBody::HumanSaid { .. } => {
                if let ThreadStatus::Ended(_) = self.thread.status() {
                    self.counts = Counts::default();
                }
                return;
            }
            EventBody::ToolReturned { frame, call_id, .. } => {
                let first = self.outcomes.insert((frame.clone(), call_id.clone()));
                assert!(first, "the outcome of {frame} {call_id} was taken twice");
                return;
            }
            _ => return,
        };
        let counts = &mut self.counts;
        let picodollars = usage.cost.picodollars();
        counts.calls += calls;
        counts.tokens += usage.total();
        counts.picodollars += picodollars;
        counts.largest.0 = counts.largest.0.max(calls);
        counts.largest.1 = counts.largest.1.max(usage.total());
        counts.largest.2 = counts.largest.2.max(picodollars);
    }

    /// Something that nobody asked for; `true` if it took the place of a step.
    fn disturb(&mut self) -> bool {
        let crash = match self.weather {
            Weather::Still => return false,
            Weather::Calm | Weather::Rough => self.crashes < 3 && self.chance.once_in(14),
        };
        if crash {
            self.crash();
            return true;
        }
        if !self.delivered.is_empty() && self.chance.once_in(6) {
            self.deliver_again();
        }
        if self.is_calm() {
            return false;
        }
        if self.chance.once_in(60) {
            let by = "ann".to_owned();
            self.log(EventBody::CancelRequested { by });
            return true;
        }
        if self.messages < 2 && self.chance.once_in(50) {
            self.messages += 1;
            self.log(said(0).body);
            return true;
        }
        if self.chance.once_in(150) {
            let budget = Budget::Time;
            self.log(EventBody::BudgetExhausted { budget });
            return true;
        }
        false
    }

    /// The process dies. Whatever was in flight may have happened or not; another process reads the
    /// disk and goes on.
    fn crash(&mut self) {
        self.crashes += 1;
        for mut flight in std::mem::take(&mut self.flights) {
            if self.chance.once_in(2) {
                self.perform(&mut flight);
            }
        }
        let stored = self.chance.once_in(8).then(|| {
            let text = serde_json::to_string(&self.disk).unwrap();
            serde_json::from_str::<Vec<Event>>(&text).unwrap()
        });
        let read = stored.as_ref().unwrap_or(&self.disk);
        let resumed = Thread::replay(script::spec(), read);
        let resumed = resumed.unwrap_or_else(|reason| panic!("the log cannot be folded: {reason}"));
        assert_eq!(resumed, self.thread, "folding the log is recovery");
        self.thread = resumed;
        self.log(self.run_started());
    }

    /// The same outcome arrives once more: whoever checks refuses it, and nothing has changed.
    fn deliver_again(&mut self) {
        let pick = self.chance.below(self.delivered.len());
        let again = Event::new(at(self.now), self.delivered[pick].clone());
        if self.fault == Fault::TakesAnOutcomeTwice {
            self.disk.push(again);
            return;
        }
        assert!(self.thread.check(&again).is_err(), "taken twice: {again:?}");
    }

    fn start_what_is_outstanding(&mut self) {
        for key in self.thread.outstanding() {
            // A driver may be slow to begin, but not to end.
            let busy = self.flights.iter().any(|flight| flight.key == key);
            let slow =
                self.weather != Weather::Still && key != EffectKey::End && self.chance.once_in(5);
            if busy || slow {
                continue;
            }
            let Some(effect) = self.thread.effect(&key) else {
                continue;
            };
            assert_eq!(effect.key(), key);
            match &effect {
                Effect::CallModel { request, .. } => request.check_orphans().unwrap(),
                Effect::CallTool {
                    frame,
                    call,
                    attempt: Attempt::First,
                    ..
                } => {
                    if self.fault == Fault::ActsBeforeItLogs && call.name == "change" {
                        *self.changes_of(frame, &call.id) += 1;
                        if self.chance.once_in(3) {
                            return self.crash();
                        }
                        *self.changes_of(frame, &call.id) -= 1;
                    }
                    let (frame, call_id) = (frame.clone(), call.id.clone());
                    self.log(EventBody::ToolStarted { frame, call_id });
                }
                Effect::EndRun { .. } => {
                    // A change that is on its way is waited for; nothing else is.
                    self.flights
                        .retain(|flight| is_change(&flight.effect) || is_end(&flight.effect));
                }
                Effect::CallTool { .. }
                | Effect::Compact { .. }
                | Effect::RaiseInterrupt { .. }
                | Effect::AskPerson { .. } => {}
                Effect::UseFiles { .. } => panic!("nothing is mounted"),
            }
            let done = false;
            self.flights.push(Flight { key, effect, done });
        }
    }

    /// One thing that is on its way gets on.
    fn go_on(&mut self) {
        if self.flights.is_empty() {
            return;
        }
        let place = match self.weather {
            Weather::Still => 0,
            Weather::Calm | Weather::Rough => self.chance.below(self.flights.len()),
        };
        let mut flight = self.flights.remove(place);
        if self.thread.effect(&flight.key).is_none() {
            // Something else has made it moot, and a driver cannot know when it ends.
            self.perform(&mut flight);
            return;
        }
        if is_change(&flight.effect) && !flight.done {
            self.perform(&mut flight);
            self.flights.push(flight);
            return;
        }
        if is_end(&flight.effect) && self.flights.iter().any(|other| is_change(&other.effect)) {
            self.flights.push(flight);
            return;
        }
        self.complete(flight.effect);
    }

    fn changes_of(&mut self, frame: &FramePath, call: &ToolCallId) -> &mut u32 {
        let key = (frame.clone(), call.clone());
        self.changes.entry(key).or_default()
    }

    /// A tool does what it does. One whose earlier end is unknown looks first.
    fn perform(&mut self, flight: &mut Flight) {
        let Effect::CallTool {
            frame,
            call,
            attempt,
            ..
        } = &flight.effect
        else {
            return;
        };
        if call.name != "change" || flight.done {
            return;
        }
        flight.done = true;
        let attempt = *attempt;
        let times = self.changes_of(frame, &call.id);
        if attempt == Attempt::First || *times == 0 {
            *times += 1;
        }
        assert_eq!(*times, 1, "{frame} {} changed something twice", call.id);
    }

    fn complete(&mut self, effect: Effect) {
        match effect {
            Effect::CallModel {
                frame,
                attempt,
                may_shorten,
                ..
            } => self.model_ends(frame, attempt, may_shorten),
            Effect::Compact {
                frame,
                keep_from,
                clip_chars,
                request,
                plain_summary,
                ..
            } => {
                let summary = match request {
                    Some(_) => format!("{frame} to {keep_from}"),
                    None => plain_summary,
                };
                self.log(EventBody::Compacted {
                    frame,
                    keep_from,
                    clip_chars,
                    summary,
                    usage: used(20),
                });
            }
            Effect::CallTool {
                frame,
                call,
                answer,
                ..
            } => {
                if call.name == "ask" && answer.is_none() {
                    self.ask(frame, call.id, json!({"kind": "ask"}));
                } else {
                    self.tool_returns(frame, &call);
                }
            }
            Effect::RaiseInterrupt {
                frame,
                call_id,
                payload,
            } => self.ask(frame, call_id, payload),
            Effect::AskPerson {
                interrupt_id,
                payload,
            } => {
                let open = &self.thread.state().interrupts()[&interrupt_id];
                let answer =
                    script::answer(self.plot, &open.frame, open.call.id.as_str(), &payload);
                // People take their time, and it does not count.
                self.now += 10_000;
                let body = EventBody::InterruptAnswered {
                    interrupt_id,
                    answer,
                    by: "ann".to_owned(),
                };
                self.delivered.push(body.clone());
                self.log(body);
            }
            Effect::EndRun { outcome } => self.log(EventBody::RunEnded { outcome }),
            Effect::UseFiles { .. } => panic!("nothing is mounted"),
        }
    }

    fn ask(&mut self, frame: FramePath, call_id: ToolCallId, payload: Value) {
        self.questions += 1;
        self.log(EventBody::InterruptRaised {
            frame,
            call_id,
            interrupt_id: interrupt(self.questions),
            payload,
        });
    }

    fn tool_returns(&mut self, frame: FramePath, call: &ToolCall) {
        let outcome = script::outcome(self.plot, &frame, call);
        let call_id = call.id.clone();
        let body = EventBody::ToolReturned {
            frame,
            call_id,
            outcome,
        };
        self.delivered.push(body.clone());
        self.log(body);
    }

    fn model_ends(&mut self, frame: FramePath, attempt: u32, may_shorten: bool) {
        if self.weather != Weather::Still {
            let error = "overloaded".to_owned();
            let usage = Usage::default();
            // In calm weather no model gives up for good.
            if self.chance.once_in(8) && (attempt < 4 || !self.is_calm()) {
                let retryable = self.is_calm() || !self.chance.once_in(4);
                let retry_after_ms = self.chance.once_in(2).then_some(500);
                return self.log(EventBody::ModelFailed {
                    frame,
                    error,
                    retryable,
                    usage,
                    retry_after_ms,
                });
            }
            if self.chance.once_in(20) {
                return self.log(EventBody::ModelFellBack {
                    frame,
                    error,
                    usage,
                });
            }
            if !self.is_calm() && may_shorten && self.chance.once_in(15) {
                return self.log(EventBody::ContextOverflowed { frame, error });
            }
        }
        let messages = self.thread.state().frame(&frame).unwrap().messages();
        let turns = messages
            .iter()
            .filter(|message| matches!(message, Message::Ai { .. }));
        let turn = turns.count();
        let (mut text, tool_calls) = script::turn(self.plot, &frame, turn);
        if self.fault == Fault::AnswersAnewAfterACrash && self.crashes > 0 {
            text.push_str(" (said by another process)");
        }
        let tokens = 20 + u64::try_from(turn).unwrap();
        self.log(EventBody::ModelReplied {
            frame,
            text,
            tool_calls,
            reasoning: Vec::new(),
            finish: FinishReason::Complete,
            usage: used(tokens),
        });
    }

    /// What may still happen to a thread that has ended; `false` if it rests.
    fn goes_on_after_the_end(&mut self) -> bool {
        let unfinished = std::mem::take(&mut self.flights);
        let changes = self.changes.clone();
        for flight in unfinished {
            let Effect::CallTool { frame, call, .. } = &flight.effect else {
                continue;
            };
            let (frame, call_id) = (frame.clone(), call.id.clone());
            let start = Event::new(at(self.now), EventBody::ToolStarted { frame, call_id });
            assert!(
                self.thread.check(&start).is_err(),
                "a start after the end: {start:?}"
            );
        }
        if self.fault == Fault::ActsAfterTheEnd
            && let Some(times) = self.changes.values_mut().next()
        {
            *times += 1;
        }
        assert_eq!(changes, self.changes, "something was done after the end");
        if self.weather != Weather::Rough || self.messages > 2 || !self.chance.once_in(3) {
            return false;
        }
        self.messages += 3;
        self.log(said(0).body);
        true
    }

    /// What holds in every state.
    fn check(&self) {
        let keys = self.thread.outstanding();
        let only_end = keys == [EffectKey::End];
        match self.thread.status() {
            ThreadStatus::Idle | ThreadStatus::Ended(_) => {
                assert!(keys.is_empty(), "an effect after the end: {keys:?}");
                return;
            }
            ThreadStatus::Running | ThreadStatus::Interrupted => {
                assert!(!keys.is_empty(), "nothing to do and no end");
            }
        }
        let (counts, budgets) = (&self.counts, &self.budgets);
        let (calls, tokens, picodollars) = counts.largest;
        assert!(counts.replies <= budgets.max_steps, "too many turns");
        assert!(
            counts.calls <= budgets.max_tool_calls + calls,
            "too many calls"
        );
        assert!(
            counts.tokens < budgets.max_tokens.saturating_add(tokens.max(1)),
            "too many tokens"
        );
        let money = budgets.max_cost_microdollars.map(|limit| limit * 1_000_000);
        assert!(
            money.is_none_or(|limit| counts.picodollars < limit + picodollars.max(1)),
            "too much money"
        );
        let run = self.thread.state().run().unwrap();
        let late = self.thread.state().last_event_at().unwrap() >= run.deadline();
        let spent = counts.calls > budgets.max_tool_calls
            || counts.tokens >= budgets.max_tokens
            || money.is_some_and(|limit| counts.picodollars >= limit)
            || late;
        assert!(!spent || only_end, "a budget is spent and it goes on");
    }

    fn close(self, outcome: RunOutcome) -> Ending {
        let replayed = Thread::replay(script::spec(), &self.disk);
        let replayed =
            replayed.unwrap_or_else(|reason| panic!("the log cannot be folded: {reason}"));
        assert_eq!(replayed, self.thread, "the disk has what the memory has");
        let state = self.thread.state();
        let completed = matches!(outcome, RunOutcome::Completed { .. });
        for (path, frame) in state.frames() {
            check_history(path, frame.messages(), completed);
        }
        let histories = state
            .frames()
            .map(|(path, frame)| (path.clone(), frame.messages().to_vec()))
            .collect();
        let notes = state
            .files()
            .iter()
            .filter(|(path, _)| path.as_str().starts_with("/notes/"))
            .map(|(path, text)| (path.to_string(), text.to_owned()))
            .collect();
        Ending {
            outcome,
            histories,
            values: state.values().clone(),
            notes,
            changes: self.changes,
        }
    }
}

impl Ending {
    /// How much there is in it, so that a test can tell that it tested something.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.histories.len(), self.changes.len())
    }

    pub(super) fn outcome(&self) -> &RunOutcome {
        &self.outcome
    }
}

/// Every call has exactly one answer, right after the turn that made it and in its order. Only the
/// last turn of an agent that was stopped may have none yet.
fn check_history(path: &FramePath, messages: &[Message], completed: bool) {
    let mut wanted: Vec<&ToolCallId> = Vec::new();
    let mut ids = BTreeSet::new();
    for (place, message) in messages.iter().enumerate() {
        match message {
            Message::Tool { call_id, .. } => {
                assert!(
                    !wanted.is_empty() && wanted.remove(0) == call_id,
                    "{path}, message {place}: `{call_id}` is answered again, or out of its turn"
                );
            }
            Message::Ai { tool_calls, .. } => {
                assert!(wanted.is_empty(), "{path}: {wanted:?} have no answer");
                wanted = tool_calls.iter().map(|call| &call.id).collect();
                let fresh = wanted.iter().all(|id| ids.insert(*id));
                assert!(fresh, "{path}: an id was used twice");
            }
            Message::Human { .. } => {
                assert!(wanted.is_empty(), "{path}: {wanted:?} have no answer");
            }
        }
    }
    let stopped = !completed && matches!(messages.last(), Some(Message::Ai { .. }));
    assert!(
        wanted.is_empty() || stopped,
        "{path}: {wanted:?} have no answer"
    );
}

fn is_change(effect: &Effect) -> bool {
    matches!(effect, Effect::CallTool { call, .. } if call.name == "change")
}

fn is_end(effect: &Effect) -> bool {
    matches!(effect, Effect::EndRun { .. })
}

fn used(tokens: u64) -> Usage {
    Usage {
        input_tokens: tokens,
        output_tokens: 3,
        cost: Cost::of_picodollars(tokens * 100_000),
        ..Usage::default()
    }
}
