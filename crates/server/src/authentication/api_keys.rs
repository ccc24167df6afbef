//! The keys of a tenant: made, listed, rotated, revoked; each of it in the tenant's audit chain.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ecs_agent_store::{ApiKeyId, ApiKeyRecord, AuditEntry, Store, StoreError, TenantScope};
use serde_json::{Value, json};

use super::action::{Action, Actions};
use super::api_key::{ApiKey, NoRandomness};

/// Longest life of a key: whoever needs one longer rotates it.
pub const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Longest name of a key or a person.
const MAX_NAME_CHARS: usize = 128;

/// Why a key was not made or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeysError {
    /// There is no such key of this tenant.
    #[error("tenant `{tenant}` has no API key `{id}`; `keys list` shows those it has")]
    NotFound {
        /// The tenant.
        tenant: String,
        /// The id.
        id: ApiKeyId,
    },
    /// The key opens nothing any more, so there is nothing to rotate.
    #[error("API key `{0}` is expired or revoked; make a new one with `keys create`")]
    Ended(ApiKeyId),
    /// A name is empty, too long or has characters that cannot be shown.
    #[error(
        "`{field}` is 1 to {MAX_NAME_CHARS} characters without control characters, such as \
         `ada@example.com`"
    )]
    Name {
        /// Which field.
        field: &'static str,
    },
    /// The key would open nothing.
    #[error("a key must be allowed at least one action")]
    NoAction,
    /// The life is too long or nothing.
    #[error("a key lives from a second to 366 days; rotate it before it ends")]
    Life,
    /// No random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a new key is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyParams {
    /// What it is for.
    pub name: String,
    /// Who acts with it; what approvals and AWS's audit trail will name.
    pub person: String,
    /// What it may be used for.
    pub actions: Actions,
    /// How long it lives.
    pub lives: Duration,
}

/// The keys of one tenant.
#[derive(Debug)]
pub struct ApiKeys<'a> {
    store: &'a Store,
    tenant: &'a TenantScope,
    /// Who manages them.
    by: &'a str,
}

impl<'a> ApiKeys<'a> {
    /// The keys of this tenant, managed by this person.
    #[must_use]
    pub const fn new(store: &'a Store, tenant: &'a TenantScope, by: &'a str) -> Self {
        Self { store, tenant, by }
    }

    /// Makes a key. The key that is returned is the only place where its secret is.
    ///
    /// # Errors
    /// [`ApiKeysError`]; no key was made.
    pub async fn create(
        &self,
        params: ApiKeyParams,
        now: DateTime<Utc>,
    ) -> Result<(ApiKey, ApiKeyRecord), ApiKeysError> {
        let made = self.make(params, now).await?;
        self.record("api_key_created", &made.1, now).await?;
        Ok(made)
    }

    /// Every key of the tenant, newest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn list(&self) -> Result<Vec<ApiKeyRecord>, ApiKeysError> {
        Ok(self.store.api_keys(self.tenant).await?)
    }

    /// Makes a key with the same person and permissions, which lives as long as the old one was
    /// meant to; the old one goes on for `overlap`, so that its users can change over.
    ///
    /// # Errors
    /// [`ApiKeysError`]; the old key is as it was.
    pub async fn rotate(
        &self,
        id: &ApiKeyId,
        overlap: Duration,
        now: DateTime<Utc>,
    ) -> Result<(ApiKey, ApiKeyRecord), ApiKeysError> {
        let old = self.find(id).await?;
        if !is_live(&old, now) {
            return Err(ApiKeysError::Ended(id.clone()));
        }
        let lives = (old.expires_at - old.created_at)
            .to_std()
            .map_err(|_| ApiKeysError::Life)?;
        let params = ApiKeyParams {
            name: old.name.clone(),
            person: old.person.clone(),
            actions: Actions::of_words(&old.actions),
            lives,
        };
        let made = self.make(params, now).await?;
        self.store
            .expire_api_key(self.tenant, id, after(now, overlap)?)
            .await?;
        self.record("api_key_rotated", &old, now).await?;
        self.record("api_key_created", &made.1, now).await?;
        Ok(made)
    }

    /// Ends a key at once.
    ///
    /// # Errors
    /// [`ApiKeysError::NotFound`], or if the database fails.
    pub async fn revoke(
        &self,
        id: &ApiKeyId,
        now: DateTime<Utc>,
    ) -> Result<ApiKeyRecord, ApiKeysError> {
        let known = self.store.revoke_api_key(self.tenant, id, now).await?;
        if !known {
            return Err(self.not_found(id));
        }
        let revoked = self.find(id).await?;
        self.record("api_key_revoked", &revoked, now).await?;
        Ok(revoked)
    }

    async fn make(
        &self,
        params: ApiKeyParams,
        now: DateTime<Utc>,
    ) -> Result<(ApiKey, ApiKeyRecord), ApiKeysError> {
        let ApiKeyParams {
            name,
            person,
            actions,
            lives,
        } = params;
        for (field, text) in [("name", &name), ("person", &person)] {
            let fits = (1..=MAX_NAME_CHARS).contains(&text.chars().count())
                && !text.trim().is_empty()
                && !text.chars().any(char::is_control);
            if !fits {
                return Err(ApiKeysError::Name { field });
            }
        }
        if Action::ALL.iter().all(|action| !actions.contains(*action)) {
            return Err(ApiKeysError::NoAction);
        }
        if lives < Duration::from_secs(1) || lives > LONGEST_LIFE {
            return Err(ApiKeysError::Life);
        }
        let key = ApiKey::mint()?;
        let record = ApiKeyRecord {
            id: key.id().clone(),
            tenant: self.tenant.tenant().clone(),
            name,
            person,
            actions: actions.words(),
            digest: key.digest(),
            created_at: now,
            expires_at: after(now, lives)?,
            revoked_at: None,
        };
        self.store.insert_api_key(self.tenant, &record).await?;
        Ok((key, record))
    }

    async fn find(&self, id: &ApiKeyId) -> Result<ApiKeyRecord, ApiKeysError> {
        self.store
            .api_key(id)
            .await?
            .filter(|key| key.tenant == *self.tenant.tenant())
            .ok_or_else(|| self.not_found(id))
    }

    fn not_found(&self, id: &ApiKeyId) -> ApiKeysError {
        ApiKeysError::NotFound {
            tenant: self.tenant.tenant().to_string(),
            id: id.clone(),
        }
    }

    async fn record(
        &self,
        kind: &str,
        key: &ApiKeyRecord,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let entry = AuditEntry {
            thread: None,
            at,
            kind: kind.to_owned(),
            content: described(key, self.by),
        };
        self.store.audit_append(self.tenant, &entry).await?;
        Ok(())
    }
}

fn described(key: &ApiKeyRecord, by: &str) -> Value {
    json!({
        "key": key.id, "name": key.name, "person": key.person, "actions": key.actions,
        "expires_at": key.expires_at, "by": by,
    })
}

fn after(now: DateTime<Utc>, span: Duration) -> Result<DateTime<Utc>, ApiKeysError> {
    TimeDelta::from_std(span)
        .ok()
        .and_then(|span| now.checked_add_signed(span))
        .ok_or(ApiKeysError::Life)
}

/// Whether a key opens anything at this time.
pub(super) fn is_live(key: &ApiKeyRecord, now: DateTime<Utc>) -> bool {
    key.revoked_at.is_none() && key.created_at <= now && now < key.expires_at
}
