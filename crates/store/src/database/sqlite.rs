//! SQLite: a file in WAL mode, one connection that writes and one that reads.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::migrations;
use super::query::{Query, Row, Value};
use crate::error::{OpenError, StoreError, While as _};

// One connection each, behind a lock of our own rather than a pool: a pool returns connections
// from a spawned task, which is lost with the runtime of an invocation that ends.
pub(crate) struct SqliteFile {
    path: PathBuf,
    writer: Mutex<SqliteConnection>,
    /// A database in memory is visible to one connection only, so there the writer reads too.
    reader: Option<Mutex<SqliteConnection>>,
    /// Set by every write. A write whose future was dropped may still be under way in SQLite's
    /// thread, so the next read waits for that thread first: what is read is then what is.
    unsettled: AtomicBool,
}

impl SqliteFile {
    pub(crate) async fn open(path: &Path) -> Result<Self, OpenError> {
        make_private_file(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL, not NORMAL: what was appended must survive power loss, since an effect in the
            // world may follow it.
            .synchronous(SqliteSynchronous::Full);
        let failed = |source| OpenError::Database {
            path: path.to_owned(),
            source,
        };
        let writer = migrated(path, options).await?;
        let reader = common(SqliteConnectOptions::new().filename(path)).read_only(true);
        let reader = SqliteConnection::connect_with(&reader)
            .await
            .map_err(failed)?;
        Ok(Self::from(path, writer, Some(reader)))
    }

    pub(crate) async fn memory() -> Result<Self, OpenError> {
        let path = Path::new(":memory:");
        let options = SqliteConnectOptions::new().in_memory(true);
        let writer = migrated(path, options).await?;
        Ok(Self::from(path, writer, None))
    }

    fn from(path: &Path, writer: SqliteConnection, reader: Option<SqliteConnection>) -> Self {
        Self {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            reader: reader.map(Mutex::new),
            unsettled: AtomicBool::new(false),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn checkpoint(&self) -> Result<(), StoreError> {
        let mut writer = self.writer().await;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut *writer)
            .await
            .while_("writing the log into the main file")?;
        Ok(())
    }

    pub(crate) async fn writer(&self) -> MutexGuard<'_, SqliteConnection> {
        let writer = self.writer.lock().await;
        self.unsettled.store(true, Ordering::Relaxed);
        writer
    }

    pub(crate) async fn reader(&self) -> Result<MutexGuard<'_, SqliteConnection>, StoreError> {
        let Some(reader) = &self.reader else {
            return Ok(self.writer.lock().await);
        };
        // If the lock is taken, a write is under way whose future lives: it may come after.
        if self.unsettled.load(Ordering::Relaxed)
            && let Ok(mut writer) = self.writer.try_lock()
        {
            writer.ping().await.while_("waiting for earlier writes")?;
            self.unsettled.store(false, Ordering::Relaxed);
        }
        Ok(reader.lock().await)
    }
}

pub(super) async fn execute(
    connection: &mut SqliteConnection,
    query: Query,
) -> Result<u64, sqlx::Error> {
    let done = bound(query).execute(connection).await?;
    Ok(done.rows_affected())
}

pub(super) async fn rows(
    connection: &mut SqliteConnection,
    query: Query,
) -> Result<Vec<Row>, sqlx::Error> {
    let rows = bound(query).fetch_all(connection).await?;
    Ok(rows.into_iter().map(Row::Sqlite).collect())
}

fn bound(query: Query) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
    let statement = sqlx::query(query.sql);
    query
        .values
        .into_iter()
        .fold(statement, |statement, value| match value {
            Value::Text(text) => statement.bind(text),
            Value::OptionalText(text) => statement.bind(text),
            Value::Integer(number) => statement.bind(number),
        })
}

fn common(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
}

async fn migrated(
    path: &Path,
    options: SqliteConnectOptions,
) -> Result<SqliteConnection, OpenError> {
    let mut connection = SqliteConnection::connect_with(&common(options))
        .await
        .map_err(|source| OpenError::Database {
            path: path.to_owned(),
            source,
        })?;
    migrations::sqlite()
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|source| OpenError::Migration {
            database: path.display().to_string(),
            source,
        })?;
    Ok(connection)
}

/// SQLite gives its log files the access of the main file, so that is made first.
fn make_private_file(path: &Path) -> Result<(), OpenError> {
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    let mut file = std::fs::OpenOptions::new();
    file.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        folder.mode(0o700);
        file.mode(0o600);
    }
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        folder.create(parent).map_err(|source| OpenError::Folder {
            path: parent.to_owned(),
            source,
        })?;
    }
    let failed = |source| OpenError::File {
        path: path.to_owned(),
        source,
    };
    let opened = file.open(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // An existing file may have wider access; it holds what was read from an account.
        let mut permissions = opened.metadata().map_err(failed)?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(0o600);
            opened.set_permissions(permissions).map_err(failed)?;
        }
    }
    drop(opened);
    Ok(())
}
