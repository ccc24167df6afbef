use std::path::Path;

use ecs_agent_store::{OpenError, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::{at, local, run, thread_id};

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
#[test]
fn a_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    run(async {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("state/ecs-deep-agent");
        let path = made.join("agent.db");
        let store = Store::open(&path).await.unwrap();
        store
            .create_thread(&local(), thread_id(1), "t", at(0))
            .await
            .unwrap();
        assert_eq!(mode(&made), 0o700);
        for file in std::fs::read_dir(&made).unwrap() {
            let file = file.unwrap().path();
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
        drop(store);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        Store::open(&path).await.unwrap();
        assert_eq!(mode(&path), 0o600);
    });
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        let text = "these are not the rows you are looking for\n".repeat(100);
        std::fs::write(&path, &text).unwrap();
        let refused = Store::open(&path).await.unwrap_err();
        assert!(refused.to_string().contains("notes.txt"), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    });
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = Store::open(file.join("agent.db")).await.unwrap_err();
        assert!(matches!(refused, OpenError::Folder { .. }), "{refused}");
    });
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.db");
        drop(Store::open(&path).await.unwrap());
        let options = SqliteConnectOptions::new().filename(&path);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("INSERT INTO _sqlx_migrations VALUES (99, 'later', 0, 1, x'00', 0)")
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        let refused = Store::open(&path).await.unwrap_err();
        assert!(matches!(refused, OpenError::Migration { .. }), "{refused}");
    });
}
