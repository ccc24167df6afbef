//! The person: asked at the terminal, answered for by flags, or not there.

use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Confirm, Select};
use ecs_agent_ecs::PlanContent;
use serde_json::{Value, json};

use crate::error::CliError;
use crate::output::Output;
use crate::render::{Meaning, Palette, escape_line, plan_lines};

/// Who answers questions, and how.
#[derive(Debug)]
pub(crate) struct Person {
    /// What the record of an approval says.
    pub(crate) name: String,
    /// Whether plans are approved without asking.
    pub(crate) approves: bool,
    /// Whether questions are kept off the screen, since only the result is wanted.
    pub(crate) quiet: bool,
    /// An answer that came with the command, for the first question.
    pub(crate) prepared: Option<Prepared>,
    pub(crate) output: Output,
}

/// An answer that came with the command.
#[derive(Debug, Clone)]
pub(crate) enum Prepared {
    /// The option of this id.
    Choice(String),
    /// No, with a reason.
    Rejection(String),
}

impl Person {
    /// The person as they are for the next question; an answer that came with the command is for
    /// the first one only.
    pub(crate) fn for_one_question(&mut self) -> Self {
        Self {
            name: self.name.clone(),
            prepared: self.prepared.take(),
            output: self.output.clone(),
            ..*self
        }
    }

    /// The person's answer, or `None` when nobody is there to give one.
    ///
    /// Blocks while the person thinks: call it where blocking is fine.
    pub(crate) fn answer(&mut self, question: &Value) -> Result<Option<Value>, CliError> {
        match question.get("kind").and_then(Value::as_str) {
            Some("approval") => self.decide(question),
            Some("question") => self.choose(question),
            // Credentials and whatever a later version asks for cannot be typed in here.
            Some(_) | None => Ok(None),
        }
    }

    fn decide(&mut self, question: &Value) -> Result<Option<Value>, CliError> {
        self.show_plan(question);
        if let Some(Prepared::Rejection(reason)) = self.prepared.take() {
            return Ok(Some(rejection(&reason)));
        }
        if self.approves {
            self.say(&format!("approved by `--yes` as {}", self.name));
            return Ok(Some(approval()));
        }
        if !self.output.can_ask() {
            return Ok(None);
        }
        let theme = theme();
        let approved = Confirm::with_theme(theme.as_ref())
            .with_prompt("Carry out this plan?")
            .default(false)
            .interact()
            .map_err(CliError::Prompt)?;
        Ok(Some(if approved {
            approval()
        } else {
            rejection("rejected at the prompt")
        }))
    }

    fn choose(&mut self, question: &Value) -> Result<Option<Value>, CliError> {
        let options = options(question);
        if let Some(Prepared::Choice(given)) = self.prepared.take() {
            let chosen = options
                .iter()
                .find(|(id, label)| *id == given || *label == given);
            return match chosen {
                Some((id, _)) => Ok(Some(json!({ "choice": id }))),
                None => Err(CliError::NoSuchOption {
                    given,
                    options: ids(&options),
                }),
            };
        }
        if !self.output.can_ask() {
            return Ok(None);
        }
        let labels: Vec<String> = options
            .iter()
            .map(|(_, label)| escape_line(label).into_owned())
            .collect();
        let theme = theme();
        let place = Select::with_theme(theme.as_ref())
            .with_prompt(escape_line(text(question, "question")))
            .items(&labels)
            .default(0)
            .interact()
            .map_err(CliError::Prompt)?;
        Ok(options.get(place).map(|(id, _)| json!({ "choice": id })))
    }

    fn show_plan(&self, question: &Value) {
        if self.quiet {
            return;
        }
        let palette = Palette::of_stderr();
        self.output.remark_as_is("");
        let content = question.get("plan").cloned().unwrap_or_default();
        match serde_json::from_value::<PlanContent>(content) {
            Ok(plan) => {
                for line in plan_lines(&plan, text(question, "plan_hash"), palette) {
                    self.output.remark_as_is(&line);
                }
            }
            // A thread of another version: its own text was made from the same content.
            Err(_) => {
                for request in question
                    .get("action_requests")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                {
                    for line in text(request, "description").lines() {
                        self.output.remark(line);
                    }
                }
            }
        }
        self.output.remark_as_is("");
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            let text = Palette::of_stderr().paint(Meaning::Quiet, escape_line(text));
            self.output.remark_as_is(&text);
        }
    }
}

/// The options of a question: id and label.
pub(crate) fn options(question: &Value) -> Vec<(String, String)> {
    question
        .get("options")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|option| {
            (
                text(option, "id").to_owned(),
                text(option, "label").to_owned(),
            )
        })
        .collect()
}

fn ids(options: &[(String, String)]) -> String {
    options
        .iter()
        .map(|(id, _)| format!("`{id}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn approval() -> Value {
    json!({"decisions": [{"type": "approve"}]})
}

fn rejection(reason: &str) -> Value {
    json!({"decisions": [{"type": "reject", "message": reason}]})
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn theme() -> Box<dyn Theme> {
    match Palette::of_stderr() {
        Palette::Colours => Box::new(ColorfulTheme::default()),
        Palette::Plain => Box::new(SimpleTheme),
    }
}
