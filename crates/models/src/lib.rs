//! Language models behind one trait.
//!
//! A [`Model`] turns one [`ModelRequest`] into one [`ModelReply`]; it keeps no conversation, knows
//! no thread and carries out no tool. A provider, the deterministic runbook and the
//! [`ScriptedModel`] of tests are all the same to whoever calls them.

mod error;
mod model;
mod profile;
mod scripted;

pub use ecs_agent_runtime::{
    Cost, FinishReason, Message, ModelRequest, Reasoning, ToolCall, ToolSpec, Usage,
};
pub use error::{ErrorClass, ModelError};
pub use model::{BoxFuture, Delta, DeltaSink, Model, ModelReply, NoDeltas};
pub use profile::ModelProfile;
pub use scripted::ScriptedModel;
