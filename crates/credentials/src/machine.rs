//! The AWS configuration of the machine this runs on, read only when the person asked for it.

use std::sync::Arc;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};

use crate::context::CredentialContext;
use crate::keys::Keys;
use crate::reference::CredentialReference;
use crate::source_error::SourceError;
use crate::wire;

/// Resolves a profile or the default chain, and takes its region if the context has none.
///
/// SECURITY: the caller has checked that the person asked for it. The providers are made for this
/// one call, and so are their caches.
pub(crate) async fn keys(
    context: &Arc<CredentialContext>,
    profile: Option<&str>,
    reference: &CredentialReference,
) -> Result<Keys, SourceError> {
    if context.region().is_err()
        && let Some(region) = region(profile).await
    {
        context.adopt_region(region)?;
    }
    let region = context.region().ok().map(|region| region.to_string());
    let config = ProviderConfig::default()
        .with_http_client(context.wire().http_client())
        .with_sleep_impl(wire::sleep())
        .with_region(region.map(aws_types::region::Region::new));
    let resolved = match profile {
        Some(name) => {
            let provider = ProfileFileCredentialsProvider::builder()
                .configure(&config)
                .profile_name(name)
                .build();
            provider.provide_credentials().await
        }
        None => {
            let chain = DefaultCredentialsChain::builder().configure(config);
            chain.build().await.provide_credentials().await
        }
    };
    let keys = resolved.map_err(|error| SourceError::Unresolved {
        reference: reference.clone(),
        reason: reason(&error),
    })?;
    Keys::from_sdk(&keys).map_err(|source| SourceError::Keys {
        reference: reference.clone(),
        source,
    })
}

async fn region(profile: Option<&str>) -> Option<crate::identity::Region> {
    let region = match profile {
        Some(name) => {
            let provider = ProfileFileRegionProvider::builder().profile_name(name);
            provider.build().region().await
        }
        None => DefaultRegionChain::builder().build().region().await,
    };
    region?.as_ref().parse().ok()
}

/// Says why in fixed words; the SDK's own text can contain parts of the configuration files.
fn reason(error: &CredentialsError) -> &'static str {
    if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
        return "there is no such profile, or it has no credentials";
    }
    if matches!(error, CredentialsError::InvalidConfiguration(_)) {
        return "the AWS configuration files are not usable as they are written";
    }
    if matches!(error, CredentialsError::ProviderTimedOut(_)) {
        return "the source did not answer in time";
    }
    "the source refused or failed"
}
