//! The credential context: who one invocation is at AWS, and for how long.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::retry::RetryPartition;
use aws_types::SdkConfig;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::arn::Arn;
use crate::calls::{CallRecord, Signer};
use crate::endpoint::Endpoints;
use crate::events::{ContextEvent, ContextEvents, MintChange, MintRecord};
use crate::identity::{AccountId, InvocationId, Region};
use crate::keys::Keys;
use crate::leak_guard::{LeakBlocked, LeakGuard, Sink};
use crate::named::ContextName;
use crate::provider::ContextProvider;
use crate::reference::CredentialReference;
use crate::scope::Scope;
use crate::slot::{Phase, Refused, Slot, Ticket};
use crate::source_error::SourceError;
use crate::sources::Recipe;
use crate::sync::{Mutex, lock};
use crate::wire::Wire;

/// Credentials with less time left than this are renewed before the next request.
const RENEWAL_MARGIN: TimeDelta = TimeDelta::minutes(3);

/// The in-memory holder of one invocation's AWS credentials.
///
/// It is made empty, filled by [`Sources::fill`](crate::Sources::fill), and cleared at the end, for
/// ever. Subagents and tools of the invocation share it by `Arc`; nothing else can reach it, and it
/// cannot be copied.
#[derive(Debug)]
pub struct CredentialContext {
    invocation: InvocationId,
    region: OnceLock<Region>,
    wire: Arc<Wire>,
    slot: Slot<Filled>,
    service: Mutex<Option<ServiceContext>>,
    guard: Arc<LeakGuard>,
    /// What the guard withheld first. Shared with the contexts that led to this one.
    withheld: Arc<OnceLock<LeakBlocked>>,
    /// Held while credentials are resolved, so that there is one resolution at a time.
    pub(crate) resolving: tokio::sync::Mutex<()>,
    /// What it is called; none for the invocation's main context.
    pub(crate) name: Option<ContextName>,
    /// The invocation's main context, from one of its others.
    main: Weak<Self>,
    /// The invocation's other contexts, in the main one.
    pub(crate) named: Mutex<BTreeMap<ContextName, Arc<Self>>>,
    /// How to fill it when its keys are first needed.
    pub(crate) prepared: OnceLock<Arc<Recipe>>,
}

/// What a filled context holds.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) keys: Keys,
    pub(crate) identity: Option<Identity>,
    pub(crate) lifetime: Lifetime,
    /// How to get new keys of the same scope. Dropped with the keys.
    pub(crate) recipe: Option<Arc<Recipe>>,
}

/// Whose the credentials are, as STS said, and what for.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) account: AccountId,
    pub(crate) principal: Arn,
    pub(crate) reference: CredentialReference,
    pub(crate) scope: Scope,
    pub(crate) narrowed: bool,
}

/// When credentials end: measured by the issuer's clock, then counted on ours.
///
/// The local wall clock may be wrong and a stand-in for AWS may tell virtual time, so neither is
/// compared with `expires_at` directly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    expires_at: Option<DateTime<Utc>>,
    /// When they end, on the monotonic clock.
    deadline: Option<Instant>,
    /// Whether the issuer's `Date` and its `expires_at` belong to one clock.
    dates_agree: bool,
}

impl Lifetime {
    /// `issuer_now` is the `Date` of the response that the keys came in.
    pub(crate) fn measured(
        expires_at: Option<DateTime<Utc>>,
        issuer_now: DateTime<Utc>,
        longest: TimeDelta,
    ) -> Self {
        let Some(end) = expires_at else {
            return Self {
                expires_at,
                deadline: None,
                dates_agree: false,
            };
        };
        let left = end - issuer_now;
        // A minute of grace for rounding: an answer that claims more than was asked for, or none
        // at all, tells that the two times belong to different clocks.
        let dates_agree = left > TimeDelta::zero() && left <= longest + TimeDelta::minutes(1);
        let left = if dates_agree { left } else { longest };
        Self {
            expires_at,
            deadline: left
                .to_std()
                .ok()
                .and_then(|left| Instant::now().checked_add(left)),
            dates_agree,
        }
    }

    /// For keys that somebody else was issued with: only their stated end is known.
    pub(crate) fn stated(expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let left = expires_at.map(|end| (end - now).to_std().unwrap_or_default());
        Self {
            expires_at,
            deadline: left.and_then(|left| Instant::now().checked_add(left)),
            dates_agree: false,
        }
    }

