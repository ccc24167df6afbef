//! The one type that holds a secret.

use std::fmt;

use zeroize::Zeroize;

use crate::memory::{MemoryProtection, SecretBytes};
use crate::tripwire::{Key, Trap};

/// A secret text: a secret access key or a session token.
///
/// It goes in and does not come out. The text lies in memory pages of its own, which are wiped on
/// drop, and this crate alone can use it, for signing a request. There is no `Clone`,
/// `Serialize`, `Display`, `Deref`, `AsRef`, `PartialEq`, `Hash`, `Default` or conversion to
/// `String`, and `Debug` prints a fixed word; `tests/ui` pins that none of them compiles.
///
/// ```
/// use ecs_agent_credentials::SecretText;
///
/// let typed = String::from("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
/// let secret = SecretText::from(typed);
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// ```
pub struct SecretText(SecretBytes);

impl SecretText {
    /// Hands the text to the code that signs requests with it.
    ///
    /// SECURITY: the only exit. Its callers pass the text on to the AWS SDK's own wiped type.
    pub(crate) fn sign<R>(&self, signer: impl FnOnce(&str) -> R) -> R {
        // INVARIANT: both constructors start from a `str`, so this is UTF-8.
        signer(std::str::from_utf8(self.0.bytes()).unwrap_or_default())
    }

    /// Hashes the texts for the leak guard. Not an exit: what comes out are keyed hashes.
    pub(crate) fn trap(texts: &[&Self], key: &Key) -> Trap {
        let texts: Vec<&[u8]> = texts.iter().map(|text| text.0.bytes()).collect();
        Trap::of(&texts, key)
    }

    /// Copies a secret that somebody else owns and wipes.
    pub(crate) fn copy_of(text: &str) -> Self {
        Self(SecretBytes::copy_of(text.as_bytes()))
    }

    /// Makes a second carrier, from page to page.
    pub(crate) fn duplicate(&self) -> Self {
        Self(SecretBytes::copy_of(self.0.bytes()))
    }

    /// Describes what is wrong with the text as a key or token, without quoting it.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        let bytes = self.0.bytes();
        if bytes.is_empty() {
            return Some("it is empty");
        }
        if bytes.len() > 16 * 1024 {
            return Some("it is longer than 16 KiB");
        }
        if bytes.iter().any(u8::is_ascii_whitespace) {
            return Some("it contains white space: paste it without line breaks, quotes or spaces");
        }
        if !bytes.iter().all(u8::is_ascii_graphic) {
            return Some("it contains characters that AWS never uses");
        }
        None
    }

    /// Tells whether the text has the form of an access key id, which is not a secret.
    pub(crate) fn looks_like_access_key_id(&self) -> bool {
        let bytes = self.0.bytes();
        let prefixed = bytes.starts_with(b"AKIA") || bytes.starts_with(b"ASIA");
        prefixed && bytes.len() == 20
    }

    /// Returns how well the pages that hold this secret are protected.
    pub fn protection(&self) -> MemoryProtection {
        self.0.protection()
    }
}

impl From<String> for SecretText {
    /// Moves `text` into pages of its own and wipes the string.
    fn from(mut text: String) -> Self {
        let kept = Self::copy_of(&text);
        text.zeroize();
        kept
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_one_fixed_word() {
        for text in ["", "a", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"] {
            let secret = SecretText::copy_of(text);
            assert_eq!(format!("{secret:?} {secret:#?}"), "[redacted] [redacted]");
        }
    }

    #[test]
    fn signing_sees_the_text_and_so_does_a_duplicate() {
        let secret = SecretText::from("s3cr3t".to_owned());
        let second = secret.duplicate();
        drop(secret);
        assert!(second.sign(|text| text == "s3cr3t"));
    }

    #[test]
    fn flaws_are_named_without_the_text() {
        let flaw = |text: &str| SecretText::copy_of(text).flaw();
        assert_eq!(flaw("wJalrXUtnFEMI/K7MDENG"), None);
        assert_eq!(flaw(""), Some("it is empty"));
        for bad in ["with space", "line\nbreak", "naïve", "nul\0"] {
            assert!(flaw(bad).is_some(), "{bad:?}");
        }
    }
}
