//! The one assistant.

use axum::Json;
use axum::extract::Path;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::access::Access;
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::fold::{MODEL, TOOLS};
use crate::page::{Page, select};
use crate::state::{ASSISTANT_ID, GRAPH_ID};

/// Filters of a search.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SearchParams {
    #[serde(default)]
    graph_id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    offset: Option<usize>,
    #[serde(default)]
    select: Option<Vec<String>>,
}

impl SearchParams {
    fn matches(&self) -> bool {
        let metadata = json!({"created_by": "system"});
        self.graph_id.as_deref().is_none_or(|id| id == GRAPH_ID)
            && self
                .name
                .as_deref()
                .is_none_or(|name| GRAPH_ID.contains(name))
            && self
                .metadata
                .iter()
                .flatten()
                .all(|(key, value)| metadata.get(key) == Some(value))
    }
}

pub(crate) async fn search(_access: Access, JsonBody(params): JsonBody<SearchParams>) -> Page {
    if !params.matches() || params.offset.is_some_and(|offset| offset > 0) {
        return Page::whole(Vec::new());
    }
    Page::whole(vec![select(assistant(), params.select.as_deref())])
}

pub(crate) async fn count(
    _access: Access,
    JsonBody(params): JsonBody<SearchParams>,
) -> Json<usize> {
    Json(usize::from(params.matches()))
}

pub(crate) async fn one(_access: Access, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    known(&id)?;
    Ok(Json(assistant()))
}

/// The graph as it is drawn: the model's turns and the tools', one after the other until the end.
pub(crate) async fn graph(
    _access: Access,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    // This route takes the graph's name as well.
    if id != GRAPH_ID {
        known(&id)?;
    }
    let node = |id: &str| json!({"id": id, "type": "runnable", "data": {"name": id}});
    Ok(Json(json!({
        "nodes": [node("__start__"), node(MODEL), node(TOOLS), {"id": "__end__"}],
        "edges": [
            {"source": "__start__", "target": MODEL},
            {"source": MODEL, "target": TOOLS, "conditional": true},
            {"source": MODEL, "target": "__end__", "conditional": true},
            {"source": TOOLS, "target": MODEL},
        ],
    })))
}

/// What goes in and out, as JSON Schema.
pub(crate) async fn schemas(
    _access: Access,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    known(&id)?;
    let messages = json!({"type": "array", "items": {"type": "object"}});
    let input = json!({
        "title": "Input", "type": "object", "required": ["messages"],
        "properties": {
            "messages": messages,
            "orgId": {"type": "string"},
            "envName": {"type": "string"},
        },
    });
    let object = json!({"type": "object"});
    let state = json!({
        "title": "State", "type": "object",
        "properties": {
            "messages": messages,
            "todos": {"type": "array", "items": object},
            "files": {"type": "object", "additionalProperties": {"type": "string"}},
            "report": {"type": "string"},
            "service_context": object,
            "findings": {"type": "array", "items": object},
            "diagnosis": object,
            "plan": object,
            "execution": {},
            "rollback": {},
            "verification": {},
        },
    });
    Ok(Json(json!({
        "graph_id": GRAPH_ID, "input_schema": input, "output_schema": state, "state_schema": state,
        "config_schema": {"title": "Config", "type": "object", "properties": {}},
        "context_schema": null,
    })))
}

/// Refuses an id that is not the one assistant's.
fn known(id: &str) -> Result<(), ApiError> {
    let given = Uuid::try_parse(id)
        .map_err(|_| ApiError::Invalid("the assistant id must be a UUID".to_owned()))?;
    if given.to_string() == ASSISTANT_ID {
        Ok(())
    } else {
        Err(ApiError::NotFound("Assistant"))
    }
}

fn assistant() -> Value {
    // It came with the program: there is no time at which somebody made it.
    const MADE: &str = "1970-01-01T00:00:00+00:00";
    json!({
        "assistant_id": ASSISTANT_ID, "graph_id": GRAPH_ID, "name": GRAPH_ID,
        "description": "Finds, diagnoses and, with a person's approval, repairs an unwell Amazon ECS service.",
        "config": {}, "context": {}, "metadata": {"created_by": "system"}, "version": 1,
        "created_at": MADE, "updated_at": MADE,
    })
}
