//! One invocation's AWS credentials: context, cell, references, sources and scopes.
//!
//! An invocation runs on its [`Cell`] and owns one [`CredentialContext`]. The context is made empty,
//! filled by [`Sources::fill`] from a [`CredentialReference`] within a [`ScopeRequest`], read by the
//! AWS SDK at each request, and wiped by a [`ClearGuard`] however the invocation ends.
//!
//! What cannot be done with this crate is its point:
//!
//! - a request cannot be signed without a context passed as a value: there is no global, and the
//!   machine's own AWS configuration is read only after
//!   [`with_profile_chain`](SourcesBuilder::with_profile_chain);
//! - a secret cannot leave: [`SecretText`] goes in and is used for signing here;
//! - what leaves the program unnoticed is no secret: a [`LeakGuard`] knows each one in use by its
//!   hashes, and looks at every exit;
//! - a context cannot be copied, refilled after it was cleared, or widened to
//!   [`Scope::Operate`] without an [`OperateGrant`].

mod arn;
mod calls;
mod cell;
mod context;
mod encodings;
mod endpoint;
mod error_code;
mod events;
mod identity;
mod key_document;
mod keys;
mod leak_guard;
mod machine;
mod memory;
mod named;
mod policy_size;
mod process;
mod provider;
mod reference;
mod registry;
mod resource;
mod scope;
mod secret;
mod session;
mod signed_request;
mod signing;
mod siphash;
mod slot;
mod source_error;
mod sources;
mod sts;
mod sts_error;
mod sync;
mod text;
mod tripwire;
mod wire;

#[cfg(test)]
mod slot_model_tests;

pub use aws_sdk_sts::config::retry::RetryPartition;

pub use crate::arn::{Arn, RoleArn};
pub use crate::calls::{CallOutcome, CallRecord};
pub use crate::cell::{Cell, CellError, ClearGuard};
pub use crate::context::{
    ContextDescription, ContextError, ContextState, CredentialContext, ServiceContext,
};
pub use crate::endpoint::{EndpointUrl, Endpoints};
pub use crate::events::{ContextEvent, ContextEvents, MintChange, MintRecord};
pub use crate::identity::{AccessKeyId, AccountId, IdentityError, InvocationId, Region};
pub use crate::key_document::{Field, KeyDocumentError};
pub use crate::keys::{CredentialInputError, StaticCredentials};
pub use crate::leak_guard::{LeakBlocked, LeakGuard, Sink};
pub use crate::memory::MemoryProtection;
pub use crate::named::ContextName;
pub use crate::process::{
    HardenError, Hardening, WIPING_ALLOCATOR, WipingAllocator, harden_process, hardening,
    install_panic_hook,
};
pub use crate::reference::{CredentialReference, SecretId};
pub use crate::registry::{
    CredentialRegistry, RegistryCredential, RegistryError, RegistryFuture, RegistryId,
    RegistryQuery, RegistryService, StackJob,
};
pub use crate::scope::{OperateGrant, PolicyError, Scope, ScopeRequest, SessionPolicy, Statement};
pub use crate::secret::SecretText;
pub use crate::session::{Attribution, SessionIdentity, SessionIdentityError};
pub use crate::signed_request::{SignedRequestError, SignedResponse};
pub use crate::signing::{
    AllowedOperations, EndpointLimits, NotARead, RefusedCall, SigningEndpoint, SigningEndpointError,
};
pub use crate::source_error::{ErrorClass, SourceError};
pub use crate::sources::{Sources, SourcesBuilder};
