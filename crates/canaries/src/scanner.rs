//! Searches bytes, files and folders.

use std::fmt;
use std::io;
use std::path::Path;

use crate::canary::Canary;
use crate::decoders::{Unpacked, unpack, unpack_whole};
use crate::findings::{Findings, Hit, Tally};
use crate::index::{Index, squeeze};

/// How many times compressed data are undone inside compressed data.
const DEPTH: usize = 3;

/// Finds canaries in whatever form.
///
/// Making one takes longer than a search of a small text: make one for all canaries of a test.
pub struct Scanner {
    index: Index,
}

/// How far data are taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// A file or a message, which may be compressed as a whole.
    Whole,
    /// A stretch of something, in which compressed data may start.
    Stretch,
}

impl Scanner {
    /// Makes a scanner for these canaries.
    #[must_use]
    pub fn new(canaries: impl IntoIterator<Item = Canary>) -> Self {
        let canaries: Vec<Canary> = canaries.into_iter().collect();
        Self {
            index: Index::of(&canaries),
        }
    }

    /// Searches bytes that the test caught: a body, a log, a line.
    pub fn bytes(&self, place: &str, bytes: &[u8]) -> Findings {
        self.search(place, bytes, Extent::Whole)
    }

    /// Searches a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn file(&self, path: &Path) -> io::Result<Findings> {
        let content = std::fs::read(path)?;
        Ok(self.bytes(&path.display().to_string(), &content))
    }

    /// Searches every file in a folder and below: a database with its WAL and SHM, logs, reports.
    /// Names of files are searched, too; links are not followed.
    ///
    /// # Errors
    /// If something cannot be read that is still there.
    pub fn folder(&self, path: &Path) -> io::Result<Findings> {
        let mut all = Findings::default();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let name = entry.file_name();
            all.merge(self.bytes("a file's name", name.as_encoded_bytes()));
            let searched = if kind.is_dir() {
                self.folder(&path)
            } else if kind.is_file() {
                self.file(&path)
            } else {
                continue;
            };
            match searched {
                // SQLite removes its WAL whenever it likes.
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
                searched => all.merge(searched?),
            }
        }
        Ok(all)
    }

    pub(crate) fn search(&self, place: &str, bytes: &[u8], extent: Extent) -> Findings {
        let mut findings = Findings {
            read: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            ..Findings::default()
        };
        self.take_apart(place, bytes, extent, DEPTH, &mut findings);
        findings
    }

    fn take_apart(
        &self,
        place: &str,
        bytes: &[u8],
        extent: Extent,
        depth: usize,
        findings: &mut Findings,
    ) {
        let names = self.index.names();
        let plain = Tally::of(self.index.search(bytes)).hits(names, place);

        let squeezed = squeeze(bytes);
        if squeezed.len() < bytes.len() {
            let place = format!("{place} without separators");
            let mut split = Tally::of(self.index.search(&squeezed)).hits(names, &place);
            // What was found as it stands is found again.
            let is_known = |hit: &Hit| {
                let mut known = plain.iter();
                known.any(|known| known.canary == hit.canary && known.count >= hit.count)
            };
            split.retain(|hit| !is_known(hit));
            findings.hits.extend(split);
        }
        findings.hits.extend(plain);
        if depth == 0 {
            return;
        }
        let whole = match extent {
            Extent::Whole => unpack_whole(bytes),
            Extent::Stretch => Vec::new(),
        };
        for unpacked in unpack(bytes).into_iter().chain(whole) {
            let Unpacked {
                packing,
                start,
                content,
            } = unpacked;
            let place = format!("{place} > {packing} at {start}");
            self.take_apart(&place, &content, Extent::Stretch, depth - 1, findings);
        }
    }
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.index.names();
        f.debug_struct("Scanner")
            .field("canaries", &names.len())
            .finish()
    }
}
