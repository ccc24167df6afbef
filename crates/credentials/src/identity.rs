//! Names for the things an invocation acts as and in: invocation, account, region, access key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One run of the agent on a thread; owns exactly one credential context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InvocationId(Uuid);

impl InvocationId {
    /// Names an invocation. Pass a version 7 UUID, so that ids sort by start time.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Returns the bare UUID.
    pub const fn uuid(&self) -> Uuid {
        self.0
    }
}

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inv-{}", self.0)
    }
}

/// Why a text is not the identifier it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {expected}", crate::text::excerpt(.given))]
pub struct IdentityError {
    expected: &'static str,
    given: String,
}

impl IdentityError {
    pub(crate) fn new(expected: &'static str, given: &str) -> Self {
        Self {
            expected,
            given: given.to_owned(),
        }
    }

    /// Says what would have been accepted, with an example.
    pub fn expected(&self) -> &str {
        self.expected
    }
}

/// Implements the string face of an identifier: `FromStr` is the only way in.
macro_rules! text_identity {
    ($name:ident) => {
        impl $name {
            /// Returns the identifier's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::identity::IdentityError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(identity: $name) -> Self {
                identity.0
            }
        }
    };
}
pub(crate) use text_identity;

/// A twelve-digit AWS account id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

text_identity!(AccountId);

impl FromStr for AccountId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Self(text.to_owned()));
        }
        Err(IdentityError::new(
            "an AWS account id: twelve digits, such as `123456789012`",
            text,
        ))
    }
}

/// An AWS region name, such as `eu-west-1`.
///
/// # Security
/// A region becomes part of a host name that signed requests are sent to, so nothing but
/// lower-case words and digits joined by hyphens is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

text_identity!(Region);

impl Region {
    /// Returns the DNS suffix of the partition this region belongs to.
    ///
    /// Source: `partitions.json` of the AWS endpoint rules.
    pub(crate) fn dns_suffix(&self) -> &'static str {
        const SUFFIXES: [(&str, &str); 7] = [
            ("cn-", "amazonaws.com.cn"),
            ("us-isob-", "sc2s.sgov.gov"),
            ("us-isof-", "csp.hci.ic.gov"),
            ("us-iso-", "c2s.ic.gov"),
            ("eu-isoe-", "cloud.adc-e.uk"),
            ("eusc-", "amazonaws.eu"),
            ("", "amazonaws.com"),
        ];
        SUFFIXES
            .iter()
            .find(|(prefix, _)| self.0.starts_with(prefix))
            .map_or("amazonaws.com", |(_, suffix)| suffix)
    }
}

impl Region {
    /// Returns the partition that this region belongs to, as it stands in ARNs.
    ///
    /// Source: `partitions.json` of the AWS endpoint rules.
    pub(crate) fn partition(&self) -> &'static str {
        const PARTITIONS: [(&str, &str); 8] = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-isob-", "aws-iso-b"),
            ("us-isof-", "aws-iso-f"),
            ("us-iso-", "aws-iso"),
            ("eu-isoe-", "aws-iso-e"),
            ("eusc-", "aws-eusc"),
            ("", "aws"),
        ];
        PARTITIONS
            .iter()
            .find(|(prefix, _)| self.0.starts_with(prefix))
            .map_or("aws", |(_, partition)| partition)
    }
}

impl FromStr for Region {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split('-').collect();
        let is_word = |w: &&str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase());
        let is_number = |w: &str| matches!(w.len(), 1 | 2) && w.bytes().all(|b| b.is_ascii_digit());
        let well_formed = match words.as_slice() {
            [names @ .., number] => {
                names.len() >= 2 && names.iter().all(is_word) && is_number(number)
            }
            [] => false,
        };
        if well_formed && text.len() <= 32 {
            return Ok(Self(text.to_owned()));
        }
        Err(IdentityError::new(
            "an AWS region name, such as `eu-west-1`",
            text,
        ))
    }
}

/// An access key id. An identifier, not a secret; still shown only as its last four characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AccessKeyId(String);

impl AccessKeyId {
    /// Returns the last four characters, which is all that may be shown.
    pub fn last_four(&self) -> &str {
        let start = self.0.len().saturating_sub(4);
        self.0.get(start..).unwrap_or_default()
    }

    /// Tells whether AWS issued this id for temporary credentials, which need a session token.
    pub(crate) fn is_temporary(&self) -> bool {
        self.0.len() >= 16 && self.0.starts_with("ASIA")
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessKeyId(…{})", self.last_four())
    }
}

impl FromStr for AccessKeyId {
    type Err = IdentityError;

    /// Accepts AWS's alphabet. AWS ids have at least 16 characters, but stand-ins for AWS take
    /// short words such as `testing`, so that is left for the endpoint to judge.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let in_alphabet = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if (4..=128).contains(&text.len()) && in_alphabet {
            return Ok(Self(text.to_owned()));
        }
        // SECURITY: what was pasted here may be the secret access key, so it is not repeated.
        Err(IdentityError::new(
            "an access key id: letters and digits, such as `AKIAIOSFODNN7EXAMPLE`",
            "(not shown)",
        ))
    }
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
