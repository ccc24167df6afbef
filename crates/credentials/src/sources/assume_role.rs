//! Roles, assumed with the credentials of another reference.

use super::source::{Facts, Link, Resolved, Resolving, Source};
use crate::arn::RoleArn;
use crate::reference::CredentialReference;
use crate::sts::{self, Assumption};

/// A role and who assumes it.
pub(super) struct AssumeRole<'r> {
    pub(super) role_arn: &'r RoleArn,
    pub(super) external_id: Option<&'r str>,
    pub(super) base: &'r CredentialReference,
}

impl Source for AssumeRole<'_> {
    fn resolve<'a>(&'a self, link: Link<'a>) -> Resolving<'a> {
        Box::pin(async move {
            let base = link.base(self.base, None).await?;
            let mut attribution = link.shared.attribution;
            // Tags are transitive: the first role of a chain sets them for all, and AWS refuses a
            // later one that sets them again.
            attribution.session_tags &= !is_tagged(self.base);
            let assumption = Assumption {
                role_arn: self.role_arn,
                external_id: self.external_id,
                session: link.session,
                attribution,
                plan_hash: link.plan_hash,
                narrowing: link.narrowing,
                reference: link.reference,
            };
            let (keys, lifetime) = sts::assume_role(&base.context, assumption).await?;
            Ok(Resolved {
                keys,
                lifetime,
                facts: Facts {
                    renewable: true,
                    narrowed: link.narrowing.is_some(),
                    account: self.role_arn.account(),
                },
            })
        })
    }
}

/// Tells whether the sessions of `reference` carry this invocation's tags.
fn is_tagged(reference: &CredentialReference) -> bool {
    match reference {
        CredentialReference::AssumeRole { .. } => true,
        // A web identity session has the tags of its token; what the others have is not ours.
        CredentialReference::Static { .. }
        | CredentialReference::Profile { .. }
        | CredentialReference::DefaultChain
        | CredentialReference::WebIdentity { .. }
        | CredentialReference::SecretsManager { .. }
        | CredentialReference::Registry { .. } => false,
    }
}
