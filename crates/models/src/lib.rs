//! Language models behind one trait.
//!
//! A [`Model`] turns one [`ModelRequest`] into one [`ModelReply`]; it keeps no conversation, knows
//! no thread and carries out no tool. A provider, the deterministic runbook and the
//! [`ScriptedModel`] of tests are all the same to whoever calls them.
//!
//! [`LanguageModel`] is a provider that is asked over HTTP, [`ModelRouter`] gives each agent its own,
//! [`FallbackModel`] asks another where one fails, [`Recorder`] and [`Player`] keep answers on a
//! cassette and play them again.

mod api_key;
mod cassette;
mod error;
mod language_model;
mod model;
mod model_name;
mod prices;
mod profile;
mod router;
mod scripted;
mod settings;
mod text;
mod wire;

pub use api_key::{ApiKey, ApiKeyError};
pub use cassette::{Cassette, CassetteError, CassetteSink, Player, Recorder};
pub use ecs_agent_runtime::{
    Cost, FinishReason, Message, ModelRequest, Reasoning, ToolCall, ToolSpec, Usage,
};
pub use error::{ErrorClass, ModelError};
pub use language_model::{LanguageModel, LanguageModelError};
pub use model::{BoxFuture, Delta, DeltaSink, Model, ModelReply, NoDeltas};
pub use model_name::{ModelName, ModelNameError, Provider};
pub use prices::{Price, PriceList, PriceListError};
pub use profile::ModelProfile;
pub use router::{FallbackModel, ModelRouter};
pub use scripted::ScriptedModel;
pub use settings::{BaseUrl, BaseUrlError, Delivery, Effort, ModelSettings, Timeouts};
pub use wire::WireClientError;
