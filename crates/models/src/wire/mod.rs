//! The wire of a provider that is asked over HTTP: `rig`'s encoders and decoders, our own client.
//!
//! `rig` is used for two things only: to write a request in a provider's form, and to read its
//! answer. It is given no key and no client of its own; the key joins a request in [`http`], right
//! before it is sent.

mod failure;
mod heard;
mod http;
mod reply;
mod request;

pub(crate) use failure::failure;
pub(crate) use heard::Heard;
pub use http::WireClientError;
pub(crate) use http::{KeyHeader, WireClient};
pub(crate) use reply::{reply, usage};
pub(crate) use request::{RequestOptions, completion_request};
