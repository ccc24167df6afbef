//! `ask_person`: one question with options, answered by the person and nobody else.

use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Tool, ToolInput, ToolReply, spec_of};
use crate::session::Session;

/// Most options that a person is shown.
const MAX_OPTIONS: usize = 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The question, one sentence.
    question: String,
    /// The answers to choose from, at least two.
    options: Vec<Choice>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Choice {
    /// What the answer is called in the result.
    id: String,
    /// What the person reads.
    label: String,
}

/// Asks the person.
pub(crate) struct AskPerson;

impl Tool for AskPerson {
    fn spec(&self) -> ToolSpec {
        spec_of::<Arguments>(
            "ask_person",
            "Asks the person one question with options and returns the id of the option they chose.",
        )
    }

    fn call<'a>(
        &'a self,
        _session: &'a Session,
        input: ToolInput,
    ) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            let arguments = match input.parse::<Arguments>() {
                Ok(arguments) => arguments,
                Err(outcome) => return outcome.into(),
            };
            if arguments.options.len() < 2 || arguments.options.len() > MAX_OPTIONS {
                return ToolOutcome::error(format!(
                    "`options` has {} entries; give 2 to {MAX_OPTIONS}",
                    arguments.options.len()
                ))
                .into();
            }
            match input.answer {
                None => ToolReply::Ask(json!({
                    "kind": "question",
                    "question": arguments.question,
                    "options": arguments.options,
                })),
                Some(given) => chosen(&arguments.options, &given.answer).into(),
            }
        })
    }
}

fn chosen(options: &[Choice], answer: &Value) -> ToolOutcome {
    let said = answer
        .get("choice")
        .and_then(Value::as_str)
        .or_else(|| answer.as_str());
    match said.and_then(|said| {
        options
            .iter()
            .find(|choice| choice.id == said || choice.label == said)
    }) {
        Some(choice) => {
            ToolOutcome::success(json!({"choice": choice.id, "label": choice.label}).to_string())
        }
        None => ToolOutcome::error(
            json!({"error": "the person chose none of the options", "answer": answer}).to_string(),
        ),
    }
}
