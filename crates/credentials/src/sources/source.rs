//! What every source of credentials can do.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::Shared;
use super::assume_role::AssumeRole;
use super::given::Given;
use super::machine::Machine;
use super::registry::Registry;
use super::secrets_manager::SecretsManager;
use super::web_identity::WebIdentity;
use crate::context::{CredentialContext, Filled, Lifetime};
use crate::identity::AccountId;
use crate::keys::Keys;
use crate::reference::CredentialReference;
use crate::session::SessionIdentity;
use crate::source_error::SourceError;
use crate::sts::Narrowing;

/// A reference that knows how to become credentials.
pub(super) trait Source: Send + Sync {
    /// Gets keys, narrowed to [`Link::narrowing`] where this source can do that itself.
    fn resolve<'a>(&'a self, link: Link<'a>) -> Resolving<'a>;
}

/// What [`Source::resolve`] returns.
pub(super) type Resolving<'a> =
    Pin<Box<dyn Future<Output = Result<Resolved, SourceError>> + Send + 'a>>;

/// One link of the chain that a reference describes, and what it may draw on.
#[derive(Clone, Copy)]
pub(super) struct Link<'a> {
    pub(super) shared: &'a Shared,
    /// Whose way to AWS is used. Its keys are never.
    pub(super) context: &'a Arc<CredentialContext>,
    pub(super) reference: &'a CredentialReference,
    pub(super) session: &'a SessionIdentity,
    /// What to hold the credentials to; none for those that only lead to others.
    pub(super) narrowing: Option<Narrowing<'a>>,
    /// The plan that the whole chain is resolved for.
    pub(super) plan_hash: Option<&'a str>,
}

impl Link<'_> {
    /// Resolves the reference that this one is based on, into a staging context of its own.
    pub(super) async fn base(
        &self,
        base: &CredentialReference,
        narrowing: Option<Narrowing<'_>>,
    ) -> Result<Staged, SourceError> {
        let link = Link {
            reference: base,
            narrowing,
            ..*self
        };
        link.stage().await
    }

    /// Resolves this link's reference into a staging context of its own.
    pub(super) async fn stage(self) -> Result<Staged, SourceError> {
        let resolved = source_of(self.reference).resolve(self).await?;
        Staged::with(self.context, resolved)
    }
}

/// Keys, and what is known about them.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) keys: Keys,
    pub(super) lifetime: Lifetime,
    pub(super) facts: Facts,
}

/// What a source says about the keys that it gave.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Whether asking again can give later keys.
    pub(super) renewable: bool,
    /// Whether AWS holds them to the policy that was asked for.
    pub(super) narrowed: bool,
    /// The account that they must belong to, as their source says.
    pub(super) account: Option<AccountId>,
}

/// Finds the source behind a reference: the one place that knows them all.
fn source_of(reference: &CredentialReference) -> Box<dyn Source + '_> {
    match reference {
        CredentialReference::Static { label } => Box::new(Given { label }),
        CredentialReference::Profile { name } => Box::new(Machine {
            profile: Some(name),
        }),
        CredentialReference::DefaultChain => Box::new(Machine { profile: None }),
        CredentialReference::AssumeRole {
            role_arn,
            external_id,
            base,
        } => Box::new(AssumeRole {
            role_arn,
            external_id: external_id.as_deref(),
            base,
        }),
        CredentialReference::WebIdentity { role_arn, token } => Box::new(WebIdentity {
            role_arn,
            label: token,
        }),
        CredentialReference::SecretsManager { secret_id, base } => {
            Box::new(SecretsManager { secret_id, base })
        }
        CredentialReference::Registry {
            registry,
            credential_id,
        } => Box::new(Registry {
            label: registry,
            credential_id,
        }),
    }
}

/// Credentials on their way into a context, wiped if they do not arrive.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) context: Arc<CredentialContext>,
    pub(super) facts: Facts,
}

impl Staged {
    pub(super) fn with(owner: &CredentialContext, resolved: Resolved) -> Result<Self, SourceError> {
        let staged = Self {
            context: owner.staging(),
            facts: resolved.facts,
        };
        let ticket = staged.context.begin_fill()?;
        let filled = Filled {
            keys: resolved.keys,
            identity: None,
            lifetime: resolved.lifetime,
            recipe: None,
        };
        staged.context.commit_fill(&ticket, filled)?;
        Ok(staged)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        self.context.discard();
    }
}
