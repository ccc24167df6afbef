//! The verification-specialist: watch, roll back at most once, report.

use serde_json::json;

use super::Move;
use super::conversation::{Answered, Conversation, text_of};

pub(super) fn next(conversation: &Conversation<'_>) -> Move {
    let Some(watched) = conversation.plain("verify_service") else {
        return Move::call("verify_service", json!({}));
    };
    let place = |tool| conversation.plain_place(tool);
    let rolled_back = place("roll_back_plan");
    // A report counts if it came after what it tells of.
    let report = place("write_final_report")
        .filter(|report| Some(*report) > place("verify_service") && Some(*report) > rolled_back)
        .and_then(|report| conversation.answered.get(report));
    if let Some(report) = report {
        return Move::Say(if report.succeeded() {
            text_of(&report.json(), "verdict").to_owned()
        } else {
            format!("not repaired: {}", report.error())
        });
    }
    match conversation.plain("roll_back_plan") {
        None => after_watching(watched),
        Some(rolled_back) if !rolled_back.succeeded() => {
            Move::call("write_final_report", json!({}))
        }
        // What was undone is watched once more.
        Some(_) if rolled_back > place("verify_service") => Move::call("verify_service", json!({})),
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
