use std::time::Duration;

use ecs_agent_store::{LeaseError, ProcessIdentity, RunOwner, StoreError};

use super::{at, local, run_id, thread_id};

const MINUTE: Duration = Duration::from_secs(60);

conformance! {
    a_thread_is_run_by_one_run_at_a_time(bench) {
        let (store, thread) = bench.with_thread().await;
        let (one, two) = (
            RunOwner::this_process(run_id(1)),
            RunOwner::this_process(run_id(2)),
        );
        let lease = store
            .acquire_run(&local(), thread, &one, at(0), MINUTE)
            .await
            .unwrap();
        assert_eq!(lease.expires_at(), at(60));
        let refused = store
            .acquire_run(&local(), thread, &two, at(1), MINUTE)
            .await
            .unwrap_err();
        assert!(
            matches!(&refused, LeaseError::Held { owner, .. } if *owner == run_id(1).to_string())
        );
        // The owner itself may ask again.
        let lease_again = store
            .acquire_run(&local(), thread, &one, at(2), MINUTE)
            .await
            .unwrap();
        assert_eq!(lease_again.expires_at(), at(62));
        store.release_run(&local(), lease).await.unwrap();
        let _taken = store
            .acquire_run(&local(), thread, &two, at(3), MINUTE)
            .await
            .unwrap();
    }

    a_lease_is_kept_by_renewing_and_lost_by_expiring(bench) {
        let (store, thread) = bench.with_thread().await;
        let (one, two) = (RunOwner::unseen(run_id(1)), RunOwner::unseen(run_id(2)));
        let lease = store
            .acquire_run(&local(), thread, &one, at(0), MINUTE)
            .await
            .unwrap();
        let lease = store
            .renew_run(&local(), &lease, at(50), MINUTE)
            .await
            .unwrap();
        assert!(
            store
                .acquire_run(&local(), thread, &two, at(100), MINUTE)
                .await
                .is_err()
        );
        let taken = store
            .acquire_run(&local(), thread, &two, at(110), MINUTE)
            .await
            .unwrap();
        let lost = store.renew_run(&local(), &lease, at(111), MINUTE).await;
        assert!(matches!(lost, Err(LeaseError::Lost { .. })));
        // A late release by the old owner takes nothing from the new one.
        store.release_run(&local(), lease).await.unwrap();
        let _renewed = store
            .renew_run(&local(), &taken, at(112), MINUTE)
            .await
            .unwrap();
    }

    a_person_may_take_over_what_cannot_be_seen(bench) {
        let (store, thread) = bench.with_thread().await;
        let (one, two) = (RunOwner::unseen(run_id(1)), RunOwner::unseen(run_id(2)));
        let lease = store
            .acquire_run(&local(), thread, &one, at(0), MINUTE)
            .await
            .unwrap();
        let taken = store
            .take_over_run(&local(), thread, &two, at(1), MINUTE)
            .await
            .unwrap();
        assert_eq!(taken.run(), run_id(2));
        assert!(
            store
                .renew_run(&local(), &lease, at(2), MINUTE)
                .await
                .is_err()
        );
    }

    the_lease_of_a_killed_process_is_free_at_once(bench) {
        let (store, thread) = bench.with_thread().await;
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let process = ProcessIdentity::of(child.id()).unwrap();
        let killed = RunOwner::of_process(run_id(1), process);
        let next = RunOwner::this_process(run_id(2));
        let _gone = store
            .acquire_run(&local(), thread, &killed, at(0), MINUTE)
            .await
            .unwrap();
        assert!(
            store
                .acquire_run(&local(), thread, &next, at(1), MINUTE)
                .await
                .is_err()
        );
        child.kill().unwrap();
        child.wait().unwrap();
        let _lease = store
            .acquire_run(&local(), thread, &next, at(1), MINUTE)
            .await
            .unwrap();
    }

    an_unknown_thread_cannot_be_run(bench) {
        let (store, _) = bench.with_thread().await;
        let owner = RunOwner::this_process(run_id(1));
        let refused = store
            .acquire_run(&local(), thread_id(9), &owner, at(0), MINUTE)
            .await;
        assert!(matches!(
            refused,
            Err(LeaseError::Store(StoreError::ThreadNotFound(_)))
        ));
    }
}
