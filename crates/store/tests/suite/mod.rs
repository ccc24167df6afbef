mod approvals;
mod audit;
mod crash;
mod events;
mod files;
mod leases;
mod threads;

use std::future::Future;

use chrono::{DateTime, Utc};
use ecs_agent_runtime::{Event, EventBody, MessageId, RunId, ThreadId};
use ecs_agent_store::{Store, TenantScope};
use uuid::Uuid;

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

pub(crate) fn local() -> TenantScope {
    TenantScope::local()
}

pub(crate) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

pub(crate) fn thread_id(n: u128) -> ThreadId {
    ThreadId::new(Uuid::from_u128(n))
}

pub(crate) fn run_id(n: u128) -> RunId {
    RunId::new(Uuid::from_u128(n))
}

pub(crate) fn said(second: i64, text: &str) -> Event {
    let id = MessageId::new(Uuid::from_u128(1));
    Event::new(
        at(second),
        EventBody::HumanSaid {
            id,
            text: text.to_owned(),
        },
    )
}

pub(crate) async fn memory_with_thread() -> (Store, ThreadId) {
    let store = Store::memory().await.unwrap();
    let thread = thread_id(1);
    let _ = store
        .create_thread(&local(), thread, "api keeps restarting", at(0))
        .await
        .unwrap();
    (store, thread)
}
