//! The exchange of an IAM user's keys for a session that AWS holds to a policy.

use super::source::{Facts, Link, Resolved, Staged};
use super::{KeysAsTheyAre, Shared};
use crate::scope::{Scope, ScopeRequest};
use crate::source_error::SourceError;
use crate::sts::{self, Caller, Narrowing};

/// Narrows credentials that their source could not narrow, if they should be and can be.
///
/// A federated session cannot ask IAM anything, and a diagnosis asks IAM about roles. So keys read
/// as they are, unless it was asked that they do not; what writes is exchanged.
pub(super) async fn narrow(
    link: &Link<'_>,
    request: &ScopeRequest,
    staged: Staged,
    caller: &Caller,
) -> Result<Exchange, SourceError> {
    if staged.facts.narrowed || !is_wanted(link.shared, request) {
        return Ok(Exchange::Kept(staged));
    }
    let as_they_are = |staged, reason| match link.shared.narrowing {
        KeysAsTheyAre::Allowed => Ok(Exchange::Kept(staged)),
        KeysAsTheyAre::Refused => Err(SourceError::NotNarrowed {
            reference: link.reference.clone(),
            reason,
        }),
    };
    let is_user = caller.principal.resource().starts_with("user/");
    if !is_user || staged.context.holds_a_session() {
        return as_they_are(
            staged,
            "it is a session already, and AWS narrows none afterwards: name a role to assume with it",
        );
    }
    // STS takes 32 characters, which is what the invocation's id has.
    let name = link.context.invocation().uuid().simple().to_string();
    let narrowing = Narrowing {
        policy: request.policy(),
        seconds: request.session_seconds(),
    };
    let issued = sts::federation_token(&staged.context, &name, narrowing, link.reference).await;
    let (keys, lifetime) = match issued {
        Ok(issued) => issued,
        Err(error) if is_refusal(&error) => {
            return as_they_are(
                staged,
                "AWS does not let it ask for a federated session: allow `sts:GetFederationToken`, or \
                 name a role to assume with it",
            );
        }
        Err(error) => return Err(error),
    };
    let resolved = Resolved {
        keys,
        lifetime,
        facts: Facts {
            // The user's own keys are still there to be exchanged again.
            renewable: true,
            narrowed: true,
            account: staged.facts.account.clone(),
        },
    };
    Ok(Exchange::Exchanged(Staged::with(link.context, resolved)?))
}

/// What became of the credentials.
pub(super) enum Exchange {
    Kept(Staged),
    Exchanged(Staged),
}

fn is_wanted(shared: &Shared, request: &ScopeRequest) -> bool {
    match (shared.narrowing, request.scope()) {
        (KeysAsTheyAre::Refused, _) | (KeysAsTheyAre::Allowed, Scope::Operate { .. }) => true,
        (KeysAsTheyAre::Allowed, Scope::Observe) => false,
    }
}

/// Tells whether AWS, or what stands in for it, said no: everything else may pass.
fn is_refusal(error: &SourceError) -> bool {
    if let SourceError::Service { code, .. } = error {
        return code == "InvalidAction";
    }
    matches!(error, SourceError::Denied { .. })
}
