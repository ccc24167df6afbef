//! Who did what, as a chain in which no record can be changed, removed or put in unseen.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ecs_agent_runtime::ThreadId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::database::{Row as StoredRow, query};
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
    /// Records are missing.
    #[error("audit records {first} to {last} were removed")]
    Removed {
        /// The first that is missing.
        first: u64,
        /// The last that is missing.
        last: u64,
    },
    /// Records were put between two that followed one another.
    #[error("audit records {first} to {last} were put in")]
    Inserted {
        /// The first that does not belong.
        first: u64,
        /// The last that does not belong.
        last: u64,
    },
    /// A record was written to follow another one than it does.
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
    /// A head that was kept elsewhere is not in the chain.
    #[error(
        "the audit chain of {records} records holds together, and none of them is `{head}`: it was \
         cut or written anew after that head was noted"
    )]
    HeadMissing {
        /// The head that was noted.
        head: String,
        /// How many records there are.
        records: u64,
    },
    /// The read failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AuditError {
    /// Whether the chain was read and does not hold.
    #[must_use]
    pub fn is_tampering(&self) -> bool {
        match self {
            Self::Store(_) => false,
            Self::Changed(_)
            | Self::Removed { .. }
            | Self::Inserted { .. }
            | Self::Broken(_)
            | Self::End { .. }
            | Self::HeadMissing { .. } => true,
        }
    }
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
        let written = self.audit_append_all(scope, [entry]).await?;
        // INVARIANT: one entry makes one record, or an error.
        written.into_iter().next().ok_or(StoreError::Unreadable {
            row: "audit".to_owned(),
            source: None,
        })
    }

    /// Appends records to the tenant's chain in one transaction: all of them or none.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn audit_append_all<'a>(
        &self,
        scope: &TenantScope,
        entries: impl IntoIterator<Item = &'a AuditEntry>,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        const DOING: &str = "writing audit records";
        let mut writer = self.writer(scope).await?;
        let about = format!("audit/{}", scope.as_str());
        let mut transaction = writer.begin_write(&about).await.while_(DOING)?;
        let head = query("SELECT seq, hash FROM audit_heads WHERE tenant = $1")
            .bind(scope.as_str())
            .fetch_optional(&mut transaction)
            .await
            .while_(DOING)?;
        let (mut last, mut previous) = read_head(head).while_(DOING)?;
        let mut written = Vec::new();
        for entry in entries {
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
            query(
                "INSERT INTO audit (tenant, seq, thread, at, kind, content, previous, hash) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(fields.tenant)
            .bind(seq)
            .bind(fields.thread.as_deref())
            .bind(&fields.at)
            .bind(fields.kind)
            .bind(fields.content)
            .bind(fields.previous)
            .bind(&hash)
            .execute(&mut transaction)
            .await
            .while_(DOING)?;
            written.push(AuditRecord {
                seq: seq.unsigned_abs(),
                thread: entry.thread,
                at: entry.at,
                kind: entry.kind.clone(),
                content: entry.content.clone(),
                previous: std::mem::replace(&mut previous, hash.clone()),
                hash,
            });
            last = seq;
        }
        if written.is_empty() {
            return Ok(written);
        }
        query(
            "INSERT INTO audit_heads (tenant, seq, hash) VALUES ($1, $2, $3) \
             ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
        )
        .bind(scope.as_str())
        .bind(last)
        .bind(&previous)
        .execute(&mut transaction)
        .await
        .while_(DOING)?;
        transaction.commit().await.while_(DOING)?;
        Ok(written)
    }

    /// How long the tenant's chain is and what its last record's hash is, unchecked.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn audit_head(&self, scope: &TenantScope) -> Result<AuditChain, StoreError> {
        const DOING: &str = "reading the head of the audit chain";
        let head = query("SELECT seq, hash FROM audit_heads WHERE tenant = $1")
            .bind(scope.as_str())
            .fetch_optional(&mut self.reader(scope).await?)
            .await
            .while_(DOING)?;
        let (records, head) = read_head(head).while_(DOING)?;
        Ok(AuditChain {
            records: records.unsigned_abs(),
            head,
        })
    }

    /// The tenant's newest records, oldest of them first.
    ///
    /// # Errors
    /// If the database fails or a row cannot be read.
    pub async fn audit_newest(
        &self,
        scope: &TenantScope,
        most: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let mut records = query("SELECT * FROM audit WHERE tenant = $1 ORDER BY seq DESC LIMIT $2")
            .bind(scope.as_str())
            .bind(most)
            .fetch_all(&mut self.reader(scope).await?)
            .await
            .while_("reading audit records")?
            .iter()
            .map(|row| Row::read(row)?.record())
            .collect::<Result<Vec<_>, _>>()?;
        records.reverse();
        Ok(records)
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
        query("SELECT * FROM audit WHERE tenant = $1 AND thread = $2 ORDER BY seq")
            .bind(scope.as_str())
            .bind(thread.to_string())
            .fetch_all(&mut self.reader(scope).await?)
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
        self.audit_verify_from(scope, None).await
    }

    /// Checks the tenant's whole chain, and that a head that was noted earlier is in it.
    ///
    /// A chain that was cut, or written anew from some record on, holds together; only a head that
    /// was kept somewhere else shows it.
    ///
    /// # Errors
    /// As for [`Store::audit_verify`], and [`AuditError::HeadMissing`].
    pub async fn audit_verify_from(
        &self,
        scope: &TenantScope,
        noted: Option<&str>,
    ) -> Result<AuditChain, AuditError> {
        const DOING: &str = "checking the audit chain";
        let mut reader = self.reader(scope).await?;
        // Within one transaction, so that chain and head are of one moment.
        let mut transaction = reader.begin_read().await.while_(DOING)?;
        let rows = query("SELECT * FROM audit WHERE tenant = $1 ORDER BY seq")
            .bind(scope.as_str())
            .fetch_all(&mut transaction)
            .await
            .while_(DOING)?;
        let head = query("SELECT seq, hash FROM audit_heads WHERE tenant = $1")
            .bind(scope.as_str())
            .fetch_optional(&mut transaction)
            .await
            .while_(DOING)?;
        transaction.commit().await.while_(DOING)?;
        drop(reader);

        let (expected, head) = read_head(head).while_(DOING)?;
        let mut last = (0_i64, ROOT.to_owned());
        let mut numbers = BTreeMap::from([(ROOT.to_owned(), 0)]);
        for row in &rows {
            let row = Row::read(row)?;
            row.check(scope, &last, &numbers)?;
            numbers.insert(row.hash.clone(), row.seq);
            last = (row.seq, row.hash);
        }
        if (expected, &head) != (last.0, &last.1) {
            return Err(AuditError::End {
                expected: expected.unsigned_abs(),
                actual: last.0.unsigned_abs(),
            });
        }
        let records = last.0.unsigned_abs();
        if let Some(noted) = noted
            && !numbers.contains_key(noted)
        {
            return Err(AuditError::HeadMissing {
                head: noted.to_owned(),
                records,
            });
        }
        Ok(AuditChain { records, head })
    }
}

