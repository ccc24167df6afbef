//! The triage-specialist: observe, diagnose, report, whatever was done in between.

use serde_json::{Value, json};

use super::Move;
use super::conversation::{Conversation, text_of};
use crate::tools::ASK_OTHER_SERVER;

/// The work in order.
const WORK: [&str; 3] = [
    "observe_service",
    "diagnose_observation",
    "write_diagnostic_report",
];

pub(super) fn next(conversation: &Conversation<'_>) -> Move {
    let mut after = None;
    for tool in WORK {
        // An answer counts if it came after the one that it rests on.
        let place = conversation
            .plain_place(tool)
            .filter(|place| Some(*place) > after);
        let Some(answer) = place.and_then(|place| conversation.answered.get(place)) else {
            return Move::call(tool, json!({}));
        };
        if !answer.succeeded() {
            return Move::Say(format!("inconclusive: {}", answer.error()));
        }
        if tool == "observe_service" {
            // What another server does not say is a gap of the report, and no reason to stop.
            let asks = other_servers(answer.text);
            if !asks.is_empty() && conversation.place("call_mcp_tool") < place {
                return Move::Call(asks);
            }
        }
        after = place;
    }
    let verdict = conversation.last("write_diagnostic_report");
    let verdict = verdict.map(|answer| answer.json()).unwrap_or_default();
    Move::Say(text_of(&verdict, "verdict").to_owned())
}

/// The calls that the configuration wants every diagnosis to make, and no other.
fn other_servers(observed: &str) -> Vec<(&'static str, Value)> {
    observed
        .lines()
        .filter_map(|line| line.strip_prefix(ASK_OTHER_SERVER))
        .filter_map(|call| serde_json::from_str(call).ok())
        .map(|call| ("call_mcp_tool", call))
        .collect()
}
