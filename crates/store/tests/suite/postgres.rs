//! Every case on a PostgreSQL server of our own, and what only such a server can show.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ecs_agent_store::{AppendError, OpenError, Seq, Store, TenantScope};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::{Bench, at, local, run, said, thread_id};

/// A private server: files in a temporary folder, reached through a socket in it.
struct Server {
    folder: tempfile::TempDir,
    programs: PathBuf,
    process: Child,
}

/// The newest PostgreSQL of this machine, where Debian and Red Hat put it.
fn programs() -> PathBuf {
    let mut found = Vec::new();
    for (root, tail) in [("/usr/lib/postgresql", "bin"), ("/usr", "bin")] {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        let below = entries.map(|entry| entry.path().join(tail));
        found.extend(below.chain([PathBuf::from(root).join(tail)]));
    }
    found.retain(|folder| folder.join("initdb").exists() && folder.join("postgres").exists());
    found.sort();
    found
        .pop()
        .expect("PostgreSQL's programs (Debian package `postgresql`) are needed for this test")
}

/// Whom the server runs as: it refuses to run as root, and then takes `nobody`.
fn unprivileged(command: &mut Command) -> &mut Command {
    const NOBODY: u32 = 65_534;
    let me = std::fs::metadata("/proc/self").unwrap();
    if std::os::unix::fs::MetadataExt::uid(&me) == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Whoever the server runs as has to make its files here.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let programs = programs();
        let data = folder.path().join("data");
        let mut initdb = Command::new(programs.join("initdb"));
        unprivileged(&mut initdb)
            .args([
                "--auth=trust",
                "--username=root_of_db",
                "--no-sync",
                "--encoding=UTF8",
            ])
            .args(["--locale=C", "--pgdata"])
            .arg(&data)
            .current_dir(folder.path())
            .stdin(Stdio::null());
        let made = initdb.output().unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let process = Self::run(&programs, folder.path());
        let mut server = Self {
            folder,
            programs,
            process,
        };
        server.wait();
        server
    }

    fn run(programs: &Path, folder: &Path) -> Child {
        let mut postgres = Command::new(programs.join("postgres"));
        unprivileged(&mut postgres)
            .arg("-D")
            .arg(folder.join("data"))
            // No port of the network: a socket in the folder.
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "max_connections=200",
                "-k",
            ])
            .arg(folder)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        postgres.spawn().unwrap()
    }

    fn url(&self, role: &str, database: &str) -> String {
        let folder = self.folder.path().to_string_lossy().replace('/', "%2F");
        format!("postgres://{role}@{folder}/{database}")
    }

    /// Waits until it answers.
    fn wait(&mut self) {
        let url = self.url("root_of_db", "postgres");
        let process = &mut self.process;
        run(async {
            loop {
                assert_eq!(
                    process.try_wait().unwrap(),
                    None,
                    "PostgreSQL did not start"
                );
                if let Ok(connection) = PgConnection::connect(&url).await {
                    connection.close().await.unwrap();
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
    }

    fn stop(&mut self) {
        let ended = Command::new("kill")
            .args(["-INT", &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(ended.success());
        self.process.wait().unwrap();
    }

    /// Statements of the server's superuser.
    async fn administer(&self, database: &str, sql: &str) {
        let mut connection = PgConnection::connect(&self.url("root_of_db", database))
            .await
            .unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }

    /// An empty database, owned by a role that is no superuser.
    async fn database(&self, name: &str) -> String {
        self.administer("postgres", &format!("CREATE DATABASE {name} OWNER agent"))
            .await;
        self.url("agent", name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // `SIGQUIT`: at once; nothing of it is needed any more.
        let _ = Command::new("kill")
            .args(["-QUIT", &self.process.id().to_string()])
            .status();
        let _ = self.process.wait();
    }
}

fn server() -> Server {
    let server = Server::start();
    run(server.administer("postgres", "CREATE ROLE agent LOGIN NOSUPERUSER"));
    server
}

#[test]
fn every_case_holds_on_postgresql() {
    let server = server();
    let cases = [
        super::api_keys::cases(),
        super::approvals::cases(),
        super::audit::cases(),
        super::events::cases(),
        super::leases::cases(),
        super::reports::cases(),
        super::tenants::cases(),
        super::threads::cases(),
    ]
    .concat();
    assert!(cases.len() >= 15, "{}", cases.len());
    for (number, (name, case)) in cases.into_iter().enumerate() {
        println!("{name}");
        run(async {
            let url = server.database(&format!("case_{number}")).await;
            case(Bench::Server(url)).await;
        });
    }
}

#[test]
fn writers_of_many_processes_leave_no_gap_and_no_double() {
    let server = server();
    let url = run(server.database("shared"));
    let thread = thread_id(1);
    run(async {
        let store = Store::connect(&url).await.unwrap();
        store
            .create_thread(&local(), thread, "t", at(0))
            .await
            .unwrap();
    });
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let url = &url;
            // Each has a runtime and a handle of its own, as another process would.
            scope.spawn(move || {
                run(async {
                    let store = Store::connect(url).await.unwrap();
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
            });
        }
    });
    run(async {
        let store = Store::connect(&url).await.unwrap();
        let log = store.events(&local(), thread, Seq::START).await.unwrap();
        let numbers: Vec<u64> = log.iter().map(|stored| stored.seq.get()).collect();
        assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    });
}

#[test]
fn the_database_itself_keeps_tenants_apart() {
    let server = server();
    let url = run(server.database("apart"));
    run(async {
        let store = Store::connect(&url).await.unwrap();
        let theirs = TenantScope::authenticated("other".parse().unwrap());
        for scope in [&local(), &theirs] {
            store
                .create_thread(scope, thread_id(1), "t", at(0))
                .await
                .unwrap();
            store
                .append(scope, thread_id(1), Seq::START, &said(0, "x"))
                .await
                .unwrap();
        }
        // A statement that forgot to ask for the tenant, in a session that speaks for one.
        let mut session = PgConnection::connect(&url).await.unwrap();
        for (tenant, seen) in [("local", 1_i64), ("other", 1), ("nobody", 0), ("", 0)] {
            sqlx::query("SELECT set_config('ecs_deep_agent.tenant', $1, false)")
                .bind(tenant)
                .execute(&mut session)
                .await
                .unwrap();
            for table in ["threads", "events"] {
                let count = AssertSqlSafe(format!("SELECT COUNT(*) AS n FROM {table}"));
                let row = sqlx::query(count).fetch_one(&mut session).await.unwrap();
                assert_eq!(row.get::<i64, _>("n"), seen, "{table} for {tenant}");
            }
        }
        let forged =
            sqlx::query("INSERT INTO threads VALUES ('local', 'thread_x', 't', 'idle', '0', '0')");
        assert!(forged.execute(&mut session).await.is_err());
        // The control: without the second lock the same statement sees everybody's rows.
        server
            .administer("apart", "ALTER TABLE threads DISABLE ROW LEVEL SECURITY")
            .await;
        let row = sqlx::query("SELECT COUNT(*) AS n FROM threads")
            .fetch_one(&mut session)
            .await;
        assert_eq!(row.unwrap().get::<i64, _>("n"), 2);
    });
}

#[test]
fn a_server_that_was_gone_for_a_while_is_used_again_and_nothing_is_lost() {
    let mut server = server();
    let url = run(server.database("outage"));
    let thread = thread_id(1);
    // One runtime: connections of the store live on their own thread anyway.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let store = runtime.block_on(async {
        let store = Store::connect(&url).await.unwrap();
        store
            .create_thread(&local(), thread, "t", at(0))
            .await
            .unwrap();
        store
            .append(&local(), thread, Seq::START, &said(0, "before"))
            .await
            .unwrap();
        store
    });
    server.stop();
    runtime.block_on(async {
        let refused = store
            .append(&local(), thread, Seq::START.next(), &said(1, "during"))
            .await;
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("the database failed while"), "{said}");
        assert!(store.events(&local(), thread, Seq::START).await.is_err());
    });
    server.process = Server::run(&server.programs, server.folder.path());
    server.wait();
    runtime.block_on(async {
        let log = store.events(&local(), thread, Seq::START).await.unwrap();
        assert_eq!(log.len(), 1, "what was refused was not written");
        store
            .append(&local(), thread, log[0].seq, &said(2, "after"))
            .await
            .unwrap();
    });
}

#[test]
fn a_write_that_is_given_up_half_way_leaves_nothing_locked() {
    let server = server();
    let url = run(server.database("given_up"));
    run(async {
        let store = Store::connect(&url).await.unwrap();
        let thread = thread_id(1);
        store
            .create_thread(&local(), thread, "t", at(0))
            .await
            .unwrap();
        for polls in 1..40 {
            let log = store.events(&local(), thread, Seq::START).await.unwrap();
            let last = log.last().map_or(Seq::START, |stored| stored.seq);
            let event = said(0, "x");
            let scope = local();
            let mut append = Box::pin(store.append(&scope, thread, last, &event));
            for _ in 0..polls {
                if futures_poll(append.as_mut()).await.is_some() {
                    break;
                }
            }
            drop(append);
        }
        let log = store.events(&local(), thread, Seq::START).await.unwrap();
        let numbers: Vec<u64> = log.iter().map(|stored| stored.seq.get()).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
        let last = log.last().map_or(Seq::START, |stored| stored.seq);
        store
            .append(&local(), thread, last, &said(0, "last"))
            .await
            .unwrap();
    });
}

/// One poll, and a turn for everybody else.
async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let polled = std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await;
    tokio::task::yield_now().await;
    polled
}

#[test]
fn a_url_that_is_none_is_refused_without_being_shown() {
    run(async {
        for url in [
            "sqlite:///x",
            "postgres://",
            "postgres://u:hunter2@[::bad/x",
            "hunter2",
            "",
        ] {
            let refused = Store::connect(url).await.unwrap_err();
            let chain = format!("{refused} {refused:?}");
            assert!(!chain.contains("hunter2"), "{chain}");
        }
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().to_string_lossy().replace('/', "%2F");
        let refused = Store::connect(&format!("postgres://u:hunter2@{socket}/x"))
            .await
            .unwrap_err();
        assert!(matches!(refused, OpenError::Server { .. }), "{refused}");
        assert!(
            !format!("{refused} {refused:?}").contains("hunter2"),
            "{refused:?}"
        );
    });
}
