//! Keys in a secret of AWS Secrets Manager.
//!
//! The only place that reads a secret's value: the answer goes from the wire into pages of its own,
//! and from there into a context.

use std::collections::BTreeMap;

use chrono::Utc;
use serde::Deserialize;
use serde_json::json;

use super::source::{Facts, Link, Resolved, Resolving, Source};
use crate::arn::RoleArn;
use crate::context::Lifetime;
use crate::identity::Region;
use crate::key_document::Hidden;
use crate::keys::StaticCredentials;
use crate::reference::{CredentialReference, SecretId};
use crate::scope::{PolicyError, SHORTEST_SESSION_SECONDS, SessionPolicy, Statement};
use crate::signed_request::{Message, RawAnswer, SignedRequestError};
use crate::source_error::SourceError;
use crate::sts::{self, Narrowing};

const ACTION: &str = "secretsmanager:GetSecretValue";
const TARGET: &str = "secretsmanager.GetSecretValue";

/// A secret and who reads it.
pub(super) struct SecretsManager<'r> {
    pub(super) secret_id: &'r SecretId,
    pub(super) base: &'r CredentialReference,
}

impl Source for SecretsManager<'_> {
    fn resolve<'a>(&'a self, link: Link<'a>) -> Resolving<'a> {
        Box::pin(async move {
            let own_region = || Ok::<_, SourceError>(link.context.region()?);
            let region = self.secret_id.region().map_or_else(own_region, Ok)?;
            let policy = only(self.secret_id, &region, role_of(self.base));
            let policy = policy.map_err(|_| self.unreadable("its name does not fit a policy"))?;
            let narrowing = Narrowing {
                policy: &policy,
                seconds: SHORTEST_SESSION_SECONDS,
            };
            let reader = link.base(self.base, Some(narrowing)).await?;
            if !reader.facts.narrowed {
                let caller = sts::caller(&reader.context, self.base).await?;
                super::recipe::refuse_root(&caller, self.base)?;
            }
            let message = Message::Json {
                target: TARGET,
                body: json!({ "SecretId": self.secret_id }).to_string(),
            };
            let asked = reader
                .context
                .post_signed("secretsmanager", &region, message);
            let answer = asked.await.map_err(without_answer)?;
            let keys = self.read(&answer)?.0;
            Ok(Resolved {
                lifetime: Lifetime::stated(keys.expires_at, Utc::now()),
                keys,
                facts: Facts {
                    renewable: true,
                    narrowed: false,
                    account: None,
                },
            })
        })
    }
}

impl SecretsManager<'_> {
    /// Takes the keys out of an answer; an error says why there are none, in fixed words.
    fn read(&self, answer: &RawAnswer) -> Result<StaticCredentials, SourceError> {
        #[derive(Deserialize)]
        struct Told {
            #[serde(rename = "SecretString", default)]
            text: Option<Hidden>,
        }
        if answer.status != 200 {
            return Err(self.refusal(answer));
        }
        let told: Told = serde_json::from_slice(&answer.body)
            .map_err(|_| self.unreadable("the answer is not one of Secrets Manager"))?;
        let Some(Hidden::Text(text)) = told.text else {
            return Err(self.unreadable(
                "its value is binary: store the keys as a JSON text, with `AccessKeyId` and \
                 `SecretAccessKey`",
            ));
        };
        let read = text.sign(|text| StaticCredentials::from_json(text.as_bytes()));
        read.map_err(|source| SourceError::SecretContent {
            secret_id: self.secret_id.clone(),
            source,
        })
    }

    fn refusal(&self, answer: &RawAnswer) -> SourceError {
        let code = answer.json_error_code().unwrap_or_default();
        match code.as_str() {
            "AccessDeniedException" => SourceError::Denied {
                action: ACTION,
                resource: self.secret_id.to_string(),
            },
            "ResourceNotFoundException" => {
                self.unreadable("there is none of this name in this account and region")
            }
            "InvalidRequestException" => {
                self.unreadable("it is scheduled for deletion: restore it, or name another one")
            }
            "DecryptionFailure" => self.unreadable(
                "its KMS key does not decrypt it: allow `kms:Decrypt` on that key for the reader",
            ),
            "ExpiredTokenException" => SourceError::Expired {
                reference: Some(self.base.clone()),
            },
            "UnrecognizedClientException" | "InvalidSignatureException" => {
                SourceError::KeyRefused {
                    reference: self.base.clone(),
                }
            }
            "ThrottlingException" => SourceError::Throttled,
            "" => self.unreadable("the answer is not one of Secrets Manager"),
            _ => SourceError::Service {
                action: ACTION,
                code,
            },
        }
    }

    fn unreadable(&self, flaw: &'static str) -> SourceError {
        SourceError::SecretUnreadable {
            secret_id: self.secret_id.clone(),
            flaw,
        }
    }
}

/// The role that reads, if it is one: what a policy narrows.
fn role_of(base: &CredentialReference) -> Option<&RoleArn> {
    match base {
        CredentialReference::AssumeRole { role_arn, .. }
        | CredentialReference::WebIdentity { role_arn, .. } => Some(role_arn),
        CredentialReference::Static { .. }
        | CredentialReference::Profile { .. }
        | CredentialReference::DefaultChain
        | CredentialReference::SecretsManager { .. }
        | CredentialReference::Registry { .. } => None,
    }
}

/// The policy that allows reading this secret and nothing else. A key of the customer's own may be
/// used for it, by Secrets Manager and for this secret.
fn only(
    secret: &SecretId,
    region: &Region,
    reader: Option<&RoleArn>,
) -> Result<SessionPolicy, PolicyError> {
    // AWS adds a hyphen and six characters to a secret's name, which need not be given.
    let resources = match secret.arn() {
        Some(arn) => vec![arn.to_string(), format!("{arn}-??????")],
        None => {
            let account = reader.and_then(RoleArn::account);
            let account = account.map_or_else(|| "*".to_owned(), String::from);
            let partition = region.partition();
            vec![format!(
                "arn:{partition}:secretsmanager:{region}:{account}:secret:{secret}-??????"
            )]
        }
    };
    let via = format!("secretsmanager.{region}.{}", region.dns_suffix());
    let test = |key: &str, values: Vec<String>| BTreeMap::from([(key.to_owned(), values)]);
    let conditions = BTreeMap::from([
        ("StringEquals".to_owned(), test("kms:ViaService", vec![via])),
        (
            "StringLike".to_owned(),
            test("kms:EncryptionContext:SecretARN", resources.clone()),
        ),
    ]);
    SessionPolicy::new(vec![
        Statement {
            actions: vec![ACTION.to_owned()],
            resources,
            ..Statement::default()
        },
        Statement {
            actions: vec!["kms:Decrypt".to_owned()],
            resources: vec!["*".to_owned()],
            conditions,
            ..Statement::default()
        },
    ])
}

fn without_answer(error: SignedRequestError) -> SourceError {
    match error {
        SignedRequestError::Context(error) => error.into(),
        SignedRequestError::Renewal(error) => error,
        SignedRequestError::Unsignable { .. } => SourceError::Service {
            action: ACTION,
            code: "unsignable".to_owned(),
        },
        SignedRequestError::Unreachable { endpoint } => SourceError::Unreachable { endpoint },
        SignedRequestError::Unreadable { endpoint, .. } => SourceError::Malformed {
            action: ACTION,
            endpoint,
        },
    }
}
