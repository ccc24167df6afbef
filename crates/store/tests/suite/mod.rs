/// Cases that hold for every database. Each is a test on SQLite in memory; all of them run on a
/// PostgreSQL server in `postgres.rs`.
macro_rules! conformance {
    ($($name:ident($bench:ident) $body:block)*) => {
        $(
            #[test]
            fn $name() {
                super::run(cases::$name(super::Bench::Memory));
            }
        )*

        mod cases {
            use super::*;

            $(pub(super) async fn $name($bench: crate::suite::Bench) $body)*
        }

        pub(super) fn cases() -> Vec<(&'static str, super::Case)> {
            vec![$((stringify!($name), |bench| Box::pin(cases::$name(bench)))),*]
        }
    };
}

mod api_keys;
mod approvals;
mod audit;
mod crash;
mod events;
mod files;
mod leases;
mod postgres;
mod reports;
mod tenants;
mod threads;

use std::future::Future;
use std::pin::Pin;

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

/// Where a case gets its databases from.
pub(crate) enum Bench {
    /// SQLite in memory.
    Memory,
    /// An empty database of a PostgreSQL server, by its URL.
    Server(String),
}

pub(crate) type Case = fn(Bench) -> Pin<Box<dyn Future<Output = ()>>>;

impl Bench {
    /// The empty database.
    pub(crate) async fn store(&self) -> Store {
        match self {
            Self::Memory => Store::memory().await.unwrap(),
            Self::Server(url) => Store::connect(url).await.unwrap(),
        }
    }

    /// The database with one thread in it.
    pub(crate) async fn with_thread(&self) -> (Store, ThreadId) {
        let store = self.store().await;
        let thread = thread_id(1);
        let _ = store
            .create_thread(&local(), thread, "api keeps restarting", at(0))
            .await
            .unwrap();
        (store, thread)
    }
}

pub(crate) async fn memory_with_thread() -> (Store, ThreadId) {
    Bench::Memory.with_thread().await
}
