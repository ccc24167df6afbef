//! Keeps what a model answers.

use std::sync::{Arc, Mutex, PoisonError};

use ecs_agent_runtime::{AgentName, ModelRequest};

use super::{Header, KeptError, Take, VERSION};
use crate::error::ModelError;
use crate::model::{BoxFuture, DeltaSink, Model, ModelReply};
use crate::profile::ModelProfile;

/// Where a cassette is written, line by line. Whoever makes one looks for secrets in each line
/// before it is kept.
pub trait CassetteSink: Send {
    /// Keeps one line, or says why not.
    ///
    /// # Errors
    /// The reason, for a person.
    fn line(&mut self, line: &str) -> Result<(), String>;
}

/// A model whose answers are kept as they come.
pub struct Recorder {
    model: Arc<dyn Model>,
    sink: Mutex<Box<dyn CassetteSink>>,
}

impl Recorder {
    /// A model whose answers go to `sink`, too.
    ///
    /// # Errors
    /// [`ModelError::Cassette`] if nothing can be written there.
    pub fn new(model: Arc<dyn Model>, sink: Box<dyn CassetteSink>) -> Result<Self, ModelError> {
        let recorder = Self {
            model,
            sink: Mutex::new(sink),
        };
        recorder.keep(&Header {
            cassette: VERSION,
            model: recorder.model.name().to_owned(),
        })?;
        Ok(recorder)
    }

    fn keep(&self, value: &impl serde::Serialize) -> Result<(), ModelError> {
        let failed = |reason| ModelError::Cassette {
            model: self.model.name().to_owned(),
            reason,
        };
        let line = serde_json::to_string(value).map_err(|error| failed(error.to_string()))?;
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink.line(&line).map_err(failed)
    }

    async fn ask(
        &self,
        request: ModelRequest,
        deltas: &dyn DeltaSink,
    ) -> Result<ModelReply, ModelError> {
        let (agent, messages) = (request.agent.to_string(), request.messages.len());
        let answer = self.model.respond(request, deltas).await;
        // A recording that lacks an answer is worth nothing: the run fails rather than its replay.
        self.keep(&Take {
            agent,
            messages: Some(messages),
            reply: answer.as_ref().ok().cloned(),
            error: answer.as_ref().err().map(KeptError::of),
        })?;
        answer
    }
}

impl Model for Recorder {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn profile(&self, agent: &AgentName) -> ModelProfile {
        self.model.profile(agent)
    }

    fn respond<'a>(
        &'a self,
        request: ModelRequest,
        deltas: &'a dyn DeltaSink,
    ) -> BoxFuture<'a, Result<ModelReply, ModelError>> {
        Box::pin(self.ask(request, deltas))
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder")
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}
