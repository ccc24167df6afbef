//! A thread's event log, and the approvals that are used up with it.

use std::fmt;

use chrono::{DateTime, Utc};
use ecs_agent_runtime::{Event, ThreadId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::database::{Transaction, query};
use crate::error::{AppendError, StoreError, While as _};
use crate::store::Store;
use crate::tenant::TenantScope;
use crate::threads::{RecordStatus, about_thread, read_time, stored_time};

/// An event's number in its thread's log; the first has 1, an empty log stands at 0.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(i64);

impl Seq {
    /// Where an empty log stands.
    pub const START: Self = Self(0);

    /// The number of the next event.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// As a plain number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.unsigned_abs()
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its number.
    pub seq: Seq,
    /// What happened.
    pub event: Event,
}

/// A person's decision on one plan, about to be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// The plan's hash, which the decision is bound to and which can be used once.
    pub plan_hash: String,
    /// The decision as it was made.
    pub approval: Value,
}

/// An approval that was used.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumedApproval {
    /// The plan's hash.
    pub plan_hash: String,
    /// The thread that used it.
    pub thread: ThreadId,
    /// The event that used it.
    pub seq: Seq,
    /// The decision.
    pub approval: Value,
    /// When it was used.
    pub consumed_at: DateTime<Utc>,
}

impl Store {
    /// Appends one event to a thread's log, which must stand at `expected`; returns where it
    /// stands then.
    ///
    /// # Errors
    /// [`AppendError::Conflict`] if someone else appended meanwhile; nothing is written then.
    pub async fn append(
        &self,
        scope: &TenantScope,
        thread: ThreadId,
        expected: Seq,
        event: &Event,
    ) -> Result<Seq, AppendError> {
        let mut writer = self.writer(scope).await?;
        let mut transaction = writer
            .begin_write(&about_thread(scope, thread))
            .await
            .while_("appending an event")?;
        let seq = append_within(&mut transaction, scope, thread, expected, event).await?;
        transaction.commit().await.while_("appending an event")?;
        Ok(seq)
    }

    /// Uses up an approval and appends the event that acts on it, both or neither.
    ///
    /// # Errors
    /// [`AppendError::ApprovalConsumed`] if this plan's approval was used before, in whatever
    /// thread of the tenant; [`AppendError::Conflict`] as for [`Store::append`].
    pub async fn consume_approval(
        &self,
        scope: &TenantScope,
        thread: ThreadId,
        expected: Seq,
        approval: &Approval,
        event: &Event,
    ) -> Result<Seq, AppendError> {
        let text = serde_json::to_string(&approval.approval).map_err(StoreError::Unwritable)?;
        let mut writer = self.writer(scope).await?;
        let mut transaction = writer
            .begin_write(&about_thread(scope, thread))
            .await
            .while_("using an approval")?;
        let seq = append_within(&mut transaction, scope, thread, expected, event).await?;
        let used = query(
            "INSERT INTO approvals (tenant, plan_hash, thread, seq, approval, consumed_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(scope.as_str())
        .bind(&approval.plan_hash)
        .bind(thread.to_string())
        .bind(seq.0)
        .bind(text)
        .bind(stored_time(event.at))
        .execute(&mut transaction)
        .await;
        match used {
            Ok(_) => {}
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Err(AppendError::ApprovalConsumed {
                    plan_hash: approval.plan_hash.clone(),
                });
            }
            Err(source) => {
                return Err(StoreError::Database {
                    doing: "using an approval",
                    source,
                }
                .into());
            }
        }
        transaction.commit().await.while_("using an approval")?;
        Ok(seq)
    }

