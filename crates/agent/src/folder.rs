//! Reads a team's folder into memory, within bounds, and never anything outside of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files that are read of one folder at most, and their sizes.
const MAX_FILES: usize = 1_000;
const MAX_FILE_BYTES: u64 = 1_000_000;
const MAX_TOTAL_BYTES: u64 = 16_000_000;
const MAX_DEPTH: usize = 8;

/// What was read of a folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// Contents by path within the folder, parts separated by `/`. A file that is no text is there
    /// with a content that the file tools refuse as binary.
    pub(crate) files: BTreeMap<String, String>,
    /// What was left out, and why.
    pub(crate) problem: Option<String>,
}

/// Reads a folder. Links are not followed: what they lead to is not the team's folder.
pub(crate) fn read(root: &Path) -> Folder {
    let mut folder = Folder::default();
    let mut bytes = 0;
    let mut open: Vec<(PathBuf, String, usize)> = vec![(root.to_owned(), String::new(), 0)];
    while let Some((directory, prefix, depth)) = open.pop() {
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                folder.problem = Some(format!("`{prefix}/` cannot be read: {error}"));
                continue;
            }
        };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if kind.is_dir() && depth < MAX_DEPTH {
                open.push((entry.path(), format!("{path}/"), depth + 1));
            }
            if !kind.is_file() {
                continue;
            }
            let length = entry.metadata().map_or(0, |metadata| metadata.len());
            if folder.files.len() >= MAX_FILES
                || length > MAX_FILE_BYTES
                || bytes + length > MAX_TOTAL_BYTES
            {
                folder.problem = Some(format!(
                    "`{path}` is left out: too large, or too many files"
                ));
                continue;
            }
            bytes += length;
            match std::fs::read(entry.path()) {
                Ok(content) => {
                    let content = String::from_utf8(content).unwrap_or_else(|_| "\0".to_owned());
                    folder.files.insert(path, content);
                }
                Err(error) => {
                    folder.problem = Some(format!("`{path}` cannot be read: {error}"));
                }
            }
        }
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_and_nothing_that_a_link_leads_to() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "outside").unwrap();
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("deep")).unwrap();
        std::fs::write(root.path().join("deep/a.md"), "alpha").unwrap();
        std::fs::write(root.path().join("picture"), [0xff, 0xfe, 0]).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), root.path().join("file"))
            .unwrap();
        let folder = read(root.path());
        let expected = [("deep/a.md", "alpha"), ("picture", "\0")];
        let expected = expected.map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(folder.files, expected.into());
        assert_eq!(folder.problem, None);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let root = tempfile::tempdir().unwrap();
        let problem = read(&root.path().join("none")).problem.unwrap();
        assert!(problem.contains("cannot be read"), "{problem}");
    }
}
