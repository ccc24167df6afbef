//! The verification-specialist: watch, roll back at most once, report.

use serde_json::json;

use super::Move;
use super::conversation::{Answered, Conversation, text_of};

pub(super) fn next(conversation: &Conversation<'_>) -> Move {
    let Some(last) = conversation.answered.last() else {
        return Move::call("verify_service", json!({}));
    };
    match last.call.name.as_str() {
        "verify_service" => after_watching(conversation, last),
        "roll_back_plan" if last.succeeded() => Move::call("verify_service", json!({})),
        "write_final_report" if last.succeeded() => {
            Move::Say(text_of(&last.json(), "verdict").to_owned())
        }
        "write_final_report" => Move::Say(format!("not repaired: {}", last.error())),
        _ => Move::call("write_final_report", json!({})),
    }
}

fn after_watching(conversation: &Conversation<'_>, watched: &Answered<'_>) -> Move {
    let result = watched.json();
    let healthy = text_of(&result, "state") == "healthy";
    let may_roll_back = result
        .get("can_roll_back")
        .and_then(serde_json::Value::as_bool)
        == Some(true);
    if watched.succeeded() && !healthy && may_roll_back && conversation.count("roll_back_plan") == 0
    {
        Move::call("roll_back_plan", json!({}))
    } else {
        Move::call("write_final_report", json!({}))
    }
}