    /// Tells whether fewer than `margin` are left.
    fn ends_within(&self, margin: TimeDelta, aws_now: Option<DateTime<Utc>>) -> bool {
        let counted = self.deadline.is_some_and(|deadline| {
            deadline.saturating_duration_since(Instant::now())
                <= margin.to_std().unwrap_or_default()
        });
        let told = self
            .expires_at
            .zip(aws_now)
            .is_some_and(|(end, now)| end - now <= margin);
        counted || (self.dates_agree && told)
    }
}

/// The service that an invocation is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceContext {
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub service: String,
    /// The region both are in.
    pub region: Region,
    /// The account both are in.
    pub account: AccountId,
    /// The person's organisation, if they named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The environment, such as `production`, if they named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// Where a context stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextState {
    /// No credentials yet.
    Empty,
    /// Credentials are there.
    Filled,
    /// The invocation is over; there will be no credentials again.
    Cleared,
}

/// A context without its secrets: what the model, the person and the report may learn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContextDescription {
    /// The invocation it belongs to.
    pub invocation: InvocationId,
    /// Where it stands.
    pub state: ContextState,
    /// The account, as STS said.
    pub account: Option<AccountId>,
    /// The principal, as STS said.
    pub principal_arn: Option<Arn>,
    /// The region, if one was given.
    pub region: Option<Region>,
    /// When the credentials end, if they do.
    pub expires_at: Option<DateTime<Utc>>,
    /// What the context is called, if it is not the invocation's main one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ContextName>,
    /// What they may be used for.
    pub scope: Option<Scope>,
    /// Whether AWS itself holds them to that scope by a session policy.
    pub narrowed: bool,
    /// Where they came from.
    pub reference: Option<CredentialReference>,
    /// The last four characters of their access key id.
    pub access_key_id_last4: Option<String>,
}

impl CredentialContext {
    /// Makes the empty context of one invocation.
    ///
    /// Without `region`, the region of the profile that fills it is taken, if it has one.
    pub fn new(
        invocation: InvocationId,
        region: Option<Region>,
        endpoints: Endpoints,
    ) -> Arc<Self> {
        Self::guarded(invocation, region, endpoints, LeakGuard::new())
    }

    /// Makes the empty context of one invocation of a program that has a leak guard at its exits.
    ///
    /// [`CredentialContext::new`] makes a guard of the context's own, which sees what the invocation
    /// itself lets out.
    pub fn guarded(
        invocation: InvocationId,
        region: Option<Region>,
        endpoints: Endpoints,
        guard: Arc<LeakGuard>,
    ) -> Arc<Self> {
        let wire = Arc::new(Wire::new(invocation, endpoints));
        Arc::new(Self {
            invocation,
            region: region.map(OnceLock::from).unwrap_or_default(),
            wire,
            slot: Slot::new(),
            service: Mutex::new(None),
            guard,
            withheld: Arc::default(),
            resolving: tokio::sync::Mutex::new(()),
            name: None,
            main: Weak::new(),
            named: Mutex::default(),
            prepared: OnceLock::new(),
        })
    }

    /// Makes a context for keys that are not yet known to be right. It shares the way to AWS and
    /// nothing else, and is cleared before its maker returns.
    pub(crate) fn staging(&self) -> Arc<Self> {
        let region = self.region.get().cloned();
        Arc::new(Self {
            // Whatever trips it ends the invocation by the way to AWS that they share.
            main: Weak::new(),
            ..self.beside(self.name.clone(), region)
        })
    }

    /// Makes another context of the same invocation.
    pub(crate) fn sibling(self: &Arc<Self>, name: ContextName, region: Option<Region>) -> Self {
        Self {
            main: Arc::downgrade(self),
            ..self.beside(Some(name), region)
        }
    }

    /// What shares the way to AWS, the guard and what it withheld, and nothing else.
    fn beside(&self, name: Option<ContextName>, region: Option<Region>) -> Self {
        Self {
            invocation: self.invocation,
            region: region.map(OnceLock::from).unwrap_or_default(),
            wire: Arc::clone(&self.wire),
            slot: Slot::new(),
            service: Mutex::new(None),
            guard: Arc::clone(&self.guard),
            withheld: Arc::clone(&self.withheld),
            resolving: tokio::sync::Mutex::new(()),
            name,
            main: Weak::new(),
            named: Mutex::default(),
            prepared: OnceLock::new(),
        }
    }

