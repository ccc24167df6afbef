//! A resume value: which question it answers, and whether it is an answer to it.
//!
//! What is refused here leaves the question open: a slip of a client neither approves a plan nor
//! throws it away.

use ecs_agent_runtime::{InterruptId, OpenInterrupt};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::ApiError;

/// An answer to one open question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) interrupt: InterruptId,
    pub(crate) value: Value,
}

/// Reads a resume value against the open questions; `None` when nothing is open.
///
/// # Errors
/// [`ApiError::Invalid`], when the value does not say which question it answers, or is no answer
/// to it; [`ApiError::Conflict`], when it names another plan than the one that is asked about.
pub(crate) fn answer(resume: &Value, open: &[&OpenInterrupt]) -> Result<Option<Answer>, ApiError> {
    if open.is_empty() {
        return Ok(None);
    }
    let (question, value) = match by_id(resume) {
        Some((id, value)) => {
            let question = open
                .iter()
                .find(|open| open.id.as_uuid() == id)
                .ok_or_else(|| {
                    ApiError::Invalid(format!("no question `{}` is open", id.simple()))
                })?;
            (question, value)
        }
        None => match open {
            [question] => (question, resume),
            _ => {
                return Err(ApiError::Invalid(
                    "several questions are open: answer one by `{\"<interrupt id>\": <answer>}`"
                        .to_owned(),
                ));
            }
        },
    };
    let kind = question
        .payload
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let value = match kind {
        "approval" => decision(&question.payload, value)?,
        "question" => choice(&question.payload, value)?,
        _ => value.clone(),
    };
    Ok(Some(Answer {
        interrupt: question.id,
        value,
    }))
}

/// Declines what is asked, so that the turn ends without anything being done.
pub(crate) fn decline(open: &[&OpenInterrupt]) -> Option<Answer> {
    const WHY: &str = "marked as resolved";
    open.first().map(|question| Answer {
        interrupt: question.id,
        value: json!({"decisions": [{"type": "reject", "message": WHY}], "choice": null}),
    })
}

/// Whether an answer approves a plan: what leads to changes.
pub(crate) fn approves(answer: &Answer, open: &[&OpenInterrupt]) -> bool {
    let asks_approval = open.iter().any(|open| {
        let kind = open.payload.get("kind").and_then(Value::as_str);
        // A kind that is not known here may be about anything.
        open.id == answer.interrupt && kind != Some("question")
    });
    let declines = answer
        .value
        .pointer("/decisions/0/type")
        .and_then(Value::as_str)
        == Some("reject");
    asks_approval && !declines
}

/// A map from one interrupt's id to its answer.
fn by_id(resume: &Value) -> Option<(Uuid, &Value)> {
    let fields = resume.as_object()?;
    let (key, value) = fields.iter().next().filter(|_| fields.len() == 1)?;
    let hex = key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = hex.then(|| Uuid::try_parse(key).ok()).flatten()?;
    Some((id, value))
}

/// A decision on a plan, in the form of today or of the clients before it.
fn decision(payload: &Value, value: &Value) -> Result<Value, ApiError> {
    const FORM: &str = "answer an approval with `{\"decisions\": [{\"type\": \"approve\"}]}` or \
                        `{\"decisions\": [{\"type\": \"reject\", \"message\": \"why\"}]}`";
    let refusal = || ApiError::Invalid(FORM.to_owned());
    let decisions = match value {
        Value::Object(fields) => fields.get("decisions").and_then(Value::as_array),
        Value::Array(items) => Some(items),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
    .ok_or_else(refusal)?;
    let [decision] = decisions.as_slice() else {
        return Err(refusal());
    };
    if let (Some(given), Some(asked)) = (value.get("plan_hash"), payload.get("plan_hash"))
        && given != asked
    {
        return Err(ApiError::Conflict(
            "the decision names another plan than the one that waits; read the thread again"
                .to_owned(),
        ));
    }
    match decision.get("type").and_then(Value::as_str) {
        Some("approve" | "accept") => Ok(json!({"decisions": [{"type": "approve"}]})),
        Some("reject" | "ignore" | "response" | "respond") => {
            let why = decision.get("message").or_else(|| decision.get("args"));
            let why = why.and_then(Value::as_str).unwrap_or("no reason given");
            Ok(json!({"decisions": [{"type": "reject", "message": why}]}))
        }
        Some("edit") => Err(ApiError::Invalid(
            "a plan cannot be edited here: reject it and say in the message what should be different"
                .to_owned(),
        )),
        Some(_) | None => Err(refusal()),
    }
}

/// A choice among a question's options, by id or by label.
fn choice(payload: &Value, value: &Value) -> Result<Value, ApiError> {
    let said = value.get("choice").unwrap_or(value).as_str();
    let options = payload
        .get("options")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let field = |option: &Value, key: &str| {
        option
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .unwrap_or_default()
    };
    let chosen = options.iter().find(|option| {
        said.is_some_and(|said| field(option, "id") == said || field(option, "label") == said)
    });
    chosen
        .map(|option| json!({ "choice": field(option, "id") }))
        .ok_or_else(|| {
            let ids: Vec<String> = options.iter().map(|option| field(option, "id")).collect();
            ApiError::Invalid(format!(
                "answer the question with `{{\"choice\": \"<id>\"}}`; the ids are {}",
                ids.join(", ")
            ))
        })
}

#[cfg(test)]
#[path = "resume_tests.rs"]
mod tests;
