//! The database of the threads, opened as the configuration says.

use std::io;
use std::path::PathBuf;

use ecs_agent_credentials::LeakGuard;
use ecs_agent_store::Store;

use crate::config::{Configuration, DatabasePlace};
use crate::environment;
use crate::error::CliError;

/// File of the threads in the data directory.
const THREADS: &str = "threads.sqlite";

/// Why there is no URL of the database. What was found is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseUrlError {
    /// The variable that was named is not set.
    #[error("`{0}` is not set, and `[database]` names it for the database's URL")]
    NoVariable(String),
    /// The file that was named.
    #[error("failed to read `{}`, which `[database]` names for the database's URL", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Opens the database. From here on the leak guard looks for the password in its URL.
pub(crate) async fn open(
    configuration: &Configuration,
    guard: &LeakGuard,
) -> Result<Store, CliError> {
    let url = match &configuration.database {
        DatabasePlace::DataDirectory => {
            return Ok(Store::open(configuration.data_dir()?.join(THREADS)).await?);
        }
        DatabasePlace::Variable(name) => environment::database_url(name)
            .ok_or_else(|| DatabaseUrlError::NoVariable(name.clone()))?,
        DatabasePlace::File(path) => {
            std::fs::read_to_string(path).map_err(|source| DatabaseUrlError::Unreadable {
                path: path.clone(),
                source,
            })?
        }
    };
    let url = url.trim();
    if let Some(password) = password(url) {
        guard.watch(password);
    }
    Ok(Store::connect(url).await?)
}

/// The password of `scheme://user:password@host`, as it is written there.
fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_found_where_there_is_one() {
        let cases = [
            (
                "postgres://ada:a-word@db.example.com:5432/agent",
                Some("a-word"),
            ),
            (
                "postgres://ada:a@word@db/agent?sslmode=verify-full",
                Some("a@word"),
            ),
            ("postgres://ada@db/agent", None),
            ("postgres:///agent?host=/run/postgresql", None),
            ("no url", None),
        ];
        for (url, expected) in cases {
            assert_eq!(password(url), expected, "{url}");
        }
    }
}
