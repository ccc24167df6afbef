//! What is planted.

use std::fmt;

/// How many consecutive characters of a canary count as the canary.
pub const WINDOW: usize = 12;

/// A planted secret and the name it is reported under.
///
/// # Security
/// It has no `Debug` of its value: a hit is reported by name.
#[derive(Clone, PartialEq, Eq)]
pub struct Canary {
    pub(crate) name: String,
    pub(crate) value: Value,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Printable ASCII, as keys and tokens are.
    Text(String),
    /// Anything, such as a derived signing key.
    Binary(Vec<u8>),
}

/// Why a value cannot be a canary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanaryError {
    /// Fewer characters than a hit needs.
    #[error("canary `{name}` is shorter than {WINDOW} characters: plant a longer one")]
    TooShort {
        /// Its name.
        name: String,
    },
    /// A text with characters that no key or token has.
    #[error("canary `{name}` is not printable ASCII: plant it as binary")]
    NotText {
        /// Its name.
        name: String,
    },
}

impl Canary {
    /// Names a text that was planted: an access key, a token.
    ///
    /// # Errors
    /// [`CanaryError`] if it is too short to be found, or not printable ASCII.
    pub fn text(name: impl Into<String>, value: impl Into<String>) -> Result<Self, CanaryError> {
        let (name, value) = (name.into(), value.into());
        if value.len() < WINDOW {
            return Err(CanaryError::TooShort { name });
        }
        if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CanaryError::NotText { name });
        }
        let value = Value::Text(value);
        Ok(Self { name, value })
    }

    /// Names bytes that were planted, or that follow from what was: a derived signing key.
    ///
    /// # Errors
    /// [`CanaryError::TooShort`].
    pub fn binary(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Result<Self, CanaryError> {
        let (name, value) = (name.into(), value.into());
        if value.len() < WINDOW {
            return Err(CanaryError::TooShort { name });
        }
        let value = Value::Binary(value);
        Ok(Self { name, value })
    }

    /// Returns the name it is reported under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Canary({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_found_cannot_be_planted() {
        let short = Canary::text("a", "elevenchars").unwrap_err();
        assert_eq!(
            short,
            CanaryError::TooShort {
                name: "a".to_owned()
            }
        );
        assert!(matches!(
            Canary::text("b", "twelve chars with a\nbreak"),
            Err(CanaryError::NotText { .. })
        ));
        assert!(Canary::binary("c", vec![0; 11]).is_err());
    }

    #[test]
    fn a_canary_is_printed_by_its_name() {
        let canary = Canary::text("d", "wJalrXUtnFEMIK7MDENG").unwrap();
        assert_eq!(format!("{canary:?}"), "Canary(d)");
    }
}
