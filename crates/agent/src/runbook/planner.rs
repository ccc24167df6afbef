//! The repair-planner: the program's own plan, put to a person.

use serde_json::json;

use super::Move;
use super::conversation::{Conversation, text_of};

pub(super) fn next(conversation: &Conversation<'_>) -> Move {
    match conversation.answered.last() {
        None => Move::call("propose_plan", json!({})),
        Some(last) if last.succeeded() => Move::Say(text_of(&last.json(), "decision").to_owned()),
        Some(last) => Move::Say(format!("no plan: {}", last.error())),
    }
}
