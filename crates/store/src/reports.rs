//! The documents that a thread leaves behind.

use chrono::{DateTime, Utc};
use ecs_agent_runtime::ThreadId;
use serde::{Deserialize, Serialize};

use crate::database::{Row, query};
use crate::error::{StoreError, While as _};
use crate::store::Store;
use crate::tenant::TenantScope;
use crate::threads::{read_time, stored_time};

/// One document of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Which one: `final_report`, `diagnostic_report`, …; a thread has one of each.
    pub kind: String,
    /// Its text.
    pub text: String,
    /// When it was last saved.
    pub saved_at: DateTime<Utc>,
}

impl Store {
    /// Saves a report, in place of an earlier one of this kind.
    ///
    /// # Errors
    /// [`StoreError::ThreadNotFound`], or if the database fails.
    pub async fn save_report(
        &self,
        scope: &TenantScope,
        thread: ThreadId,
        kind: &str,
        text: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let saved = query(
            "INSERT INTO reports (tenant, thread, kind, text, saved_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (tenant, thread, kind) \
             DO UPDATE SET text = excluded.text, saved_at = excluded.saved_at",
        )
        .bind(scope.as_str())
        .bind(thread.to_string())
        .bind(kind)
        .bind(text)
        .bind(stored_time(at))
        .execute(&mut self.writer(scope).await?)
        .await;
        match saved {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {
                Err(StoreError::ThreadNotFound(thread))
            }
            Err(source) => Err(StoreError::Database {
                doing: "saving a report",
                source,
            }),
        }
    }

    /// One report, if it was saved.
    ///
    /// # Errors
    /// If the database fails or the row cannot be read.
    pub async fn report(
        &self,
        scope: &TenantScope,
        thread: ThreadId,
        kind: &str,
    ) -> Result<Option<Report>, StoreError> {
        query(
            "SELECT kind, text, saved_at FROM reports \
             WHERE tenant = $1 AND thread = $2 AND kind = $3",
        )
        .bind(scope.as_str())
        .bind(thread.to_string())
        .bind(kind)
        .fetch_optional(&mut self.reader(scope).await?)
        .await
        .while_("reading a report")?
        .as_ref()
        .map(report)
        .transpose()
    }

    /// Every report of a thread, by kind.
    ///
    /// # Errors
    /// If the database fails or a row cannot be read.
    pub async fn reports(
        &self,
        scope: &TenantScope,
        thread: ThreadId,
    ) -> Result<Vec<Report>, StoreError> {
        query(
            "SELECT kind, text, saved_at FROM reports WHERE tenant = $1 AND thread = $2 ORDER BY kind",
        )
        .bind(scope.as_str())
        .bind(thread.to_string())
        .fetch_all(&mut self.reader(scope).await?)
        .await
        .while_("listing reports")?
        .iter()
        .map(report)
        .collect()
    }
}

fn report(row: &Row) -> Result<Report, StoreError> {
    let kind = row.text("kind").while_("reading a report")?;
    let saved_at = row.text("saved_at").while_("reading a report")?;
    let saved_at = read_time(&saved_at).ok_or_else(|| StoreError::Unreadable {
        row: format!("reports/{kind}"),
        source: None,
    })?;
    Ok(Report {
        text: row.text("text").while_("reading a report")?,
        kind,
        saved_at,
    })
}
