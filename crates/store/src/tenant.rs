//! Whose rows may be seen.

use std::fmt;

/// Proof of which tenant's rows a caller may read and write. Every query carries it.
///
/// There is no constructor from text: a scope comes from knowing who the caller is.
///
/// ```compile_fail
/// let scope = ecs_agent_store::TenantScope("someone-else".to_owned());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TenantScope(String);

impl TenantScope {
    /// The one tenant of the single-user program: whoever may open the database file.
    #[must_use]
    pub fn local() -> Self {
        Self("local".to_owned())
    }

    #[cfg(test)]
    pub(crate) fn other() -> Self {
        Self("other".to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TenantScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantScope({})", self.0)
    }
}

#[cfg(test)]
#[path = "tenant_tests.rs"]
mod tests;
