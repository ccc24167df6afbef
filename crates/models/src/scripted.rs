//! A model whose answers a test wrote down.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ecs_agent_runtime::{AgentName, ModelRequest};

use crate::error::ModelError;
use crate::model::{BoxFuture, Delta, DeltaSink, Model, ModelReply};
use crate::profile::ModelProfile;

type Answer = Result<ModelReply, ModelError>;
type Responder = dyn Fn(&ModelRequest) -> Answer + Send + Sync;

/// A model whose answers are written down: for each agent in order, or by a function.
///
/// It records every request and refuses one with a tool call that has no answer, as a provider
/// would, so a test can assert on what goes out as well as on what comes of it.
pub struct ScriptedModel {
    name: String,
    profile: ModelProfile,
    script: Script,
    requests: Mutex<Vec<ModelRequest>>,
}

enum Script {
    ByAgent(Mutex<BTreeMap<String, VecDeque<Answer>>>),
    Function(Box<Responder>),
}

impl ScriptedModel {
    /// A model with an empty script; add answers with [`ScriptedModel::reply`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_script(Script::ByAgent(Mutex::default()))
    }

    /// A model that answers by a function of the request.
    pub fn from_fn(
        answer: impl Fn(&ModelRequest) -> Result<ModelReply, ModelError> + Send + Sync + 'static,
    ) -> Self {
        Self::with_script(Script::Function(Box::new(answer)))
    }

    /// The same, answering the next request of this agent so.
    #[must_use]
    pub fn reply(self, agent: &str, reply: ModelReply) -> Self {
        self.answer(agent, Ok(reply))
    }

    /// The same, failing the next request of this agent so.
    #[must_use]
    pub fn fail(self, agent: &str, error: ModelError) -> Self {
        self.answer(agent, Err(error))
    }

    /// The same, known for this.
    #[must_use]
    pub fn with_profile(mut self, profile: ModelProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Every request so far, refused ones included.
    #[must_use]
    pub fn requests(&self) -> Vec<ModelRequest> {
        locked(&self.requests).clone()
    }

    fn with_script(script: Script) -> Self {
        Self {
            name: "scripted".to_owned(),
            profile: ModelProfile::default(),
            script,
            requests: Mutex::default(),
        }
    }

    fn answer(self, agent: &str, answer: Answer) -> Self {
        if let Script::ByAgent(answers) = &self.script {
            locked(answers)
                .entry(agent.to_owned())
                .or_default()
                .push_back(answer);
        }
        self
    }

    fn next(&self, request: &ModelRequest) -> Answer {
        request
            .check_orphans()
            .map_err(|source| ModelError::Orphan {
                model: self.name.clone(),
                source,
            })?;
        match &self.script {
            Script::Function(answer) => answer(request),
            Script::ByAgent(answers) => locked(answers)
                .get_mut(request.agent.as_str())
                .and_then(VecDeque::pop_front)
                .unwrap_or_else(|| {
                    Err(ModelError::ScriptEnded {
                        model: self.name.clone(),
                        agent: request.agent.to_string(),
                    })
                }),
        }
    }
}

impl Default for ScriptedModel {
    fn default() -> Self {
        Self::new()
    }
}

impl Model for ScriptedModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn profile(&self, _agent: &AgentName) -> ModelProfile {
        self.profile.clone()
    }

    fn respond<'a>(
        &'a self,
        request: ModelRequest,
        deltas: &'a dyn DeltaSink,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let answer = self.next(&request);
            locked(&self.requests).push(request);
            if let Ok(reply) = &answer {
                for word in reply.text.split_inclusive(' ') {
                    deltas.delta(Delta::Text(word));
                }
            }
            answer
        })
    }
}

impl fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedModel")
            .field("name", &self.name)
            .field("requests", &locked(&self.requests).len())
            .finish_non_exhaustive()
    }
}

/// A panic of another test thread leaves nothing half-done behind these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ecs_agent_runtime::{AgentName, Message, ToolCall};
    use futures_util::FutureExt as _;
    use serde_json::json;

    use super::*;
    use crate::model::NoDeltas;

    fn request(agent: &str, messages: Vec<Message>) -> ModelRequest {
        ModelRequest {
            agent: AgentName::new(agent),
            system: String::new(),
            messages,
            tools: vec![],
        }
    }

    fn respond(model: &dyn Model, request: ModelRequest) -> Answer {
        model
            .respond(request, &NoDeltas)
            .now_or_never()
            .expect("a script never waits")
    }

    #[test]
    fn each_agent_gets_its_own_answers_in_order() {
        let model = ScriptedModel::new()
            .reply("main", ModelReply::text("one"))
            .reply("helper", ModelReply::text("two"))
            .reply("main", ModelReply::text("three"));
        let model: Arc<dyn Model> = Arc::new(model);
        for (agent, expected) in [("helper", "two"), ("main", "one"), ("main", "three")] {
            assert_eq!(
                respond(&*model, request(agent, vec![])).unwrap().text,
                expected
            );
        }
        let error = respond(&*model, request("main", vec![])).unwrap_err();
        assert_eq!(error.class(), crate::ErrorClass::Internal);
    }

    #[test]
    fn a_request_with_an_orphan_call_is_refused_and_recorded() {
        let model = ScriptedModel::from_fn(|_| Ok(ModelReply::text("never")));
        let orphan = Message::Ai {
            text: String::new(),
            tool_calls: vec![ToolCall::new("c1", "ls", json!({}))],
            reasoning: vec![],
        };
        let error = respond(&model, request("main", vec![orphan])).unwrap_err();
        assert!(matches!(error, ModelError::Orphan { .. }), "{error}");
        assert_eq!(model.requests().len(), 1);
    }
}
