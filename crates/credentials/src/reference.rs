//! Names that a source can turn into credentials.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::arn::{Arn, RoleArn};
use crate::identity::{IdentityError, Region, text_identity};
use crate::registry::RegistryId;

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
    /// A role, assumed with a token of an identity provider that the role trusts.
    WebIdentity {
        /// The role to assume.
        role_arn: RoleArn,
        /// The label that the token was given under.
        token: String,
    },
    /// Keys in a secret of AWS Secrets Manager.
    SecretsManager {
        /// Which secret.
        secret_id: SecretId,
        /// Whose credentials read it.
        base: Box<CredentialReference>,
    },
    /// Keys that a registry of services holds.
    Registry {
        /// The label that the registry was given under.
        registry: String,
        /// The registry's id of the credential.
        credential_id: RegistryId,
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
            Self::WebIdentity { role_arn, token } => {
                write!(f, "role `{role_arn}` through web identity token `{token}`")
            }
            Self::SecretsManager { secret_id, base } => {
                write!(f, "secret `{secret_id}` through {base}")
            }
            Self::Registry {
                registry,
                credential_id,
            } => write!(f, "credential `{credential_id}` of registry `{registry}`"),
        }
    }
}

/// A secret of AWS Secrets Manager, by its ARN or its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretId(String);

text_identity!(SecretId);

impl SecretId {
    /// The ARN, unless it is a bare name.
    pub(crate) fn arn(&self) -> Option<Arn> {
        self.0.parse().ok()
    }

    /// The region that the ARN names.
    pub(crate) fn region(&self) -> Option<Region> {
        self.arn()?.region()
    }
}

impl FromStr for SecretId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || {
            IdentityError::new(
                "a secret's ARN, such as `arn:aws:secretsmanager:eu-west-1:123456789012:secret:\
                 agent/shop-AbCdEf`, or its name",
                text,
            )
        };
        // Source: `CreateSecret` in the AWS Secrets Manager API reference.
        let is_name = |name: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b);
            (1..=512).contains(&name.len()) && name.bytes().all(allowed)
        };
        let fits = match text.parse::<Arn>() {
            Ok(arn) => {
                let name = arn.resource().strip_prefix("secret:").unwrap_or_default();
                let placed = arn.region().is_some() && arn.account().is_some();
                arn.service() == "secretsmanager" && placed && is_name(name)
            }
            Err(_) => is_name(text),
        };
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_survives_the_journal_and_reads_well() {
        let profile = || {
            Box::new(CredentialReference::Profile {
                name: "ops".to_owned(),
            })
        };
        let role_arn = || {
            "arn:aws:iam::123456789012:role/ecs-deep-agent"
                .parse()
                .unwrap()
        };
        let references = [
            (
                CredentialReference::AssumeRole {
                    role_arn: role_arn(),
                    external_id: Some("shop-1".to_owned()),
                    base: profile(),
                },
                "role `arn:aws:iam::123456789012:role/ecs-deep-agent` through profile `ops`",
            ),
            (
                CredentialReference::WebIdentity {
                    role_arn: role_arn(),
                    token: "ci".to_owned(),
                },
                "role `arn:aws:iam::123456789012:role/ecs-deep-agent` through web identity token `ci`",
            ),
            (
                CredentialReference::SecretsManager {
                    secret_id: "agent/shop".parse().unwrap(),
                    base: profile(),
                },
                "secret `agent/shop` through profile `ops`",
            ),
            (
                CredentialReference::Registry {
                    registry: "estate".to_owned(),
                    credential_id: "aws-cred-1".parse().unwrap(),
                },
                "credential `aws-cred-1` of registry `estate`",
            ),
        ];
        for (reference, said) in references {
            let stored = serde_json::to_string(&reference).unwrap();
            let read: CredentialReference = serde_json::from_str(&stored).unwrap();
            assert_eq!(read, reference);
            assert_eq!(reference.to_string(), said);
        }
    }

    #[test]
    fn an_unknown_kind_or_a_malformed_role_is_refused() {
        for stored in [
            r#"{"kind":"static","label":"a","secret_access_key":"b"}"#,
            r#"{"kind":"environment"}"#,
            r#"{"kind":"assume_role","role_arn":"arn:aws:iam::1:role/x","base":{"kind":"default_chain"}}"#,
            r#"{"kind":"web_identity","role_arn":"arn:aws:iam::123456789012:role/x","token":"t","jwt":"e"}"#,
            r#"{"kind":"secrets_manager","secret_id":"has space","base":{"kind":"default_chain"}}"#,
            r#"{"kind":"registry","registry":"r","credential_id":"a\nb"}"#,
        ] {
            assert!(
                serde_json::from_str::<CredentialReference>(stored).is_err(),
                "{stored}"
            );
        }
    }

    #[test]
    fn a_secret_is_named_by_its_arn_or_its_name() {
        for (text, expected) in [
            ("agent/shop", true),
            (
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:agent/shop-AbCdEf",
                true,
            ),
            ("arn:aws:s3:::bucket", false),
            (
                "arn:aws:secretsmanager:eu-west-1:123456789012:rule:x",
                false,
            ),
            ("arn:aws:secretsmanager::123456789012:secret:x", false),
            ("", false),
            ("two words", false),
        ] {
            assert_eq!(text.parse::<SecretId>().is_ok(), expected, "{text}");
        }
    }
}
