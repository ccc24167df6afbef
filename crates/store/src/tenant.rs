//! Whose rows may be seen.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest tenant id.
const MAX_CHARS: usize = 63;

/// Name of a tenant: what every row is kept under. Knowing it gives access to nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

/// Refusal of a text that is not a tenant's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a tenant id: up to {MAX_CHARS} of lower-case letters, digits and hyphens, \
     beginning with a letter or a digit"
)]
pub struct TenantIdError(String);

impl TenantId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = TenantIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = (1..=MAX_CHARS).contains(&text.len())
            && text.bytes().all(|byte| is_word(byte) || byte == b'-')
            && text.bytes().next().is_some_and(is_word);
        match fits {
            true => Ok(Self(text.to_owned())),
            false => Err(TenantIdError(text.chars().take(MAX_CHARS).collect())),
        }
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TenantId {
    type Error = TenantIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> Self {
        id.0
    }
}

/// Proof of which tenant's rows a caller may read and write. Every query carries it.
///
/// It is not made from what a request says: a scope comes from knowing who the caller is.
///
/// ```compile_fail
/// let scope = ecs_agent_store::TenantScope("someone-else".to_owned());
/// ```
///
/// ```compile_fail
/// let scope: ecs_agent_store::TenantScope = "someone-else".parse().unwrap();
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantScope(TenantId);

impl TenantScope {
    /// The one tenant of the single-user program: whoever may open the database file.
    #[must_use]
    pub fn local() -> Self {
        Self(TenantId("local".to_owned()))
    }

    /// The scope of a tenant whose member has just been authenticated.
    ///
    /// # Security
    /// Whoever calls this decides whose rows are read. It is called where a credential of the
    /// tenant was verified, or where the operator manages the database itself; a test of `server`
    /// lists the places.
    #[must_use]
    pub fn authenticated(tenant: TenantId) -> Self {
        Self(tenant)
    }

    /// Which tenant it is.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
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
