//! From what a person types to one thread.

use ecs_agent_runtime::ThreadId;
use ecs_agent_store::{Store, TenantScope, ThreadRecord};

use crate::error::CliError;

/// Most threads that are looked through for a short name.
const SEARCHED: u32 = 1_000;

/// Finds the thread by its id, by enough of the id's end, or as `last`.
pub(crate) async fn find(store: &Store, given: &str) -> Result<ThreadRecord, CliError> {
    let tenant = TenantScope::local();
    let unknown = || CliError::NoSuchThread {
        given: given.to_owned(),
    };
    if let Ok(id) = given.parse::<ThreadId>() {
        return store.thread(&tenant, id).await?.ok_or_else(unknown);
    }
    let threads = store.threads(&tenant, SEARCHED, None).await?;
    if given == "last" {
        return threads.into_iter().next().ok_or_else(unknown);
    }
    let mut matching: Vec<ThreadRecord> = threads
        .into_iter()
        .filter(|thread| given.len() >= 4 && thread.id.to_string().ends_with(given))
        .collect();
    match (matching.pop(), matching.len()) {
        (Some(thread), 0) => Ok(thread),
        (Some(_), others) => Err(CliError::SeveralThreads {
            given: given.to_owned(),
            count: others + 1,
        }),
        (None, _) => Err(unknown()),
    }
}
