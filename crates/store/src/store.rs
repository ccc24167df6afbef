//! The handle, and how a database is opened.

use std::fmt;
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;

use crate::database::{Postgres, Session, SqliteFile, place};
use crate::error::{OpenError, StoreError, While as _};
use crate::tenant::TenantScope;

/// A handle on one database. Cloning it is cheap; every clone means the same database.
///
/// It may be used from several tokio runtimes at once: nothing in it is bound to one.
///
/// # Cancel safety
/// A write whose future is dropped has happened wholly or not at all; read to know which.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
}

enum Database {
    Sqlite(SqliteFile),
    Postgres { server: Postgres, place: String },
}

impl Store {
    /// Opens a database file, making it and its folder if they are not there, for the owner's
    /// eyes only (folder 0700 if new, file 0600).
    ///
    /// # Errors
    /// If the folder or file cannot be made, is no database, or was written by a newer version.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let file = SqliteFile::open(path.as_ref()).await?;
        Ok(Self::from(Database::Sqlite(file)))
    }

    /// Opens a database that is gone with its last handle.
    ///
    /// # Errors
    /// If SQLite cannot be started.
    pub async fn memory() -> Result<Self, OpenError> {
        Ok(Self::from(Database::Sqlite(SqliteFile::memory().await?)))
    }

    /// Connects to a PostgreSQL database by its URL, and brings its tables up to date:
    /// `postgres://agent@db.example.com/agent?sslmode=verify-full`. Several processes may have it
    /// open.
    ///
    /// Row-level security holds each session to one tenant, if the role is no superuser.
    ///
    /// # Errors
    /// If the URL is none, the server cannot be reached, or the tables were made by a newer version.
    ///
    /// # Security
    /// The URL may hold a password; it is not kept in texts, errors or logs of this crate.
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        let known = ["postgres://", "postgresql://"];
        if !known.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(OpenError::Url);
        }
        // The parser's own words may quote the URL, and with it the password.
        let options = PgConnectOptions::from_str(url).map_err(|_| OpenError::Url)?;
        let place = place(&options);
        let server = Postgres::open(options).await?;
        Ok(Self::from(Database::Postgres { server, place }))
    }

    /// Where the database is: a file, `:memory:`, or a server's host and database without a
    /// password.
    #[must_use]
    pub fn place(&self) -> String {
        match &*self.database {
            Database::Sqlite(file) => file.path().display().to_string(),
            Database::Postgres { place, .. } => place.clone(),
        }
    }

    /// Writes everything into the main file and lets go of the log beside it, so that the file
    /// can be copied. Other handles go on working. Not needed for safety; a PostgreSQL server does
    /// it by itself.
    ///
    /// # Errors
    /// If the disk refuses.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        match &*self.database {
            Database::Sqlite(file) => file.checkpoint().await,
            Database::Postgres { .. } => Ok(()),
        }
    }

    fn from(database: Database) -> Self {
        Self {
            database: Arc::new(database),
        }
    }

    /// A session that writes this tenant's rows.
    pub(crate) async fn writer(&self, scope: &TenantScope) -> Result<Session<'_>, StoreError> {
        Ok(match &*self.database {
            Database::Sqlite(file) => Session::Sqlite(file.writer().await),
            Database::Postgres { server, .. } => {
                let client = server.client(Some(scope)).await;
                Session::Postgres(client.while_("reaching the database")?)
            }
        })
    }

    /// A session that reads this tenant's rows.
    pub(crate) async fn reader(&self, scope: &TenantScope) -> Result<Session<'_>, StoreError> {
        self.any_reader(Some(scope)).await
    }

    /// A session that reads what belongs to no tenant yet.
    pub(crate) async fn reader_before_tenant(&self) -> Result<Session<'_>, StoreError> {
        self.any_reader(None).await
    }

    async fn any_reader(&self, scope: Option<&TenantScope>) -> Result<Session<'_>, StoreError> {
        Ok(match &*self.database {
            Database::Sqlite(file) => Session::Sqlite(file.reader().await?),
            Database::Postgres { server, .. } => {
                let client = server.client(scope).await;
                Session::Postgres(client.while_("reaching the database")?)
            }
        })
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("place", &self.place())
            .finish_non_exhaustive()
    }
}
