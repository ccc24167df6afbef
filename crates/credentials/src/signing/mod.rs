//! The signing endpoint: AWS for a child process that has no key.
//!
//! An MCP server of somebody else wants to call AWS with its own client. It gets placeholder keys
//! and the address of this endpoint. A request that comes from that very process, is signed with
//! its placeholder and asks for an operation that only reads is signed again with the context's
//! credentials of this moment and sent on; everything else is refused here.
//!
//! One request's way: [`peer`] (whose socket is it), [`placeholder`] (whose signature is it),
//! [`inspect`] (what does it ask for), [`gate`] (may it), [`limit`] (how often), [`forward`].

mod allowed;
mod endpoint;
mod forward;
mod gate;
mod inspect;
mod limit;
mod peer;
mod placeholder;
mod refusal;
mod service;

pub use allowed::{AllowedOperations, NotARead};
pub use endpoint::{EndpointLimits, RefusedCall, SigningEndpoint, SigningEndpointError};