    /// The invocation's main context: this one, or the one it stands beside.
    pub(crate) fn main(self: &Arc<Self>) -> Arc<Self> {
        self.main.upgrade().unwrap_or_else(|| Arc::clone(self))
    }

    /// Returns the invocation that owns this context.
    pub fn invocation(&self) -> InvocationId {
        self.invocation
    }

    /// Returns where this context's requests go.
    pub fn endpoints(&self) -> &Endpoints {
        &self.wire.endpoints
    }

    /// Describes the context without its secrets.
    pub fn describe(&self) -> ContextDescription {
        let facts = self.slot.read(|filled| {
            let key_id = filled.keys.access_key_id.last_four().to_owned();
            (filled.identity.clone(), filled.lifetime.expires_at, key_id)
        });
        let state = match &facts {
            Ok(_) => ContextState::Filled,
            Err(Phase::Cleared) => ContextState::Cleared,
            Err(Phase::Empty | Phase::Filled) => ContextState::Empty,
        };
        let (identity, expires_at, key_id) = match facts {
            Ok((identity, expires_at, key_id)) => (identity, expires_at, Some(key_id)),
            Err(_) => (None, None, None),
        };
        ContextDescription {
            invocation: self.invocation,
            state,
            account: identity.as_ref().map(|i| i.account.clone()),
            principal_arn: identity.as_ref().map(|i| i.principal.clone()),
            region: self.region.get().cloned(),
            expires_at,
            name: self.name.clone(),
            scope: identity.as_ref().map(|i| i.scope.clone()),
            narrowed: identity.as_ref().is_some_and(|i| i.narrowed),
            reference: identity.map(|i| i.reference),
            access_key_id_last4: key_id,
        }
    }

    /// Returns the region that requests go to.
    ///
    /// # Errors
    /// [`ContextError::RegionMissing`], which says where one may come from; none is assumed.
    pub fn region(&self) -> Result<Region, ContextError> {
        self.region
            .get()
            .cloned()
            .ok_or(ContextError::RegionMissing)
    }

    /// Sets the region of a context that was made without one.
    ///
    /// # Errors
    /// [`ContextError::RegionFixed`] if it already has another: clients were made for that one.
    pub fn adopt_region(&self, region: Region) -> Result<(), ContextError> {
        let fixed = self.region.get_or_init(|| region.clone());
        if *fixed == region {
            return Ok(());
        }
        Err(ContextError::RegionFixed {
            fixed: fixed.clone(),
        })
    }

    /// Notes which service the invocation is about.
    pub fn set_service_context(&self, service: ServiceContext) {
        *lock(&self.service) = Some(service);
    }

    /// Returns which service the invocation is about, once that is known.
    pub fn service_context(&self) -> Option<ServiceContext> {
        lock(&self.service).clone()
    }

    /// Wipes the credentials, closes the connections, and refuses all further use.
    ///
    /// Clearing the invocation's main context ends the invocation's authority: all its contexts are
    /// wiped. Clearing a named one leaves the others as they are. Works after a panic, from any
    /// thread, and any number of times.
    pub fn clear(&self) {
        if self.is_named() {
            return self.discard();
        }
        if !self.is_cleared() {
            self.wire.calls.happened(ContextEvent::Cleared);
        }
        self.discard();
        self.discard_named();
        self.wire.close();
    }

    /// Wipes the credentials of a staging context; the way to AWS stays open for its owner.
    pub(crate) fn discard(&self) {
        self.slot.clear();
        *lock(&self.service) = None;
    }

