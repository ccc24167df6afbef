use ecs_agent_store::{AppendError, Seq, Store, StoreError};

use super::{at, local, memory_with_thread, run, said, thread_id};

#[test]
fn many_writers_in_two_handles_on_one_file_leave_no_gap_and_no_double() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.db");
    let thread = thread_id(1);
    run(async {
        let store = Store::open(&path).await.unwrap();
        store
            .create_thread(&local(), thread, "t", at(0))
            .await
            .unwrap();
    });
    // Each writer has a runtime and a handle of its own, as another process would.
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let path = path.clone();
            std::thread::spawn(move || {
                run(async {
                    let store = Store::open(&path).await.unwrap();
                    for _ in 0..10 {
                        loop {
                            let log = store.events(&local(), thread, Seq::START).await.unwrap();
                            let last = log.last().map_or(Seq::START, |stored| stored.seq);
                            match store
                                .append(&local(), thread, last, &said(writer, "w"))
                                .await
                            {
                                Ok(_) => break,
                                Err(AppendError::Conflict { .. }) => {}
                                Err(other) => panic!("{other:?}"),
                            }
                        }
                    }
                });
            })
        })
        .collect();
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    run(async {
        let store = Store::open(&path).await.unwrap();
        let log = store.events(&local(), thread, Seq::START).await.unwrap();
        let numbers: Vec<u64> = log.iter().map(|stored| stored.seq.get()).collect();
        assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
        for writer in 0..4 {
            assert_eq!(
                log.iter()
                    .filter(|stored| stored.event.at == at(writer))
                    .count(),
                10
            );
        }
    });
}

#[test]
fn one_handle_serves_many_runtimes_that_come_and_go() {
    let (store, thread) = run(memory_with_thread());
    let mut seq = Seq::START;
    for n in 0..5 {
        seq = run(store.append(&local(), thread, seq, &said(n, "x"))).unwrap();
    }
    assert_eq!(
        run(store.events(&local(), thread, Seq::START))
            .unwrap()
            .len(),
        5
    );
}

conformance! {
    events_come_back_in_order_and_from_where_one_left_off(bench) {
        let (store, thread) = bench.with_thread().await;
        assert_eq!(
            store.events(&local(), thread, Seq::START).await.unwrap(),
            []
        );
        let mut seq = Seq::START;
        for n in 0..3 {
            seq = store
                .append(&local(), thread, seq, &said(n, "hello"))
                .await
                .unwrap();
        }
        let all = store.events(&local(), thread, Seq::START).await.unwrap();
        let numbers: Vec<u64> = all.iter().map(|stored| stored.seq.get()).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(all[2].event, said(2, "hello"));
        assert_eq!(
            store.events(&local(), thread, all[1].seq).await.unwrap(),
            all[2..]
        );
    }

    an_unknown_thread_has_no_log(bench) {
        let (store, _) = bench.with_thread().await;
        let unknown = thread_id(9);
        let read = store.events(&local(), unknown, Seq::START).await;
        assert!(matches!(read, Err(StoreError::ThreadNotFound(id)) if id == unknown));
        let append = store
            .append(&local(), unknown, Seq::START, &said(0, "x"))
            .await;
        assert!(matches!(
            append,
            Err(AppendError::Store(StoreError::ThreadNotFound(_)))
        ));
    }

    of_two_writers_at_one_number_one_wins(bench) {
        let (store, thread) = bench.with_thread().await;
        store
            .append(&local(), thread, Seq::START, &said(0, "first"))
            .await
            .unwrap();
        let error = store
            .append(&local(), thread, Seq::START, &said(0, "second"))
            .await
            .unwrap_err();
        let AppendError::Conflict {
            expected, actual, ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((expected, actual), (Seq::START, Seq::START.next()));
        let future = store
            .append(&local(), thread, actual.next(), &said(0, "gap"))
            .await;
        assert!(matches!(future, Err(AppendError::Conflict { .. })));
        assert_eq!(
            store
                .events(&local(), thread, Seq::START)
                .await
                .unwrap()
                .len(),
            1
        );
    }
}
