//! Names that a source can turn into credentials.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::arn::RoleArn;

/// A name for credentials: safe to store, to journal and to show. It holds no secret.
///
/// Whoever continues a thread resolves its reference again, under their own authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CredentialReference {
    /// Keys that a person gave for this invocation, under a label of theirs.
    Static {
        /// What the person calls these keys.
        label: String,
    },
    /// A profile of the shared AWS configuration files.
    Profile {
        /// The profile's name.
        name: String,
    },
    /// The AWS default chain of the machine this runs on.
    DefaultChain,
    /// A role, assumed with the credentials of another reference.
    AssumeRole {
        /// The role to assume.
        role_arn: RoleArn,
        /// The external id that the role's trust policy asks for. Not a secret, by AWS's definition.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_id: Option<String>,
        /// Whose credentials assume the role.
        base: Box<CredentialReference>,
    },
}

impl fmt::Display for CredentialReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static { label } => write!(f, "keys `{label}`"),
            Self::Profile { name } => write!(f, "profile `{name}`"),
            Self::DefaultChain => f.write_str("the AWS default chain"),
            Self::AssumeRole { role_arn, base, .. } => {
                write!(f, "role `{role_arn}` through {base}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_survives_the_journal_and_reads_well() {
        let reference = CredentialReference::AssumeRole {
            role_arn: "arn:aws:iam::123456789012:role/ecs-deep-agent"
                .parse()
                .unwrap(),
            external_id: Some("shop-1".to_owned()),
            base: Box::new(CredentialReference::Profile {
                name: "ops".to_owned(),
            }),
        };
        let stored = serde_json::to_string(&reference).unwrap();
        let read: CredentialReference = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, reference);
        assert_eq!(
            reference.to_string(),
            "role `arn:aws:iam::123456789012:role/ecs-deep-agent` through profile `ops`"
        );
    }

    #[test]
    fn an_unknown_kind_or_a_malformed_role_is_refused() {
        for stored in [
            r#"{"kind":"static","label":"a","secret_access_key":"b"}"#,
            r#"{"kind":"environment"}"#,
            r#"{"kind":"assume_role","role_arn":"arn:aws:iam::1:role/x","base":{"kind":"default_chain"}}"#,
        ] {
            assert!(
                serde_json::from_str::<CredentialReference>(stored).is_err(),
                "{stored}"
            );
        }
    }
}
