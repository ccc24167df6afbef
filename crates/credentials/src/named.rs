//! Several contexts in one invocation: one for each further account that its service leans on.
//!
//! A service often lives in one account and takes its images, its network or its names from others.
//! The contexts of one invocation share its way to AWS and its end; keys, account, region and scope
//! are each one's own, and every call says whose keys signed it.

use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::context::{ContextError, CredentialContext};
use crate::identity::{IdentityError, Region, text_identity};
use crate::source_error::SourceError;
use crate::sources::Recipe;
use crate::sync::lock;

/// What an invocation calls one of its contexts, such as `images`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContextName(String);

text_identity!(ContextName);

impl FromStr for ContextName {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if begins && text.len() <= 32 && text.bytes().all(is_word) {
            return Ok(Self(text.to_owned()));
        }
        Err(IdentityError::new(
            "the name of a context: a lower-case letter, then at most 31 lower-case letters, digits \
             and hyphens, such as `images`",
            text,
        ))
    }
}

impl CredentialContext {
    /// Returns the context of that name in this invocation; makes it, empty, if there is none.
    ///
    /// It works in `region`, or in this context's. It ends with the invocation: clearing the main
    /// context clears all of them, and what the leak guard withholds for one ends them all.
    ///
    /// # Errors
    /// [`ContextError::Cleared`] if the invocation is over, and [`ContextError::RegionFixed`] if the
    /// context is there already and works in another region.
    pub fn named(
        self: &Arc<Self>,
        name: &ContextName,
        region: Option<Region>,
    ) -> Result<Arc<Self>, ContextError> {
        let main = self.main();
        let region = region.or_else(|| main.region().ok());
        let mut named = lock(&main.named);
        // Looked at under the lock that `clear` takes afterwards: none is made that it misses.
        if main.is_cleared() {
            return Err(ContextError::Cleared);
        }
        if let Some(known) = named.get(name) {
            if let Some(region) = region {
                known.adopt_region(region)?;
            }
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(main.sibling(name.clone(), region));
        named.insert(name.clone(), Arc::clone(&made));
        Ok(made)
    }

    /// Returns what this context is called; none for the invocation's main one.
    pub fn name(&self) -> Option<&ContextName> {
        self.name.as_ref()
    }

    /// Has the context filled when its keys are first needed.
    ///
    /// # Errors
    /// [`SourceError::Superseded`] if it was prepared before.
    pub(crate) fn prepare(&self, recipe: Arc<Recipe>) -> Result<(), SourceError> {
        let set = self.prepared.set(recipe);
        set.map_err(|_| SourceError::Superseded)
    }

    /// Fills a context that was prepared and is still empty.
    pub(crate) async fn fill_as_prepared(self: &Arc<Self>) -> Result<(), SourceError> {
        let Some(recipe) = self.prepared.get().filter(|_| self.is_empty()) else {
            return Ok(());
        };
        let _one_at_a_time = self.resolving.lock().await;
        if self.is_empty() {
            recipe.follow(self).await?;
        }
        Ok(())
    }

    /// Wipes the other contexts of the invocation.
    pub(crate) fn discard_named(&self) {
        let named = std::mem::take(&mut *lock(&self.named));
        for context in named.into_values() {
            context.discard();
        }
    }
}

#[cfg(test)]
#[path = "named_tests.rs"]
mod tests;
