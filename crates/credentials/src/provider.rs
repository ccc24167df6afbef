//! The AWS SDK's view of a context.

use std::sync::Arc;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, future};

use crate::context::CredentialContext;

/// Reads the context at each request; nothing is remembered in between.
#[derive(Debug)]
pub(crate) struct ContextProvider(Arc<CredentialContext>);

impl ContextProvider {
    pub(crate) fn new(context: Arc<CredentialContext>) -> Self {
        Self(context)
    }

    async fn keys(&self) -> Result {
        let renewed = self.0.ensure_fresh().await;
        renewed.map_err(CredentialsError::provider_error)?;
        let keys = self.0.signing_keys();
        keys.map_err(CredentialsError::provider_error)
    }
}

impl ProvideCredentials for ContextProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.keys())
    }
}
