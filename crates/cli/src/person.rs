//! The person: asked at the terminal, answered for by flags, or not there.

use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Confirm, Select};
use ecs_agent_credentials::Sink;
use ecs_agent_ecs::PlanContent;
use serde_json::{Value, json};

use crate::error::CliError;
use crate::output::{Output, remark_width};
use crate::render::{Meaning, Palette, escape_line, plan_lines};

/// Who answers questions, and how.
#[derive(Debug)]
pub(crate) struct Person {
    /// What the record of an approval says.
    pub(crate) name: String,
    /// Whether plans are approved without asking.
    pub(crate) approves: bool,
    /// Whether that goes for values that were not proven, too.
    pub(crate) accepts_unproven: bool,
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
        let unproven = unproven(question);
        if self.approves && unproven > 0 && !self.accepts_unproven {
            // Told also when quiet: the command ends otherwise than was asked for.
            self.output.remark(&format!(
                "`--yes` does not approve this plan: {unproven} of its values could not be proven from \
                 what was observed (marked `unproven`). Look at it, or add `--accept-unproven`"
            ));
        } else if self.approves {
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
        let labels: Vec<String> = options.iter().map(|(_, label)| self.shown(label)).collect();
        let theme = theme();
        let place = Select::with_theme(theme.as_ref())
            .with_prompt(self.shown(text(question, "question")))
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
                for line in plan_lines(&plan, text(question, "plan_hash"), palette, remark_width())
                {
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

    /// A text from outside, as a prompt shows it.
    fn shown(&self, text: &str) -> String {
        let text = escape_line(text);
        self.output.or_notice(Sink::Stderr, &text).to_owned()
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            let text = Palette::of_stderr().paint(Meaning::Quiet, escape_line(text));
            self.output.remark_as_is(&text);
        }
    }
}

/// How many values of the plan were not proven.
pub(crate) fn unproven(question: &Value) -> usize {
    let steps = question.pointer("/plan/steps").and_then(Value::as_array);
    steps
        .into_iter()
        .flatten()
        .filter_map(|step| step.get("unproven").and_then(Value::as_array))
        .map(Vec::len)
        .sum()
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

#[cfg(test)]
mod tests {
    use ecs_agent_credentials::LeakGuard;

    use super::*;

    fn person(approves: bool, accepts_unproven: bool) -> Person {
        Person {
            name: "ada".to_owned(),
            approves,
            accepts_unproven,
            quiet: true,
            prepared: None,
            output: Output::new(crate::args::Format::Json, LeakGuard::new()),
        }
    }

    fn plan(unproven: &[&str]) -> Value {
        json!({"kind": "approval", "plan": {"steps": [{"unproven": []}, {"unproven": unproven}]}})
    }

    #[test]
    fn yes_approves_what_is_proven_and_the_rest_only_when_told() {
        let cases = [
            (person(true, false), plan(&[]), Some(approval())),
            (person(true, false), plan(&["the path"]), None),
            (person(true, true), plan(&["the path"]), Some(approval())),
            (person(false, false), plan(&[]), None),
        ];
        for (mut person, question, answer) in cases {
            // Tests may run at a terminal, where a person would be asked.
            if answer.is_some() || !person.output.can_ask() {
                assert_eq!(person.answer(&question).unwrap(), answer, "{question}");
            }
        }
    }

    #[test]
    fn an_answer_that_came_along_is_for_the_first_question() {
        let mut person = person(true, false);
        person.prepared = Some(Prepared::Rejection("not now".to_owned()));
        let answer = person.for_one_question().answer(&plan(&[])).unwrap();
        assert_eq!(answer, Some(rejection("not now")));
        let answer = person.for_one_question().answer(&plan(&[])).unwrap();
        assert_eq!(answer, Some(approval()));
    }
}
