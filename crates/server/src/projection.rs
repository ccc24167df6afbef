//! From a folded thread to what LangGraph clients read: values, messages, tasks, interrupts.

use ecs_agent_runtime::{
    Message, OpenInterrupt, RunOutcome, ThreadId, ThreadState, ThreadStatus, ToolStatus,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::fold::{Fold, MODEL, TOOLS};

/// Keys of the domain that clients see. An allow list: observations are large, and what is added
/// to the state later is not shown before somebody decided so.
const SHOWN: [&str; 7] = [
    "service_context",
    "findings",
    "diagnosis",
    "plan",
    "execution",
    "rollback",
    "verification",
];

/// The documents that `report` shows, best first.
const REPORTS: [&str; 2] = ["/final_report.md", "/diagnostic_report.md"];

/// The graph state of a thread.
pub(crate) fn values(fold: &Fold) -> Map<String, Value> {
    let state = fold.thread().state();
    let mut values = Map::new();
    if fold.thread().status() == ThreadStatus::Idle && state.messages().is_empty() {
        return values;
    }
    values.insert(
        "messages".to_owned(),
        Value::Array(messages(fold.id(), state)),
    );
    values.insert("todos".to_owned(), json!(state.todos()));
    let files: Map<String, Value> = state
        .files()
        .iter()
        .map(|(path, text)| (path.to_string(), text.into()))
        .collect();
    if let Some(report) = REPORTS.iter().find_map(|path| files.get(*path)) {
        values.insert("report".to_owned(), report.clone());
    }
    values.insert("files".to_owned(), Value::Object(files));
    for key in SHOWN {
        if let Some(value) = state.value(key) {
            values.insert(key.to_owned(), value.clone());
        }
    }
    values
}

/// The values with the open questions, as a stopped run returns them.
pub(crate) fn values_with_interrupts(fold: &Fold) -> Map<String, Value> {
    let mut values = values(fold);
    let open = interrupts(fold);
    if !open.is_empty() {
        values.insert("__interrupt__".to_owned(), Value::Array(open));
    }
    values
}

/// The main agent's messages.
pub(crate) fn messages(id: ThreadId, state: &ThreadState) -> Vec<Value> {
    (0_usize..)
        .zip(state.messages())
        .map(|(index, message)| message_json(id, index, message))
        .collect()
}

/// A message's id: its place in the thread, which never changes.
pub(crate) fn message_id(id: ThreadId, index: usize) -> String {
    format!("{}-{index}", id.as_uuid())
}

fn message_json(id: ThreadId, index: usize, message: &Message) -> Value {
    let id = message_id(id, index);
    match message {
        Message::Human { text } => json!({
            "type": "human", "content": text, "id": id, "name": null,
            "additional_kwargs": {}, "response_metadata": {},
        }),
        Message::Ai {
            text, tool_calls, ..
        } => {
            let calls: Vec<Value> = tool_calls
                .iter()
                .map(|call| {
                    let args = if call.arguments.is_object() {
                        call.arguments.clone()
                    } else {
                        json!({ "value": call.arguments })
                    };
                    json!({"name": call.name, "args": args, "id": call.id, "type": "tool_call"})
                })
                .collect();
            json!({
                "type": "ai", "content": text, "id": id, "name": null,
                "additional_kwargs": {}, "response_metadata": {},
                "tool_calls": calls, "invalid_tool_calls": [], "usage_metadata": null,
            })
        }
        Message::Tool {
            call_id,
            name,
            status,
            text,
        } => json!({
            "type": "tool", "content": text, "id": id, "name": name, "tool_call_id": call_id,
            "artifact": null,
            "status": match status { ToolStatus::Success => "success", ToolStatus::Error => "error" },
            "additional_kwargs": {}, "response_metadata": {},
        }),
    }
}

/// The questions that wait for a person; none while anything else is outstanding.
pub(crate) fn open_interrupts(fold: &Fold) -> Vec<&OpenInterrupt> {
    match fold.thread().status() {
        ThreadStatus::Interrupted => fold.thread().state().interrupts().values().collect(),
        ThreadStatus::Idle | ThreadStatus::Running | ThreadStatus::Ended(_) => Vec::new(),
    }
}

/// The open questions as clients read them.
pub(crate) fn interrupts(fold: &Fold) -> Vec<Value> {
    open_interrupts(fold).into_iter().map(interrupt).collect()
}

/// The open questions by the task that asks.
pub(crate) fn interrupts_by_task(fold: &Fold) -> Map<String, Value> {
    open_interrupts(fold)
        .into_iter()
        .map(|open| (open.id.as_uuid().to_string(), json!([interrupt(open)])))
        .collect()
}

fn interrupt(open: &OpenInterrupt) -> Value {
    json!({"value": open.payload, "id": open.id.as_uuid().simple().to_string()})
}

/// What is to be done next, one entry a question and one for anything else.
pub(crate) fn tasks(fold: &Fold) -> Vec<Value> {
    let mut tasks: Vec<Value> = open_interrupts(fold)
        .into_iter()
        .map(|open| {
            task(
                open.id.as_uuid(),
                TOOLS,
                Value::Null,
                json!([interrupt(open)]),
            )
        })
        .collect();
    if tasks.is_empty() {
        let error = failure(fold).map_or(Value::Null, Value::from);
        for (place, node) in (1_u128..).zip(fold.next()) {
            let id = Uuid::from_u128((u128::from(fold.seq().get()) << 8) | place);
            tasks.push(task(id, node, error.clone(), json!([])));
        }
    }
    tasks
}

fn task(id: Uuid, node: &str, error: Value, interrupts: Value) -> Value {
    json!({
        "id": id.to_string(), "name": node, "path": ["__pregel_pull", node], "error": error,
        "interrupts": interrupts, "checkpoint": null, "state": null, "result": null,
    })
}

/// Why the last run failed, if it did.
pub(crate) fn failure(fold: &Fold) -> Option<String> {
    match fold.thread().status() {
        ThreadStatus::Ended(RunOutcome::Failed { error }) => Some(error),
        ThreadStatus::Ended(RunOutcome::BudgetExhausted { budget }) => Some(format!(
            "the run's limit of {budget} was reached; what was found is kept"
        )),
        ThreadStatus::Ended(RunOutcome::Completed { .. } | RunOutcome::Cancelled { .. })
        | ThreadStatus::Idle
        | ThreadStatus::Running
        | ThreadStatus::Interrupted => None,
    }
}

/// The update that leads from one state to the next, by the node that made it.
pub(crate) fn updates(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> Vec<(&'static str, Map<String, Value>)> {
    let known = messages_of(before).len();
    let fresh = messages_of(after).get(known..).unwrap_or_default();
    let of_kind = |kinds: &[&str]| -> Vec<Value> {
        fresh
            .iter()
            .filter(|message| {
                message
                    .get("type")
                    .and_then(Value::as_str)
                    .is_some_and(|kind| kinds.contains(&kind))
            })
            .cloned()
            .collect()
    };
    let mut updates = Vec::new();
    let said = of_kind(&["ai"]);
    if !said.is_empty() {
        updates.push((
            MODEL,
            Map::from_iter([("messages".to_owned(), Value::Array(said))]),
        ));
    }
    let mut done: Map<String, Value> = after
        .iter()
        .filter(|(key, value)| *key != "messages" && before.get(*key) != Some(*value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let answers = of_kind(&["tool"]);
    if !answers.is_empty() {
        done.insert("messages".to_owned(), Value::Array(answers));
    }
    if !done.is_empty() {
        updates.push((TOOLS, done));
    }
    updates
}

/// The messages of a state.
pub(crate) fn messages_of(values: &Map<String, Value>) -> &[Value] {
    values
        .get("messages")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
