//! How a context was filled, so that it can be filled again when its credentials end.

use std::fmt;
use std::sync::Arc;

use super::Shared;
use super::federation::{self, Exchange};
use super::source::{Link, Staged};
use crate::arn::Arn;
use crate::context::{ContextDescription, CredentialContext, Filled, Identity};
use crate::identity::AccountId;
use crate::reference::CredentialReference;
use crate::scope::ScopeRequest;
use crate::session::SessionIdentity;
use crate::source_error::SourceError;
use crate::sts::{self, Caller, Narrowing};

/// A reference, a scope, and what they are resolved from.
pub(crate) struct Recipe {
    shared: Arc<Shared>,
    reference: CredentialReference,
    request: ScopeRequest,
    /// Whose the credentials have to be.
    account: Option<AccountId>,
}

impl Recipe {
    /// A recipe for the account that `shared` expects, if it expects one.
    pub(super) fn new(
        shared: Arc<Shared>,
        reference: CredentialReference,
        request: ScopeRequest,
    ) -> Self {
        Self {
            account: shared.expected_account.clone(),
            shared,
            reference,
            request,
        }
    }

    /// The same for another account.
    pub(super) fn of_account(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// Resolves the reference and fills `context`. The caller holds `context.resolving`.
    pub(crate) async fn follow(
        self: &Arc<Self>,
        context: &Arc<CredentialContext>,
    ) -> Result<ContextDescription, SourceError> {
        // A resolution is a deep and large future; its many callers stay small.
        Box::pin(self.fill(context, None)).await
    }

    /// The same for a context whose credentials are about to end: the new ones must be of the same
    /// principal, or a reference that somebody pointed elsewhere would go on under a new name.
    pub(crate) async fn renew(
        self: &Arc<Self>,
        context: &Arc<CredentialContext>,
    ) -> Result<ContextDescription, SourceError> {
        let before = context.describe().principal_arn;
        Box::pin(self.fill(context, before)).await
    }

    async fn fill(
        self: &Arc<Self>,
        context: &Arc<CredentialContext>,
        before: Option<Arn>,
    ) -> Result<ContextDescription, SourceError> {
        let ticket = context.begin_fill()?;
        let by_default = SessionIdentity::of(context.invocation());
        let link = Link {
            shared: &self.shared,
            context,
            reference: &self.reference,
            session: self.shared.session.get().unwrap_or(&by_default),
            narrowing: Some(Narrowing {
                policy: self.request.policy(),
                seconds: self.request.session_seconds(),
            }),
            plan_hash: self.request.plan_hash(),
        };
        let staged = link.stage().await?;
        let caller = sts::caller(&staged.context, &self.reference).await?;
        self.check(context, &staged, &caller)?;
        let (staged, caller) =
            match federation::narrow(&link, &self.request, staged, &caller).await? {
                Exchange::Kept(staged) => (staged, caller),
                Exchange::Exchanged(staged) => {
                    let caller = sts::caller(&staged.context, &self.reference).await?;
                    self.check(context, &staged, &caller)?;
                    (staged, caller)
                }
            };
        if let Some(before) = before
            && !before.is_same_principal(&caller.principal)
        {
            context.clear();
            return Err(SourceError::IdentityChanged {
                expected: before,
                found: caller.principal,
            });
        }
        let facts = staged.facts.clone();
        let identity = Identity {
            account: caller.account,
            principal: caller.principal,
            reference: self.reference.clone(),
            scope: self.request.scope(),
            narrowed: facts.narrowed,
        };
        let (keys, lifetime) = staged.context.take_keys().ok_or(SourceError::Cleared)?;
        let filled = Filled {
            keys,
            identity: Some(identity),
            lifetime,
            recipe: facts.renewable.then(|| Arc::clone(self)),
        };
        context.commit_fill(&ticket, filled)?;
        Ok(context.describe())
    }

    /// Checks whose the credentials are; those of another account end the invocation's authority.
    fn check(
        &self,
        context: &CredentialContext,
        staged: &Staged,
        caller: &Caller,
    ) -> Result<(), SourceError> {
        refuse_root(caller, &self.reference)?;
        let registered = self.account.clone();
        for expected in registered.into_iter().chain(staged.facts.account.clone()) {
            if expected != caller.account {
                context.clear();
                return Err(SourceError::AccountMismatch {
                    expected,
                    found: caller.account.clone(),
                });
            }
        }
        Ok(())
    }
}

/// Refuses the keys of an account's root user: nothing narrows them, and no policy denies them.
pub(super) fn refuse_root(
    caller: &Caller,
    reference: &CredentialReference,
) -> Result<(), SourceError> {
    if caller.principal.is_root_user() {
        return Err(SourceError::Root {
            reference: reference.clone(),
            account: caller.account.clone(),
        });
    }
    Ok(())
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe")
            .field("reference", &self.reference)
            .field("scope", &self.request.scope())
            .finish_non_exhaustive()
    }
}
