//! The form of an API key: `eda_<id>_<secret>`.
//!
//! The prefix lets secret scanners find a key that was committed somewhere; the id names the row
//! and is no secret; the secret is 256 random bits, of which only a hash is kept. A fast hash is
//! enough: there is nothing to guess in a random secret, so nothing to slow down.

use std::fmt;

use ecs_agent_store::ApiKeyId;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

const PREFIX: &str = "eda_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// An API key with its secret.
///
/// # Security
/// No `Clone`, no `Serialize`, a `Debug` that shows the id only; wiped when dropped.
pub struct ApiKey {
    id: ApiKeyId,
    secret: Zeroizing<String>,
}

/// The system gave no random bytes, so no key was made.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes, so no key was made")]
pub struct NoRandomness;

impl ApiKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub(super) fn mint() -> Result<Self, NoRandomness> {
        let mut id = [0; ID_BYTES];
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(&mut id).map_err(|_| NoRandomness)?;
        getrandom::fill(&mut *secret).map_err(|_| NoRandomness)?;
        Ok(Self {
            // INVARIANT: sixteen hexadecimal digits are an id.
            id: hex(&id).parse().map_err(|_| NoRandomness)?,
            secret: Zeroizing::new(hex(&*secret)),
        })
    }

    /// Reads a key; `None` for a text of another form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let digits = secret.len() == 2 * SECRET_BYTES
            && secret
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        digits.then_some(())?;
        Some(Self {
            id: id.parse().ok()?,
            secret: Zeroizing::new(secret.to_owned()),
        })
    }

    /// Its public half.
    #[must_use]
    pub const fn id(&self) -> &ApiKeyId {
        &self.id
    }

    /// What is kept of its secret half.
    pub(super) fn digest(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(b"ecs-deep-agent api key 1:");
        digest.update(self.id.as_str());
        digest.update(b":");
        digest.update(self.secret.as_bytes());
        hex(&digest.finalize())
    }

    /// Whether it is the key that this was kept of. Takes the same time wherever they differ.
    pub(super) fn has_digest(&self, kept: &str) -> bool {
        self.digest().as_bytes().ct_eq(kept.as_bytes()).into()
    }

    /// The whole key, to be shown to the person it is for.
    ///
    /// # Security
    /// This is the only moment at which it can be read: it is kept nowhere.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}_{}", self.id, *self.secret))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_as_it_was_shown_and_no_two_are_alike() {
        let (one, two) = (ApiKey::mint().unwrap(), ApiKey::mint().unwrap());
        let read = ApiKey::parse(&one.reveal()).unwrap();
        assert_eq!(read.id(), one.id());
        assert!(read.has_digest(&one.digest()));
        assert!(!two.has_digest(&one.digest()) && one.id() != two.id());
        assert_eq!(one.reveal().len(), 4 + 16 + 1 + 64);
    }

    #[test]
    fn its_secret_is_neither_printed_nor_kept() {
        let key = ApiKey::mint().unwrap();
        let secret = key.reveal().rsplit('_').next().unwrap().to_owned();
        assert!(!format!("{key:?}").contains(&secret));
        assert!(!key.digest().contains(&secret));
        // The control: what is shown once does hold it.
        assert!(key.reveal().contains(&secret));
    }

    #[test]
    fn the_hash_of_one_keys_secret_is_not_that_of_another_key_with_the_same_secret() {
        let key = ApiKey::mint().unwrap();
        let moved = ApiKey {
            id: "0123456789abcdef".parse().unwrap(),
            secret: key.secret.clone(),
        };
        assert!(!moved.has_digest(&key.digest()));
    }

    #[test]
    fn what_has_another_form_is_no_key() {
        let shown = ApiKey::mint().unwrap().reveal();
        for text in [
            "",
            "eda_",
            "eda__",
            &shown[1..],
            &shown[..shown.len() - 1],
            &format!("{}x", shown.as_str()),
            &shown.to_uppercase(),
            "eda_0123456789abcdef_",
        ] {
            assert!(ApiKey::parse(text).is_none(), "{text}");
        }
    }
}
