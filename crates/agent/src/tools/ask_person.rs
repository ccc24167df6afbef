//! `ask_person`: which of several services is meant, answered by the person and nobody else.

use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::search::Candidates;
use super::{Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, values};
use crate::settings::Oversight;

/// Most options that a person is shown.
const MAX_OPTIONS: usize = 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The question, one sentence.
    question: String,
    /// The services to choose from; the program fills in those that match.
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
            "Asks the person which of several matching services is meant and returns the id of the one they chose.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            let arguments = match input.parse::<Arguments>() {
                Ok(arguments) => arguments,
                Err(outcome) => return outcome.into(),
            };
            let options = match options(session, &input, arguments.options) {
                Ok(options) => options,
                Err(why) => return ToolOutcome::error(json!({ "error": why }).to_string()).into(),
            };
            match &input.answer {
                None => ToolReply::Ask(json!({
                    "kind": "question",
                    "question": arguments.question,
                    "options": options,
                })),
                Some(given) => chosen(&options, &given.answer, input.turn()).into(),
            }
        })
    }
}

/// What the person may choose from: the services that the last search found, in the program's words.
/// Whatever else a model would like to ask, the search or the program answers it.
fn options(
    session: &Session,
    input: &ToolInput,
    asked: Vec<Choice>,
) -> Result<Vec<Choice>, String> {
    let Some(candidates) = Candidates::of(input) else {
        return match session.settings.oversight {
            Oversight::Runbook => {
                Err("nothing is to be asked yet: call find_ecs_service".to_owned())
            }
            Oversight::None if (2..=MAX_OPTIONS).contains(&asked.len()) => Ok(asked),
            Oversight::None => Err(format!(
                "`options` has {} entries; give 2 to {MAX_OPTIONS}",
                asked.len()
            )),
        };
    };
    match candidates.services.as_slice() {
        [] => {
            Err("nothing matches, so there is nothing to choose: say what was searched".to_owned())
        }
        [_] => Err("one service matches: call set_service_context_info with it".to_owned()),
        _ if input.answer.is_none() && input.values.contains_key(values::CHOSEN) => {
            Err("the person has chosen already".to_owned())
        }
        several => Ok(several
            .iter()
            .take(MAX_OPTIONS)
            .filter_map(|candidate| {
                Some(Choice {
                    id: candidate.arn.clone()?,
                    label: candidate.label(),
                })
            })
            .collect()),
    }
}

fn chosen(options: &[Choice], answer: &Value, turn: usize) -> ToolOutcome {
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
                .with_value(values::CHOSEN, json!({"arn": choice.id, "turn": turn}))
        }
        None => ToolOutcome::error(
            json!({"error": "the person chose none of the options", "answer": answer}).to_string(),
        ),
    }
}
