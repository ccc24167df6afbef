use ecs_agent_store::{AppendError, Approval, Seq};
use serde_json::json;

use super::{at, local, said, thread_id};

fn approval() -> Approval {
    Approval {
        plan_hash: "ab12".to_owned(),
        approval: json!({"decision": "approve", "by": "x"}),
    }
}

conformance! {
    an_approval_is_used_with_its_event_or_not_at_all(bench) {
        let (store, thread) = bench.with_thread().await;
        assert_eq!(
            store.consumed_approval(&local(), "ab12").await.unwrap(),
            None
        );
        let stale = store
            .consume_approval(
                &local(),
                thread,
                Seq::START.next(),
                &approval(),
                &said(0, "x"),
            )
            .await;
        assert!(matches!(stale, Err(AppendError::Conflict { .. })));
        assert_eq!(
            store.consumed_approval(&local(), "ab12").await.unwrap(),
            None
        );

        let seq = store
            .consume_approval(&local(), thread, Seq::START, &approval(), &said(7, "x"))
            .await
            .unwrap();
        let used = store
            .consumed_approval(&local(), "ab12")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (used.thread, used.seq, used.consumed_at),
            (thread, seq, at(7))
        );
        assert_eq!(used.approval, approval().approval);
    }

    an_approval_is_used_once_even_from_another_thread(bench) {
        let (store, thread) = bench.with_thread().await;
        let other = thread_id(2);
        store
            .create_thread(&local(), other, "t", at(0))
            .await
            .unwrap();
        let event = said(0, "x");
        let seq = store
            .consume_approval(&local(), thread, Seq::START, &approval(), &event)
            .await
            .unwrap();
        for (thread, expected) in [(thread, seq), (other, Seq::START)] {
            let again = store
                .consume_approval(&local(), thread, expected, &approval(), &event)
                .await;
            assert!(
                matches!(again, Err(AppendError::ApprovalConsumed { .. })),
                "{again:?}"
            );
        }
        // The refused uses left no event behind.
        assert_eq!(
            store
                .events(&local(), thread, Seq::START)
                .await
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            store
                .events(&local(), other, Seq::START)
                .await
                .unwrap()
                .len(),
            0
        );
    }

    of_many_uses_at_once_one_wins(bench) {
        let (store, _) = bench.with_thread().await;
        let mut uses = Vec::new();
        for n in 10..60 {
            store
                .create_thread(&local(), thread_id(n), "t", at(0))
                .await
                .unwrap();
            let store = store.clone();
            uses.push(tokio::spawn(async move {
                store
                    .consume_approval(
                        &local(),
                        thread_id(n),
                        Seq::START,
                        &approval(),
                        &said(0, "x"),
                    )
                    .await
            }));
        }
        let mut won = 0;
        for used in uses {
            match used.await.unwrap() {
                Ok(_) => won += 1,
                Err(AppendError::ApprovalConsumed { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(won, 1);
    }
}
