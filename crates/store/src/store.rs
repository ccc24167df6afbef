//! The handle, and how a database is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, SqlSafeStr as _, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use crate::error::{OpenError, StoreError, While as _};

/// A handle on one database. Cloning it is cheap; every clone means the same database.
///
/// It may be used from several tokio runtimes at once: nothing in it is bound to one.
///
/// # Cancel safety
/// A write whose future is dropped has happened wholly or not at all; read to know which.
#[derive(Clone)]
pub struct Store {
    connections: Arc<Connections>,
}

// One connection each, behind a lock of our own rather than a pool: a pool returns connections
// from a spawned task, which is lost with the runtime of an invocation that ends.
struct Connections {
    path: PathBuf,
    writer: Mutex<SqliteConnection>,
    /// A database in memory is visible to one connection only, so there the writer reads too.
    reader: Option<Mutex<SqliteConnection>>,
    /// Set by every write. A write whose future was dropped may still be under way in SQLite's
    /// thread, so the next read waits for that thread first: what is read is then what is.
    unsettled: AtomicBool,
}

impl Store {
    /// Opens a database file, making it and its folder if they are not there, for the owner's
    /// eyes only (folder 0700 if new, file 0600).
    ///
    /// # Errors
    /// If the folder or file cannot be made, is no database, or was written by a newer version.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
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

    /// Opens a database that is gone with its last handle.
    ///
    /// # Errors
    /// If SQLite cannot be started.
    pub async fn memory() -> Result<Self, OpenError> {
        let path = Path::new(":memory:");
        let options = SqliteConnectOptions::new().in_memory(true);
        let writer = migrated(path, options).await?;
        Ok(Self::from(path, writer, None))
    }

    /// Where the database is; `:memory:` if nowhere.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.connections.path
    }

    /// Writes everything into the main file and lets go of the log beside it, so that the file
    /// can be copied. Other handles go on working. Not needed for safety.
    ///
    /// # Errors
    /// If the disk refuses.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        let mut writer = self.writer().await;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut *writer)
            .await
            .while_("writing the log into the main file")?;
        Ok(())
    }

    fn from(path: &Path, writer: SqliteConnection, reader: Option<SqliteConnection>) -> Self {
        let connections = Connections {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            reader: reader.map(Mutex::new),
            unsettled: AtomicBool::new(false),
        };
        Self {
            connections: Arc::new(connections),
        }
    }

    pub(crate) async fn writer(&self) -> MutexGuard<'_, SqliteConnection> {
        let writer = self.connections.writer.lock().await;
        self.connections.unsettled.store(true, Ordering::Relaxed);
        writer
    }

    pub(crate) async fn reader(&self) -> Result<MutexGuard<'_, SqliteConnection>, StoreError> {
        let Connections {
            writer,
            reader,
            unsettled,
            ..
        } = &*self.connections;
        let Some(reader) = reader else {
            return Ok(writer.lock().await);
        };
        // If the lock is taken, a write is under way whose future lives: it may come after.
        if unsettled.load(Ordering::Relaxed)
            && let Ok(mut writer) = writer.try_lock()
        {
            writer.ping().await.while_("waiting for earlier writes")?;
            unsettled.store(false, Ordering::Relaxed);
        }
        Ok(reader.lock().await)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.connections.path)
            .finish_non_exhaustive()
    }
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
    let first = Migration::new(
        1,
        "threads, events, reports, audit".into(),
        MigrationType::Simple,
        include_str!("../migrations/0001_threads_events_reports_audit.sql").into_sql_str(),
        false,
    );
    Migrator::with_migrations(vec![first])
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|source| OpenError::Migration {
            path: path.to_owned(),
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
