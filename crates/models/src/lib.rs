//! Language models behind one trait.
//!
//! A [`Model`] turns one [`ModelRequest`] into one [`ModelReply`]; it keeps no conversation, knows
//! no thread and carries out no tool. A provider, the deterministic runbook and the
//! [`ScriptedModel`] of tests are all the same to whoever calls them.

mod error;
mod model;
mod scripted;

pub use ecs_agent_runtime::{Message, ModelRequest, ToolCall, ToolSpec, Usage};
pub use error::{ErrorClass, ModelError};
pub use model::{BoxFuture, Model, ModelReply};
pub use scripted::ScriptedModel;
