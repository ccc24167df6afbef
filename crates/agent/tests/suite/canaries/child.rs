//! The process whose memory, files and output are searched. It never holds a whole secret but by
//! the means under test, unless it is told to leak.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use chrono::Utc;
use ecs_agent_core::{Input, InvocationResult, Progress, ProgressSink, invoke};
use ecs_agent_credentials::{
    Cell, CredentialContext, Endpoints, InvocationId, LeakGuard, ScopeRequest, SecretText,
    SessionPolicy, Sources, Statement, StaticCredentials,
};
use ecs_agent_runtime::ThreadId;
use ecs_agent_store::{Store, TenantScope};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::trace;
use super::world::{Depth, LABEL, WORDS, settings};

/// The lab's URL; set in the child alone.
pub(super) const CHILD: &str = "ECS_TEST_CANARIES_CHILD";
/// Where the child writes.
pub(super) const FOLDER: &str = "ECS_TEST_CANARIES_FOLDER";
/// How many invocations it runs at once.
pub(super) const COUNT: &str = "ECS_TEST_CANARIES_COUNT";
/// How much each does.
pub(super) const DEPTH: &str = "ECS_TEST_CANARIES_DEPTH";
/// Set if it leaves what it holds wherever it can.
pub(super) const LEAK: &str = "ECS_TEST_CANARIES_LEAK";

/// What the person of one invocation brings, as the parent writes it: a value a line.
struct User {
    region: String,
    role_arn: String,
    external_id: String,
    access_key_id: String,
    secret: String,
}

impl User {
    fn read() -> Self {
        let [region, role_arn, external_id, access_key_id, secret] =
            std::array::from_fn(|_| read_line());
        Self {
            region,
            role_arn,
            external_id,
            access_key_id,
            secret,
        }
    }
}

/// The child: runs all invocations at once, says who they were, and waits to be searched.
#[test]
fn child_runs_invocations() {
    let Ok(url) = std::env::var(CHILD) else {
        return;
    };
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let count: usize = std::env::var(COUNT).unwrap().parse().unwrap();
    let depth = match std::env::var(DEPTH).unwrap().as_str() {
        "diagnose" => Depth::Diagnose,
        _ => Depth::Identify,
    };
    trace::start(&folder.join("trace.log"));
    let progress = Arc::new(ToFile::new(&folder.join("progress.log")));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open(folder.join("threads.sqlite")).await.unwrap();
        let users: Vec<User> = (0..count).map(|_| User::read()).collect();
        // One for the process, as the program has it.
        let guard = LeakGuard::new();
        let runs = users.into_iter().map(|user| {
            let progress: Arc<dyn ProgressSink> = progress.clone();
            run(&url, user, store.clone(), depth, progress, guard.clone())
        });
        for (number, result) in join_all(runs).await.into_iter().enumerate() {
            assert!(result.context_cleared);
            println!("ended {number} {}", result.invocation.uuid());
        }
        eprintln!("{count} invocations are over");
        if std::env::var_os(LEAK).is_some() {
            leak(&url, &store, &progress).await;
        } else {
            checkpoint("ended");
        }
    });
}

async fn run(
    url: &str,
    user: User,
    store: Store,
    depth: Depth,
    progress: Arc<dyn ProgressSink>,
    guard: Arc<LeakGuard>,
) -> InvocationResult {
    let thread = ThreadId::new(Uuid::now_v7());
    let local = TenantScope::local();
    store
        .create_thread(&local, thread, WORDS, Utc::now())
        .await
        .unwrap();
    let role = (user.role_arn.as_str(), user.external_id.as_str());
    let settings = settings(url, &user.region, role, store, depth, progress, guard);
    let sources = sources(&user.access_key_id, user.secret);
    let words = Input::Say(WORDS.to_owned());
    invoke(settings, sources, thread, words, CancellationToken::new())
        .await
        .unwrap()
}

pub(super) fn sources(access_key_id: &str, secret: String) -> Sources {
    let secret = SecretText::from(secret);
    let keys = StaticCredentials::new(access_key_id, secret, None, None).unwrap();
    Sources::builder().with_static(LABEL, keys).build()
}

/// The positive control: one more invocation's keys, everywhere they must never be.
async fn leak(url: &str, store: &Store, progress: &ToFile) {
    let user = User::read();
    println!("a line of output: {}", user.secret);
    eprintln!("a line of errors: {}", user.secret);
    tracing::trace!(target: "anything", secret = user.secret.as_str());
    progress.write(&user.secret);
    let thread = ThreadId::new(Uuid::now_v7());
    let local = TenantScope::local();
    store
        .create_thread(&local, thread, &user.secret, Utc::now())
        .await
        .unwrap();
    let child = ChildWith(&user.secret).start();
    let endpoints = Endpoints::Override(url.parse().unwrap());
    // What a missing `clear` leaves: a context that is filled, and connections that are open.
    let uncleared = move || async move {
        let region = Some(user.region.parse().unwrap());
        let context = CredentialContext::new(InvocationId::new(Uuid::now_v7()), region, endpoints);
        let statement = Statement {
            actions: vec!["ecs:ListClusters".to_owned()],
            resources: vec!["*".to_owned()],
            ..Statement::default()
        };
        let policy = SessionPolicy::new(vec![statement]).unwrap();
        let reference = serde_json::json!({
            "kind": "assume_role", "role_arn": user.role_arn, "external_id": user.external_id,
            "base": {"kind": "static", "label": LABEL},
        });
        let reference = serde_json::from_value(reference).unwrap();
        let sources = sources(&user.access_key_id, user.secret);
        sources
            .fill(&context, &reference, ScopeRequest::observe(policy))
            .await
            .unwrap();
        let client = aws_sdk_ecs::Client::new(&context.sdk_config().unwrap());
        client.list_clusters().send().await.unwrap();
        checkpoint("ended");
        context.clear();
    };
    Cell::run("leak", CancellationToken::new(), uncleared)
        .await
        .unwrap();
    drop(child);
}

/// A child process with a secret in its environment, which ends with its guard.
struct ChildWith<'a>(&'a str);

struct Running(Child);

impl ChildWith<'_> {
    fn start(&self) -> Running {
        let child = Command::new("sleep")
            .arg("600")
            .env("NOT_SO_SECRET", self.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Running(child.unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes what is told about invocations into a file, as `Debug` has it.
struct ToFile(Mutex<File>);

impl ToFile {
    fn new(path: &Path) -> Self {
        Self(Mutex::new(File::create(path).unwrap()))
    }

    fn write(&self, line: &str) {
        writeln!(self.0.lock().unwrap(), "{line}").unwrap();
    }
}

impl ProgressSink for ToFile {
    fn progress(&self, progress: &Progress<'_>) {
        self.write(&format!("{progress:?}"));
    }
}

/// Reads a line byte by byte, so that no buffer of the standard library keeps it.
fn read_line() -> String {
    let mut line = String::with_capacity(256);
    let mut input = File::open("/dev/stdin").unwrap();
    let mut byte = [0];
    loop {
        input.read_exact(&mut byte).unwrap();
        if byte == *b"\n" {
            return line;
        }
        line.push(char::from(byte[0]));
    }
}

fn checkpoint(name: &str) {
    println!("checkpoint: {name}");
    std::io::stdout().flush().unwrap();
    assert_eq!(read_line(), "go on");
}
