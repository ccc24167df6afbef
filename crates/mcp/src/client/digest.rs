//! Hashes of what was accepted, over one canonical encoding.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A SHA-256 hash, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes bytes.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Hashes a value by its canonical encoding.
    pub(super) fn of(value: &Value) -> Self {
        let mut text = String::new();
        write_canonically(value, &mut text);
        Self::of_bytes(text.as_bytes())
    }

    /// Returns the first digits, enough to tell a few apart.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

/// Writes JSON without white space and with the keys of every object in order: the order in which a
/// server happens to write them is not part of what it says.
fn write_canonically(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonically(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, member)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonically(member, out);
            }
            out.push('}');
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 hexadecimal digits")]
pub struct DigestError;

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(given: &str) -> Result<Self, DigestError> {
        let digits: Vec<u8> = given
            .chars()
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()
            .ok_or(DigestError)?;
        let bytes: Vec<u8> = digits
            .chunks_exact(2)
            .filter_map(|pair| match pair {
                [high, low] => Some(high << 4 | low),
                _ => None,
            })
            .collect();
        match digits.len() {
            64 => bytes.try_into().map(Self).map_err(|_| DigestError),
            _ => Err(DigestError),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(given: String) -> Result<Self, DigestError> {
        given.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter_and_everything_else_does() {
        let digest = Digest::of(&json!({"a": [1, {"x": "é", "y": null}], "b": "\n"}));
        assert_eq!(
            digest,
            Digest::of(&json!({"b": "\n", "a": [1, {"y": null, "x": "é"}]}))
        );
        for other in [
            json!({"a": [{"x": "é", "y": null}, 1], "b": "\n"}),
            json!({"a": [1, {"x": "é", "y": null}], "b": " \n"}),
            json!({"a": [1, {"x": "é"}], "b": "\n"}),
            json!({"a": ["1", {"x": "é", "y": null}], "b": "\n"}),
        ] {
            assert_ne!(digest, Digest::of(&other), "{other}");
        }
    }

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest::of_bytes(b"x");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.short().len(), 12);
        for bad in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"é".repeat(32)] {
            assert_eq!(bad.parse::<Digest>(), Err(DigestError), "{bad}");
        }
    }
}