/// The chain's last record: its number and hash; of an empty chain, its root.
fn read_head(row: Option<StoredRow>) -> Result<(i64, String), sqlx::Error> {
    row.map_or(Ok((0, ROOT.to_owned())), |row| {
        Ok((row.integer("seq")?, row.text("hash")?))
    })
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
    fn read(row: &StoredRow) -> Result<Self, StoreError> {
        const DOING: &str = "reading an audit record";
        Ok(Self {
            seq: row.integer("seq").while_(DOING)?,
            thread: row.optional_text("thread").while_(DOING)?,
            at: row.text("at").while_(DOING)?,
            kind: row.text("kind").while_(DOING)?,
            content: row.text("content").while_(DOING)?,
            previous: row.text("previous").while_(DOING)?,
            hash: row.text("hash").while_(DOING)?,
        })
    }

    /// Checks that the record is the one that was written behind `last`, the one before it.
    fn check(
        &self,
        scope: &TenantScope,
        last: &(i64, String),
        numbers: &BTreeMap<String, i64>,
    ) -> Result<(), AuditError> {
        let number = self.seq.unsigned_abs();
        let next = last.0.saturating_add(1);
        if self.seq != next {
            return Err(AuditError::Removed {
                first: next.unsigned_abs(),
                last: self.seq.saturating_sub(1).unsigned_abs(),
            });
        }
        if self.fields(scope).hash() != self.hash {
            return Err(AuditError::Changed(number));
        }
        if self.previous == last.1 {
            return Ok(());
        }
        // Whole in itself, and written behind another record than the one it stands behind.
        Err(match numbers.get(&self.previous) {
            Some(follows) => AuditError::Inserted {
                first: follows.saturating_add(1).unsigned_abs(),
                last: last.0.unsigned_abs(),
            },
            None => AuditError::Broken(number),
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
