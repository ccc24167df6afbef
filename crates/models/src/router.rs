//! Several models as one: each agent its own, and another one where one fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use ecs_agent_runtime::{AgentName, ModelRequest, Usage};

use crate::error::{ErrorClass, ModelError};
use crate::model::{BoxFuture, DeltaSink, Model, ModelReply};
use crate::profile::ModelProfile;

/// Each agent's own model, and one for the others.
#[derive(Debug)]
pub struct ModelRouter {
    usual: Arc<dyn Model>,
    by_agent: BTreeMap<String, Arc<dyn Model>>,
}

impl ModelRouter {
    /// One model for every agent that has none of its own.
    #[must_use]
    pub fn new(usual: Arc<dyn Model>, by_agent: BTreeMap<String, Arc<dyn Model>>) -> Self {
        Self { usual, by_agent }
    }

    fn of(&self, agent: &AgentName) -> &Arc<dyn Model> {
        self.by_agent.get(agent.as_str()).unwrap_or(&self.usual)
    }
}

impl Model for ModelRouter {
    fn name(&self) -> &str {
        self.usual.name()
    }

    fn profile(&self, agent: &AgentName) -> ModelProfile {
        self.of(agent).profile(agent)
    }

    fn respond<'a>(
        &'a self,
        request: ModelRequest,
        deltas: &'a dyn DeltaSink,
    ) -> BoxFuture<'a, Result<ModelReply, ModelError>> {
        let model = self.of(&request.agent);
        model.respond(request, deltas)
    }
}

/// A model, and those that answer in its place when it is not available, refuses access or declines.
///
/// A request that no model would take, or that is too long, is not handed on: the caller mends it.
#[derive(Debug)]
pub struct FallbackModel {
    first: Arc<dyn Model>,
    others: Vec<Arc<dyn Model>>,
}

impl FallbackModel {
    /// A model, and those in its place, in order.
    #[must_use]
    pub fn new(first: Arc<dyn Model>, others: Vec<Arc<dyn Model>>) -> Self {
        Self { first, others }
    }

    async fn ask(
        &self,
        request: ModelRequest,
        deltas: &dyn DeltaSink,
    ) -> Result<ModelReply, ModelError> {
        let mut spent = Usage::default();
        let mut model = &self.first;
        let mut others = self.others.iter();
        loop {
            let error = match model.respond(request.clone(), deltas).await {
                Ok(mut reply) => {
                    reply.usage = reply.usage.plus(spent);
                    return Ok(reply);
                }
                Err(error) => error,
            };
            let next = others.next().filter(|_| is_for_another(&error));
            let Some(next) = next else {
                return Err(error.after(spent));
            };
            tracing::warn!(
                model = model.name(), instead = next.name(), %error,
                "a model did not answer; another one is asked"
            );
            spent = spent.plus(error.usage());
            model = next;
        }
    }
}

/// Whether another model might answer what this one did not.
fn is_for_another(error: &ModelError) -> bool {
    match error.class() {
        ErrorClass::Retry | ErrorClass::Denied => true,
        ErrorClass::Invalid => matches!(error, ModelError::Refused { .. }),
        ErrorClass::Internal => false,
    }
}

impl Model for FallbackModel {
    fn name(&self) -> &str {
        self.first.name()
    }

    /// The smallest window, so that what one takes the others take, too.
    fn profile(&self, agent: &AgentName) -> ModelProfile {
        let mut profile = self.first.profile(agent);
        for other in &self.others {
            let other = other.profile(agent);
            profile.input_window = smaller(profile.input_window, other.input_window);
            profile.output_limit = smaller(profile.output_limit, other.output_limit);
        }
        profile
    }

    fn respond<'a>(
        &'a self,
        request: ModelRequest,
        deltas: &'a dyn DeltaSink,
    ) -> BoxFuture<'a, Result<ModelReply, ModelError>> {
        Box::pin(self.ask(request, deltas))
    }
}

fn smaller(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (known, None) | (None, known) => known,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::model::NoDeltas;
    use crate::scripted::ScriptedModel;

    fn used(input_tokens: u64) -> Usage {
        Usage {
            input_tokens,
            ..Usage::default()
        }
    }

    fn request(agent: &str) -> ModelRequest {
        ModelRequest {
            agent: AgentName::new(agent),
            system: String::new(),
            messages: vec![],
            tools: vec![],
        }
    }

    fn ask(model: &dyn Model, agent: &str) -> Result<ModelReply, ModelError> {
        let answer = model.respond(request(agent), &NoDeltas);
        answer.now_or_never().expect("a script never waits")
    }

    fn failing(error: &ModelError) -> Arc<dyn Model> {
        let error = error.clone();
        Arc::new(ScriptedModel::from_fn(move |_| Err(error.clone())))
    }

    fn answering(text: &'static str) -> Arc<dyn Model> {
        Arc::new(ScriptedModel::from_fn(move |_| {
            Ok(ModelReply::text(text).using(used(5)))
        }))
    }

    #[test]
    fn each_agent_asks_its_own_model() {
        let by_agent = BTreeMap::from([("triage-specialist".to_owned(), answering("small"))]);
        let router = ModelRouter::new(answering("strong"), by_agent);
        assert_eq!(ask(&router, "triage-specialist").unwrap().text, "small");
        assert_eq!(ask(&router, "repair-planner").unwrap().text, "strong");
    }

    #[test]
    fn another_model_answers_and_what_the_first_took_is_counted() {
        let model = "first".to_owned();
        let refused = ModelError::Refused {
            model: model.clone(),
            reason: "no".to_owned(),
            usage: used(7),
        };
        let busy = ModelError::Unavailable {
            model: model.clone(),
            reason: "busy".to_owned(),
            retry_after: None,
        };
        for (error, tokens) in [(&refused, 12), (&busy, 5)] {
            let chain = FallbackModel::new(failing(error), vec![answering("second")]);
            let reply = ask(&chain, "main").unwrap();
            assert_eq!(
                (reply.text.as_str(), reply.usage.total()),
                ("second", tokens)
            );
        }
        let all = FallbackModel::new(failing(&refused), vec![failing(&refused)]);
        assert_eq!(ask(&all, "main").unwrap_err().usage().total(), 14);
        let long = ModelError::ContextTooLong { model };
        let chain = FallbackModel::new(failing(&long), vec![answering("never")]);
        assert_eq!(ask(&chain, "main").unwrap_err(), long);
    }
}
