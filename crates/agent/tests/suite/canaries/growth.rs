//! What is not the invocation's alone does not grow with the number of invocations.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use ecs_agent_canaries::{file_descriptors, threads};
use ecs_agent_core::{Input, Silent, invoke};
use ecs_agent_credentials::LeakGuard;
use ecs_agent_runtime::ThreadId;
use ecs_agent_store::{Store, TenantScope};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::child::sources;
use super::world::{Depth, Lab, WORDS, settings};

const INVOCATIONS: usize = 200;

#[tokio::test]
async fn two_hundred_invocations_leave_no_descriptor_and_no_thread() {
    let lab = Lab::of(1);
    let (account, region) = lab.users().remove(0);
    let store = Store::memory().await.unwrap();
    let guard = LeakGuard::new();
    let mut before = None;
    for number in 0..=INVOCATIONS {
        let thread = ThreadId::new(Uuid::now_v7());
        let local = TenantScope::local();
        store
            .create_thread(&local, thread, WORDS, Utc::now())
            .await
            .unwrap();
        let settings = settings(
            &lab.handle.url(),
            region,
            (&account.role_arn, &account.external_id),
            store.clone(),
            Depth::Identify,
            Arc::new(Silent),
            guard.clone(),
        );
        let sources = sources(&account.access_key_id, account.secret_access_key.clone());
        let words = Input::Say(WORDS.to_owned());
        let ended = invoke(settings, sources, thread, words, CancellationToken::new());
        assert!(ended.await.unwrap().context_cleared);
        // The first one opens what the process keeps.
        before.get_or_insert_with(open);
        assert!(number > 0 || before.is_some());
    }
    let before = before.unwrap();
    // The lab closes its ends of the connections when it gets to it.
    let deadline = Instant::now() + Duration::from_secs(20);
    let grown = |now: (usize, usize)| now.0 > before.0 || now.1 > before.1;
    while grown(open()) && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    let after = open();
    assert!(!grown(after), "{before:?} became {after:?}");
}

/// Open files and threads of this process.
fn open() -> (usize, usize) {
    let pid = std::process::id();
    (file_descriptors(pid).unwrap(), threads(pid).unwrap())
}
