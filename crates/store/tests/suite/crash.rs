//! What is on the disk after each append is what a process that dies right then leaves behind.

use std::path::Path;

use ecs_agent_store::{Approval, Seq, Store};
use serde_json::json;

use super::{at, local, run, said, thread_id};

/// The files as they are, without the writer having closed or flushed anything.
fn copy_of_the_disk(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        // The shared-memory index does not survive a crash in any useful form.
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

#[test]
fn every_append_that_returned_is_there_after_a_crash() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let live = folder.path().join("live");
        let store = Store::open(live.join("agent.db")).await.unwrap();
        let thread = thread_id(1);
        store
            .create_thread(&local(), thread, "t", at(0))
            .await
            .unwrap();
        let mut seq = Seq::START;
        for n in 0..8_u8 {
            let event = said(i64::from(n), "x");
            seq = if n == 5 {
                let approval = Approval {
                    plan_hash: "h".to_owned(),
                    approval: json!({}),
                };
                store
                    .consume_approval(&local(), thread, seq, &approval, &event)
                    .await
                    .unwrap()
            } else {
                store.append(&local(), thread, seq, &event).await.unwrap()
            };
            let copy = folder.path().join(format!("copy-{n}"));
            copy_of_the_disk(&live, &copy);
            let survivor = Store::open(copy.join("agent.db")).await.unwrap();
            let log = survivor.events(&local(), thread, Seq::START).await.unwrap();
            assert_eq!(log.len(), usize::from(n) + 1);
            assert_eq!(log.last().unwrap().seq, seq);
            let used = survivor.consumed_approval(&local(), "h").await.unwrap();
            assert_eq!(used.is_some(), n >= 5);
            // And the thread goes on from there.
            survivor
                .append(&local(), thread, seq, &said(99, "resumed"))
                .await
                .unwrap();
        }
    });
}

#[test]
fn a_log_cut_in_the_middle_of_a_write_loses_that_write_and_no_more() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let live = folder.path().join("live");
        let store = Store::open(live.join("agent.db")).await.unwrap();
        let thread = thread_id(1);
        store
            .create_thread(&local(), thread, "t", at(0))
            .await
            .unwrap();
        let wal = |at: &Path| at.join("agent.db-wal").metadata().unwrap().len();
        let first = store
            .append(&local(), thread, Seq::START, &said(1, "kept"))
            .await
            .unwrap();
        let before = wal(&live);
        store
            .append(&local(), thread, first, &said(2, "torn"))
            .await
            .unwrap();
        let after = wal(&live);
        assert!(after > before);
        for (n, length) in [before + 1, (before + after) / 2, after - 1]
            .into_iter()
            .enumerate()
        {
            let copy = folder.path().join(format!("copy-{n}"));
            copy_of_the_disk(&live, &copy);
            let log = std::fs::OpenOptions::new()
                .write(true)
                .open(copy.join("agent.db-wal"));
            log.unwrap().set_len(length).unwrap();
            let survivor = Store::open(copy.join("agent.db")).await.unwrap();
            let events = survivor.events(&local(), thread, Seq::START).await.unwrap();
            assert_eq!(
                events.iter().map(|stored| stored.seq).collect::<Vec<_>>(),
                [first]
            );
        }
    });
}

#[test]
fn a_write_that_is_given_up_half_way_leaves_nothing_locked() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("agent.db")).await.unwrap();
        let thread = thread_id(1);
        store
            .create_thread(&local(), thread, "t", at(0))
            .await
            .unwrap();
        for _ in 0..50 {
            let last = store.events(&local(), thread, Seq::START).await.unwrap();
            let last = last.last().map_or(Seq::START, |stored| stored.seq);
            let event = said(1, "x");
            let scope = local();
            let append = store.append(&scope, thread, last, &event);
            tokio::select! {
                biased;
                _ = append => {}
                () = tokio::task::yield_now() => {}
            }
        }
        let log = store.events(&local(), thread, Seq::START).await.unwrap();
        let last = log.last().map_or(Seq::START, |stored| stored.seq);
        store
            .append(&local(), thread, last, &said(2, "after"))
            .await
            .unwrap();
    });
}
