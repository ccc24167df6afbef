//! The triage-specialist: observe, diagnose, report.

use serde_json::{Value, json};

use super::Move;
use super::conversation::{Conversation, text_of};

pub(super) fn next(conversation: &Conversation<'_>) -> Move {
    let Some(last) = conversation.answered.last() else {
        return Move::call("observe_service", json!({}));
    };
    // What another server does not say is a gap of the report, and no reason to stop.
    if last.call.name == "call_mcp_tool" {
        return Move::call("diagnose_observation", json!({}));
    }
    if !last.succeeded() {
        return Move::Say(format!("inconclusive: {}", last.error()));
    }
    match last.call.name.as_str() {
        "observe_service" => match other_servers(&last.json()) {
            calls if calls.is_empty() => Move::call("diagnose_observation", json!({})),
            calls => Move::Call(calls),
        },
        "diagnose_observation" => Move::call("write_diagnostic_report", json!({})),
        _ => Move::Say(text_of(&last.json(), "verdict").to_owned()),
    }
}

/// The calls that the configuration wants every diagnosis to make, and no other.
fn other_servers(observed: &Value) -> Vec<(&'static str, Value)> {
    let calls = observed.get("ask_other_servers").and_then(Value::as_array);
    let calls = calls.into_iter().flatten();
    calls.map(|call| ("call_mcp_tool", call.clone())).collect()
}
