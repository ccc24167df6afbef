use std::path::Path;

use ecs_agent_store::{AuditChain, AuditEntry, AuditError, Store};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use super::{at, local, run, thread_id};

fn entry(n: i64, content: Value) -> AuditEntry {
    AuditEntry {
        thread: Some(thread_id(1)),
        at: at(n),
        kind: "approval".to_owned(),
        content,
    }
}

/// Writes three records, does `damage` to the file behind the store's back, and checks.
fn after(damage: &'static str) -> Result<AuditChain, AuditError> {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.db");
        let store = Store::open(&path).await.unwrap();
        for n in 1..=3 {
            store
                .audit_append(&local(), &entry(n, json!({"step": n})))
                .await
                .unwrap();
        }
        tamper(&path, damage).await;
        store.audit_verify(&local()).await
    })
}

async fn tamper(path: &Path, damage: impl Into<String>) {
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(damage.into()))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[test]
fn an_untouched_chain_holds() {
    let chain = after("SELECT 1").unwrap();
    assert_eq!((chain.records, chain.head.len()), (3, 64));
}

#[test]
fn an_empty_chain_holds() {
    let chain = run(async { Store::memory().await.unwrap().audit_verify(&local()).await }).unwrap();
    assert_eq!(chain.records, 0);
}

#[test]
fn every_damage_is_found() {
    let cases = [
        (
            "UPDATE audit SET content = '{\"step\":9}' WHERE seq = 2",
            "record 2 was changed",
        ),
        (
            "UPDATE audit SET kind = 'other' WHERE seq = 1",
            "record 1 was changed",
        ),
        (
            "UPDATE audit SET at = '2030-01-01T00:00:00Z' WHERE seq = 3",
            "record 3 was changed",
        ),
        (
            "UPDATE audit SET thread = NULL WHERE seq = 1",
            "record 1 was changed",
        ),
        (
            "UPDATE audit SET hash = previous WHERE seq = 3",
            "record 3 was changed",
        ),
        (
            "DELETE FROM audit WHERE seq = 1",
            "records 1 to 1 were removed",
        ),
        (
            "DELETE FROM audit WHERE seq = 2",
            "records 2 to 2 were removed",
        ),
        (
            "DELETE FROM audit WHERE seq = 3",
            "ends at record 2, not at 3",
        ),
        ("DELETE FROM audit", "ends at record 0, not at 3"),
        (
            "UPDATE audit SET seq = 9 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; \
          UPDATE audit SET seq = 3 WHERE seq = 9",
            "record 2 was changed",
        ),
        (
            "UPDATE audit_heads SET seq = 2",
            "ends at record 3, not at 2",
        ),
        ("DELETE FROM audit_heads", "ends at record 3, not at 0"),
    ];
    for (damage, expected) in cases {
        let error = after(damage).unwrap_err().to_string();
        assert!(error.contains(expected), "{damage}: {error}");
    }
}

/// Every kind of record that an invocation writes, in the order of a repair.
const KINDS: [&str; 9] = [
    "invocation_started",
    "credentials_minted",
    "aws_call",
    "person_answered",
    "plan_begun",
    "write_intended",
    "write_ended",
    "context_cleared",
    "invocation_ended",
];

/// A chain with a record of every kind, in a file.
async fn chain_of_every_kind(folder: &Path) -> (Store, std::path::PathBuf) {
    let path = folder.join("agent.db");
    let store = Store::open(&path).await.unwrap();
    let entries: Vec<AuditEntry> = (1..)
        .zip(KINDS)
        .map(|(n, kind)| AuditEntry {
            kind: kind.to_owned(),
            ..entry(n, json!({"number": n, "person": "ada"}))
        })
        .collect();
    let written = store.audit_append_all(&local(), &entries).await.unwrap();
    assert_eq!(written.len(), KINDS.len());
    (store, path)
}

/// Each field of each kind of record, edited, is found and the record is named.
#[test]
fn an_edit_of_any_field_of_any_kind_of_record_is_found() {
    let edits = [
        "thread = NULL",
        "at = '2030-01-01T00:00:00Z'",
        "kind = kind || 'x'",
        "content = replace(content, 'ada', 'eve')",
        "previous = hash",
        "hash = previous",
        "tenant = 'other'",
    ];
    run(async {
        for (number, kind) in (1..).zip(KINDS) {
            for edit in edits {
                let folder = tempfile::tempdir().unwrap();
                let (store, path) = chain_of_every_kind(folder.path()).await;
                store.audit_verify(&local()).await.unwrap();
                tamper(
                    &path,
                    format!("UPDATE audit SET {edit} WHERE seq = {number}"),
                )
                .await;
                let error = store.audit_verify(&local()).await.unwrap_err();
                assert!(error.is_tampering(), "{kind}: {edit}: {error}");
                let named = match (&error, edit) {
                    (AuditError::Changed(at), _) => *at,
                    // A record that is another tenant's now is missing here.
                    (AuditError::Removed { first, .. }, "tenant = 'other'") => *first,
                    (AuditError::End { actual, .. }, "tenant = 'other'") => actual + 1,
                    _ => panic!("{kind}: {edit}: {error}"),
                };
                assert_eq!(named, number, "{kind}: {edit}: {error}");
            }
        }
    });
}

