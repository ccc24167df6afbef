//! The TOML file, and errors that name file, line and field.

use std::io;
use std::path::{Path, PathBuf};

use super::layer::Layer;

/// Name of the file in the working directory.
const HERE: &str = "ecs-deep-agent.toml";

/// Name of the file below the person's configuration directory.
const AT_HOME: &str = "ecs-deep-agent/config.toml";

/// Why the configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It cannot be read.
    #[error("failed to read the configuration file `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("`{}`, line {line}{}: {problem}", .path.display(), in_field(.field))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The field, when the line starts with one.
        field: Option<String>,
        /// What is wrong, with the accepted values.
        problem: String,
    },
}

/// Reads the file that was named, or the first of the usual ones that exists.
pub(super) fn find_and_read(
    named: Option<&Path>,
    config_home: Option<&Path>,
) -> Result<Option<(PathBuf, Layer)>, FileError> {
    if let Some(path) = named {
        return read(path).map(|layer| Some((path.to_owned(), layer)));
    }
    let usual = [
        Some(PathBuf::from(HERE)),
        config_home.map(|home| home.join(AT_HOME)),
    ];
    for path in usual.into_iter().flatten() {
        match read(&path) {
            Ok(layer) => return Ok(Some((path, layer))),
            Err(FileError::Unreadable { source, .. })
                if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<Layer, FileError> {
    let text = std::fs::read_to_string(path).map_err(|source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Layer, FileError> {
    let layer: Layer = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        malformed(path, text, start, error.message().to_owned())
    })?;
    if layer.names_two_sources() {
        let problem = "`credentials` and `profile` name two sources; keep one of them".to_owned();
        return Err(malformed(path, text, offset_of(text, "profile"), problem));
    }
    Ok(layer)
}

fn malformed(path: &Path, text: &str, offset: usize, problem: String) -> FileError {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let field = text
        .lines()
        .nth(line - 1)
        .and_then(|line| line.split_once('='))
        .map(|(name, _)| name.trim().to_owned())
        // An unknown field is named by the problem itself.
        .filter(|name| !problem.contains(&format!("`{name}`")));
    FileError::Malformed {
        path: path.to_owned(),
        line,
        field,
        problem: problem.replace('\n', " "),
    }
}

fn offset_of(text: &str, field: &str) -> usize {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with(field) {
            return offset;
        }
        offset += line.len();
    }
    0
}

fn in_field(field: &Option<String>) -> String {
    field
        .as_ref()
        .map_or_else(String::new, |name| format!(", field `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(Path::new("some.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn the_commented_example_is_a_valid_configuration() {
        let example = include_str!("../../../../ecs-deep-agent.example.toml");
        assert_eq!(
            parse(Path::new("example"), example).unwrap(),
            Layer::default()
        );
        // Every line that is commented out must work once it is not.
        let uncommented: String = example
            .lines()
            .map(|line| line.strip_prefix("#: ").unwrap_or(line))
            .fold(String::new(), |text, line| text + line + "\n");
        let layer = parse(Path::new("example"), &uncommented).unwrap();
        assert_eq!((layer.services.len(), layer.accounts.len()), (1, 1));
        assert!(layer.retries.is_some() && layer.timeout.is_some() && layer.data_dir.is_some());
    }

    #[test]
    fn an_unknown_field_is_named_with_its_line_and_the_known_ones() {
        let said = error("model = \"runbook\"\nregoin = \"eu-west-1\"\n");
        assert!(
            said.starts_with("`some.toml`, line 2: unknown field `regoin`"),
            "{said}"
        );
        assert!(said.contains("`region`"), "{said}");
    }

    #[test]
    fn a_wrong_value_is_named_with_its_field_and_what_is_accepted() {
        let cases = [
            ("allow_write = \"yes\"", "field `allow_write`", "boolean"),
            (
                "region = \"Ireland\"",
                "field `region`",
                "such as `eu-west-1`",
            ),
            ("model = \"gpt\"", "field `model`", "`runbook`"),
            ("timeout = \"soon\"", "field `timeout`", "such as `30m`"),
            ("max_steps = -1", "field `max_steps`", "u32"),
        ];
        for (text, field, accepted) in cases {
            let said = error(text);
            assert!(said.contains("line 1"), "{said}");
            assert!(said.contains(field) && said.contains(accepted), "{said}");
        }
    }

    #[test]
    fn two_sources_of_credentials_are_one_too_many() {
        let said = error("region = \"eu-west-1\"\ncredentials = \"env\"\nprofile = \"dev\"\n");
        assert!(
            said.contains("line 3") && said.contains("keep one"),
            "{said}"
        );
    }

    #[test]
    fn what_is_not_toml_is_refused_with_its_line() {
        let said = error("region = \"eu-west-1\"\n[[[\n");
        assert!(said.contains("line 2"), "{said}");
    }
}
