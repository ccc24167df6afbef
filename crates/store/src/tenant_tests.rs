use std::time::Duration;

use chrono::DateTime;
use ecs_agent_runtime::{Event, EventBody, MessageId, RunId, ThreadId};
use serde_json::json;
use uuid::Uuid;

use crate::{Approval, AuditEntry, RunOwner, Seq, Store, StoreError, TenantScope};

#[test]
fn one_tenants_rows_do_not_exist_for_another() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::memory().await.unwrap();
        let (mine, theirs) = (TenantScope::local(), TenantScope::other());
        let at = DateTime::from_timestamp(0, 0).unwrap();
        let thread = ThreadId::new(Uuid::from_u128(1));
        let id = MessageId::new(Uuid::from_u128(1));
        let event = Event::new(
            at,
            EventBody::HumanSaid {
                id,
                text: "x".to_owned(),
            },
        );
        let approval = Approval {
            plan_hash: "h".to_owned(),
            approval: json!({}),
        };
        let entry = AuditEntry {
            thread: Some(thread),
            at,
            kind: "x".to_owned(),
            content: json!({}),
        };
        let owner = RunOwner::this_process(RunId::new(Uuid::from_u128(1)));
        let minute = Duration::from_secs(60);
        store.create_thread(&mine, thread, "t", at).await.unwrap();
        store
            .consume_approval(&mine, thread, Seq::START, &approval, &event)
            .await
            .unwrap();
        store
            .save_report(&mine, thread, "r", "text", at)
            .await
            .unwrap();
        store.audit_append(&mine, &entry).await.unwrap();
        let _lease = store
            .acquire_run(&mine, thread, &owner, at, minute)
            .await
            .unwrap();

        assert_eq!(store.thread(&theirs, thread).await.unwrap(), None);
        assert_eq!(store.threads(&theirs, 10, None).await.unwrap(), []);
        let log = store.events(&theirs, thread, Seq::START).await;
        assert!(matches!(log, Err(StoreError::ThreadNotFound(_))));
        assert!(
            store
                .append(&theirs, thread, Seq::START.next(), &event)
                .await
                .is_err()
        );
        assert_eq!(store.consumed_approval(&theirs, "h").await.unwrap(), None);
        assert_eq!(store.report(&theirs, thread, "r").await.unwrap(), None);
        assert_eq!(store.reports(&theirs, thread).await.unwrap(), []);
        assert!(
            store
                .save_report(&theirs, thread, "r", "other", at)
                .await
                .is_err()
        );
        assert_eq!(store.audit(&theirs, thread).await.unwrap(), []);
        assert_eq!(store.audit_verify(&theirs).await.unwrap().records, 0);
        assert!(
            store
                .acquire_run(&theirs, thread, &owner, at, minute)
                .await
                .is_err()
        );

        // The same id is free for them, and stays apart.
        store
            .create_thread(&theirs, thread, "theirs", at)
            .await
            .unwrap();
        store
            .consume_approval(&theirs, thread, Seq::START, &approval, &event)
            .await
            .unwrap();
        assert_eq!(
            store.thread(&mine, thread).await.unwrap().unwrap().title,
            "t"
        );
    });
}
