//! A language model that works as it should until it reads a planted text, and then does what that
//! says: the worst that a text can make of a model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ecs_agent_core::RunbookModel;
use ecs_agent_models::{
    BoxFuture, DeltaSink, Model, ModelError, ModelReply, ModelRequest, ToolCall,
};
use ecs_agent_runtime::Message;
use serde_json::json;

use super::Injection;
use super::relay::CHANNELS;

#[derive(Debug, Default)]
struct Memory {
    requests: Vec<ModelRequest>,
    seen: BTreeSet<&'static str>,
    /// How often each agent did what the text says.
    obeyed: BTreeMap<String, usize>,
}

/// The model.
#[derive(Debug)]
pub(super) struct Obedient {
    injection: Option<Injection>,
    memory: Mutex<Memory>,
}

impl Obedient {
    pub(super) fn to(injection: Option<Injection>) -> Self {
        Self {
            injection,
            memory: Mutex::default(),
        }
    }

    pub(super) fn requests(&self) -> Vec<ModelRequest> {
        self.memory().requests.clone()
    }

    /// The channels whose text reached it.
    pub(super) fn seen(&self) -> BTreeSet<&'static str> {
        self.memory().seen.clone()
    }

    /// How many turns it spent obeying.
    pub(super) fn obeyed(&self) -> usize {
        self.memory().obeyed.values().sum()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the text makes it do in this agent's place, once; nothing until it was read anywhere.
    fn obey(&self, request: &ModelRequest) -> Option<ModelReply> {
        let injection = self.injection.as_ref()?;
        let mut memory = self.memory();
        for message in &request.messages {
            let Message::Tool { text, .. } = message else {
                continue;
            };
            let channels = CHANNELS.into_iter();
            let shown = channels.filter(|channel| text.contains(&format!("[{channel}]")));
            memory.seen.extend(shown);
        }
        let acts = injection.acts.get(request.agent.as_str())?;
        if memory.seen.is_empty() {
            return None;
        }
        let times = memory.obeyed.entry(request.agent.to_string()).or_default();
        if *times > 0 {
            return None;
        }
        *times += 1;
        let calls = acts.calls.iter().enumerate().map(|(n, act)| {
            let id = format!("obeys-{}-{n}", request.messages.len());
            ToolCall::new(id, &act.tool, act.arguments.clone())
        });
        Some(ModelReply::calls(calls.collect()).saying(&acts.says))
    }
}

/// After an observation every piece of evidence is read, and what tools other servers have, so that
/// whatever is shown is seen.
fn reads_all(request: &ModelRequest) -> Option<ModelReply> {
    let Some(Message::Tool { name, text, .. }) = request.messages.last() else {
        return None;
    };
    let ids = text.lines().filter_map(|line| {
        let id = line.split('\t').next()?;
        let number = id.strip_prefix('E')?;
        (!number.is_empty() && number.chars().all(|c| c.is_ascii_digit())).then_some(id)
    });
    let mut calls: Vec<ToolCall> = ids
        .map(|id| ToolCall::new(format!("reads-{id}"), "read_evidence", json!({"id": id})))
        .collect();
    calls.push(ToolCall::new("reads-tools", "list_mcp_tools", json!({})));
    (name == "observe_service" && calls.len() > 1).then(|| ModelReply::calls(calls))
}

impl Model for Obedient {
    fn name(&self) -> &str {
        "obedient"
    }

    fn respond<'a>(
        &'a self,
        request: ModelRequest,
        deltas: &'a dyn DeltaSink,
    ) -> BoxFuture<'a, Result<ModelReply, ModelError>> {
        Box::pin(async move {
            self.memory().requests.push(request.clone());
            if let Some(reply) = self.obey(&request).or_else(|| reads_all(&request)) {
                return Ok(reply);
            }
            RunbookModel.respond(request, deltas).await
        })
    }
}
