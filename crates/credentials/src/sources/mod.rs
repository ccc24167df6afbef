//! Turning references into credentials: one module a source, one way through all of them.

mod assume_role;
mod federation;
mod given;
mod machine;
mod recipe;
mod registry;
mod secrets_manager;
mod source;
mod web_identity;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub(crate) use recipe::Recipe;
use web_identity::Token;

use crate::context::{ContextDescription, CredentialContext};
use crate::identity::AccountId;
use crate::keys::StaticCredentials;
use crate::leak_guard::Armed;
use crate::reference::CredentialReference;
use crate::registry::CredentialRegistry;
use crate::scope::ScopeRequest;
use crate::secret::SecretText;
use crate::session::{Attribution, SessionIdentity};
use crate::source_error::SourceError;

/// What one invocation may resolve.
///
/// Keep it inside the invocation: dropping it wipes the keys that were given to it, once the
/// context that was filled from it is cleared.
#[derive(Debug)]
pub struct Sources(Arc<Shared>);

/// What every resolution of an invocation draws on.
struct Shared {
    given: BTreeMap<String, StaticCredentials>,
    tokens: BTreeMap<String, Token>,
    registries: BTreeMap<String, Arc<dyn CredentialRegistry>>,
    machine: MachineSources,
    registered: OnceLock<Vec<CredentialReference>>,
    session: OnceLock<SessionIdentity>,
    attribution: Attribution,
    narrowing: KeysAsTheyAre,
    expected_account: Option<AccountId>,
    retries: Option<u32>,
    /// The tokens, for as long as they are here.
    watched: Vec<Armed>,
}

/// Whether this machine's own AWS configuration may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MachineSources {
    Refused,
    Asked,
}

/// What becomes of credentials that AWS does not hold to a session policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeysAsTheyAre {
    /// They read as they are, and write under a federated session where AWS grants one.
    Allowed,
    /// They are exchanged for a federated session or refused.
    Refused,
}

impl Sources {
    /// Starts with nothing: no keys, no profile, no default chain.
    pub fn builder() -> SourcesBuilder {
        SourcesBuilder(Shared {
            given: BTreeMap::new(),
            tokens: BTreeMap::new(),
            registries: BTreeMap::new(),
            machine: MachineSources::Refused,
            registered: OnceLock::new(),
            session: OnceLock::new(),
            attribution: Attribution::default(),
            narrowing: KeysAsTheyAre::Allowed,
            expected_account: None,
            retries: None,
            watched: Vec::new(),
        })
    }

