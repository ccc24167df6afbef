mod explore;
mod laws;
mod purity;
mod simulation;

use chrono::{DateTime, Utc};
use ecs_agent_runtime::{
    AgentSpec, Event, EventBody, InterruptId, MessageId, RunId, ToolCall, ToolSpec,
};
use serde_json::json;
use uuid::Uuid;

pub(crate) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

pub(crate) fn spec() -> AgentSpec {
    let lookup = ToolSpec {
        name: "lookup".to_owned(),
        description: "Look something up.".to_owned(),
        input_schema: json!({"type": "object"}),
    };
    let mut helper = AgentSpec::new("helper", "helps", "You help.");
    helper.tools.push(lookup.clone());
    let mut main = AgentSpec::new("main", "does", "You do.");
    main.tools.push(lookup);
    main.subagents.push(helper);
    main
}

pub(crate) fn lookup(id: &str) -> ToolCall {
    ToolCall::new(id, "lookup", json!({}))
}

pub(crate) fn task(id: &str) -> ToolCall {
    ToolCall::new(
        id,
        "task",
        json!({"description": "look", "subagent_type": "helper"}),
    )
}

pub(crate) fn said(second: i64) -> Event {
    let id = MessageId::new(Uuid::from_u128(1));
    Event::new(
        at(second),
        EventBody::HumanSaid {
            id,
            text: "go".to_owned(),
        },
    )
}

pub(crate) fn run_id() -> RunId {
    RunId::new(Uuid::from_u128(1))
}

pub(crate) fn interrupt(n: u128) -> InterruptId {
    InterruptId::new(Uuid::from_u128(n))
}
