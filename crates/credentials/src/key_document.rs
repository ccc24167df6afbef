//! Access keys written as a JSON object, as secret stores and registries keep them.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::keys::{CredentialInputError, StaticCredentials};
use crate::secret::SecretText;

impl StaticCredentials {
    /// Reads access keys from a JSON object.
    ///
    /// A field's name may be written in any of the usual ways: `AccessKeyId`, `aws_access_key_id`,
    /// `access-key-id`, `AWS_ACCESS_KEY_ID`; likewise `SecretAccessKey`, `SessionToken` and
    /// `Expiration`, the last two of which may be absent. Other fields are passed over.
    ///
    /// # Errors
    /// [`KeyDocumentError`] names the field and quotes nothing.
    ///
    /// # Security
    /// Each value goes from `document` straight into pages of its own. The caller wipes `document`.
    pub fn from_json(document: &[u8]) -> Result<Self, KeyDocumentError> {
        let parts: Parts =
            serde_json::from_slice(document).map_err(|_| KeyDocumentError::NotAnObject)?;
        if let Some(field) = parts.flawed {
            return Err(field);
        }
        let missing = |field| KeyDocumentError::Missing { field };
        let key_id = parts.key_id.ok_or_else(|| missing(Field::KeyId))?;
        let secret = parts.secret.ok_or_else(|| missing(Field::Secret))?;
        Self::new(&key_id, secret, parts.token, parts.end).map_err(KeyDocumentError::Keys)
    }
}

/// A field of a key document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// The access key id.
    KeyId,
    /// The secret access key.
    Secret,
    /// The session token.
    Token,
    /// When the keys end.
    End,
}

impl Field {
    /// The spellings that are accepted: letter case, `_`, `-` and a leading `aws` do not count.
    fn named(name: &str) -> Option<Self> {
        let letters = name.chars().filter(|c| !matches!(c, '_' | '-'));
        let bare: String = letters.map(|c| c.to_ascii_lowercase()).take(32).collect();
        match bare.strip_prefix("aws").unwrap_or(&bare) {
            "accesskeyid" | "accesskey" => Some(Self::KeyId),
            "secretaccesskey" | "secretkey" => Some(Self::Secret),
            "sessiontoken" | "securitytoken" => Some(Self::Token),
            "expiration" | "expiresat" => Some(Self::End),
            _ => None,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyId => "AccessKeyId",
            Self::Secret => "SecretAccessKey",
            Self::Token => "SessionToken",
            Self::End => "Expiration",
        })
    }
}

/// Why a document holds no usable access keys. Nothing of it is quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyDocumentError {
    /// It is something else.
    #[error(
        "it is not a JSON object: store the keys as one, with `AccessKeyId` and `SecretAccessKey`"
    )]
    NotAnObject,
    /// A field is not there.
    #[error(
        "its field `{field}` is missing; `AccessKeyId` and `SecretAccessKey` are needed, also \
         written `aws_access_key_id` and `aws_secret_access_key`"
    )]
    Missing {
        /// The field.
        field: Field,
    },
    /// A field has another type than it must have.
    #[error("its field `{field}` is not a text")]
    NotText {
        /// The field.
        field: Field,
    },
    /// A field is there more than once, maybe in two spellings.
    #[error("its field `{field}` is given twice: keep one of them")]
    Twice {
        /// The field.
        field: Field,
    },
    /// The end is not a time.
    #[error("its field `Expiration` is not a time such as `2026-01-31T12:00:00Z`")]
    End,
    /// The keys have an impossible form.
    #[error(transparent)]
    Keys(CredentialInputError),
}

/// What was found so far.
#[derive(Default)]
struct Parts {
    key_id: Option<String>,
    secret: Option<SecretText>,
    token: Option<SecretText>,
    end: Option<DateTime<Utc>>,
    /// The first thing that is wrong. Serde's own errors quote what they met, so none is made.
    flawed: Option<KeyDocumentError>,
}

impl Parts {
    fn take(&mut self, field: Field, value: Hidden) {
        let text = match value {
            Hidden::Text(text) => text,
            Hidden::Absent => return,
            Hidden::Other => {
                self.flawed
                    .get_or_insert(KeyDocumentError::NotText { field });
                return;
            }
        };
        let known = match field {
            Field::KeyId => self.key_id.is_some(),
            Field::Secret => self.secret.is_some(),
            Field::Token => self.token.is_some(),
            Field::End => self.end.is_some(),
        };
        if known {
            self.flawed.get_or_insert(KeyDocumentError::Twice { field });
            return;
        }
        match field {
            Field::KeyId => self.key_id = Some(text.sign(str::to_owned)),
            Field::Secret => self.secret = Some(text),
            Field::Token => self.token = Some(text),
            Field::End => match text.sign(DateTime::parse_from_rfc3339) {
                Ok(end) => self.end = Some(end.with_timezone(&Utc)),
                Err(_) => {
                    self.flawed.get_or_insert(KeyDocumentError::End);
                }
            },
        }
    }
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OfObject;

        impl<'de> Visitor<'de> for OfObject {
            type Value = Parts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Parts, A::Error> {
                let mut parts = Parts::default();
                while let Some(Name(field)) = object.next_key()? {
                    match field {
                        Some(field) => parts.take(field, object.next_value()?),
                        None => {
                            object.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(parts)
            }
        }

        from.deserialize_map(OfObject)
    }
}

/// The name of a field, if it is one of ours.
struct Name(Option<Field>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OfText;

        impl Visitor<'_> for OfText {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(Field::named(name)))
            }
        }

        from.deserialize_str(OfText)
    }
}

/// A text that goes straight into pages of its own.
pub(crate) enum Hidden {
    Text(SecretText),
    Absent,
    Other,
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OfAny;

        impl<'de> Visitor<'de> for OfAny {
            type Value = Hidden;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Hidden, E> {
                Ok(Hidden::Text(SecretText::copy_of(text)))
            }

            fn visit_unit<E>(self) -> Result<Hidden, E> {
                Ok(Hidden::Absent)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Hidden, E> {
                Ok(Hidden::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Hidden, E> {
                Ok(Hidden::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Hidden, E> {
                Ok(Hidden::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Hidden, E> {
                Ok(Hidden::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Hidden, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Hidden::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Hidden, A::Error> {
                while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Hidden::Other)
            }
        }

        from.deserialize_any(OfAny)
    }
}

#[cfg(test)]
#[path = "key_document_tests.rs"]
mod tests;
