use chrono::{DateTime, Utc};
use serde::Serialize;

/// A Secrets Manager secret; the lab keeps names, never values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Secret {
    pub(crate) name: String,
    /// Full ARN with the six random characters.
    pub(crate) arn: String,
    pub(crate) created_at: DateTime<Utc>,
    /// The keys of its JSON object; none for a plain string.
    pub(crate) json_keys: Vec<String>,
    pub(crate) kms_key: Option<String>,
    /// Set while it is scheduled for deletion.
    pub(crate) deleted_at: Option<DateTime<Utc>>,
}

/// A KMS key of the account's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct KmsKey {
    pub(crate) arn: String,
    pub(crate) state: KmsKeyState,
}

/// `KeyMetadata.KeyState`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub(crate) enum KmsKeyState {
    Enabled,
    Disabled,
    PendingDeletion,
}

/// An SSM parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) arn: String,
    /// `String` or `SecureString`.
    pub(crate) kind: String,
    pub(crate) created_at: DateTime<Utc>,
}
