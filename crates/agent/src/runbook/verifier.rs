//! The verification-specialist: watch, roll back at most once, report.

use serde_json::json;

use super::Move;
use super::conversation::{Answered, Conversation, text_of};

pub(super) fn next(conversation: &Conversation<'_>) -> Move {
    if let Some(report) = conversation.last("write_final_report") {
        return Move::Say(if report.succeeded() {
            text_of(&report.json(), "verdict").to_owned()
        } else {
            format!("not repaired: {}", report.error())
        });
    }
    let Some(watched) = conversation.last("verify_service") else {
        return Move::call("verify_service", json!({}));
    };
    match conversation.last("roll_back_plan") {
        None => after_watching(watched),
        Some(rolled_back) if !rolled_back.succeeded() => {
            Move::call("write_final_report", json!({}))
        }
        // What was undone is watched once more.
        Some(_) if conversation.place("roll_back_plan") > conversation.place("verify_service") => {
            Move::call("verify_service", json!({}))
        }
        Some(_) => Move::call("write_final_report", json!({})),
    }
}

fn after_watching(watched: &Answered<'_>) -> Move {
    let result = watched.json();
    let healthy = text_of(&result, "state") == "healthy";
    let may_roll_back = result
        .get("can_roll_back")
        .and_then(serde_json::Value::as_bool)
        == Some(true);
    if watched.succeeded() && !healthy && may_roll_back {
        Move::call("roll_back_plan", json!({}))
    } else {
        Move::call("write_final_report", json!({}))
    }
}
