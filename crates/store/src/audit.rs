//! Who did what, as a chain in which no record can be changed, removed or put in unseen.

use chrono::{DateTime, Utc};
use ecs_agent_runtime::ThreadId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Row as _};

use crate::error::{StoreError, While as _};
use crate::store::Store;
use crate::tenant::TenantScope;
use crate::threads::{read_time, stored_time};

/// The link of a chain's first record.
const ROOT: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Something to be recorded. It holds no secret: identifiers, decisions, results.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// The thread that it belongs to, if to one.
    pub thread: Option<ThreadId>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What kind of thing it is: `credentials_resolved`, `approval`, `aws_call`, …
    pub kind: String,
    /// What happened.
    pub content: Value,
}

/// Something that was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Its number in the tenant's chain, from 1.
    pub seq: u64,
    /// The thread that it belongs to, if to one.
    pub thread: Option<ThreadId>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What kind of thing it is.
    pub kind: String,
    /// What happened.
    pub content: Value,
    /// The hash of the record before it.
    pub previous: String,
    /// SHA-256 over all of the above.
    pub hash: String,
}

/// A chain that holds.
///
/// Whoever can write the database file can also write a new chain from the first record on; to
/// see that, keep `head` somewhere else and compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditChain {
    /// How many records it has.
    pub records: u64,
    /// The hash of the last one.
    pub head: String,
}

/// Why a chain does not hold, or could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A record was changed.
    #[error("audit record {0} was changed after it was written")]
    Changed(u64),
    /// A record was removed, put in or moved.
    #[error(
        "audit record {0} does not follow the one before it: a record was removed, put in or moved"
    )]
    Broken(u64),
    /// The last records were removed, or records were put behind the last.
    #[error(
        "the audit chain ends at record {actual}, not at {expected}: its end was cut or added to"
    )]
    End {
        /// How many records there should be.
        expected: u64,
        /// How many there are.
        actual: u64,
    },
    /// The read failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Appends a record to the tenant's chain.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn audit_append(
        &self,
        scope: &TenantScope,
        entry: &AuditEntry,
    ) -> Result<AuditRecord, StoreError> {
        const DOING: &str = "writing an audit record";
        let mut writer = self.writer().await;
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.while_(DOING)?;
        let head = sqlx::query("SELECT seq, hash FROM audit_heads WHERE tenant = ?1")
            .bind(scope.as_str())
            .fetch_optional(&mut *transaction)
            .await
            .while_(DOING)?;
        let (last, previous) = match head {
            Some(row) => {
                let last: i64 = row.try_get("seq").while_(DOING)?;
                (last, row.try_get("hash").while_(DOING)?)
            }
            None => (0, ROOT.to_owned()),
        };
        let seq = last.saturating_add(1);
        let content = canonical(&entry.content);
        let fields = Fields {
            tenant: scope.as_str(),
            seq,
            thread: entry.thread.map(|id| id.to_string()),
            at: stored_time(entry.at),
            kind: &entry.kind,
            content: &content,
            previous: &previous,
        };
        let hash = fields.hash();
        sqlx::query(
            "INSERT INTO audit (tenant, seq, thread, at, kind, content, previous, hash) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .bind(fields.tenant)
        .bind(seq)
        .bind(&fields.thread)
        .bind(&fields.at)
        .bind(fields.kind)
        .bind(fields.content)
        .bind(fields.previous)
        .bind(&hash)
        .execute(&mut *transaction)
        .await
        .while_(DOING)?;
        sqlx::query(
            "INSERT INTO audit_heads (tenant, seq, hash) VALUES (?1, ?2, ?3) \
             ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
        )
        .bind(scope.as_str())
        .bind(seq)
        .bind(&hash)
        .execute(&mut *transaction)
        .await
        .while_(DOING)?;
        transaction.commit().await.while_(DOING)?;
        Ok(AuditRecord {
            seq: seq.unsigned_abs(),
            thread: entry.thread,
            at: entry.at,
            kind: entry.kind.clone(),
            content: entry.content.clone(),
            previous,
            hash,
        })
    }

    /// A thread's records, in order.
    ///
    /// # Errors
    /// If the database fails or a row cannot be read.
    pub async fn audit(
        &self,
        scope: &TenantScope,
        thread: ThreadId,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        sqlx::query("SELECT * FROM audit WHERE tenant = ?1 AND thread = ?2 ORDER BY seq")
            .bind(scope.as_str())
            .bind(thread.to_string())
            .fetch_all(&mut *self.reader().await?)
            .await
            .while_("reading audit records")?
            .iter()
            .map(|row| Row::read(row)?.record())
            .collect()
    }

    /// Checks the tenant's whole chain.
    ///
    /// # Errors
    /// The first record that was changed, removed, put in or moved, or a cut end.
    pub async fn audit_verify(&self, scope: &TenantScope) -> Result<AuditChain, AuditError> {
        const DOING: &str = "checking the audit chain";
        let mut reader = self.reader().await?;
        // Within one transaction, so that chain and head are of one moment.
        let mut transaction = reader.begin().await.while_(DOING)?;
        let rows = sqlx::query("SELECT * FROM audit WHERE tenant = ?1 ORDER BY seq")
            .bind(scope.as_str())
            .fetch_all(&mut *transaction)
            .await
            .while_(DOING)?;
        let head: Option<(i64, String)> =
            sqlx::query_as("SELECT seq, hash FROM audit_heads WHERE tenant = ?1")
                .bind(scope.as_str())
                .fetch_optional(&mut *transaction)
                .await
                .while_(DOING)?;
        transaction.rollback().await.while_(DOING)?;
        drop(reader);

        let (expected, head) = head.unwrap_or((0, ROOT.to_owned()));
        let mut last = (0_i64, ROOT.to_owned());
        for row in &rows {
            let row = Row::read(row)?;
            let number = row.seq.unsigned_abs();
            if row.seq != last.0.saturating_add(1) || row.previous != last.1 {
                return Err(AuditError::Broken(number));
            }
            if row.fields(scope).hash() != row.hash {
                return Err(AuditError::Changed(number));
            }
            last = (row.seq, row.hash);
        }
        if (expected, &head) != (last.0, &last.1) {
            return Err(AuditError::End {
                expected: expected.unsigned_abs(),
                actual: last.0.unsigned_abs(),
            });
        }
        Ok(AuditChain {
            records: last.0.unsigned_abs(),
            head,
        })
    }
}