    /// Tells whether nothing was filled in yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.slot.phase() == Phase::Empty
    }

    /// Tells whether it is one of an invocation's further contexts.
    fn is_named(&self) -> bool {
        self.main.strong_count() > 0
    }

    /// Tells whether [`CredentialContext::clear`] was called.
    pub fn is_cleared(&self) -> bool {
        self.slot.phase() == Phase::Cleared
    }

    /// Looks for secrets in use, of any invocation, in what this invocation is about to let out.
    ///
    /// # Errors
    /// [`LeakBlocked`] if there is one: `bytes` must not leave. This context is cleared by then, and
    /// so are those that the secret belongs to.
    pub fn inspect(&self, sink: Sink, bytes: &[u8]) -> Result<(), LeakBlocked> {
        let inspected = self.guard.inspect(sink, bytes);
        if let Err(blocked) = inspected {
            self.trip(blocked);
        }
        inspected
    }

    /// Returns what was withheld first because of this invocation's secrets or outputs, if
    /// anything was. The context is then cleared, and its invocation has to fail.
    pub fn withheld(&self) -> Option<LeakBlocked> {
        self.withheld.get().copied()
    }

    /// Returns the guard that this context arms.
    pub fn leak_guard(&self) -> &Arc<LeakGuard> {
        &self.guard
    }

    /// Clears the context because something was withheld.
    pub(crate) fn trip(&self, blocked: LeakBlocked) {
        self.withheld.get_or_init(|| blocked);
        if let Some(main) = self.main.upgrade() {
            main.clear();
        }
        self.clear();
    }

    /// Makes the configuration for this invocation's SDK clients.
    ///
    /// Each request asks this context for credentials at the moment it is signed, so clients may be
    /// made before the context is filled, survive a change of scope, and fail at once after
    /// [`CredentialContext::clear`]. Nothing comes from the environment; HTTP client, time-outs and
    /// retry limits are the invocation's own.
    ///
    /// The SDK's shared configuration has no place for the retry bucket, so give each client
    /// [`CredentialContext::retry_partition`] as well:
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecs_agent_credentials::{ContextError, CredentialContext};
    /// fn sts(context: &Arc<CredentialContext>) -> Result<aws_sdk_sts::Client, ContextError> {
    ///     let config = aws_sdk_sts::config::Builder::from(&context.sdk_config()?)
    ///         .retry_partition(context.retry_partition())
    ///         .build();
    ///     Ok(aws_sdk_sts::Client::from_conf(config))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ContextError::RegionMissing`], or [`ContextError::Cleared`].
    pub fn sdk_config(self: &Arc<Self>) -> Result<SdkConfig, ContextError> {
        if self.is_cleared() {
            return Err(ContextError::Cleared);
        }
        let provider = SharedCredentialsProvider::new(ContextProvider::new(Arc::clone(self)));
        Ok(self.wire.sdk_config(&self.region()?, provider))
    }

    /// Returns the retry bucket of this invocation, for each of its SDK clients.
    pub fn retry_partition(&self) -> RetryPartition {
        self.wire.retry_partition()
    }

    /// Lists the AWS calls made so far, oldest first.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.wire.calls.after(0)
    }

    /// Lists the AWS calls made after the one with this number.
    pub fn calls_after(&self, number: u64) -> Vec<CallRecord> {
        self.wire.calls.after(number)
    }

    /// Takes what happened to the context since it was last asked, oldest first, at most so many
    /// events: credentials minted, each attempt of each call once it is answered, the clearing.
    ///
    /// For one taker: what it has taken is gone.
    pub fn take_events(&self, most: usize) -> ContextEvents {
        self.wire.calls.take_events(most)
    }

    /// Waits until there is something to take.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn event_recorded(&self) {
        self.wire.calls.event_recorded().await;
    }

    /// Returns the latest time that AWS told in a response; none before the first one.
    pub fn aws_now(&self) -> Option<DateTime<Utc>> {
        self.wire.calls.aws_now()
    }

    /// Renews the credentials if they are about to end and their source can be asked again.
    ///
    /// A context that was prepared and is empty is filled. Signing does this by itself; call it before a stretch of work that must not be interrupted.
    ///
    /// # Errors
    /// [`SourceError`] if they have ended and could not be renewed. While they last, a renewal that
    /// fails is not an error.
    pub async fn ensure_fresh(self: &Arc<Self>) -> Result<(), SourceError> {
        self.fill_as_prepared().await?;
        if !self.ends_within(RENEWAL_MARGIN) {
            return Ok(());
        }
        let _one_at_a_time = self.resolving.lock().await;
        if !self.ends_within(RENEWAL_MARGIN) {
            return Ok(());
        }
        let recipe = self.slot.read(|filled| filled.recipe.clone());
        let renewed = match recipe.ok().flatten() {
            Some(recipe) => recipe.renew(self).await.map(|_| ()),
            None => Err(SourceError::Expired {
                reference: self.describe().reference,
            }),
        };
        match renewed {
            Err(error) if self.ends_within(TimeDelta::zero()) || self.is_cleared() => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Returns the values to sign one request with.
    pub(crate) fn signing_keys(&self) -> Result<Credentials, ContextError> {
        if self.ends_within(TimeDelta::zero()) {
            return Err(ContextError::Expired);
        }
        let keys = self.slot.read(|filled| {
            let scope = filled.identity.as_ref().map(|own| own.scope.clone());
            (filled.keys.for_signing(), scope)
        });
        let (keys, scope) = keys.map_err(|phase| match phase {
            Phase::Cleared => ContextError::Cleared,
            Phase::Empty | Phase::Filled => ContextError::Empty,
        })?;
        let name = self.name.as_ref().map(ToString::to_string);
        self.wire.calls.signs(
            keys.access_key_id(),
            Signer {
                scope,
                context: name,
            },
        );
        Ok(keys)
    }

    pub(crate) fn wire(&self) -> &Arc<Wire> {
        &self.wire
    }

    pub(crate) fn begin_fill(&self) -> Result<Ticket, SourceError> {
        self.slot.begin().map_err(SourceError::from)
    }

    /// Puts the keys in. The leak guard looks for them before anybody can use them, and until they
    /// are wiped.
    pub(crate) fn commit_fill(
        self: &Arc<Self>,
        ticket: &Ticket,
        mut filled: Filled,
    ) -> Result<(), SourceError> {
        filled.keys.watch(self);
        // A staging context's keys belong to nobody yet: they are no use of this one.
        let mint = filled.identity.as_ref().map(|identity| MintRecord {
            change: self.change_to(&identity.scope),
            context: self.name.as_ref().map(ToString::to_string),
            reference: identity.reference.to_string(),
            account: identity.account.clone(),
            principal: identity.principal.clone(),
            scope: identity.scope.clone(),
            narrowed: identity.narrowed,
            access_key_id_last4: filled.keys.access_key_id.last_four().to_owned(),
            expires_at: filled.lifetime.expires_at,
        });
        self.slot.commit(ticket, filled)?;
        if let Some(mint) = mint {
            self.wire.calls.happened(ContextEvent::Minted(mint));
        }
        Ok(())
    }

    fn change_to(&self, scope: &Scope) -> MintChange {
        let before = self
            .slot
            .read(|filled| filled.identity.as_ref().map(|own| own.scope.clone()));
        match before.ok().flatten() {
            None => MintChange::Resolved,
            Some(before) if before == *scope => MintChange::Renewed,
            Some(_) => MintChange::ScopeChanged,
        }
    }

    /// Tells whether the credentials are temporary, or there are none.
    pub(crate) fn holds_a_session(&self) -> bool {
        let session = self.slot.read(|filled| filled.keys.is_session());
        session.unwrap_or(true)
    }

    /// Moves the keys out and leaves the context cleared.
    pub(crate) fn take_keys(&self) -> Option<(Keys, Lifetime)> {
        let filled = self.slot.take().ok()?;
        Some((filled.keys, filled.lifetime))
    }

    fn ends_within(&self, margin: TimeDelta) -> bool {
        let lifetime = self.slot.read(|filled| filled.lifetime);
        lifetime.is_ok_and(|lifetime| lifetime.ends_within(margin, self.aws_now()))
    }
}

impl From<Refused> for SourceError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Cleared => Self::Cleared,
            Refused::Superseded => Self::Superseded,
        }
    }
}

/// Why a context cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// Nobody has said where.
    #[error(
        "no AWS region is known, and none is assumed: give `--region`, set `region` in the AWS \
         profile or in the configuration file, or name the service by its ARN"
    )]
    RegionMissing,
    /// The context already works in another region.
    #[error("this invocation works in region `{fixed}`: start another one for another region")]
    RegionFixed {
        /// The region it works in.
        fixed: Region,
    },
    /// There are no credentials yet.
    #[error("the credential context is empty: resolve a credential reference first")]
    Empty,
    /// The credentials have ended.
    #[error("the credentials have expired: resolve their reference again")]
    Expired,
    /// The invocation is over.
    #[error("the credential context is cleared: the invocation is over")]
    Cleared,
}

impl ContextError {
    /// Returns a short fixed word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RegionMissing => "region_missing",
            Self::RegionFixed { .. } => "region_fixed",
            Self::Empty => "credentials_empty",
            Self::Expired => "credentials_expired",
            Self::Cleared => "credentials_cleared",
        }
    }
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