/// Whoever can write the file can also write a chain that holds together; the head that was kept
/// elsewhere shows it.
#[test]
fn a_chain_that_was_cut_or_written_anew_is_found_by_a_head_kept_elsewhere() {
    run(async {
        for from in 1..=KINDS.len() {
            let folder = tempfile::tempdir().unwrap();
            let (store, path) = chain_of_every_kind(folder.path()).await;
            let kept = store.audit_head(&local()).await.unwrap();
            assert_eq!(kept.records, KINDS.len() as u64);
            // Cut, with the head put back to match.
            tamper(
                &path,
                format!(
                    "DELETE FROM audit WHERE seq >= {from}; \
                 UPDATE audit_heads SET seq = {from} - 1, hash = coalesce( \
                     (SELECT hash FROM audit WHERE seq = {from} - 1), \
                     '0000000000000000000000000000000000000000000000000000000000000000')"
                ),
            )
            .await;
            // It holds together …
            store.audit_verify(&local()).await.unwrap();
            // … and lacks the head.
            let error = store
                .audit_verify_from(&local(), Some(&kept.head))
                .await
                .unwrap_err();
            assert!(matches!(error, AuditError::HeadMissing { .. }), "{error}");
            // Written anew from there on, by the very code that wrote it.
            for n in from..=KINDS.len() {
                let forged = entry(n as i64, json!({"number": n, "person": "eve"}));
                store.audit_append(&local(), &forged).await.unwrap();
            }
            let whole = store.audit_verify(&local()).await.unwrap();
            assert_eq!(whole.records, kept.records);
            let error = store
                .audit_verify_from(&local(), Some(&kept.head))
                .await
                .unwrap_err();
            assert!(matches!(error, AuditError::HeadMissing { .. }), "{error}");
        }
    });
}

#[test]
fn an_earlier_head_stays_in_a_chain_that_only_grew() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = chain_of_every_kind(folder.path()).await;
        let kept = store.audit_head(&local()).await.unwrap();
        store
            .audit_append(&local(), &entry(1, json!({})))
            .await
            .unwrap();
        let chain = store
            .audit_verify_from(&local(), Some(&kept.head))
            .await
            .unwrap();
        assert_eq!(chain.records, kept.records + 1);
    });
}

/// A record put behind the last, or a copy of one, with the head moved to match.
#[test]
fn a_record_put_in_is_found() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (store, path) = chain_of_every_kind(folder.path()).await;
        let put_in = "INSERT INTO audit SELECT tenant, 10, thread, at, kind, content, hash, hash \
                      FROM audit WHERE seq = 9";
        tamper(&path, put_in).await;
        let error = store.audit_verify(&local()).await.unwrap_err();
        assert!(matches!(error, AuditError::Changed(10)), "{error}");
    });
}

/// Each in a chain of its own: a record's hash covers the one before it.
#[test]
fn equal_content_has_an_equal_hash_whatever_the_order_of_its_keys() {
    run(async {
        let mut hashes = Vec::new();
        for text in [
            r#"{"a":1,"b":{"c":2,"d":3}}"#,
            r#"{"b":{"d":3,"c":2},"a":1}"#,
        ] {
            let store = Store::memory().await.unwrap();
            let content = serde_json::from_str(text).unwrap();
            hashes.push(
                store
                    .audit_append(&local(), &entry(1, content))
                    .await
                    .unwrap()
                    .hash,
            );
        }
        assert_eq!(hashes[0], hashes[1]);
    });
}

conformance! {
    a_threads_records_are_read_back(bench) {
        let store = bench.store().await;
        let written = store
            .audit_append(&local(), &entry(1, json!({"step": 1})))
            .await
            .unwrap();
        let elsewhere = AuditEntry {
            thread: None,
            ..entry(2, json!({}))
        };
        store.audit_append(&local(), &elsewhere).await.unwrap();
        assert_eq!(
            store.audit(&local(), thread_id(1)).await.unwrap(),
            [written]
        );
    }

    many_records_are_one_transaction_and_one_chain(bench) {
        let store = bench.store().await;
        let entries: Vec<AuditEntry> = (1..=300).map(|n| entry(n, json!({"n": n}))).collect();
        store.audit_append_all(&local(), &entries).await.unwrap();
        store.audit_append_all(&local(), &[]).await.unwrap();
        let chain = store.audit_verify(&local()).await.unwrap();
        assert_eq!(chain.records, 300);
        let newest = store.audit_newest(&local(), 2).await.unwrap();
        assert_eq!(
            newest.iter().map(|record| record.seq).collect::<Vec<_>>(),
            [299, 300]
        );
    }
}
