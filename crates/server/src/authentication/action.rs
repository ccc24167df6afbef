//! What a caller may be allowed to do.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Something that a caller asks to do. Complete by definition: every request is one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read threads, their states, events and reports.
    Read,
    /// Start a thread, have a service diagnosed, answer a question about which one is meant.
    Diagnose,
    /// Have a repair plan proposed.
    Plan,
    /// Decide on a plan.
    Approve,
    /// Have an approved plan carried out.
    Execute,
    /// Read the tenant's audit chain.
    ReadAudit,
    /// Make, list, rotate and revoke the tenant's API keys.
    ManageKeys,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::Diagnose,
        Self::Plan,
        Self::Approve,
        Self::Execute,
        Self::ReadAudit,
        Self::ManageKeys,
    ];

    /// The word for it, as it is stored, configured and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Diagnose => "diagnose",
            Self::Plan => "plan",
            Self::Approve => "approve",
            Self::Execute => "execute",
            Self::ReadAudit => "read_audit",
            Self::ManageKeys => "manage_keys",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Refusal of a word that names no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no action; there are read, diagnose, plan, approve, execute, read_audit, manage_keys"
)]
pub struct ActionError(String);

impl FromStr for Action {
    type Err = ActionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = text.replace('-', "_");
        Self::ALL
            .into_iter()
            .find(|action| action.as_str() == word)
            .ok_or_else(|| ActionError(text.chars().take(40).collect()))
    }
}

/// A set of actions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actions(BTreeSet<Action>);

impl Actions {
    /// Every action.
    #[must_use]
    pub fn all() -> Self {
        Action::ALL.into_iter().collect()
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn contains(&self, action: Action) -> bool {
        self.0.contains(&action)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Action> + '_ {
        self.0.iter().copied()
    }

    /// Their words, in order.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        self.iter().map(|action| action.to_string()).collect()
    }

    /// Reads words; a word that names no action allows nothing, so that a key made by a newer
    /// version is no wider here.
    pub(crate) fn of_words(words: &[String]) -> Self {
        words.iter().filter_map(|word| word.parse().ok()).collect()
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<T: IntoIterator<Item = Action>>(actions: T) -> Self {
        Self(actions.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_an_action_or_nothing() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(action));
        }
        assert_eq!("manage-keys".parse(), Ok(Action::ManageKeys));
        assert!("admin".parse::<Action>().is_err());
        let words = ["read".to_owned(), "rule_the_world".to_owned()];
        assert_eq!(Actions::of_words(&words).words(), ["read"]);
    }
}
