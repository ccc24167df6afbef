//! Which database the threads are in: `[database]`.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// Where the database's URL is. The URL itself may hold a password and is never written down here.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenDatabase")]
pub(crate) enum DatabasePlace {
    /// There is none: a file in the data directory.
    #[default]
    DataDirectory,
    /// In this environment variable.
    Variable(String),
    /// In this file.
    File(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDatabase {
    url_variable: Option<String>,
    url_file: Option<PathBuf>,
}

/// Why a `[database]` table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DatabasePlaceError {
    #[error("`url_variable` and `url_file` name two places of one URL; keep one of them")]
    TwoPlaces,
    #[error(
        "`[database]` needs `url_file` or `url_variable`; without the table the threads are in `data_dir`"
    )]
    NoPlace,
    /// A URL that was pasted in place of its variable's name is not repeated.
    #[error("`url_variable` is the name of an environment variable, such as `AGENT_DATABASE_URL`")]
    NoName,
}

impl TryFrom<WrittenDatabase> for DatabasePlace {
    type Error = DatabasePlaceError;

    fn try_from(written: WrittenDatabase) -> Result<Self, Self::Error> {
        match (written.url_variable, written.url_file) {
            (Some(_), Some(_)) => Err(DatabasePlaceError::TwoPlaces),
            (None, None) => Err(DatabasePlaceError::NoPlace),
            (None, Some(path)) => Ok(Self::File(path)),
            (Some(name), None) => {
                let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
                match !name.is_empty() && name.chars().all(is_name) {
                    true => Ok(Self::Variable(name)),
                    false => Err(DatabasePlaceError::NoName),
                }
            }
        }
    }
}

impl fmt::Display for DatabasePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDirectory => f.write_str("a file in data_dir"),
            Self::Variable(name) => write!(f, "PostgreSQL, by the URL in {name}"),
            Self::File(path) => write!(f, "PostgreSQL, by the URL in {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DatabasePlace, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_url_has_one_place() {
        assert_eq!(
            read("url_file = \"/run/secrets/url\""),
            Ok(DatabasePlace::File("/run/secrets/url".into()))
        );
        assert_eq!(
            read("url_variable = \"AGENT_DATABASE_URL\""),
            Ok(DatabasePlace::Variable("AGENT_DATABASE_URL".to_owned()))
        );
        assert!(read("").unwrap_err().contains("needs `url_file`"));
        let both = read("url_file = \"/a\"\nurl_variable = \"B\"").unwrap_err();
        assert!(both.contains("keep one"), "{both}");
    }

    #[test]
    fn a_url_in_place_of_a_name_is_refused_and_not_repeated() {
        let said = read("url_variable = \"postgres://ada:word@db/agent\"").unwrap_err();
        assert!(
            said.contains("`url_variable`") && !said.contains("word"),
            "{said}"
        );
        let said = read("url = \"postgres://ada:word@db/agent\"").unwrap_err();
        assert!(
            said.contains("url_file") && !said.contains("word"),
            "{said}"
        );
    }
}
