//! What the agents of a simulated thread want. It depends on the plot's seed, the frame and its
//! turn alone, so that the same plot can be told again under another schedule.

use ecs_agent_runtime::{
    AgentLimits, AgentName, AgentSpec, ApprovalRule, Budgets, Configuration, FramePath, ToolCall,
    ToolOutcome, ToolSpec, ToolStatus,
};
use serde_json::{Value, json};

use super::chance::Chance;

/// The lead hands to helpers, which hand to a scout. Each has a tool that looks, one that changes
/// something and one that asks a person.
pub(super) fn spec() -> AgentSpec {
    let tools = ["look", "change", "ask"].map(|name| ToolSpec {
        name: name.to_owned(),
        description: "A tool.".to_owned(),
        input_schema: json!({"type": "object", "properties": {"n": {"type": "integer"}}}),
    });
    let agent = |name: &str| {
        let mut agent = AgentSpec::new(name, "works", "You work.");
        agent.tools.extend(tools.clone());
        agent
    };
    let (mut lead, mut helper) = (agent("lead"), agent("helper"));
    helper.subagents.push(agent("scout"));
    lead.subagents.push(helper);
    lead
}

/// What is configured: half of the plots ask before `change`, half have a small window.
pub(super) fn configuration(plot: u64) -> Configuration {
    let mut chance = Chance::about(plot, "configuration");
    let mut configuration = Configuration::default();
    if chance.once_in(2) {
        let change = "change".to_owned();
        configuration.approvals.insert(change, ApprovalRule::any());
    }
    if chance.once_in(2) {
        for agent in ["lead", "helper"] {
            let limits = AgentLimits {
                window_tokens: Some(700),
                max_steps: (agent == "helper").then_some(3),
            };
            configuration.limits.insert(AgentName::new(agent), limits);
        }
        configuration.offer_compaction = true;
    }
    configuration
}

/// Limits that a plot cannot reach, or that it may well reach.
pub(super) fn budgets(plot: u64, tight: bool) -> Budgets {
    if !tight {
        return Budgets {
            max_steps: 10_000,
            max_tool_calls: 10_000,
            max_tokens: u64::MAX,
            max_seconds: 1_000_000,
            max_model_attempts: 5,
            ..Budgets::default()
        };
    }
    let mut chance = Chance::about(plot, "budgets");
    let mut below = |end: usize| u64::try_from(chance.below(end)).unwrap();
    Budgets {
        max_steps: 1 + u32::try_from(below(12)).unwrap(),
        max_tool_calls: 1 + u32::try_from(below(16)).unwrap(),
        max_tokens: 50 + below(1_500),
        max_cost_microdollars: Some(1 + below(60)),
        max_seconds: 5 + below(150),
        max_model_attempts: 3,
        max_repeats: 2,
    }
}

/// What an agent says in one of its turns.
pub(super) fn turn(plot: u64, frame: &FramePath, turn: usize) -> (String, Vec<ToolCall>) {
    let depth = frame.calls().len();
    let mut chance = Chance::about(plot, &format!("{frame} {turn}"));
    let turns = 1 + Chance::about(plot, &format!("{frame} turns")).below(3);
    if turn >= turns {
        return (format!("answer of {frame} after {turn}"), Vec::new());
    }
    let calls = (0..1 + chance.below(3)).map(|place| call(&mut chance, depth, turn, place));
    let calls: Vec<ToolCall> = calls.collect();
    (String::new(), calls)
}

fn call(chance: &mut Chance, depth: usize, turn: usize, place: usize) -> ToolCall {
    // One id in eight is used again: models do that.
    let id = match chance.below(8) {
        0 => "c".to_owned(),
        _ => format!("c{turn}.{place}"),
    };
    let n = turn * 10 + place;
    let next = ["helper", "scout"].get(depth);
    let (name, arguments) = match (chance.below(12), next) {
        (0..=2, Some(agent)) => (
            "task",
            json!({"description": format!("do {n}"), "subagent_type": agent}),
        ),
        (0..=2, None) | (3..=4, _) => ("look", json!({ "n": n })),
        (5..=6, _) => ("change", json!({ "n": n })),
        (7, _) => ("ask", json!({ "n": n })),
        (8, _) => (
            "write_todos",
            json!({"todos": [{"content": format!("{n}"), "status": "pending"}]}),
        ),
        (9, _) => ("look", json!("{\"n\": ")),
        (10, _) => ("compact_conversation", json!({})),
        _ => ("nothing_of_that_name", json!({})),
    };
    ToolCall::new(id, name, arguments)
}

/// What a tool answers, which depends on its call alone.
pub(super) fn outcome(plot: u64, frame: &FramePath, call: &ToolCall) -> ToolOutcome {
    let key = format!("{frame} {} {} {}", call.id, call.name, call.arguments);
    let mut chance = Chance::about(plot, &key);
    let status = match chance.below(6) {
        0 => ToolStatus::Error,
        _ => ToolStatus::Success,
    };
    let text = "said ".repeat(chance.below(60));
    let mut outcome = ToolOutcome::success(format!("{key}: {text}"));
    outcome.status = status;
    let file = format!("/notes/{}-{}", frame.calls().len(), chance.next());
    outcome.files.insert(file, Some(key.clone()));
    outcome.values.insert(key, json!(chance.next()));
    outcome
}

/// What a person answers to a question about a call.
pub(super) fn answer(plot: u64, frame: &FramePath, call: &str, payload: &Value) -> Value {
    if payload["kind"] != "tool_approval" {
        return json!("yes");
    }
    match Chance::about(plot, &format!("{frame} {call} decision")).below(4) {
        0 => json!({"decision": "approve"}),
        1 => json!({"decision": "edit", "arguments": {"n": 7}}),
        2 => json!({"decision": "reject", "message": "no"}),
        _ => json!({"decision": "respond", "message": "it is done"}),
    }
}
