//! The list of threads.

use chrono::{DateTime, Utc};
use ecs_agent_runtime::{EventBody, RunOutcome, ThreadId};
use serde::{Deserialize, Serialize};

use crate::database::{Row, query};
use crate::error::{StoreError, While as _};
use crate::store::Store;
use crate::tenant::TenantScope;

const MAX_TITLE_CHARS: usize = 200;
const MAX_PAGE: u32 = 1_000;

/// A thread as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadRecord {
    /// Its id.
    pub id: ThreadId,
    /// What it is about, in a person's words.
    pub title: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its last event happened.
    pub updated_at: DateTime<Utc>,
    /// Where it stood then.
    pub status: RecordStatus,
}

/// Where a thread stood at its last event. A process that died leaves `Running` behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordStatus {
    /// Nothing was asked yet.
    Idle,
    /// A run is on, or died.
    Running,
    /// A person is asked.
    Interrupted,
    /// The last run reached its end.
    Completed,
    /// The last run was cancelled.
    Cancelled,
    /// The last run reached a limit.
    BudgetExhausted,
    /// The last run could not go on.
    Failed,
}

impl RecordStatus {
    const ALL: [Self; 7] = [
        Self::Idle,
        Self::Running,
        Self::Interrupted,
        Self::Completed,
        Self::Cancelled,
        Self::BudgetExhausted,
        Self::Failed,
    ];

    /// The word for it, as it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::BudgetExhausted => "budget_exhausted",
            Self::Failed => "failed",
        }
    }

    fn from_stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// What an event makes of it; `None` if it stays as it is.
    pub(crate) const fn after(event: &EventBody) -> Option<Self> {
        match event {
            EventBody::RunStarted { .. } | EventBody::InterruptAnswered { .. } => {
                Some(Self::Running)
            }
            EventBody::InterruptRaised { .. } => Some(Self::Interrupted),
            EventBody::RunEnded { outcome } => Some(match outcome {
                RunOutcome::Completed { .. } => Self::Completed,
                RunOutcome::Cancelled { .. } => Self::Cancelled,
                RunOutcome::BudgetExhausted { .. } => Self::BudgetExhausted,
                RunOutcome::Failed { .. } => Self::Failed,
            }),
            EventBody::Configured { .. }
            | EventBody::HumanSaid { .. }
            | EventBody::ModelReplied { .. }
            | EventBody::ModelFailed { .. }
            | EventBody::ModelFellBack { .. }
            | EventBody::ContextOverflowed { .. }
            | EventBody::Compacted { .. }
            | EventBody::ToolStarted { .. }
            | EventBody::ToolReturned { .. }
            | EventBody::CancelRequested { .. }
            | EventBody::BudgetExhausted { .. } => None,
        }
    }
}

impl Store {
    /// Makes a thread. A title over 200 characters is cut.
    ///
    /// # Errors
    /// [`StoreError::ThreadExists`] if the id is taken.
    pub async fn create_thread(
        &self,
        scope: &TenantScope,
        id: ThreadId,
        title: &str,
        at: DateTime<Utc>,
    ) -> Result<ThreadRecord, StoreError> {
        let title: String = title.chars().take(MAX_TITLE_CHARS).collect();
        let written = query(
            "INSERT INTO threads (tenant, id, title, status, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $5)",
        )
        .bind(scope.as_str())
        .bind(id.to_string())
        .bind(&title)
        .bind(RecordStatus::Idle.as_str())
        .bind(stored_time(at))
        .execute(&mut self.writer(scope).await?)
        .await;
        match written {
            Ok(_) => Ok(ThreadRecord {
                id,
                title,
                created_at: at,
                updated_at: at,
                status: RecordStatus::Idle,
            }),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                Err(StoreError::ThreadExists(id))
            }
            Err(source) => Err(StoreError::Database {
                doing: "making a thread",
                source,
            }),
        }
    }

    /// One thread, if this tenant has it.
    ///
    /// # Errors
    /// If the database fails or the row cannot be read.
    pub async fn thread(
        &self,
        scope: &TenantScope,
        id: ThreadId,
    ) -> Result<Option<ThreadRecord>, StoreError> {
        query("SELECT * FROM threads WHERE tenant = $1 AND id = $2")
            .bind(scope.as_str())
            .bind(id.to_string())
            .fetch_optional(&mut self.reader(scope).await?)
            .await
            .while_("reading a thread")?
            .as_ref()
            .map(record)
            .transpose()
    }

    /// A page of threads, newest id first: at most `limit` (and at most 1,000) that come after
    /// `after`, or from the first.
    ///
    /// # Errors
    /// If the database fails or a row cannot be read.
    pub async fn threads(
        &self,
        scope: &TenantScope,
        limit: u32,
        after: Option<ThreadId>,
    ) -> Result<Vec<ThreadRecord>, StoreError> {
        query(
            "SELECT * FROM threads WHERE tenant = $1 AND ($2 IS NULL OR id < $2) \
             ORDER BY id DESC LIMIT $3",
        )
        .bind(scope.as_str())
        .bind(after.map(|id| id.to_string()))
        .bind(limit.min(MAX_PAGE))
        .fetch_all(&mut self.reader(scope).await?)
        .await
        .while_("listing threads")?
        .iter()
        .map(record)
        .collect()
    }
}

/// What a transaction about a thread is about: two of them go one after another.
pub(crate) fn about_thread(scope: &TenantScope, thread: ThreadId) -> String {
    format!("thread/{}/{thread}", scope.as_str())
}

fn record(row: &Row) -> Result<ThreadRecord, StoreError> {
    let id = row.text("id").while_("reading a thread")?;
    let title = row.text("title").while_("reading a thread")?;
    let status = row.text("status").while_("reading a thread")?;
    let created = row.text("created_at").while_("reading a thread")?;
    let updated = row.text("updated_at").while_("reading a thread")?;
    let unreadable = || StoreError::Unreadable {
        row: format!("threads/{id}"),
        source: None,
    };
    Ok(ThreadRecord {
        id: id.parse().map_err(|_| unreadable())?,
        title,
        created_at: read_time(&created).ok_or_else(unreadable)?,
        updated_at: read_time(&updated).ok_or_else(unreadable)?,
        status: RecordStatus::from_stored(&status).ok_or_else(unreadable)?,
    })
}

/// RFC 3339 in UTC with a fixed number of digits, so that text order is time order.
pub(crate) fn stored_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)
}

pub(crate) fn read_time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|at| at.with_timezone(&Utc))
}
