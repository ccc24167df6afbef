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

async fn tamper(path: &Path, damage: &'static str) {
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(damage))
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
            "record 2 does not follow",
        ),
        (
            "DELETE FROM audit WHERE seq = 2",
            "record 3 does not follow",
        ),
        (
            "DELETE FROM audit WHERE seq = 3",
            "ends at record 2, not at 3",
        ),
        ("DELETE FROM audit", "ends at record 0, not at 3"),
        (
            "UPDATE audit SET seq = 9 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; \
          UPDATE audit SET seq = 3 WHERE seq = 9",
            "record 2 does not follow",
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

#[test]
fn a_threads_records_are_read_back() {
    run(async {
        let store = Store::memory().await.unwrap();
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
    });
}
