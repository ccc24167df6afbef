//! Turning references into credentials.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::Utc;

use crate::context::{ContextDescription, CredentialContext, Filled, Identity, Lifetime};
use crate::identity::AccountId;
use crate::keys::{Keys, StaticCredentials};
use crate::machine;
use crate::reference::CredentialReference;
use crate::scope::ScopeRequest;
use crate::session::SessionIdentity;
use crate::source_error::SourceError;
use crate::sts::{self, Assumption};

/// What one invocation may resolve.
///
/// Keep it inside the invocation: dropping it wipes the keys that were given to it, once the
/// context that was filled from it is cleared.
#[derive(Debug)]
pub struct Sources(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    given: BTreeMap<String, StaticCredentials>,
    machine: MachineSources,
    session: Option<SessionIdentity>,
    expected_account: Option<AccountId>,
    retries: Option<u32>,
}

/// Whether this machine's own AWS configuration may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MachineSources {
    Refused,
    Asked,
}

impl Sources {
    /// Starts with nothing: no keys, no profile, no default chain.
    pub fn builder() -> SourcesBuilder {
        SourcesBuilder(Shared {
            given: BTreeMap::new(),
            machine: MachineSources::Refused,
            session: None,
            expected_account: None,
            retries: None,
        })
    }

    /// Resolves `reference`, narrows it, checks whose it is, and fills `context` with it.
    ///
    /// A role is narrowed to the request's policy by AWS itself. Keys that are used as they are
    /// cannot be; the description then says `narrowed: false`. Filling again changes the scope.
    ///
    /// # Errors
    /// [`SourceError`]; the context is as it was, except after
    /// [`SourceError::AccountMismatch`], which clears it.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the context as it was, and wipes what was on its way.
    pub async fn fill(
        &self,
        context: &Arc<CredentialContext>,
        reference: &CredentialReference,
        request: ScopeRequest,
    ) -> Result<ContextDescription, SourceError> {
        if let Some(retries) = self.0.retries {
            context.wire().set_retries(retries);
        }
        let _one_at_a_time = context.resolving.lock().await;
        let recipe = Arc::new(Recipe {
            sources: Arc::clone(&self.0),
            reference: reference.clone(),
            request,
        });
        recipe.follow(context).await
    }
}

/// Collects what an invocation may resolve.
#[derive(Debug)]
#[must_use]
pub struct SourcesBuilder(Shared);

impl SourcesBuilder {
    /// Adds keys that the person gave, under a label of theirs.
    pub fn with_static(mut self, label: impl Into<String>, keys: StaticCredentials) -> Self {
        self.0.given.insert(label.into(), keys);
        self
    }

    /// Allows profiles and the default chain of the machine this runs on.
    ///
    /// # Security
    /// Only for a single person's own machine, and only when they asked for it: these credentials
    /// are not the invocation's own. A server never calls this.
    pub fn with_profile_chain(mut self) -> Self {
        self.0.machine = MachineSources::Asked;
        self
    }

    /// Sets what AWS's audit trail will say; by default, the invocation's id.
    pub fn session(mut self, session: SessionIdentity) -> Self {
        self.0.session = Some(session);
        self
    }

    /// Demands that every filled credential belongs to `account`.
    pub fn expect_account(mut self, account: AccountId) -> Self {
        self.0.expected_account = Some(account);
        self
    }

    /// Sets how often a failed request of the invocation is tried again, credentials calls included.
    /// The time that one call may take in all stays the same.
    pub fn retries(mut self, retries: u32) -> Self {
        self.0.retries = Some(retries);
        self
    }

    /// Finishes the collection.
    pub fn build(self) -> Sources {
        Sources(Arc::new(self.0))
    }
}

/// How a context was filled, so that it can be filled again when its credentials end.
pub(crate) struct Recipe {
    sources: Arc<Shared>,
    reference: CredentialReference,
    request: ScopeRequest,
}

impl Recipe {
    /// Resolves the reference and fills `context`. The caller holds `context.resolving`.
    pub(crate) async fn follow(
        self: &Arc<Self>,
        context: &Arc<CredentialContext>,
    ) -> Result<ContextDescription, SourceError> {
        let ticket = context.begin_fill()?;
        let staged = self
            .resolve(context, &self.reference, Some(&self.request))
            .await?;
        let caller = sts::caller(&staged.0, &self.reference).await?;
        for expected in self.expected_accounts() {
            if expected != caller.account {
                context.clear();
                return Err(SourceError::AccountMismatch {
                    expected,
                    found: caller.account,
                });
            }
        }
        let identity = Identity {
            account: caller.account,
            principal: caller.principal,
            reference: self.reference.clone(),
            scope: self.request.scope(),
            narrowed: is_role(&self.reference),
        };
        let (keys, lifetime) = staged.0.take_keys().ok_or(SourceError::Cleared)?;
        let filled = Filled {
            keys,
            identity: Some(identity),
            lifetime,
            recipe: is_renewable(&self.reference).then(|| Arc::clone(self)),
        };
        context.commit_fill(&ticket, filled)?;
        Ok(context.describe())
    }