/// A record as it is stored; the hash covers these very texts.
struct Row {
    seq: i64,
    thread: Option<String>,
    at: String,
    kind: String,
    content: String,
    previous: String,
    hash: String,
}

impl Row {
    fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        const DOING: &str = "reading an audit record";
        Ok(Self {
            seq: row.try_get("seq").while_(DOING)?,
            thread: row.try_get("thread").while_(DOING)?,
            at: row.try_get("at").while_(DOING)?,
            kind: row.try_get("kind").while_(DOING)?,
            content: row.try_get("content").while_(DOING)?,
            previous: row.try_get("previous").while_(DOING)?,
            hash: row.try_get("hash").while_(DOING)?,
        })
    }

    fn fields<'a>(&'a self, scope: &'a TenantScope) -> Fields<'a> {
        Fields {
            tenant: scope.as_str(),
            seq: self.seq,
            thread: self.thread.clone(),
            at: self.at.clone(),
            kind: &self.kind,
            content: &self.content,
            previous: &self.previous,
        }
    }

    fn record(self) -> Result<AuditRecord, StoreError> {
        let unreadable = |source| StoreError::Unreadable {
            row: format!("audit/{}", self.seq),
            source,
        };
        Ok(AuditRecord {
            seq: self.seq.unsigned_abs(),
            thread: self
                .thread
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|_| unreadable(None))?,
            at: read_time(&self.at).ok_or_else(|| unreadable(None))?,
            content: serde_json::from_str(&self.content)
                .map_err(|source| unreadable(Some(source)))?,
            kind: self.kind,
            previous: self.previous,
            hash: self.hash,
        })
    }
}

struct Fields<'a> {
    tenant: &'a str,
    seq: i64,
    thread: Option<String>,
    at: String,
    kind: &'a str,
    content: &'a str,
    previous: &'a str,
}

impl Fields<'_> {
    /// SHA-256 in hexadecimal. Every field goes in with its length, so that no two records can
    /// run together into the same bytes.
    fn hash(&self) -> String {
        let seq = self.seq.to_string();
        let thread = self.thread.as_deref().unwrap_or("-");
        let mut digest = Sha256::new();
        for field in [
            "ecs-deep-agent audit 1",
            self.previous,
            self.tenant,
            &seq,
            thread,
            &self.at,
            self.kind,
            self.content,
        ] {
            digest.update(field.len().to_be_bytes());
            digest.update(field.as_bytes());
        }
        digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// JSON with its keys in order, so that equal content has equal bytes.
fn canonical(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(name, _)| name.as_str());
                fields
                    .into_iter()
                    .map(|(name, value)| (name.clone(), sorted(value)))
                    .collect()
            }
            Value::Array(items) => items.iter().map(sorted).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    sorted(value).to_string()
}
