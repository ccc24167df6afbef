//! Access keys: as a person gives them, and as a filled context holds them.

use std::sync::Arc;

use aws_credential_types::Credentials;
use chrono::{DateTime, Utc};

use crate::context::CredentialContext;
use crate::identity::AccessKeyId;
use crate::leak_guard::Armed;
use crate::secret::SecretText;

/// AWS access keys as somebody supplied them, checked for form.
#[derive(Debug)]
pub struct StaticCredentials(pub(crate) Keys);

impl StaticCredentials {
    /// Checks the form of access keys. Whether AWS accepts them shows when they are first used.
    ///
    /// `session_token` is required for temporary keys (`ASIA…`); `expires_at` is what their issuer
    /// said, if it is known.
    ///
    /// # Errors
    /// One error for the first field that cannot be right, saying what to do about it. No field is
    /// quoted.
    pub fn new(
        access_key_id: &str,
        secret_access_key: SecretText,
        session_token: Option<SecretText>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<Self, CredentialInputError> {
        let access_key_id: AccessKeyId =
            access_key_id
                .parse()
                .map_err(|_| match access_key_id.trim() == access_key_id {
                    true => CredentialInputError::AccessKeyId,
                    false => CredentialInputError::AccessKeyIdSpace,
                })?;
        if secret_access_key.looks_like_access_key_id() {
            return Err(CredentialInputError::Swapped);
        }
        if let Some(flaw) = secret_access_key.flaw() {
            return Err(CredentialInputError::SecretAccessKey { flaw });
        }
        if let Some(flaw) = session_token.as_ref().and_then(SecretText::flaw) {
            return Err(CredentialInputError::SessionToken { flaw });
        }
        if access_key_id.is_temporary() && session_token.is_none() {
            return Err(CredentialInputError::SessionTokenMissing);
        }
        Ok(Self(Keys {
            access_key_id,
            secret_access_key,
            session_token,
            expires_at,
            watched: None,
        }))
    }
}

/// Which field of supplied access keys cannot be right, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialInputError {
    /// The access key id has characters or a length that no access key id has.
    #[error(
        "`access_key_id` is not an access key id: give the id that starts with AKIA or ASIA, \
         letters and digits only"
    )]
    AccessKeyId,
    /// The access key id is surrounded by white space.
    #[error("`access_key_id` has white space around it: remove the spaces or line break")]
    AccessKeyIdSpace,
    /// The secret access key is an access key id.
    #[error(
        "`secret_access_key` holds an access key id: swap the two fields, the secret is the \
         longer one"
    )]
    Swapped,
    /// The secret access key has an impossible form.
    #[error("`secret_access_key` cannot be right, {flaw}")]
    SecretAccessKey {
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// The session token has an impossible form.
    #[error("`session_token` cannot be right, {flaw}")]
    SessionToken {
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// The keys are temporary, and temporary keys are worth nothing without their token.
    #[error(
        "`session_token` is missing: keys that start with ASIA are temporary and need the token \
         that was issued with them (AWS_SESSION_TOKEN)"
    )]
    SessionTokenMissing,
}

/// Access keys ready for signing.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) access_key_id: AccessKeyId,
    secret_access_key: SecretText,
    session_token: Option<SecretText>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// Goes with the keys, so that the guard forgets them when they are wiped.
    watched: Option<Armed>,
}

impl Keys {
    /// Takes over keys that came from the SDK, whose own copy is wiped when it is dropped.
    pub(crate) fn from_sdk(keys: &Credentials) -> Result<Self, CredentialInputError> {
        Self::from_issuer(
            keys.access_key_id(),
            keys.secret_access_key(),
            keys.session_token(),
            keys.expiry().map(DateTime::<Utc>::from),
        )
    }

    /// Takes over keys that a service issued.
    pub(crate) fn from_issuer(
        access_key_id: &str,
        secret_access_key: &str,
        session_token: Option<&str>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<Self, CredentialInputError> {
        let secret = SecretText::copy_of(secret_access_key);
        let token = session_token.map(SecretText::copy_of);
        StaticCredentials::new(access_key_id, secret, token, expires_at).map(|given| given.0)
    }

    /// Tells whether they are temporary.
    pub(crate) fn is_session(&self) -> bool {
        self.session_token.is_some()
    }

    /// Makes a second holder of the same keys, from page to page.
    pub(crate) fn duplicate(&self) -> Self {
        Self {
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.duplicate(),
            session_token: self.session_token.as_ref().map(SecretText::duplicate),
            expires_at: self.expires_at,
            watched: self.watched.as_ref().and_then(Armed::again),
        }
    }

    /// Has the leak guard of `context` look for these keys until they are wiped.
    pub(crate) fn watch(&mut self, context: &Arc<CredentialContext>) {
        let known = self.watched.as_ref();
        let armed = known.and_then(|armed| armed.for_context(context));
        let armed = armed.unwrap_or_else(|| {
            let token = self.session_token.iter();
            let secrets: Vec<_> = std::iter::once(&self.secret_access_key)
                .chain(token)
                .collect();
            Armed::against(&secrets, context)
        });
        // The new trap is set before the old one goes.
        self.watched = Some(armed);
    }

    /// Makes the value that the SDK signs one request with.
    ///
    /// SECURITY: the one place where secrets leave their pages. The copy lives on the cell's heap
    /// for the length of one request; the SDK's type wipes it on drop. It carries no expiry, since
    /// this crate alone decides when keys are renewed, by AWS's clock.
    pub(crate) fn for_signing(&self) -> Credentials {
        let token = self.session_token.as_ref();
        let token = token.map(|token| token.sign(str::to_owned));
        self.secret_access_key.sign(|secret| {
            Credentials::new(
                self.access_key_id.as_str(),
                secret,
                token,
                None,
                "CredentialContext",
            )
        })
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
