//! The main agent: which specialist comes next.

use serde_json::{Value, json};

use super::Move;
use super::conversation::{Answered, Conversation, text_of};

/// The place of a specialist in the order of work.
pub(crate) fn place_of(specialist: &str) -> Option<usize> {
    WORK.iter().position(|(name, _)| *name == specialist)
}

/// The work in order: the specialist, and what the list of work calls it.
const WORK: [(&str, &str); 5] = [
    ("service-identifier", "Identify the service"),
    ("triage-specialist", "Diagnose it, read-only"),
    ("repair-planner", "Plan the repair and ask for approval"),
    ("fix-executor", "Carry out the approved plan"),
    (
        "verification-specialist",
        "Verify, roll back if worse, report",
    ),
];

pub(super) fn next(conversation: &Conversation<'_>) -> Move {
    let Some(last) = conversation.last("task") else {
        return hand_to(0, conversation.asked);
    };
    if !last.succeeded() {
        return Move::Say(format!("stopped: {}", last.error()));
    }
    let specialist = text_of(&last.call.arguments, "subagent_type");
    let place = place_of(specialist).unwrap_or(WORK.len());
    if goes_on(specialist, last) {
        hand_to(place + 1, last.text)
    } else {
        Move::Say(closing(specialist, last.text))
    }
}

/// Whether the next specialist has anything to do.
fn goes_on(specialist: &str, answer: &Answered<'_>) -> bool {
    match specialist {
        "service-identifier" => answer.text.starts_with("identified:"),
        "triage-specialist" => {
            answer.text.starts_with("unwell:") && !answer.text.contains("diagnosis only")
        }
        "repair-planner" => answer.text.starts_with("approved:"),
        "fix-executor" => true,
        _ => false,
    }
}

fn closing(specialist: &str, text: &str) -> String {
    match specialist {
        "triage-specialist" => format!("{text}\nReport: /diagnostic_report.md"),
        "repair-planner" => {
            format!("{text}\nReports: /diagnostic_report.md, /repair_plan.md")
        }
        "verification-specialist" => format!("{text}\nReport: /final_report.md"),
        _ => text.to_owned(),
    }
}

/// Hands the work to the specialist at that place, and keeps the list of work current.
pub(crate) fn hand_to(place: usize, words: &str) -> Move {
    let Some((specialist, _)) = WORK.get(place) else {
        return Move::Say(words.to_owned());
    };
    Move::Call(vec![
        ("write_todos", todos(place)),
        (
            "task",
            json!({"subagent_type": specialist, "description": words}),
        ),
    ])
}

fn todos(current: usize) -> Value {
    let todos: Vec<Value> = WORK
        .iter()
        .enumerate()
        .map(|(place, (_, content))| {
            let status = match place.cmp(&current) {
                std::cmp::Ordering::Less => "completed",
                std::cmp::Ordering::Equal => "in_progress",
                std::cmp::Ordering::Greater => "pending",
            };
            json!({"content": content, "status": status})
        })
        .collect();
    json!({ "todos": todos })
}