    /// Has the leak guard of `context` look for the keys and tokens that were given, from now on and
    /// not only once one of them is asked for. Call it before the first [`Sources::fill`].
    #[must_use]
    pub fn watched_by(mut self, context: &Arc<CredentialContext>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.0) {
            for given in shared.given.values_mut() {
                given.0.watch(context);
            }
            for token in shared.tokens.values() {
                if let Token::Given(token) = token {
                    shared.watched.push(Armed::against(&[token], context));
                }
            }
        }
        self
    }

    /// Resolves `reference`, narrows it, checks whose it is, and fills `context` with it.
    ///
    /// A role is narrowed to the request's policy by AWS itself. An IAM user's keys are exchanged
    /// for a session that is, when the request is for writing or [`SourcesBuilder::require_narrowed`]
    /// was called; where AWS does not grant it they are used as they are, and the description says
    /// `narrowed: false`. Keys of an account's root user are refused. Filling again changes the
    /// scope.
    ///
    /// # Errors
    /// [`SourceError`]; the context is as it was, except after [`SourceError::AccountMismatch`] and
    /// [`SourceError::IdentityChanged`], which clear it.
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
        self.0.check_registered(reference)?;
        let _one_at_a_time = context.resolving.lock().await;
        let recipe = Recipe::new(Arc::clone(&self.0), reference.clone(), request);
        Arc::new(recipe).follow(context).await
    }

    /// Has a named context filled when its keys are first needed, from `reference` and for `account`.
    ///
    /// Keys of another account are refused, and the context is then cleared for good; the
    /// invocation's other contexts are not.
    ///
    /// # Errors
    /// [`SourceError::NotRegistered`], or [`SourceError::Superseded`] if it was prepared before. What
    /// goes wrong when it is filled is the error of the call that needed it.
    pub fn prepare(
        &self,
        context: &CredentialContext,
        reference: &CredentialReference,
        request: ScopeRequest,
        account: AccountId,
    ) -> Result<(), SourceError> {
        self.0.check_registered(reference)?;
        let recipe = Recipe::new(Arc::clone(&self.0), reference.clone(), request);
        context.prepare(Arc::new(recipe.of_account(account)))
    }

    /// From here on resolves only these references, and credentials of the registries that were
    /// given. Has no effect the second time.
    ///
    /// # Security
    /// A thread's state, a tool's result and a message can name any role; what may be assumed is
    /// what the operator or the person registered.
    pub fn register_only(&self, references: impl IntoIterator<Item = CredentialReference>) {
        let references = references.into_iter().collect();
        // The first list counts: nothing that runs later may widen it.
        let _ = self.0.registered.set(references);
    }

    /// Sets what AWS's audit trail will say, unless it was set when these sources were made.
    pub fn act_as(&self, session: SessionIdentity) {
        // The builder's word counts.
        let _ = self.0.session.set(session);
    }

    /// Returns for whom the invocation acts, if that was said: the session's source identity.
    pub fn person(&self) -> Option<&str> {
        self.0.session.get()?.source_identity()
    }

    /// Returns a registry that was given under this label.
    pub fn registry(&self, label: &str) -> Option<&Arc<dyn CredentialRegistry>> {
        self.0.registries.get(label)
    }
}

impl Shared {
    fn check_registered(&self, reference: &CredentialReference) -> Result<(), SourceError> {
        let Some(registered) = self.registered.get() else {
            return Ok(());
        };
        // Which credential of a registry is meant only shows when the registry is asked.
        let from_registry = matches!(reference, CredentialReference::Registry { .. });
        if from_registry || registered.contains(reference) {
            return Ok(());
        }
        Err(SourceError::NotRegistered {
            reference: reference.clone(),
        })
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("given", &self.given)
            .field("tokens", &self.tokens)
            .field("registries", &self.registries.keys())
            .field("machine", &self.machine)
            .field("registered", &self.registered.get())
            .field("narrowing", &self.narrowing)
            .finish_non_exhaustive()
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

    /// Adds a token of an identity provider, for roles that trust it.
    pub fn with_web_identity_token(mut self, label: impl Into<String>, token: SecretText) -> Self {
        self.0.tokens.insert(label.into(), Token::Given(token));
        self
    }

    /// Adds a token of an identity provider that somebody keeps fresh in a file. The file is read
    /// again at each resolution.
    pub fn with_web_identity_token_file(
        mut self,
        label: impl Into<String>,
        file: impl Into<PathBuf>,
    ) -> Self {
        let token = Token::File(file.into());
        self.0.tokens.insert(label.into(), token);
        self
    }

    /// Adds a registry of services, whose credentials may be resolved.
    pub fn with_registry(
        mut self,
        label: impl Into<String>,
        registry: Arc<dyn CredentialRegistry>,
    ) -> Self {
        self.0.registries.insert(label.into(), registry);
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
    pub fn session(self, session: SessionIdentity) -> Self {
        // A second call does not change the first one's word, as with `Sources::act_as`.
        let _ = self.0.session.set(session);
        self
    }

    /// Sets which parts of the session's identity are sent beside its name.
    pub fn attribution(mut self, attribution: Attribution) -> Self {
        self.0.attribution = attribution;
        self
    }

    /// Refuses credentials that AWS does not hold to the session policy of their scope.
    ///
    /// An IAM user's keys are then exchanged for a federated session for reading, too. Such a
    /// session cannot ask IAM about roles, so a diagnosis has gaps there: prefer a role.
    pub fn require_narrowed(mut self) -> Self {
        self.0.narrowing = KeysAsTheyAre::Refused;
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
