//! What a person sees while an invocation runs: who is at work, on what, and for how long.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ecs_agent_core::{Progress, ProgressSink};
use ecs_agent_credentials::Sink;
use ecs_agent_runtime::{EventBody, FramePath, RunOutcome, ToolCallId, ToolOutcome, ToolStatus};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{Output, remark_width};
use crate::render::{Meaning, Palette, escape_line, wrap};

/// Columns before the text of a line that goes on: its clock and its mark.
const INDENT: usize = 12;

/// Time after which something that is still so is told again.
const STILL_GOING: Duration = Duration::from_secs(20);

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Nothing.
    Nothing,
    /// Specialists, what they do and what they found.
    Steps,
    /// Every tool call and every event's number as well.
    Everything,
}

/// Shows progress on standard error: a spinner with a clock at a terminal, plain lines elsewhere.
#[derive(Debug)]
pub(crate) struct LiveProgress {
    detail: Detail,
    palette: Palette,
    output: Output,
    started: Instant,
    state: Mutex<State>,
}

/// What is known from the events so far.
#[derive(Debug, Default)]
struct State {
    /// Which specialist works in which frame.
    agents: BTreeMap<FramePath, String>,
    /// What each call that was announced is.
    calls: BTreeMap<(FramePath, ToolCallId), Call>,
    spinner: Option<ProgressBar>,
    /// What the specialist at work said last, and when, by what it was about.
    notes: BTreeMap<String, (String, Instant)>,
}

#[derive(Debug)]
struct Call {
    tool: String,
    /// What it does, in a person's words.
    doing: String,
    started: Option<Instant>,
}

impl LiveProgress {
    pub(crate) fn new(detail: Detail, output: &Output) -> Self {
        Self {
            detail,
            palette: Palette::of_stderr(),
            output: output.clone(),
            started: Instant::now(),
            state: Mutex::default(),
        }
    }

    fn event(&self, state: &mut State, seq: u64, body: &EventBody) {
        match body {
            EventBody::ModelReplied {
                frame,
                text,
                tool_calls,
                ..
            } => {
                for call in tool_calls {
                    let specialist = call.arguments.get("subagent_type").and_then(|v| v.as_str());
                    if let ("task", Some(specialist)) = (call.name.as_str(), specialist) {
                        state
                            .agents
                            .insert(frame.child(call.id.clone()), specialist.to_owned());
                        self.heading(state, specialist);
                    }
                    let announced = Call {
                        doing: doing(&call.name, &call.arguments),
                        tool: call.name.clone(),
                        started: None,
                    };
                    state
                        .calls
                        .insert((frame.clone(), call.id.clone()), announced);
                }
                if tool_calls.is_empty() && !frame.is_main() {
                    self.line(state, &format!("  {}", self.conclusion(text)));
                }
            }
            EventBody::ModelFailed { error, .. } | EventBody::ModelFellBack { error, .. } => {
                self.line(
                    state,
                    &format!("  {} {}", self.mark(ToolStatus::Error), escape_line(error)),
                );
            }
            EventBody::ToolStarted { frame, call_id } => {
                let mut doing = "working".to_owned();
                if let Some(call) = state.calls.get_mut(&(frame.clone(), call_id.clone())) {
                    call.started = Some(Instant::now());
                    doing.clone_from(&call.doing);
                }
                self.busy(state, &doing);
            }
            EventBody::ToolReturned {
                frame,
                call_id,
                outcome,
            } => {
                let call = state.calls.remove(&(frame.clone(), call_id.clone()));
                self.returned(state, call, outcome);
            }
            EventBody::InterruptRaised { .. } => self.busy(state, "waiting for a person"),
            EventBody::CancelRequested { .. } => {
                self.line(
                    state,
                    &format!("  {}", self.palette.paint(Meaning::Warning, "cancelled")),
                );
            }
            EventBody::BudgetExhausted { budget } => {
                let text = format!("  budget spent: {budget}");
                self.line(state, &self.palette.paint(Meaning::Warning, text));
            }
            EventBody::RunEnded { outcome } => self.ended(state, outcome),
            EventBody::Compacted { .. } => {
                let text = "  the conversation so far was replaced by a summary";
                self.line(state, &self.palette.paint(Meaning::Quiet, text));
            }
            EventBody::RunStarted { .. }
            | EventBody::Configured { .. }
            | EventBody::ContextOverflowed { .. }
            | EventBody::HumanSaid { .. }
            | EventBody::InterruptAnswered { .. } => {}
        }
        if self.detail == Detail::Everything {
            let text = format!("  event {seq} {}", body.kind());
            self.line(state, &self.palette.paint(Meaning::Quiet, text));
        }
    }

