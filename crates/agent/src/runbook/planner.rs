//! The repair-planner: the program's own plan, put to a person, unless one was decided about.

use serde_json::json;

use super::Move;
use super::conversation::{Answered, Conversation, text_of};

pub(super) fn next(conversation: &Conversation<'_>) -> Move {
    let asked = |answer: &&Answered<'_>| answer.call.name == "propose_plan";
    let mut proposals = conversation.answered.iter().filter(asked);
    let decided = proposals.clone().rfind(|answer| answer.succeeded());
    if let Some(decided) = decided {
        return Move::Say(text_of(&decided.json(), "decision").to_owned());
    }
    // Its own plan has no arguments in the call: when that one cannot be made, there is none.
    let own = proposals.rfind(|answer| answer.is_plain());
    match own {
        Some(own) => Move::Say(format!("no plan: {}", own.error())),
        None => Move::call("propose_plan", json!({})),
    }
}
