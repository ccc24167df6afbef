//! The catalogue of failure modes: what is seen, what decides, and the smallest repair.
//!
//! The catalogue is data (`knowledge/<mode-id>.yaml`, one entry a file) that is embedded in the
//! program and checked by a test against this schema, which is published as
//! `knowledge/schema.json`.

mod entry;
mod page;

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};

pub use entry::{
    Check, Fix, FixMode, FixOperation, Grade, IamNeeds, LookAlike, Matching, Mode, ModeRisk,
    RiskLevel, Severity, Symptom,
};

/// All failure modes known to the program, by id.
#[derive(Debug, Clone)]
pub struct Catalogue {
    modes: BTreeMap<String, Mode>,
}

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// A file is not an entry of the schema.
    #[error("`{file}` is not a failure mode: {reason}")]
    Malformed {
        /// The file.
        file: String,
        /// What the reader says.
        reason: String,
    },
    /// A file is named otherwise than its entry.
    #[error("`{file}` holds the mode `{id}`: name the file `{id}.yaml`")]
    Misnamed {
        /// The file.
        file: String,
        /// The id inside.
        id: String,
    },
}

impl Catalogue {
    /// Reads the catalogue that is built into the program.
    ///
    /// # Errors
    /// [`CatalogueError`] names the file at fault; a test keeps the embedded files readable.
    pub fn embedded() -> Result<Self, CatalogueError> {
        const FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../knowledge");
        let mut modes = BTreeMap::new();
        for file in FILES.files() {
            if file
                .path()
                .extension()
                .is_none_or(|extension| extension != "yaml")
            {
                continue;
            }
            let name = file.path().display().to_string();
            let malformed = |reason: String| CatalogueError::Malformed {
                file: name.clone(),
                reason,
            };
            let text = file
                .contents_utf8()
                .ok_or_else(|| malformed("not UTF-8".to_owned()))?;
            let mode: Mode =
                serde_saphyr::from_str(text).map_err(|error| malformed(error.to_string()))?;
            if file
                .path()
                .file_stem()
                .is_none_or(|stem| stem != mode.id.as_str())
            {
                return Err(CatalogueError::Misnamed {
                    file: name,
                    id: mode.id,
                });
            }
            modes.insert(mode.id.clone(), mode);
        }
        Ok(Self { modes })
    }

    /// The mode with this id.
    #[must_use]
    pub fn mode(&self, id: &str) -> Option<&Mode> {
        self.modes.get(id)
    }

    /// All modes, by id.
    pub fn modes(&self) -> impl Iterator<Item = &Mode> {
        self.modes.values()
    }
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
