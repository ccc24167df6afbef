//! What a search found, and how much it read.

use std::collections::BTreeMap;
use std::fmt;

use crate::encodings::Form;
use crate::index::Match;

/// One canary in one form at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The canary's name.
    pub canary: String,
    /// The form it was found in.
    pub form: Form,
    /// Where: a file, a range of memory, a name given by the caller, and what it was wrapped in.
    pub place: String,
    /// Where the first occurrence starts, in bytes from the beginning of the place.
    pub offset: u64,
    /// How many occurrences there are in this form at this place.
    pub count: usize,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            canary,
            form,
            place,
            offset,
            count,
        } = self;
        write!(
            f,
            "{canary}, {form}, {count} times in {place} from {offset}"
        )
    }
}

/// The outcome of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a search that nobody looks at proves nothing"]
pub struct Findings {
    /// What was found.
    pub hits: Vec<Hit>,
    /// Bytes that were searched. A search of nothing finds nothing, so tests look at this, too.
    pub read: u64,
    /// Bytes that could not be read, such as the pages of `memfd_secret`.
    pub skipped: u64,
}

impl Findings {
    /// Tells whether something was searched and nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.hits.is_empty() && self.read > 0
    }

    /// Counts the occurrences.
    #[must_use]
    pub fn count(&self) -> usize {
        self.hits.iter().map(|hit| hit.count).sum()
    }

    /// Tells whether this canary was found, in whatever form.
    #[must_use]
    pub fn has(&self, canary: &str) -> bool {
        self.hits.iter().any(|hit| hit.canary == canary)
    }

    /// Lists the names of the canaries that were found, each once.
    #[must_use]
    pub fn canaries(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.hits.iter().map(|hit| hit.canary.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Adds another search's outcome.
    pub fn merge(&mut self, other: Self) {
        self.hits.extend(other.hits);
        self.read += other.read;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} occurrences in {} bytes read, {} bytes skipped",
            self.count(),
            self.read,
            self.skipped
        )?;
        for hit in self.hits.iter().take(40) {
            writeln!(f, "  {hit}")?;
        }
        match self.hits.len().saturating_sub(40) {
            0 => Ok(()),
            more => writeln!(f, "  and {more} more"),
        }
    }
}

/// Counts occurrences by canary and form while one place is searched.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<(usize, Form), (u64, usize)>);

impl Tally {
    pub(crate) fn of(matches: Vec<Match>) -> Self {
        let mut tally = Self::default();
        for one in matches {
            let offset = u64::try_from(one.start).unwrap_or(u64::MAX);
            let entry = tally.0.entry((one.canary, one.form));
            entry.or_insert((offset, 0)).1 += 1;
        }
        tally
    }

    pub(crate) fn hits(self, names: &[String], place: &str) -> Vec<Hit> {
        let named = self.0.into_iter().map(|((canary, form), (offset, count))| {
            let canary = names.get(canary).cloned().unwrap_or_default();
            Hit {
                canary,
                form,
                place: place.to_owned(),
                offset,
                count,
            }
        });
        named.collect()
    }
}
