//! Why the store did not do what was asked.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use ecs_agent_runtime::ThreadId;

use crate::events::Seq;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Its folder could not be made.
    #[error(
        "failed to make the folder `{path}` for the database; choose another path or make it writable"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its file could not be made or made private.
    #[error("failed to make the database file `{path}` with access for its owner only")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite refused it.
    #[error(
        "failed to open the database `{path}`; if it is no database of this program, choose another path"
    )]
    Database {
        /// The file, or `:memory:`.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// Its tables could not be brought up to date.
    #[error(
        "failed to bring the database `{database}` up to date; it may have been written by a newer version"
    )]
    Migration {
        /// The file, `:memory:`, or the server and the database.
        database: String,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// It is no URL of a PostgreSQL database. What it is is not shown: it may hold a password.
    #[error(
        "the database's URL is none: write `postgres://user@host:5432/database`, with \
         `?sslmode=verify-full` over a network"
    )]
    Url,
    /// The server could not be reached, or refused.
    #[error("failed to connect to `{database}`; check that the server runs and lets this role in")]
    Server {
        /// The server and the database, without the password.
        database: String,
        /// Why.
        source: sqlx::Error,
    },
    /// The thread that holds the connections did not start.
    #[error("failed to start the thread of the database connections")]
    Thread(#[source] std::io::Error),
}

/// Why a read or write failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database failed: disk full, file gone, locked too long, server unreachable.
    #[error("the database failed while {doing}")]
    Database {
        /// What was being tried.
        doing: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// A row does not read as what it should be.
    #[error(
        "row `{row}` of the database cannot be read; it was changed from outside or written by a newer version"
    )]
    Unreadable {
        /// Which row.
        row: String,
        /// Why, if a parser said so.
        source: Option<serde_json::Error>,
    },
    /// A value could not be written as JSON.
    #[error("failed to write a value as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// There is no such thread of this tenant.
    #[error("`{0}` not found; see the list of threads")]
    ThreadNotFound(ThreadId),
    /// There is such a thread already.
    #[error("`{0}` exists already; use a new id")]
    ThreadExists(ThreadId),
}

/// Why an event was not appended. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Someone else appended first: read the log again.
    #[error(
        "the log of `{thread}` is at {actual}, not at {expected}: another process appended to it; read it again"
    )]
    Conflict {
        /// The thread.
        thread: ThreadId,
        /// What the caller believed.
        expected: Seq,
        /// What is.
        actual: Seq,
    },
    /// The approval was used before.
    #[error(
        "the approval of plan `{plan_hash}` was used already; propose the plan again and ask again"
    )]
    ApprovalConsumed {
        /// The plan.
        plan_hash: String,
    },
    /// The write failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a thread may not be run now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Another run has it.
    #[error(
        "`{thread}` is being run by {owner}, whose lease ends at {expires_at}; wait for it, or end that process"
    )]
    Held {
        /// The thread.
        thread: ThreadId,
        /// Who has it.
        owner: String,
        /// Until when, unless renewed.
        expires_at: DateTime<Utc>,
    },
    /// Another run took it over.
    #[error("the lease on `{thread}` was taken over by another run; stop this one")]
    Lost {
        /// The thread.
        thread: ThreadId,
    },
    /// The read or write failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Names what was being tried when the database failed.
pub(crate) trait While<T> {
    fn while_(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> While<T> for Result<T, sqlx::Error> {
    fn while_(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Database { doing, source })
    }
}
