//! A registry of services that knows which credential reaches each of them.
//!
//! This crate knows the registry's shape and not its protocol: whoever speaks to one implements
//! [`CredentialRegistry`] and gives it to
//! [`SourcesBuilder::with_registry`](crate::SourcesBuilder::with_registry).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::identity::{AccountId, IdentityError, Region, text_identity};
use crate::keys::{CredentialInputError, StaticCredentials};

/// What a registry's method returns.
pub type RegistryFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, RegistryError>> + Send + 'a>>;

/// A registry of deployed services, asked by this program and never by a model.
///
/// # Security
/// Everything but [`CredentialRegistry::credential`] is text that somebody else wrote: it names
/// things and gives no authority. The account that a credential turns out to open is checked
/// against what the registry says after each fill.
pub trait CredentialRegistry: Send + Sync + fmt::Debug {
    /// Lists the registered ECS services that fit `query`.
    ///
    /// # Errors
    /// [`RegistryError`] if the registry cannot be asked or its answer cannot be read.
    fn list_services<'a>(
        &'a self,
        query: &'a RegistryQuery,
    ) -> RegistryFuture<'a, Vec<RegistryService>>;

    /// Returns one registered service.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] if there is none of this id, or another [`RegistryError`].
    fn get_service<'a>(&'a self, id: &'a RegistryId) -> RegistryFuture<'a, RegistryService>;

    /// Returns the latest stack job of a registered service: what was last deployed, and with which
    /// credential.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] if it was never deployed, or another [`RegistryError`].
    fn latest_stack_job<'a>(&'a self, service: &'a RegistryId) -> RegistryFuture<'a, StackJob>;

    /// Returns a credential.
    ///
    /// # Security
    /// The keys go from the registry into pages of their own and from there into a context. An
    /// implementation keeps no copy, logs nothing of the answer, and wipes its buffers.
    ///
    /// # Errors
    /// [`RegistryError`]; no variant quotes the registry's answer.
    fn credential<'a>(&'a self, id: &'a RegistryId) -> RegistryFuture<'a, RegistryCredential>;
}

/// An identifier that a registry gave: of a service, a stack job or a credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegistryId(String);

text_identity!(RegistryId);

impl FromStr for RegistryId {
    type Err = IdentityError;

    /// Accepts what is safe in a line of text and in an argument of a tool, and nothing else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b);
        if (1..=256).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(IdentityError::new(
            "an id of the registry: up to 256 letters, digits and `-_.:/`",
            text,
        ))
    }
}

/// What narrows a listing; a field that is absent narrows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryQuery {
    /// The organisation that owns the service.
    pub organization: Option<String>,
    /// The environment that it runs in.
    pub environment: Option<String>,
    /// The service's name, or words that contain it.
    pub name: Option<String>,
}

/// A service as the registry knows it. Text that somebody else chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryService {
    /// The registry's own id of it.
    pub id: RegistryId,
    /// The name that people use.
    pub name: String,
    /// The organisation that owns it.
    pub organization: Option<String>,
    /// The environment that it runs in.
    pub environment: Option<String>,
    /// The ECS cluster's name or ARN.
    pub cluster: Option<String>,
    /// The ECS service's name or ARN.
    pub service: Option<String>,
    /// The account that it runs in.
    pub account: Option<AccountId>,
    /// The region that it runs in.
    pub region: Option<Region>,
}

/// The latest deployment of a registered service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackJob {
    /// The registry's own id of the job.
    pub id: RegistryId,
    /// The credential that it deployed with.
    pub provider_credential_id: RegistryId,
    /// The account that it deployed into.
    pub account: Option<AccountId>,
    /// The region that it deployed into.
    pub region: Option<Region>,
    /// The ECS cluster's name or ARN.
    pub cluster: Option<String>,
    /// The ECS service's name or ARN.
    pub service: Option<String>,
    /// When it was last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A credential that a registry gave out.
#[derive(Debug)]
pub struct RegistryCredential {
    /// The keys.
    pub keys: StaticCredentials,
    /// The account that the registry says they open; a context that they fill is cleared if STS
    /// says another one.
    pub account: Option<AccountId>,
}

/// Why a registry has no answer.
///
/// # Security
/// The texts are fixed. What the registry answered is not quoted: an answer to
/// [`CredentialRegistry::credential`] holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No connection, or it broke.
    #[error(
        "the registry `{registry}` cannot be reached: check that its server is configured and runs"
    )]
    Unreachable {
        /// The registry's label.
        registry: String,
    },
    /// The registry says no.
    #[error("the registry `{registry}` refused `{tool}`: check the rights of its token")]
    Denied {
        /// The registry's label.
        registry: String,
        /// What was asked.
        tool: &'static str,
    },
    /// The registry has no such thing.
    #[error("the registry `{registry}` has no {kind} `{id}`")]
    NotFound {
        /// The registry's label.
        registry: String,
        /// What was asked for, such as `credential`.
        kind: &'static str,
        /// Its id.
        id: RegistryId,
    },
    /// The answer is not what such a registry sends.
    #[error("the answer of registry `{registry}` to `{tool}` has no usable `{field}`")]
    Malformed {
        /// The registry's label.
        registry: String,
        /// What was asked.
        tool: &'static str,
        /// The field at fault.
        field: &'static str,
    },
    /// The credential's keys have an impossible form.
    #[error("credential `{id}` of registry `{registry}` has unusable keys")]
    Keys {
        /// The registry's label.
        registry: String,
        /// The credential's id.
        id: RegistryId,
        /// Which field.
        #[source]
        source: CredentialInputError,
    },
}
