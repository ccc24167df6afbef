use ecs_agent_runtime::{Budgets, Event, EventBody, RunOutcome};
use ecs_agent_store::{RecordStatus, Seq, StoreError};

use super::{at, local, run_id, thread_id};

conformance! {
    a_thread_is_made_once_and_found(bench) {
        let (store, thread) = bench.with_thread().await;
        let found = store.thread(&local(), thread).await.unwrap().unwrap();
        assert_eq!(
            (found.title.as_str(), found.status),
            ("api keeps restarting", RecordStatus::Idle)
        );
        assert_eq!(store.thread(&local(), thread_id(2)).await.unwrap(), None);
        let again = store.create_thread(&local(), thread, "", at(1)).await;
        assert!(matches!(again, Err(StoreError::ThreadExists(id)) if id == thread));
    }

    threads_are_paged_newest_first(bench) {
        let store = bench.store().await;
        for n in 1..=5 {
            store
                .create_thread(&local(), thread_id(n), "t", at(0))
                .await
                .unwrap();
        }
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store.threads(&local(), 2, after).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            seen.extend(page.into_iter().map(|record| record.id));
        }
        assert_eq!(seen, [5, 4, 3, 2, 1].map(thread_id));
    }

    the_list_shows_where_a_thread_stood_at_its_last_event(bench) {
        let (store, thread) = bench.with_thread().await;
        let started = EventBody::RunStarted {
            run: run_id(1),
            budgets: Budgets::default(),
        };
        let ended = EventBody::RunEnded {
            outcome: RunOutcome::Cancelled { by: "x".to_owned() },
        };
        let seq = store
            .append(&local(), thread, Seq::START, &Event::new(at(5), started))
            .await
            .unwrap();
        let record = store.thread(&local(), thread).await.unwrap().unwrap();
        assert_eq!(
            (record.status, record.updated_at),
            (RecordStatus::Running, at(5))
        );
        store
            .append(&local(), thread, seq, &Event::new(at(9), ended))
            .await
            .unwrap();
        let record = store.thread(&local(), thread).await.unwrap().unwrap();
        assert_eq!(
            (record.status, record.updated_at),
            (RecordStatus::Cancelled, at(9))
        );
    }
}
