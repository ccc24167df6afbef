//! A language model of a provider that is asked over HTTP.

use std::fmt;
use std::sync::Arc;

use ecs_agent_runtime::{AgentName, ModelRequest};
use futures_util::StreamExt as _;
use rig_core::DynModel;
use rig_core::operation::Completion;
use rig_core::providers::anthropic::AnthropicConfig;
use rig_core::providers::gemini::GeminiConfig;
use rig_core::providers::openai::OpenAIConfig;
use rig_core::streaming::{Item, StreamEvent};

use crate::error::ModelError;
use crate::model::{BoxFuture, Delta, DeltaSink, Model, ModelReply};
use crate::model_name::Provider;
use crate::prices::Price;
use crate::profile::ModelProfile;
use crate::settings::{Delivery, ModelSettings};
use crate::wire::{
    Heard, KeyHeader, RequestOptions, WireClient, WireClientError, completion_request, failure,
    reply, usage,
};

/// Tokens of an answer, where a provider wants a limit and none is configured.
const USUAL_OUTPUT: u64 = 16_000;

/// A language model of a provider that is asked over HTTP.
///
/// It holds no conversation. A call is one request and is never tried again in here.
pub struct LanguageModel {
    name: String,
    form: Form,
    client: WireClient,
    url: String,
    /// The model, in its provider's words.
    model: String,
    /// Whose reasoning goes back to it.
    provider: &'static str,
    options: RequestOptions,
    delivery: Delivery,
    profile: ModelProfile,
    price: Option<Price>,
}

/// The form that a model is asked in.
#[derive(Debug, Clone, Copy)]
enum Form {
    Messages,
    Responses,
    Chat,
    Gemini,
}

/// Why there is no such model.
#[derive(Debug, thiserror::Error)]
pub enum LanguageModelError {
    /// The provider answers nobody without a key.
    #[error("model `{model}` needs a key: set `{variable}`, or name another variable or a file")]
    NoKey {
        /// The model.
        model: String,
        /// Where a key usually is.
        variable: &'static str,
    },
    /// The provider is not reached by a base URL.
    #[error("model `{model}` is not asked over HTTP with a key; it needs AWS credentials")]
    NotHttp {
        /// The model.
        model: String,
    },
    /// No client.
    #[error(transparent)]
    Client(#[from] WireClientError),
}

impl LanguageModel {
    /// A model that is asked so.
    ///
    /// # Errors
    /// [`LanguageModelError`]. Nothing is sent.
    pub fn new(settings: &ModelSettings, price: Option<Price>) -> Result<Self, LanguageModelError> {
        let provider = settings.name.provider();
        let name = settings.name.to_string();
        if let (true, None, Some(variable)) =
            (provider.needs_key(), &settings.key, provider.key_variable())
        {
            return Err(LanguageModelError::NoKey {
                model: name,
                variable,
            });
        }
        let mut max_output_tokens = settings.max_output_tokens;
        let (form, header) = match provider {
            Provider::Anthropic => {
                // The one provider that will not answer without a limit.
                let limit = settings.profile.output_limit.unwrap_or(USUAL_OUTPUT);
                max_output_tokens.get_or_insert(limit.min(USUAL_OUTPUT));
                (Form::Messages, KeyHeader::ApiKey)
            }
            Provider::Openai => (Form::Responses, KeyHeader::Bearer),
            Provider::OpenaiCompatible | Provider::Ollama => (Form::Chat, KeyHeader::Bearer),
            Provider::Gemini => (Form::Gemini, KeyHeader::GoogleApiKey),
            Provider::Bedrock => return Err(LanguageModelError::NotHttp { model: name }),
        };
        let key = settings.key.as_ref().map(Arc::clone);
        Ok(Self {
            name,
            form,
            client: WireClient::new(key, header, settings.timeouts)?,
            url: settings.base_url.as_str().to_owned(),
            model: settings.name.model().to_owned(),
            provider: provider.name(),
            options: RequestOptions {
                max_output_tokens,
                effort: settings.effort,
            },
            delivery: settings.delivery,
            profile: settings.profile.clone(),
            price,
        })
    }

    /// The model for one call, which tells `heard` what its stream says of its usage.
    fn wire(&self, heard: &Arc<Heard>) -> DynModel<Completion> {
        let (url, client, model) = (&self.url, self.client.telling(heard), &self.model);
        // SECURITY: a wire is given no key; `WireClient` has it.
        match self.form {
            Form::Messages => {
                let config = AnthropicConfig::new("").with_base_url(url);
                let mut model = config.connect(client).completion(model);
                // Breakpoints after the tools, the system prompt and the last message: what was sent
                // before is read from the cache.
                model.wire = model.wire.with_prompt_caching();
                model.erase()
            }
            Form::Responses => OpenAIConfig::new("")
                .with_base_url(url)
                .connect(client)
                .responses(model)
                .erase(),
            Form::Chat => OpenAIConfig::new("")
                .with_base_url(url)
                .connect(client)
                .chat(model)
                .erase(),
            Form::Gemini => GeminiConfig::new("")
                .with_base_url(url)
                .connect(client)
                .completion(model)
                .erase(),
        }
    }

    async fn ask(
        &self,
        request: ModelRequest,
        deltas: &dyn DeltaSink,
    ) -> Result<ModelReply, ModelError> {
        request
            .check_orphans()
            .map_err(|source| ModelError::Orphan {
                model: self.name.clone(),
                source,
            })?;
        let request = completion_request(request, self.provider, &self.options);
        let price = self.price.as_ref();
        let heard = Arc::new(Heard::default());
        let wire = self.wire(&heard);
        let response = match self.delivery {
            Delivery::Whole => {
                let answer = wire.call(request).await;
                answer.map_err(|error| failure(&self.name, &error, Default::default()))?
            }
            Delivery::Streamed => {
                let mut stream = wire
                    .stream(request)
                    .map_err(|error| failure(&self.name, &error, Default::default()))?;
                while let Some(item) = stream.next().await {
                    match item {
                        Ok(Item::Event(event)) => tell(deltas, &event),
                        Ok(Item::Unknown(_)) => {}
                        Err(error) => {
                            let partial = stream.partial().usage;
                            let used = Some(partial).filter(|used| used.is_reported());
                            let used = used.or_else(|| heard.usage());
                            let used = used.map(|used| usage(&used, price));
                            return Err(failure(&self.name, &error, used.unwrap_or_default()));
                        }
                    }
                }
                let answer = stream.finish().await;
                answer.map_err(|error| failure(&self.name, &error, Default::default()))?
            }
        };
        reply(&self.name, self.provider, price, &response)
    }
}

fn tell(deltas: &dyn DeltaSink, event: &StreamEvent) {
    match event {
        StreamEvent::Text { text, .. } => deltas.delta(Delta::Text(text)),
        StreamEvent::Reasoning { text, .. } => deltas.delta(Delta::Reasoning(text)),
        StreamEvent::Start {
            name: Some(name), ..
        } => deltas.delta(Delta::ToolCall {
            name: name.as_str(),
        }),
        StreamEvent::Start { name: None, .. }
        | StreamEvent::Arguments { .. }
        | StreamEvent::End { .. } => {}
    }
}

impl Model for LanguageModel {
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
    ) -> BoxFuture<'a, Result<ModelReply, ModelError>> {
        Box::pin(self.ask(request, deltas))
    }
}

impl fmt::Debug for LanguageModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LanguageModel")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
