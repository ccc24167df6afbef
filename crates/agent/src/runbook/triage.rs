//! The triage-specialist: observe, diagnose, report.

use serde_json::json;

use super::Move;
use super::conversation::{Conversation, text_of};

pub(super) fn next(conversation: &Conversation<'_>) -> Move {
    let Some(last) = conversation.answered.last() else {
        return Move::call("observe_service", json!({}));
    };
    if !last.succeeded() {
        return Move::Say(format!("inconclusive: {}", last.error()));
    }
    match last.call.name.as_str() {
        "observe_service" => Move::call("diagnose_observation", json!({})),
        "diagnose_observation" => Move::call("write_diagnostic_report", json!({})),
        _ => Move::Say(text_of(&last.json(), "verdict").to_owned()),
    }
}
