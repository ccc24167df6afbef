//! The service-identifier: credentials first, then one service, asking when several match.

use serde_json::{Value, json};

use super::Move;
use super::conversation::{Answered, Conversation, text_of};

/// The tools that lead to a service; others tell and change nothing.
const WORK: [&str; 5] = [
    "extract_and_set_credentials_from_stack_job",
    "set_aws_credentials_context",
    "find_ecs_service",
    "ask_person",
    "set_service_context_info",
];

pub(super) fn next(conversation: &Conversation<'_>) -> Move {
    let of_work = |answer: &&Answered<'_>| WORK.contains(&answer.call.name.as_str());
    let Some(last) = conversation.answered.iter().rfind(of_work) else {
        return Move::call(
            "extract_and_set_credentials_from_stack_job",
            json!({"service": conversation.asked}),
        );
    };
    match last.call.name.as_str() {
        "extract_and_set_credentials_from_stack_job" => after_registry(last),
        "set_aws_credentials_context" if last.succeeded() => {
            Move::call("find_ecs_service", json!({"query": conversation.asked}))
        }
        "find_ecs_service" if last.succeeded() => after_search(&last.json()),
        "ask_person" if last.succeeded() => after_choice(conversation, last),
        "set_service_context_info" if last.succeeded() => {
            Move::Say(format!("identified: {}", text_of(&last.json(), "summary")))
        }
        _ => after_failure(conversation, last),
    }
}

/// Whoever came before may have left out a step, asked needlessly, or taken another service than was
/// found: the first thing that is missing is done. What failed as it should be called fails again.
fn after_failure(conversation: &Conversation<'_>, last: &Answered<'_>) -> Move {
    let asked = conversation.asked;
    let succeeded = |tool| {
        let answer = conversation.last(tool);
        answer.filter(|answer| answer.succeeded())
    };
    let registry = conversation.last("extract_and_set_credentials_from_stack_job");
    let next = if let Some(found) = succeeded("find_ecs_service") {
        after_search(&found.json())
    } else if succeeded("set_aws_credentials_context").is_some() {
        Move::call("find_ecs_service", json!({"query": asked}))
    } else if let Some(registry) = registry {
        after_registry(registry)
    } else {
        Move::call(
            "extract_and_set_credentials_from_stack_job",
            json!({"service": asked}),
        )
    };
    let failed = conversation.answered.iter().any(|answer| {
        let call = answer.call;
        !answer.succeeded()
            && matches!(&next, Move::Call(calls) if calls.iter().any(|(tool, arguments)| {
                *tool == call.name && *arguments == call.arguments
            }))
    });
    if failed {
        return Move::Say(format!("not identified: {}", last.error()));
    }
    next
}

/// A registered service is known exactly; anything else is searched for.
fn after_registry(answer: &Answered<'_>) -> Move {
    let found = answer.json();
    if text_of(&found, "service").is_empty() {
        if answer.succeeded() {
            return Move::call("set_aws_credentials_context", json!({}));
        }
        return Move::Say(format!("not identified: {}", answer.error()));
    }
    fix(&found, "registered under this name")
}

fn after_search(found: &Value) -> Move {
    match text_of(found, "match") {
        "one" => fix(
            found.get("candidate").unwrap_or(&Value::Null),
            "the only clear match",
        ),
        "several" => {
            let options: Vec<Value> = candidates(found)
                .map(|candidate| {
                    json!({"id": text_of(candidate, "arn"), "label": text_of(candidate, "label")})
                })
                .collect();
            Move::call(
                "ask_person",
                json!({"question": "Several services match. Which one do you mean?", "options": options}),
            )
        }
        _ => Move::Say(format!("not identified: {}", text_of(found, "summary"))),
    }
}

fn after_choice(conversation: &Conversation<'_>, answer: &Answered<'_>) -> Move {
    let choice = answer.json();
    let searched = conversation
        .last("find_ecs_service")
        .map(Answered::json)
        .unwrap_or_default();
    match candidates(&searched)
        .find(|candidate| text_of(candidate, "arn") == text_of(&choice, "choice"))
    {
        Some(candidate) => fix(candidate, "chosen by the person"),
        None => {
            Move::Say("not identified: the chosen service was not among the candidates".to_owned())
        }
    }
}

fn candidates(found: &Value) -> impl Iterator<Item = &Value> {
    found
        .get("candidates")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn fix(candidate: &Value, reason: &str) -> Move {
    Move::call(
        "set_service_context_info",
        json!({
            "cluster": text_of(candidate, "cluster"),
            "service": text_of(candidate, "service"),
            "reason": reason,
        }),
    )
}