    fn heading(&self, state: &mut State, specialist: &str) {
        state.notes.clear();
        let name = self
            .palette
            .paint(Meaning::Heading, escape_line(specialist));
        self.line(state, &name);
        self.busy(state, "thinking");
    }

    fn returned(&self, state: &mut State, call: Option<Call>, outcome: &ToolOutcome) {
        let Some(call) = call else { return };
        let took = call
            .started
            .map_or(Duration::ZERO, |started| started.elapsed());
        let worth_showing = match outcome.status {
            ToolStatus::Error => true,
            ToolStatus::Success => self.detail == Detail::Everything || is_notable(&call.tool),
        };
        if worth_showing {
            let mut line = format!(
                "  {} {}",
                self.mark(outcome.status),
                escape_line(&call.doing)
            );
            if took >= Duration::from_millis(100) {
                let took = format!(" ({})", seconds(took));
                line.push_str(&self.palette.paint(Meaning::Quiet, took));
            }
            if outcome.status == ToolStatus::Error {
                line.push_str(": ");
                line.push_str(&escape_line(&reason(&outcome.text)));
            }
            self.line(state, &line);
        }
        self.busy(state, "thinking");
    }

    fn ended(&self, state: &mut State, outcome: &RunOutcome) {
        if let Some(spinner) = state.spinner.take() {
            spinner.finish_and_clear();
        }
        if let RunOutcome::Failed { error } = outcome {
            self.line(
                state,
                &format!("{} {}", self.mark(ToolStatus::Error), escape_line(error)),
            );
        }
    }

    /// A specialist's answer: its first line, which starts with a verdict word.
    fn conclusion(&self, text: &str) -> String {
        let first = text.lines().next().unwrap_or_default();
        let meaning = match first.split([':', ' ']).next().unwrap_or_default() {
            "identified" | "healthy" | "approved" | "done" | "repaired" => Meaning::Good,
            "unwell" | "inconclusive" | "in" | "rejected" | "needs" => Meaning::Warning,
            _ if first.starts_with("not ") || first.starts_with("stopped") => Meaning::Bad,
            _ => Meaning::Heading,
        };
        self.palette.paint(meaning, escape_line(first))
    }

    fn mark(&self, status: ToolStatus) -> String {
        match status {
            ToolStatus::Success => self.palette.paint(Meaning::Good, "✓"),
            ToolStatus::Error => self.palette.paint(Meaning::Bad, "✗"),
        }
    }

    /// Writes one line that stays.
    fn line(&self, state: &mut State, text: &str) {
        let clock = format!("{:>7}", seconds(self.started.elapsed()));
        let line = format!("{} {text}", self.palette.paint(Meaning::Quiet, clock));
        let line = wrap(&line, remark_width(), INDENT);
        match &state.spinner {
            Some(spinner) => spinner.suspend(|| self.output.remark_as_is(&line)),
            None => self.output.remark_as_is(&line),
        }
    }

    /// Shows what goes on now, with a running clock, where a line can be taken back.
    fn busy(&self, state: &mut State, doing: &str) {
        if !std::io::stderr().is_terminal() || self.palette == Palette::Plain {
            return;
        }
        let spinner = state.spinner.get_or_insert_with(|| {
            let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) =
                ProgressStyle::with_template("        {spinner} {msg} {elapsed:.dim}")
            {
                spinner.set_style(style);
            }
            spinner.enable_steady_tick(Duration::from_millis(120));
            spinner
        });
        spinner.reset_elapsed();
        let doing = escape_line(doing);
        spinner.set_message(self.output.or_notice(Sink::Progress, &doing).to_owned());
    }
}

