//! Keys that a registry of services holds.

use chrono::Utc;

use super::source::{Facts, Link, Resolved, Resolving, Source};
use crate::context::Lifetime;
use crate::registry::RegistryId;
use crate::source_error::SourceError;

/// A registry's credential.
pub(super) struct Registry<'r> {
    pub(super) label: &'r str,
    pub(super) credential_id: &'r RegistryId,
}

impl Source for Registry<'_> {
    fn resolve<'a>(&'a self, link: Link<'a>) -> Resolving<'a> {
        Box::pin(async move {
            let registry = link.shared.registries.get(self.label);
            let registry = registry.ok_or_else(|| SourceError::UnknownRegistry {
                label: crate::text::excerpt(self.label),
            })?;
            let credential = registry.credential(self.credential_id).await;
            let credential = credential.map_err(|source| SourceError::Registry {
                reference: link.reference.clone(),
                source: Box::new(source),
            })?;
            let keys = credential.keys.0;
            Ok(Resolved {
                lifetime: Lifetime::stated(keys.expires_at, Utc::now()),
                keys,
                facts: Facts {
                    renewable: true,
                    narrowed: false,
                    account: credential.account,
                },
            })
        })
    }
}
