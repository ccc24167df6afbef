//! A folder of texts that take the place of built-in prompts.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ecs_agent_core::{PromptError, Prompts};

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PromptFolderError {
    /// It, or a file in it, cannot be read.
    #[error("failed to read `{}`, which the field `prompts` names", .path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is none of an agent.
    #[error(
        "`{}` in the folder that `prompts` names is no prompt; a prompt is called `AGENT.md`",
        .path.display()
    )]
    NotAPrompt {
        /// The file.
        path: PathBuf,
    },
    /// A text cannot be used.
    #[error("a prompt in `{}` cannot be used", .folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// Which and why.
        #[source]
        source: PromptError,
    },
}

/// Reads `AGENT.md` for each agent whose prompt is replaced; the others keep theirs.
pub(super) fn read(folder: Option<&Path>) -> Result<Prompts, PromptFolderError> {
    let mut texts = BTreeMap::new();
    if let Some(folder) = folder {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| PromptFolderError::Unreadable { path, source }
        };
        for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
            let path = entry.map_err(unreadable(folder))?.path();
            let agent = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .filter(|_| path.extension().is_some_and(|extension| extension == "md"));
            let Some(agent) = agent.map(str::to_owned) else {
                return Err(PromptFolderError::NotAPrompt { path });
            };
            let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
            texts.insert(agent, text);
        }
    }
    Prompts::replacing(&texts).map_err(|source| PromptFolderError::Unusable {
        folder: folder.map(Path::to_owned).unwrap_or_default(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use ecs_agent_core::Mode;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_file_replaces_its_agents_prompt() {
        let folder = folder(&[("triage-specialist.md", "Look hard, {{ agent }}.")]);
        let prompts = read(Some(folder.path())).unwrap();
        let versions = prompts.versions(Mode::Repair);
        let replaced: Vec<&str> = versions
            .iter()
            .filter(|prompt| prompt.replaced)
            .map(|prompt| prompt.agent.as_str())
            .collect();
        assert_eq!(replaced, ["triage-specialist"]);
        assert_eq!(read(None).unwrap(), Prompts::built_in().unwrap());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let chain = |error: PromptFolderError| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        for (files, expected) in [
            ([("notes.txt", "x")], "notes.txt"),
            ([("triage.md", "x")], "there is no agent `triage`"),
            ([("main.md", "{{ nobody }}")], "the prompt of `main`"),
        ] {
            let folder = folder(&files);
            let said = chain(read(Some(folder.path())).unwrap_err());
            assert!(said.contains(expected), "{said}");
        }
        let nowhere = Path::new("/nowhere/at/all");
        let said = chain(read(Some(nowhere)).unwrap_err());
        assert!(
            said.contains("/nowhere/at/all") && said.contains("`prompts`"),
            "{said}"
        );
    }
}
