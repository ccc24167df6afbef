//! API keys: what is kept of them. The secret half is nowhere; there is a hash of it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::database::{Row, query};
use crate::error::{StoreError, While as _};
use crate::store::Store;
use crate::tenant::{TenantId, TenantScope};
use crate::threads::{read_time, stored_time};

/// Digits of an id: 64 random bits, so that ids do not meet.
const ID_DIGITS: usize = 16;

/// Public half of an API key: 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiKeyId(String);

/// Refusal of a text that is not an API key's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an API key's id is 16 hexadecimal digits, as `keys list` shows it")]
pub struct ApiKeyIdError;

impl ApiKeyId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ApiKeyId {
    type Err = ApiKeyIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.len() == ID_DIGITS && text.bytes().all(digit) {
            true => Ok(Self(text.to_owned())),
            false => Err(ApiKeyIdError),
        }
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ApiKeyId {
    type Error = ApiKeyIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ApiKeyId> for String {
    fn from(id: ApiKeyId) -> Self {
        id.0
    }
}

/// What is kept of an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// Its public half.
    pub id: ApiKeyId,
    /// Whose rows it opens.
    pub tenant: TenantId,
    /// What it is for, in a person's words.
    pub name: String,
    /// Who acts with it.
    pub person: String,
    /// Words for what it may be used for.
    pub actions: Vec<String>,
    /// SHA-256 of its secret half, in hexadecimal.
    pub digest: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it opens nothing.
    pub expires_at: DateTime<Utc>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Keeps a new key. Its tenant is the scope's, whatever the record says.
    ///
    /// # Errors
    /// If the database fails, or has the id already.
    pub async fn insert_api_key(
        &self,
        scope: &TenantScope,
        key: &ApiKeyRecord,
    ) -> Result<(), StoreError> {
        let actions = serde_json::to_string(&key.actions).map_err(StoreError::Unwritable)?;
        query(
            "INSERT INTO api_keys \
             (id, tenant, name, person, actions, digest, created_at, expires_at, revoked_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL)",
        )
        .bind(key.id.as_str())
        .bind(scope.as_str())
        .bind(&key.name)
        .bind(&key.person)
        .bind(actions)
        .bind(&key.digest)
        .bind(stored_time(key.created_at))
        .bind(stored_time(key.expires_at))
        .execute(&mut self.writer(scope).await?)
        .await
        .while_("keeping an API key")?;
        Ok(())
    }

    /// A key by its public half, of whatever tenant.
    ///
    /// # Security
    /// The one read without a scope: it is how a scope comes about. The caller has to check the
    /// secret half and the times before it believes the rest.
    ///
    /// # Errors
    /// If the database fails or the row cannot be read.
    pub async fn api_key(&self, id: &ApiKeyId) -> Result<Option<ApiKeyRecord>, StoreError> {
        query("SELECT * FROM api_keys WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&mut self.reader_before_tenant().await?)
            .await
            .while_("reading an API key")?
            .as_ref()
            .map(record)
            .transpose()
    }

    /// The tenant's keys, newest first; also those that expired or were revoked.
    ///
    /// # Errors
    /// If the database fails or a row cannot be read.
    pub async fn api_keys(&self, scope: &TenantScope) -> Result<Vec<ApiKeyRecord>, StoreError> {
        query("SELECT * FROM api_keys WHERE tenant = $1 ORDER BY created_at DESC, id")
            .bind(scope.as_str())
            .fetch_all(&mut self.reader(scope).await?)
            .await
            .while_("listing API keys")?
            .iter()
            .map(record)
            .collect()
    }

    /// Revokes a key of the tenant; false when it has none of this id. The first time stands.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn revoke_api_key(
        &self,
        scope: &TenantScope,
        id: &ApiKeyId,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let revoked = query(
            "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $3) \
             WHERE tenant = $1 AND id = $2",
        )
        .bind(scope.as_str())
        .bind(id.as_str())
        .bind(stored_time(at))
        .execute(&mut self.writer(scope).await?)
        .await
        .while_("revoking an API key")?;
        Ok(revoked > 0)
    }

    /// Has a key of the tenant expire at `at`, unless it expires before; false when it has none of
    /// this id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn expire_api_key(
        &self,
        scope: &TenantScope,
        id: &ApiKeyId,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let shortened = query(
            "UPDATE api_keys SET expires_at = CASE WHEN expires_at < $3 THEN expires_at ELSE $3 END \
             WHERE tenant = $1 AND id = $2",
        )
        .bind(scope.as_str())
        .bind(id.as_str())
        .bind(stored_time(at))
        .execute(&mut self.writer(scope).await?)
        .await
        .while_("shortening an API key's life")?;
        Ok(shortened > 0)
    }
}

fn record(row: &Row) -> Result<ApiKeyRecord, StoreError> {
    const DOING: &str = "reading an API key";
    let id = row.text("id").while_(DOING)?;
    let unreadable = || StoreError::Unreadable {
        row: format!("api_keys/{id}"),
        source: None,
    };
    let text = |column: &str| -> Result<String, StoreError> { row.text(column).while_(DOING) };
    let time = |text: String| read_time(&text).ok_or_else(unreadable);
    let revoked_at = row.optional_text("revoked_at").while_(DOING)?;
    Ok(ApiKeyRecord {
        id: id.parse().map_err(|_| unreadable())?,
        tenant: text("tenant")?.parse().map_err(|_| unreadable())?,
        name: text("name")?,
        person: text("person")?,
        actions: serde_json::from_str(&text("actions")?).map_err(|_| unreadable())?,
        digest: text("digest")?,
        created_at: time(text("created_at")?)?,
        expires_at: time(text("expires_at")?)?,
        revoked_at: revoked_at.map(time).transpose()?,
    })
}
