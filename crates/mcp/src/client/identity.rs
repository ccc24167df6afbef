//! Which server it is that a person accepted.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::http::ServerUrl;
use super::settings::ServerSettings;

/// What a server is known by: where it is, and what it calls itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerIdentity {
    /// Where it is.
    pub at: Whereabouts,
    /// The name that it gives itself.
    #[serde(default)]
    pub name: String,
    /// The version that it gives itself; many give none.
    #[serde(default)]
    pub version: String,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Whereabouts {
    /// A program on this machine.
    Program {
        /// The program.
        command: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
        /// Hashes of the program and of the arguments that are files: scripts, mostly. What such a
        /// script loads is not among them.
        files: BTreeMap<PathBuf, Digest>,
    },
    /// A server elsewhere.
    Url(ServerUrl),
}

impl Whereabouts {
    /// Looks at a program and at the files that its arguments name.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn of_program(settings: &ServerSettings) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        let named = settings.arguments.iter().map(Path::new);
        let scripts = named.filter(|path| path.is_absolute() && path.is_file());
        for path in std::iter::once(settings.command.as_path()).chain(scripts) {
            let digest = Digest::of_bytes(&std::fs::read(path)?);
            files.insert(path.to_owned(), digest);
        }
        Ok(Self::Program {
            command: settings.command.clone(),
            arguments: settings.arguments.clone(),
            files,
        })
    }
}

impl ServerIdentity {
    /// Says in words what differs, one line each.
    pub(super) fn changes_to(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        if self.at != now.at {
            changes.push(where_changed(&self.at, &now.at));
        }
        if (&self.name, &self.version) != (&now.name, &now.version) {
            changes.push(format!(
                "it called itself `{}` `{}` and calls itself `{}` `{}` now",
                self.name, self.version, now.name, now.version
            ));
        }
        changes
    }
}

fn where_changed(was: &Whereabouts, is: &Whereabouts) -> String {
    match (was, is) {
        (
            Whereabouts::Program {
                command,
                arguments,
                files: known,
            },
            Whereabouts::Program {
                command: now_command,
                arguments: now_arguments,
                files,
            },
        ) if (command, arguments) == (now_command, now_arguments) => {
            let changed: Vec<String> = files
                .iter()
                .filter(|(path, digest)| known.get(*path) != Some(digest))
                .map(|(path, _)| format!("`{}`", path.display()))
                .collect();
            format!("other contents in {}", changed.join(", "))
        }
        (Whereabouts::Program { .. }, Whereabouts::Program { .. }) => {
            "another command or other arguments".to_owned()
        }
        (Whereabouts::Url(was), Whereabouts::Url(is)) => {
            format!("it was at {was} and is at {is} now")
        }
        (Whereabouts::Program { .. }, Whereabouts::Url(_))
        | (Whereabouts::Url(_), Whereabouts::Program { .. }) => {
            "a program and a server elsewhere are not the same".to_owned()
        }
    }
}
