//! Who is asking: a tenant and a person, once both are proven.

use ecs_agent_store::{ApiKeyId, TenantId, TenantScope};

use super::action::{Action, Actions};

/// Whoever sent a request, proven.
///
/// The parts are private and there is no constructor from text: a caller comes out of
/// authentication, or is the person who started the program on this machine. What a request says
/// about tenants or people never becomes one.
///
/// ```compile_fail
/// let caller = ecs_agent_server::Caller { person: "someone else".to_owned() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    tenant: TenantScope,
    person: String,
    actions: Actions,
    proof: Proof,
}

/// How a caller was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// They started the program on this machine, and nothing more is asked of anybody.
    ThisMachine,
    /// They hold the secret of this API key.
    ApiKey(ApiKeyId),
}

impl Caller {
    /// The person who started the program, where only they can reach it.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self {
            tenant: TenantScope::local(),
            person: "local".to_owned(),
            actions: Actions::all(),
            proof: Proof::ThisMachine,
        }
    }

    /// A caller whose credential has just been verified.
    pub(super) fn proven(tenant: TenantId, person: String, actions: Actions, proof: Proof) -> Self {
        Self {
            tenant: TenantScope::authenticated(tenant),
            person,
            actions,
            proof,
        }
    }

    /// Whose rows they see.
    #[must_use]
    pub const fn tenant(&self) -> &TenantScope {
        &self.tenant
    }

    /// Who they are within the tenant.
    #[must_use]
    pub fn person(&self) -> &str {
        &self.person
    }

    /// What their credential may be used for at most.
    #[must_use]
    pub const fn actions(&self) -> &Actions {
        &self.actions
    }

    /// How they were proven.
    #[must_use]
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Whether their credential may be used for this.
    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        self.actions.contains(action)
    }
}