    /// The approval of a plan, if it was used.
    ///
    /// # Errors
    /// If the database fails or the row cannot be read.
    pub async fn consumed_approval(
        &self,
        scope: &TenantScope,
        plan_hash: &str,
    ) -> Result<Option<ConsumedApproval>, StoreError> {
        let row = query(
            "SELECT thread, seq, approval, consumed_at FROM approvals \
             WHERE tenant = $1 AND plan_hash = $2",
        )
        .bind(scope.as_str())
        .bind(plan_hash)
        .fetch_optional(&mut self.reader(scope).await?)
        .await
        .while_("reading an approval")?;
        let Some(row) = row else { return Ok(None) };
        let thread = row.text("thread").while_("reading an approval")?;
        let approval = row.text("approval").while_("reading an approval")?;
        let consumed_at = row.text("consumed_at").while_("reading an approval")?;
        let unreadable = |source| StoreError::Unreadable {
            row: format!("approvals/{plan_hash}"),
            source,
        };
        Ok(Some(ConsumedApproval {
            plan_hash: plan_hash.to_owned(),
            thread: thread.parse().map_err(|_| unreadable(None))?,
            seq: Seq(row.integer("seq").while_("reading an approval")?),
            approval: serde_json::from_str(&approval).map_err(|source| unreadable(Some(source)))?,
            consumed_at: read_time(&consumed_at).ok_or_else(|| unreadable(None))?,
        }))
    }

    /// A thread's events after `after`, in order; [`Seq::START`] gives all.
    ///
    /// # Errors
    /// [`StoreError::ThreadNotFound`], or [`StoreError::Unreadable`] naming the first event that
    /// this version cannot read.
    pub async fn events(
        &self,
        scope: &TenantScope,
        thread: ThreadId,
        after: Seq,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let mut reader = self.reader(scope).await?;
        // One statement, so that the thread and its events are of one moment.
        let rows = query(
            "SELECT events.seq, events.event FROM threads LEFT JOIN events \
             ON events.tenant = threads.tenant AND events.thread = threads.id AND events.seq > $3 \
             WHERE threads.tenant = $1 AND threads.id = $2 ORDER BY events.seq",
        )
        .bind(scope.as_str())
        .bind(thread.to_string())
        .bind(after.0)
        .fetch_all(&mut reader)
        .await
        .while_("reading events")?;
        drop(reader);
        if rows.is_empty() {
            return Err(StoreError::ThreadNotFound(thread));
        }
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let seq = row.optional_integer("seq").while_("reading events")?;
            let Some(seq) = seq else { continue };
            let text = row.text("event").while_("reading events")?;
            let event = serde_json::from_str(&text).map_err(|source| StoreError::Unreadable {
                row: format!("events/{thread}/{seq}"),
                source: Some(source),
            })?;
            events.push(StoredEvent {
                seq: Seq(seq),
                event,
            });
        }
        Ok(events)
    }
}

async fn append_within(
    transaction: &mut Transaction<'_>,
    scope: &TenantScope,
    thread: ThreadId,
    expected: Seq,
    event: &Event,
) -> Result<Seq, AppendError> {
    let text = serde_json::to_string(event).map_err(StoreError::Unwritable)?;
    let row = query(
        "SELECT (SELECT COALESCE(MAX(seq), 0) FROM events WHERE tenant = $1 AND thread = $2) AS seq \
         FROM threads WHERE tenant = $1 AND id = $2",
    )
    .bind(scope.as_str())
    .bind(thread.to_string())
    .fetch_optional(transaction)
    .await
    .while_("appending an event")?;
    let row = row.ok_or(StoreError::ThreadNotFound(thread))?;
    let actual = Seq(row.integer("seq").while_("appending an event")?);
    if actual != expected {
        return Err(AppendError::Conflict {
            thread,
            expected,
            actual,
        });
    }
    let seq = expected.next();
    query("INSERT INTO events (tenant, thread, seq, kind, event) VALUES ($1, $2, $3, $4, $5)")
        .bind(scope.as_str())
        .bind(thread.to_string())
        .bind(seq.0)
        .bind(event.body.kind())
        .bind(text)
        .execute(transaction)
        .await
        .while_("appending an event")?;
    query(
        "UPDATE threads SET updated_at = $3, status = COALESCE($4, status) \
         WHERE tenant = $1 AND id = $2",
    )
    .bind(scope.as_str())
    .bind(thread.to_string())
    .bind(stored_time(event.at))
    .bind(RecordStatus::after(&event.body).map(RecordStatus::as_str))
    .execute(transaction)
    .await
    .while_("appending an event")?;
    Ok(seq)
}
