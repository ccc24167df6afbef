//! The two databases behind one small seam: send a statement, get rows, several in a transaction.

mod migrations;
mod postgres;
mod query;
mod sqlite;

use sqlx::{Connection as _, Sqlite, SqliteConnection};
use tokio::sync::MutexGuard;

pub(crate) use postgres::{Postgres, place};
pub(crate) use query::{Query, Row, query};
pub(crate) use sqlite::SqliteFile;

/// Something that statements can be sent to.
pub(crate) enum Session<'a> {
    Sqlite(MutexGuard<'a, SqliteConnection>),
    Postgres(postgres::Client),
}

/// Several statements, all or none. Dropped without [`Transaction::commit`], none.
pub(crate) enum Transaction<'s> {
    Sqlite(sqlx::Transaction<'s, Sqlite>),
    Postgres(postgres::OpenTransaction<'s>),
}

/// Where a [`Query`] can be sent.
pub(crate) trait Target {
    /// Sends a statement; returns how many rows it changed.
    async fn execute(&mut self, query: Query) -> Result<u64, sqlx::Error>;

    /// Sends a statement; returns its rows.
    async fn rows(&mut self, query: Query) -> Result<Vec<Row>, sqlx::Error>;
}

impl Query {
    /// Sends it; returns how many rows it changed.
    pub(crate) async fn execute(self, to: &mut impl Target) -> Result<u64, sqlx::Error> {
        to.execute(self).await
    }

    /// Sends it; returns its rows.
    pub(crate) async fn fetch_all(self, to: &mut impl Target) -> Result<Vec<Row>, sqlx::Error> {
        to.rows(self).await
    }

    /// Sends it; returns its first row.
    pub(crate) async fn fetch_optional(
        self,
        to: &mut impl Target,
    ) -> Result<Option<Row>, sqlx::Error> {
        Ok(to.rows(self).await?.into_iter().next())
    }
}

impl Target for Session<'_> {
    async fn execute(&mut self, query: Query) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, query).await,
            Self::Postgres(client) => client.execute(query).await,
        }
    }

    async fn rows(&mut self, query: Query) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => sqlite::rows(connection, query).await,
            Self::Postgres(client) => client.rows(query).await,
        }
    }
}

impl Session<'_> {
    /// Begins to write what `about` names. Two that name the same go one after another, so that
    /// what one reads stays true until it commits.
    pub(crate) async fn begin_write(
        &mut self,
        about: &str,
    ) -> Result<Transaction<'_>, sqlx::Error> {
        Ok(match self {
            // One writer at a time, whatever it is about.
            Self::Sqlite(connection) => {
                Transaction::Sqlite(connection.begin_with("BEGIN IMMEDIATE").await?)
            }
            Self::Postgres(client) => Transaction::Postgres(client.begin_write(about).await?),
        })
    }

    /// Begins to read: everything that is read is of one moment.
    pub(crate) async fn begin_read(&mut self) -> Result<Transaction<'_>, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(connection) => Transaction::Sqlite(connection.begin().await?),
            Self::Postgres(client) => Transaction::Postgres(client.begin_read().await?),
        })
    }
}

impl Target for Transaction<'_> {
    async fn execute(&mut self, query: Query) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => sqlite::execute(transaction, query).await,
            Self::Postgres(transaction) => transaction.execute(query).await,
        }
    }

    async fn rows(&mut self, query: Query) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => sqlite::rows(transaction, query).await,
            Self::Postgres(transaction) => transaction.rows(query).await,
        }
    }
}

impl Transaction<'_> {
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }
}
