//! Profiles and the default chain of the machine this runs on.

use chrono::Utc;

use super::MachineSources;
use super::source::{Facts, Link, Resolved, Resolving, Source};
use crate::context::Lifetime;
use crate::machine;
use crate::source_error::SourceError;

/// A profile, or without one the default chain.
pub(super) struct Machine<'r> {
    pub(super) profile: Option<&'r str>,
}

impl Source for Machine<'_> {
    fn resolve<'a>(&'a self, link: Link<'a>) -> Resolving<'a> {
        Box::pin(async move {
            match link.shared.machine {
                MachineSources::Asked => {}
                MachineSources::Refused => {
                    return Err(SourceError::NotAsked {
                        reference: link.reference.clone(),
                    });
                }
            }
            let keys = machine::keys(link.context, self.profile, link.reference).await?;
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
