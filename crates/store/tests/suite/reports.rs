use ecs_agent_store::Report;

use super::{at, local, thread_id};

conformance! {
    a_report_is_replaced_by_a_later_one_of_its_kind(bench) {
        let store = bench.store().await;
        let thread = thread_id(1);
        store
            .create_thread(&local(), thread, "t", at(0))
            .await
            .unwrap();
        for (second, text) in [(1, "first"), (2, "second")] {
            store
                .save_report(&local(), thread, "final_report", text, at(second))
                .await
                .unwrap();
        }
        let expected = Report {
            kind: "final_report".to_owned(),
            text: "second".to_owned(),
            saved_at: at(2),
        };
        assert_eq!(
            store
                .report(&local(), thread, "final_report")
                .await
                .unwrap(),
            Some(expected.clone())
        );
        assert_eq!(store.reports(&local(), thread).await.unwrap(), [expected]);
        assert!(
            store
                .save_report(&local(), thread_id(9), "x", "x", at(0))
                .await
                .is_err()
        );
    }
}
