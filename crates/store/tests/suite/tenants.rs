use std::time::Duration;

use ecs_agent_store::{Approval, AuditEntry, RunOwner, Seq, StoreError, TenantScope};
use serde_json::json;

use super::{at, local, run_id, said, thread_id};

conformance! {
    one_tenants_rows_do_not_exist_for_another(bench) {
        let store = bench.store().await;
        let (mine, theirs) = (local(), TenantScope::authenticated("other".parse().unwrap()));
        let thread = thread_id(1);
        let event = said(0, "x");
        let approval = Approval { plan_hash: "h".to_owned(), approval: json!({}) };
        let entry = AuditEntry {
            thread: Some(thread),
            at: at(0),
            kind: "x".to_owned(),
            content: json!({}),
        };
        let owner = RunOwner::this_process(run_id(1));
        let minute = Duration::from_secs(60);
        store.create_thread(&mine, thread, "t", at(0)).await.unwrap();
        store.consume_approval(&mine, thread, Seq::START, &approval, &event).await.unwrap();
        store.save_report(&mine, thread, "r", "text", at(0)).await.unwrap();
        store.audit_append(&mine, &entry).await.unwrap();
        let _lease = store.acquire_run(&mine, thread, &owner, at(0), minute).await.unwrap();

        assert_eq!(store.thread(&theirs, thread).await.unwrap(), None);
        assert_eq!(store.threads(&theirs, 10, None).await.unwrap(), []);
        let log = store.events(&theirs, thread, Seq::START).await;
        assert!(matches!(log, Err(StoreError::ThreadNotFound(_))));
        assert!(store.append(&theirs, thread, Seq::START.next(), &event).await.is_err());
        assert_eq!(store.consumed_approval(&theirs, "h").await.unwrap(), None);
        assert_eq!(store.report(&theirs, thread, "r").await.unwrap(), None);
        assert_eq!(store.reports(&theirs, thread).await.unwrap(), []);
        assert!(store.save_report(&theirs, thread, "r", "other", at(0)).await.is_err());
        assert_eq!(store.audit(&theirs, thread).await.unwrap(), []);
        assert_eq!(store.audit_verify(&theirs).await.unwrap().records, 0);
        assert!(store.acquire_run(&theirs, thread, &owner, at(0), minute).await.is_err());

        // The same id is free for them, and stays apart.
        store.create_thread(&theirs, thread, "theirs", at(0)).await.unwrap();
        store.consume_approval(&theirs, thread, Seq::START, &approval, &event).await.unwrap();
        assert_eq!(store.thread(&mine, thread).await.unwrap().unwrap().title, "t");
        assert_eq!(store.events(&mine, thread, Seq::START).await.unwrap().len(), 1);
    }
}