impl ProgressSink for LiveProgress {
    fn progress(&self, progress: &Progress<'_>) {
        if self.detail == Detail::Nothing {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::Event { seq, event } => {
                self.event(&mut state, *seq, &event.body);
                // The person is about to be asked: the line is theirs.
                if let EventBody::InterruptRaised { .. } = event.body
                    && let Some(spinner) = state.spinner.take()
                {
                    spinner.finish_and_clear();
                }
            }
            // What a model writes comes whole with its event.
            Progress::Delta { .. } => {}
            Progress::Note { text, .. } if self.is_live() => self.busy(&mut state, text),
            // A watch says the same again and again: what is new is told, and now and then that
            // it still goes on.
            Progress::Note { text, .. } if state.has_heard(text) => {}
            Progress::Note { text, .. } => {
                let text = self.palette.paint(Meaning::Quiet, escape_line(text));
                self.line(&mut state, &format!("  {text}"));
            }
        }
    }
}

impl State {
    /// Whether the same was told a moment ago; remembers it if not.
    fn has_heard(&mut self, note: &str) -> bool {
        // "1 of 2 tasks run" and "2 of 2 tasks run" are about one thing.
        let about = note.replace(|c: char| c.is_ascii_digit(), "");
        let heard = self
            .notes
            .get(&about)
            .is_some_and(|(said, at)| said == note && at.elapsed() < STILL_GOING);
        if !heard {
            self.notes.insert(about, (note.to_owned(), Instant::now()));
        }
        heard
    }
}

impl LiveProgress {
    /// Whether notes can be shown in passing rather than line after line.
    fn is_live(&self) -> bool {
        std::io::stderr().is_terminal() && self.palette == Palette::Colours
    }
}

/// Tools whose success a person wants to see; the rest is how the specialists think.
fn is_notable(tool: &str) -> bool {
    matches!(
        tool,
        "set_aws_credentials_context"
            | "observe_service"
            | "execute_operation"
            | "roll_back_plan"
            | "verify_service"
    )
}

/// What a call does, in a person's words.
fn doing(tool: &str, arguments: &serde_json::Value) -> String {
    let step = arguments.get("step").and_then(serde_json::Value::as_u64);
    match (tool, step) {
        ("execute_operation", Some(step)) => format!("carry out step {step}"),
        _ => words(tool).to_owned(),
    }
}

/// A tool's name in a person's words.
fn words(tool: &str) -> &str {
    match tool {
        "set_aws_credentials_context" => "open the credentials, read-only",
        "extract_and_set_credentials_from_stack_job" => "look into the registry",
        "find_ecs_service" => "search for the service",
        "set_service_context_info" => "fix the service that is meant",
        "ask_person" => "ask",
        "observe_service" => "read everything about the service",
        "diagnose_observation" => "analyse what was read",
        "write_diagnostic_report" => "write the diagnosis",
        "propose_plan" => "plan the repair",
        "execute_operation" => "carry out one operation",
        "verify_service" => "watch the service",
        "roll_back_plan" => "roll back",
        "write_final_report" => "write the report",
        other => other,
    }
}

/// The sentence of an error's JSON, or its text.
fn reason(text: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text)
        .ok()
        .and_then(|value| value.get("error")?.as_str().map(str::to_owned))
        .unwrap_or_else(|| text.to_owned())
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => format!("{:.1}s", duration.as_secs_f64()),
        whole => format!("{}m{:02}s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_by_its_sentence() {
        assert_eq!(reason(r#"{"error":"access denied"}"#), "access denied");
        assert_eq!(reason("plain"), "plain");
    }

    #[test]
    fn a_watch_tells_what_is_new() {
        let mut state = State::default();
        let notes = [
            "observing",
            "1 of 2 run",
            "observing",
            "2 of 2 run",
            "2 of 2 run",
            "1 of 2 run",
        ];
        let told: Vec<&str> = notes
            .into_iter()
            .filter(|note| !state.has_heard(note))
            .collect();
        assert_eq!(
            told,
            ["observing", "1 of 2 run", "2 of 2 run", "1 of 2 run"]
        );
    }

    #[test]
    fn time_reads_well() {
        assert_eq!(seconds(Duration::from_millis(1234)), "1.2s");
        assert_eq!(seconds(Duration::from_secs(125)), "2m05s");
    }
}
