//! After an invocation its secrets are nowhere in the process's memory.
//!
//! A child process runs invocations against a fake AWS in this process, and stops at two places to
//! be searched from outside. The child never holds a whole secret but by the means under test.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::sign::v4::generate_signing_key;
use chrono::Utc;
use ecs_agent_credentials::{Cell, ClearGuard, SecretText, Sources, StaticCredentials};
use tokio_util::sync::CancellationToken;

use super::fake_aws::{FakeAws, Principal};
use super::world::{by_role, context, observe, whoami};

const CHILD: &str = "ECS_TEST_MEMORY_CHILD";
const INVOCATIONS: usize = 4;

/// The child: reads keys from its standard input, uses them, and waits at each checkpoint.
#[test]
fn child_runs_invocations() {
    let Ok(url) = std::env::var(CHILD) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for _ in 0..INVOCATIONS {
        let [key_id, secret, role] = [read_line(), read_line(), read_line()];
        let secret = SecretText::from(secret);
        let url = url.clone();
        let cell = Cell::run("invocation", CancellationToken::new(), move || async move {
            let context = context(&url);
            let _guard = ClearGuard::new(Arc::clone(&context));
            let keys = StaticCredentials::new(&key_id, secret, None, None).unwrap();
            let sources = Sources::builder().with_static("given", keys).build();
            let reference = by_role(&role, "memory");
            sources.fill(&context, &reference, observe()).await.unwrap();
            for _ in 0..3 {
                whoami(&context).await.unwrap();
            }
            // The positive control: what the SDK holds while it signs.
            let provider = context
                .sdk_config()
                .unwrap()
                .credentials_provider()
                .unwrap();
            let in_use = provider.provide_credentials().await.unwrap();
            checkpoint("in use");
            drop(in_use);
        });
        runtime.block_on(cell).unwrap();
    }
    checkpoint("ended");
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

#[test]
fn secrets_are_gone_when_the_invocation_ends() {
    let aws = FakeAws::start();
    let role = aws.role("123456789012", "memory");
    let users: Vec<Principal> = (0..INVOCATIONS).map(|_| aws.user("123456789012")).collect();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "suite::memory::child_runs_invocations",
            "--nocapture",
        ])
        .env(CHILD, aws.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to_child = child.stdin.take().unwrap();
    let mut from_child = BufReader::new(child.stdout.take().unwrap());
    let mut wait_for = |name: &str| {
        let wanted = format!("checkpoint: {name}");
        let mut line = String::new();
        while !line.contains(&wanted) {
            line.clear();
            assert!(
                from_child.read_line(&mut line).unwrap() > 0,
                "the child ended before {name}"
            );
        }
    };
    let mut needles = Vec::new();
    for user in &users {
        writeln!(to_child, "{}\n{}\n{role}", user.key_id, user.secret).unwrap();
        wait_for("in use");
        let session = aws.holder(&aws.seen().pop().unwrap().key_id).unwrap();
        let of_session = patterns(&session);
        let in_use = hits(child.id(), &of_session);
        assert!(
            in_use > 0,
            "the positive control finds nothing: the search is broken"
        );
        needles.extend(of_session);
        needles.extend(patterns(user));
        writeln!(to_child, "go on").unwrap();
    }
    wait_for("ended");
    assert_eq!(hits(child.id(), &needles), 0);
    writeln!(to_child, "go on").unwrap();
    assert!(child.wait().unwrap().success());
}

/// The parts of a principal's secrets that would be enough to know them by.
fn patterns(of: &Principal) -> Vec<Vec<u8>> {
    let mut patterns = vec![
        of.secret.as_bytes()[..20].to_vec(),
        of.secret.as_bytes()[20..].to_vec(),
    ];
    if let Some(token) = &of.token {
        let token = token.as_bytes();
        patterns.extend([&token[..20], &token[310..330], &token[620..]].map(<[u8]>::to_vec));
    }
    let now = Utc::now().into();
    let key = generate_signing_key(&of.secret, now, "eu-west-1", "sts");
    patterns.push(key.as_ref().to_vec());
    patterns
}

/// Counts occurrences of `patterns` in the readable memory of a process.
fn hits(pid: u32, patterns: &[Vec<u8>]) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let writable = maps
        .lines()
        .filter(|line| line.split(' ').nth(1).unwrap().starts_with("rw"));
    let mut hits = 0;
    for line in writable {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|n| u64::from_str_radix(n, 16).unwrap());
        let mut region = vec![0; usize::try_from(end - start).unwrap()];
        // `memfd_secret` pages cannot be read, which is what they are for.
        if memory.read_exact_at(&mut region, start).is_err() {
            continue;
        }
        for pattern in patterns {
            hits += find(&region, pattern);
        }
    }
    hits
}

fn find(region: &[u8], pattern: &[u8]) -> usize {
    let first = pattern[0];
    let starts = region
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == first);
    starts
        .filter(|(at, _)| region[*at..].starts_with(pattern))
        .count()
}
