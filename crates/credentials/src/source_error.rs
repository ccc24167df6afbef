//! Why a reference gave no credentials, and what the person can do.

use std::error::Error;

use crate::arn::Arn;
use crate::context::ContextError;
use crate::identity::AccountId;
use crate::key_document::KeyDocumentError;
use crate::keys::CredentialInputError;
use crate::reference::{CredentialReference, SecretId};
use crate::registry::RegistryError;

/// Why a reference could not be turned into credentials.
///
/// The texts are fixed: nothing that STS answered is quoted, except its error code where no
/// variant stands for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No keys were given under this label.
    #[error("no keys labelled `{label}` were given to this invocation: give them again")]
    UnknownLabel {
        /// The label asked for.
        label: String,
    },
    /// Nobody registered this reference for the invocation.
    #[error(
        "{reference} is not registered for this invocation: name it in the configuration or on the \
         command line; a reference from anywhere else is not resolved"
    )]
    NotRegistered {
        /// The reference.
        reference: CredentialReference,
    },
    /// No web identity token was given under this label.
    #[error("no web identity token labelled `{label}` was given to this invocation: give it again")]
    UnknownToken {
        /// The label asked for.
        label: String,
    },
    /// The file of a web identity token cannot be used.
    #[error("the file of web identity token `{label}` {flaw}")]
    TokenFile {
        /// The token's label.
        label: String,
        /// What is wrong, in fixed words.
        flaw: &'static str,
    },
    /// AWS does not accept a web identity token.
    #[error(
        "AWS refused the token of {reference}: check that it has not expired, and that the account's \
         identity provider has its issuer and audience"
    )]
    TokenRefused {
        /// The reference.
        reference: CredentialReference,
    },
    /// AWS cannot reach the identity provider that issued a token.
    #[error("AWS could not ask the identity provider of {reference}: try again in a minute")]
    ProviderUnreachable {
        /// The reference.
        reference: CredentialReference,
    },
    /// No registry was given under this label.
    #[error("no registry labelled `{label}` was given to this invocation: configure it")]
    UnknownRegistry {
        /// The label asked for.
        label: String,
    },
    /// A registry gave no credential.
    #[error("{reference} gave no credentials")]
    Registry {
        /// The reference.
        reference: CredentialReference,
        /// Why.
        #[source]
        source: Box<RegistryError>,
    },
    /// A secret of Secrets Manager cannot be read.
    #[error("secret `{secret_id}` cannot be read: {flaw}")]
    SecretUnreadable {
        /// The secret.
        secret_id: SecretId,
        /// Why, in fixed words.
        flaw: &'static str,
    },
    /// A secret holds no usable keys.
    #[error("secret `{secret_id}` holds no usable access keys")]
    SecretContent {
        /// The secret.
        secret_id: SecretId,
        /// Which field.
        #[source]
        source: KeyDocumentError,
    },
    /// A source that reads this machine's AWS configuration, which nobody asked for.
    #[error(
        "{reference} may not be used here: it is read only when the person asks for it, with \
         `--profile` or `--credentials chain`"
    )]
    NotAsked {
        /// The reference.
        reference: CredentialReference,
    },
    /// A profile or the default chain has no usable credentials.
    #[error(
        "{reference} gave no credentials: {reason}; see `aws configure list` and \
         `aws sts get-caller-identity`"
    )]
    Unresolved {
        /// The reference.
        reference: CredentialReference,
        /// What was wrong, in fixed words.
        reason: &'static str,
    },
    /// The issued or configured keys have an impossible form.
    #[error("{reference} gave unusable keys")]
    Keys {
        /// The reference.
        reference: CredentialReference,
        /// Which field.
        #[source]
        source: CredentialInputError,
    },
    /// The context cannot be filled: no region, or it is over.
    #[error(transparent)]
    Context(ContextError),
    /// AWS says no.
    #[error(
        "access denied: `{action}` on `{resource}` is missing; allow it for the caller, and in the \
         role's trust policy check the principal, the external id and `sts:SetSourceIdentity`"
    )]
    Denied {
        /// The IAM action.
        action: &'static str,
        /// What it was tried on.
        resource: String,
    },
    /// The role does not let its sessions say whose they are.
    #[error(
        "access denied: `{action}` on `{resource}` is missing; allow it for the caller and in the \
         role's trust policy, or turn `{setting}` off in the configuration"
    )]
    AttributionDenied {
        /// The IAM action.
        action: &'static str,
        /// The role.
        resource: String,
        /// The setting that stops asking for it.
        setting: &'static str,
    },
    /// The keys are those of an account's root user.
    #[error(
        "the keys of {reference} belong to the root user of account `{account}`, which nothing can \
         narrow: delete them, and use a role or an IAM user"
    )]
    Root {
        /// The reference.
        reference: CredentialReference,
        /// The account.
        account: AccountId,
    },
    /// The credentials cannot be held to a session policy, and it was asked that they are.
    #[error(
        "{reference} cannot be narrowed to what this phase needs and `require_narrowed` is on: \
         {reason}"
    )]
    NotNarrowed {
        /// The reference.
        reference: CredentialReference,
        /// Why not and what to do, in fixed words.
        reason: &'static str,
    },
    /// Renewed credentials are somebody else's. The context was cleared.
    #[error(
        "the renewed credentials are those of `{found}`, not of `{expected}`; the context was \
         cleared: start another invocation"
    )]
    IdentityChanged {
        /// Who the invocation was.
        expected: Arn,
        /// Who the new credentials are.
        found: Arn,
    },
    /// The credentials have ended.
    #[error(
        "the credentials{} have expired: sign in again, or give new ones", .reference.as_ref().map(|r| format!(" of {r}")).unwrap_or_default()
    )]
    Expired {
        /// The reference, if it is known.
        reference: Option<CredentialReference>,
    },
    /// AWS does not know the key, or its signature does not fit.
    #[error(
        "AWS refused the access key of {reference}: check that the id and the secret belong \
         together, that the key is active, and that it is for this partition"
    )]
    KeyRefused {
        /// The reference.
        reference: CredentialReference,
    },
    /// The local clock is too far from AWS's.
    #[error("AWS refused the signature's time: set this machine's clock")]
    ClockSkewed,
    /// The region is not enabled for the account.
    #[error("the account has no access to this region: enable the region, or choose another one")]
    RegionDisabled,
    /// The session policy does not fit into STS's packed limit.
    #[error("the session policy exceeds STS's packed size: split the plan into several sessions")]
    PolicyTooLarge,
    /// STS could not read the session policy.
    #[error("STS refused the session policy as malformed: this is a bug in the plan's IAM actions")]
    PolicyRefused,
    /// No answer came.
    #[error(
        "no answer from `{endpoint}`: check the network, the region's name and `--endpoint-url`"
    )]
    Unreachable {
        /// The URL that was called.
        endpoint: String,
    },
    /// AWS asks for patience.
    #[error("AWS throttled the credentials calls, also after retries: try again in a minute")]
    Throttled,
    /// An answer that is not what AWS sends.
    #[error("the answer of `{endpoint}` to `{action}` is not one of AWS: check `--endpoint-url`")]
    Malformed {
        /// The IAM action.
        action: &'static str,
        /// The URL that was called.
        endpoint: String,
    },
    /// Another error of the service.
    #[error("`{action}` failed with `{code}`")]
    Service {
        /// The IAM action.
        action: &'static str,
        /// AWS's error code.
        code: String,
    },
    /// The credentials are another account's. The context was cleared.
    #[error(
        "the credentials belong to account `{found}`, not to `{expected}`; the context was cleared"
    )]
    AccountMismatch {
        /// The account that was registered or named.
        expected: AccountId,
        /// The account STS told.
        found: AccountId,
    },
    /// The invocation ended while credentials were on their way.
    #[error("the credential context is cleared: the invocation is over")]
    Cleared,
    /// The context was filled otherwise while these credentials were on their way.
    #[error("the credential context was filled otherwise in the meantime: try again")]
    Superseded,
}

