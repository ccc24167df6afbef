//! Keys that a person gave for this invocation.

use chrono::Utc;

use super::source::{Facts, Link, Resolved, Resolving, Source};
use crate::context::Lifetime;
use crate::source_error::SourceError;

/// Keys under a label.
pub(super) struct Given<'r> {
    pub(super) label: &'r str,
}

impl Source for Given<'_> {
    fn resolve<'a>(&'a self, link: Link<'a>) -> Resolving<'a> {
        Box::pin(async move {
            let given = link.shared.given.get(self.label);
            let given = given.ok_or_else(|| SourceError::UnknownLabel {
                label: crate::text::excerpt(self.label),
            })?;
            let now = Utc::now();
            if given.0.expires_at.is_some_and(|end| end <= now) {
                return Err(SourceError::Expired {
                    reference: Some(link.reference.clone()),
                });
            }
            Ok(Resolved {
                lifetime: Lifetime::stated(given.0.expires_at, now),
                keys: given.0.duplicate(),
                facts: Facts {
                    renewable: false,
                    narrowed: false,
                    account: None,
                },
            })
        })
    }
}
