//! The wire: signatures, protocols, errors, as AWS's own endpoints speak them.

mod cbor;
mod error;
mod input;
mod protocol;
mod signature;
mod xml;

pub(crate) use error::ApiError;
pub(crate) use input::Input;
#[cfg(test)]
pub(crate) use protocol::target_of;
pub(crate) use protocol::{Protocol, Route, render_error, render_output};
pub(crate) use signature::{Authorization, SignatureProblem, SignedRequest};