    fn expected_accounts(&self) -> impl Iterator<Item = AccountId> {
        let of_role = match &self.reference {
            CredentialReference::AssumeRole { role_arn, .. } => role_arn.account(),
            CredentialReference::Static { .. }
            | CredentialReference::Profile { .. }
            | CredentialReference::DefaultChain => None,
        };
        self.sources
            .expected_account
            .clone()
            .into_iter()
            .chain(of_role)
    }

    /// Resolves one link of the chain into a staging context of its own.
    fn resolve<'a>(
        &'a self,
        context: &'a Arc<CredentialContext>,
        reference: &'a CredentialReference,
        request: Option<&'a ScopeRequest>,
    ) -> Pin<Box<dyn Future<Output = Result<Staged, SourceError>> + Send + 'a>> {
        Box::pin(async move {
            let (keys, lifetime) = match reference {
                CredentialReference::Static { label } => self.given(label, reference)?,
                CredentialReference::Profile { .. } | CredentialReference::DefaultChain => {
                    if self.sources.machine == MachineSources::Refused {
                        return Err(SourceError::NotAsked {
                            reference: reference.clone(),
                        });
                    }
                    let keys = machine::keys(context, reference).await?;
                    let lifetime = Lifetime::stated(keys.expires_at, Utc::now());
                    (keys, lifetime)
                }
                CredentialReference::AssumeRole {
                    role_arn,
                    external_id,
                    base,
                } => {
                    let base = self.resolve(context, base, None).await?;
                    let by_default = SessionIdentity::of(context.invocation());
                    let session = self.sources.session.as_ref().unwrap_or(&by_default);
                    let assumption = Assumption {
                        role_arn,
                        external_id: external_id.as_deref(),
                        session,
                        request,
                        reference,
                    };
                    sts::assume_role(&base.0, assumption).await?
                }
            };
            Staged::with(context, keys, lifetime)
        })
    }

    fn given(
        &self,
        label: &str,
        reference: &CredentialReference,
    ) -> Result<(Keys, Lifetime), SourceError> {
        let given = self.sources.given.get(label);
        let given = given.ok_or_else(|| SourceError::UnknownLabel {
            label: crate::text::excerpt(label),
        })?;
        let now = Utc::now();
        if given.0.expires_at.is_some_and(|end| end <= now) {
            return Err(SourceError::Expired {
                reference: Some(reference.clone()),
            });
        }
        let lifetime = Lifetime::stated(given.0.expires_at, now);
        Ok((given.0.duplicate(), lifetime))
    }
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe")
            .field("reference", &self.reference)
            .field("scope", &self.request.scope())
            .finish_non_exhaustive()
    }
}

/// Credentials on their way into a context, wiped if they do not arrive.
#[derive(Debug)]
struct Staged(Arc<CredentialContext>);

impl Staged {
    fn with(
        context: &CredentialContext,
        keys: Keys,
        lifetime: Lifetime,
    ) -> Result<Self, SourceError> {
        let staged = Self(context.staging());
        let ticket = staged.0.begin_fill()?;
        let filled = Filled {
            keys,
            identity: None,
            lifetime,
            recipe: None,
        };
        staged.0.commit_fill(&ticket, filled)?;
        Ok(staged)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        self.0.discard();
    }
}

/// Tells whether AWS holds the credentials of `reference` to a session policy.
fn is_role(reference: &CredentialReference) -> bool {
    match reference {
        CredentialReference::AssumeRole { .. } => true,
        CredentialReference::Static { .. }
        | CredentialReference::Profile { .. }
        | CredentialReference::DefaultChain => false,
    }
}

/// Tells whether resolving `reference` again can give later credentials.
fn is_renewable(reference: &CredentialReference) -> bool {
    match reference {
        CredentialReference::Static { .. } => false,
        CredentialReference::Profile { .. }
        | CredentialReference::DefaultChain
        | CredentialReference::AssumeRole { .. } => true,
    }
}
