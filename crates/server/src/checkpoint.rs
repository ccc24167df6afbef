//! Checkpoints: every point of the log at which a thread's state was another than before.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ecs_agent_runtime::{AgentSpec, ApplyError, EventBody, RunId, ThreadId};
use ecs_agent_store::StoredEvent;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::fold::Fold;
use crate::page::time;
use crate::projection::{interrupts, tasks, values};
use crate::state::{ASSISTANT_ID, GRAPH_ID};

/// One state of a thread, ready to be shown.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    thread: ThreadId,
    seq: u64,
    parent: Option<u64>,
    step: i64,
    source: &'static str,
    run: Option<RunId>,
    at: DateTime<Utc>,
    values: Map<String, Value>,
    next: Vec<&'static str>,
    tasks: Vec<Value>,
    interrupts: Vec<Value>,
}

/// The newest checkpoints up to a point, newest first.
///
/// # Errors
/// When the log does not fold.
pub(crate) fn checkpoints(
    thread: ThreadId,
    agents: &Arc<AgentSpec>,
    events: &[StoredEvent],
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Checkpoint>, ApplyError> {
    let mut fold = Fold::new(thread, agents);
    let mut kept: VecDeque<Checkpoint> = VecDeque::new();
    let mut last: Option<(u64, Map<String, Value>, Vec<Value>)> = None;
    let mut run = None;
    let mut step = -1;
    for stored in events {
        if before.is_some_and(|before| stored.seq.get() >= before) {
            break;
        }
        fold.apply(stored)?;
        if let EventBody::RunStarted { run: started, .. } = &stored.event.body {
            run = Some(*started);
        }
        let (values, tasks) = (values(&fold), tasks(&fold));
        let unchanged = last
            .as_ref()
            .is_some_and(|(_, before, todo)| *before == values && same_work(todo, &tasks));
        if unchanged || values.is_empty() {
            continue;
        }
        kept.push_front(Checkpoint {
            thread,
            seq: stored.seq.get(),
            parent: last.as_ref().map(|(seq, ..)| *seq),
            step,
            source: if matches!(stored.event.body, EventBody::HumanSaid { .. }) {
                "input"
            } else {
                "loop"
            },
            run,
            at: stored.event.at,
            values: values.clone(),
            next: fold.next(),
            tasks: tasks.clone(),
            interrupts: interrupts(&fold),
        });
        kept.truncate(limit);
        step += 1;
        last = Some((stored.seq.get(), values, tasks));
    }
    Ok(kept.into())
}

/// Whether two task lists ask for the same; the ids of tasks without a question count the log.
fn same_work(a: &[Value], b: &[Value]) -> bool {
    let work = |tasks: &[Value]| -> Vec<(Value, Value, Value)> {
        let field = |task: &Value, key| task.get(key).cloned().unwrap_or_default();
        tasks
            .iter()
            .map(|task| {
                (
                    field(task, "name"),
                    field(task, "interrupts"),
                    field(task, "error"),
                )
            })
            .collect()
    };
    work(a) == work(b)
}

impl Checkpoint {
    /// The number of the event that made this state.
    pub(crate) const fn seq(&self) -> u64 {
        self.seq
    }

    /// The state as clients read it.
    pub(crate) fn to_json(&self) -> Value {
        let checkpoint = self.reference(self.seq);
        let parent = self.parent.map(|parent| self.reference(parent));
        json!({
            "values": self.values,
            "next": self.next,
            "tasks": self.tasks,
            "metadata": {
                "source": self.source, "step": self.step, "parents": {},
                "run_id": self.run.map(|run| run.as_uuid().to_string()),
                "thread_id": self.thread.as_uuid().to_string(),
                "graph_id": GRAPH_ID, "assistant_id": ASSISTANT_ID,
            },
            "created_at": time(self.at),
            "checkpoint_id": checkpoint_id(self.seq),
            "parent_checkpoint_id": self.parent.map(checkpoint_id),
            "checkpoint": checkpoint,
            "parent_checkpoint": parent,
            "interrupts": self.interrupts,
        })
    }

    fn reference(&self, seq: u64) -> Value {
        json!({
            "thread_id": self.thread.as_uuid().to_string(),
            "checkpoint_ns": "",
            "checkpoint_id": checkpoint_id(seq),
        })
    }
}

/// The state of a thread that never ran.
pub(crate) fn empty_state() -> Value {
    json!({
        "values": {}, "next": [], "tasks": [], "metadata": null, "created_at": null,
        "checkpoint": null, "parent_checkpoint": null, "interrupts": [],
        "checkpoint_id": null, "parent_checkpoint_id": null,
    })
}

/// Marks a UUID as the number of an event.
const CHECKPOINT_PREFIX: u128 = 0x1f00_0000_0000_6000_8000 << 48;

/// A checkpoint's id: a UUID that sorts by the log's order.
pub(crate) fn checkpoint_id(seq: u64) -> String {
    Uuid::from_u128(CHECKPOINT_PREFIX | u128::from(seq & 0xffff_ffff_ffff)).to_string()
}

/// The event that a checkpoint's id names.
pub(crate) fn seq_of(checkpoint_id: &str) -> Option<u64> {
    let bits = Uuid::try_parse(checkpoint_id).ok()?.as_u128();
    let seq = u64::try_from(bits & 0xffff_ffff_ffff).ok()?;
    (bits >> 48 == CHECKPOINT_PREFIX >> 48).then_some(seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_id_names_its_event_and_sorts() {
        assert_eq!(seq_of(&checkpoint_id(17)), Some(17));
        assert!(checkpoint_id(9) < checkpoint_id(10));
        assert_eq!(seq_of("00000000-0000-0000-0000-000000000011"), None);
        assert_eq!(seq_of("17"), None);
    }
}