/// What kind of failure it is; exit code, HTTP status and retry follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Trying again later may work.
    Retry,
    /// Somebody has to be given leave, or sign in.
    Denied,
    /// What was named does not exist.
    NotFound,
    /// What was given cannot be right.
    Invalid,
    /// The state has moved on.
    Conflict,
    /// A bug on one of the two sides.
    Internal,
}

impl SourceError {
    /// Returns a short fixed word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownLabel { .. } => "credentials_needed",
            Self::NotRegistered { .. } => "reference_not_registered",
            Self::UnknownToken { .. } => "token_needed",
            Self::TokenFile { .. } => "token_file_unusable",
            Self::TokenRefused { .. } => "token_refused",
            Self::ProviderUnreachable { .. } => "identity_provider_unreachable",
            Self::UnknownRegistry { .. } => "registry_needed",
            Self::Registry { .. } => "registry_failed",
            Self::SecretUnreadable { .. } => "secret_unreadable",
            Self::SecretContent { .. } => "secret_unusable",
            Self::AttributionDenied { .. } => "attribution_denied",
            Self::Root { .. } => "root_refused",
            Self::NotNarrowed { .. } => "not_narrowed",
            Self::IdentityChanged { .. } => "identity_changed",
            Self::NotAsked { .. } => "source_not_allowed",
            Self::Unresolved { .. } => "source_unresolved",
            Self::Keys { .. } => "keys_unusable",
            Self::Context(error) => error.code(),
            Self::Denied { .. } => "access_denied",
            Self::Expired { .. } => "credentials_expired",
            Self::KeyRefused { .. } => "key_refused",
            Self::ClockSkewed => "clock_skewed",
            Self::RegionDisabled => "region_disabled",
            Self::PolicyTooLarge => "policy_too_large",
            Self::PolicyRefused => "policy_refused",
            Self::Unreachable { .. } => "endpoint_unreachable",
            Self::Throttled => "throttled",
            Self::Malformed { .. } => "answer_malformed",
            Self::Service { .. } => "service_error",
            Self::AccountMismatch { .. } => "account_mismatch",
            Self::Cleared => "credentials_cleared",
            Self::Superseded => "superseded",
        }
    }

    /// Returns what kind of failure this is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::UnknownLabel { .. }
            | Self::UnknownToken { .. }
            | Self::UnknownRegistry { .. } => ErrorClass::NotFound,
            Self::Registry { source, .. } => match &**source {
                RegistryError::Unreachable { .. } => ErrorClass::Retry,
                RegistryError::Denied { .. } => ErrorClass::Denied,
                RegistryError::NotFound { .. } => ErrorClass::NotFound,
                RegistryError::Malformed { .. } | RegistryError::Keys { .. } => ErrorClass::Invalid,
            },
            Self::Unresolved { .. }
            | Self::TokenFile { .. }
            | Self::SecretUnreadable { .. }
            | Self::SecretContent { .. }
            | Self::Keys { .. }
            | Self::Context(_)
            | Self::ClockSkewed
            | Self::RegionDisabled => ErrorClass::Invalid,
            Self::NotAsked { .. }
            | Self::NotRegistered { .. }
            | Self::TokenRefused { .. }
            | Self::AttributionDenied { .. }
            | Self::Root { .. }
            | Self::NotNarrowed { .. }
            | Self::IdentityChanged { .. }
            | Self::Denied { .. }
            | Self::Expired { .. }
            | Self::KeyRefused { .. }
            | Self::AccountMismatch { .. } => ErrorClass::Denied,
            Self::Unreachable { .. } | Self::Throttled | Self::ProviderUnreachable { .. } => {
                ErrorClass::Retry
            }
            Self::Malformed { .. }
            | Self::Service { .. }
            | Self::PolicyTooLarge
            | Self::PolicyRefused => ErrorClass::Internal,
            Self::Cleared | Self::Superseded => ErrorClass::Conflict,
        }
    }
}

impl From<ContextError> for SourceError {
    fn from(error: ContextError) -> Self {
        match error {
            ContextError::Cleared => Self::Cleared,
            ContextError::Expired => Self::Expired { reference: None },
            ContextError::RegionMissing
            | ContextError::RegionFixed { .. }
            | ContextError::Empty => Self::Context(error),
        }
    }
}

/// Walks an error and everything under it.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}
