//! A provider's key: the server's own secret.

use std::fmt;

use reqwest::header::{HeaderValue, InvalidHeaderValue};
use zeroize::Zeroizing;

/// A provider's key.
///
/// There is no `Clone`, `Serialize`, `Display`, `PartialEq` or way back to a text, and `Debug` prints
/// a fixed word. It is wiped on drop. Its one exit makes the header of a request, which is marked
/// sensitive.
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// Takes a key as it was typed, without the white space around it.
    ///
    /// # Errors
    /// [`ApiKeyError`] for what cannot be sent. The error does not hold it.
    pub fn new(text: String) -> Result<Self, ApiKeyError> {
        let text = Zeroizing::new(text);
        let key = text.trim();
        if key.is_empty() {
            return Err(ApiKeyError::Empty);
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ApiKeyError::Unprintable);
        }
        Ok(Self(Zeroizing::new(key.to_owned())))
    }

    /// The value of a header that shows the key to the provider.
    ///
    /// SECURITY: the only exit. It is called for each request, right before it is sent.
    pub(crate) fn header(&self, scheme: &str) -> Result<HeaderValue, InvalidHeaderValue> {
        let text = Zeroizing::new(format!("{scheme}{}", self.0.as_str()));
        let mut value = HeaderValue::from_str(&text)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Shows the key to whoever looks for it in what leaves the program.
    ///
    /// SECURITY: the caller keeps hashes of it and no more.
    pub fn watch<R>(&self, watcher: impl FnOnce(&str) -> R) -> R {
        watcher(&self.0)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// There is nothing in it.
    #[error("the key is empty")]
    Empty,
    /// It cannot be in a header.
    #[error("the key has a space, a line break or a character that is not ASCII inside")]
    Unprintable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sent_and_never_shown() {
        let key = ApiKey::new(" an-example-key\n".to_owned()).unwrap();
        let header = key.header("Bearer ").unwrap();
        assert_eq!(header.as_bytes(), b"Bearer an-example-key");
        assert!(header.is_sensitive());
        assert_eq!(format!("{key:?} {header:?}"), "[redacted] Sensitive");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_its_text() {
        for text in ["", " \n", "two words", "naïve-key"] {
            let error = ApiKey::new(text.to_owned()).unwrap_err();
            assert!(text.trim().is_empty() || !error.to_string().contains(text.trim()));
        }
    }
}
