//! Many invocations at once, each with canaries for keys: none signs as another, and when
//! they are over, nothing of them is left in the process or in what it wrote.
//!
//! The lab plays AWS in this process; the invocations run in a child, with the allocator that the
//! program has. `ECS_TEST_INVOCATIONS` and `ECS_TEST_DEPTH` (`identify`, `diagnose`) say how many
//! there are and how much each does.

mod child;
mod growth;
mod trace;
mod world;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;

use chrono::Utc;
use ecs_agent_canaries::{Findings, Scanner};
use ecs_agent_lab::{LabAccount, RequestOutcome};

use self::world::Lab;

/// Set in the process that has raised its limit of open files.
const RAISED: &str = "ECS_TEST_CANARIES_RAISED";

/// As many as two cores run in a few minutes in a debug build.
const INVOCATIONS: usize = 200;

type User = (LabAccount, &'static str);

#[test]
fn invocations_at_once_never_cross_and_leave_nothing() {
    if std::env::var_os(RAISED).is_none() {
        // Each invocation has a handful of descriptors, and so has the lab for each.
        return with_more_files("invocations_at_once_never_cross_and_leave_nothing");
    }
    let count =
        std::env::var("ECS_TEST_INVOCATIONS").map_or(INVOCATIONS, |count| count.parse().unwrap());
    let depth = std::env::var("ECS_TEST_DEPTH").unwrap_or_else(|_| "identify".to_owned());
    let since = Utc::now();
    let lab = Lab::of(count);
    let users = lab.users();
    let folder = tempfile::tempdir().unwrap();
    let mut child = Searched::start(&lab, folder.path(), &users, &depth, Leaks::Nothing);
    let invocations = child.run_to_the_end();
    assert_eq!(invocations.len(), count);
    no_signature_crossed(&lab, &users, &invocations);

    let scanner = lab.scanner(&users, since);
    let found = child.search(&scanner, folder.path());
    for (sink, findings) in &found {
        assert!(findings.is_clean(), "{sink}: {findings}");
    }
    assert!(found["memory"].read > 10 << 20, "{}", found["memory"]);
    let read: Vec<String> = found
        .iter()
        .map(|(sink, findings)| format!("{sink} {} KiB", findings.read >> 10))
        .collect();
    println!("{count} invocations searched: {}", read.join(", "));
}

/// The positive control: what is left uncleared or written down is found, in each sink.
#[test]
fn what_is_left_or_written_is_found() {
    let since = Utc::now();
    let lab = Lab::of(3);
    let users = lab.users();
    let folder = tempfile::tempdir().unwrap();
    let mut child = Searched::start(&lab, folder.path(), &users, "identify", Leaks::Everywhere);
    child.run_to_the_end();
    let scanner = lab.scanner(&users, since);
    let found = child.search(&scanner, folder.path());
    let leaked = format!("secret of user {}", users[2].0.account_id);
    for (sink, findings) in &found {
        let is_expected = |canary: &&str| {
            // In memory it is the session's keys that were not cleared.
            *canary == leaked || *sink == "memory"
        };
        let canaries = findings.canaries();
        assert!(!canaries.is_empty(), "nothing found in {sink}: {findings}");
        assert!(canaries.iter().all(is_expected), "{sink}: {findings}");
    }
    let of_session = |canary: &&str| canary.starts_with("token of ");
    let memory = &found["memory"];
    assert!(memory.canaries().iter().any(of_session), "{memory}");
}

/// Runs a test of this program again where more files may be open.
fn with_more_files(test: &str) {
    let ended = Command::new("sh")
        .args(["-c", "ulimit -n \"$(ulimit -H -n)\"; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("suite::canaries::{test}"),
            "--nocapture",
        ])
        .env(RAISED, "1")
        .status()
        .unwrap();
    assert!(ended.success(), "see above");
}

/// Each request was signed by the key of its own invocation, in its account and region.
fn no_signature_crossed(lab: &Lab, users: &[User], invocations: &BTreeMap<usize, String>) {
    let of_account: BTreeMap<&str, usize> = users
        .iter()
        .enumerate()
        .map(|(number, (account, _))| (account.account_id.as_str(), number))
        .collect();
    let mut seen = vec![0; users.len()];
    for record in lab.handle.requests() {
        assert_eq!(record.outcome, RequestOutcome::Allowed, "{record:?}");
        let number = of_account[record.account.as_deref().unwrap()];
        let (account, region) = &users[number];
        assert_eq!(record.region, *region, "{record:?}");
        match &record.session_name {
            Some(session) => assert!(session.ends_with(&invocations[&number]), "{record:?}"),
            None => assert_eq!(record.access_key_id, account.access_key_id, "{record:?}"),
        }
        seen[number] += 1;
    }
    // Each has keys and knows whose they are. Of a thousand on two cores some run into the time-out
    // of a call and end early, with that as their answer: they too must not cross, and most do all.
    assert!(seen.iter().all(|requests| *requests >= 2), "{seen:?}");
    let whole = seen.iter().filter(|requests| **requests >= 4).count();
    assert!(
        whole * 5 >= seen.len() * 4,
        "{whole} of {}: {seen:?}",
        seen.len()
    );
}

/// Whether the child keeps what it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaks {
    Nothing,
    Everywhere,
}

/// The child and everything it says.
struct Searched {
    process: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
    said: Vec<u8>,
    errors: Option<JoinHandle<Vec<u8>>>,
}

impl Searched {
    fn start(lab: &Lab, folder: &Path, users: &[User], depth: &str, leaks: Leaks) -> Self {
        // The last user of a child that leaks is the one who is not cleared.
        let running = match leaks {
            Leaks::Nothing => users.len(),
            Leaks::Everywhere => users.len() - 1,
        };
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([
                "--exact",
                "suite::canaries::child::child_runs_invocations",
                "--nocapture",
            ])
            .env(child::CHILD, lab.handle.url())
            .env(child::FOLDER, folder)
            .env(child::COUNT, running.to_string())
            .env(child::DEPTH, depth)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if leaks == Leaks::Everywhere {
            command.env(child::LEAK, "1");
        }
        let mut process = command.spawn().unwrap();
        let mut input = process.stdin.take().unwrap();
        let mut errors = process.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut all = Vec::new();
            errors.read_to_end(&mut all).unwrap();
            all
        });
        for (account, region) in users {
            let LabAccount {
                role_arn,
                external_id,
                access_key_id,
                secret_access_key,
                ..
            } = account;
            for value in [
                region,
                role_arn.as_str(),
                external_id,
                access_key_id,
                secret_access_key,
            ] {
                writeln!(input, "{value}").unwrap();
            }
        }
        Self {
            output: BufReader::new(process.stdout.take().unwrap()),
            process,
            input,
            said: Vec::new(),
            errors: Some(errors),
        }
    }

    /// Waits until every invocation is over; gives each one's id.
    fn run_to_the_end(&mut self) -> BTreeMap<usize, String> {
        let mut invocations = BTreeMap::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            assert!(read > 0, "the child ended early: {}", self.errors());
            self.said.extend(line.as_bytes());
            if line.contains("checkpoint: ended") {
                return invocations;
            }
            // The test harness may have begun the line.
            if let Some((_, ended)) = line.split_once("ended ") {
                let (number, id) = ended.trim_end().split_once(' ').unwrap();
                invocations.insert(number.parse().unwrap(), id.to_owned());
            }
        }
    }

    fn errors(&mut self) -> String {
        let errors = self.errors.take().map(|thread| thread.join().unwrap());
        String::from_utf8_lossy(&errors.unwrap_or_default()).into_owned()
    }

    /// Searches the waiting child and what it wrote, lets it end, and searches what it said.
    fn search(mut self, scanner: &Scanner, folder: &Path) -> BTreeMap<&'static str, Findings> {
        let pid = self.process.id();
        let mut found = BTreeMap::from([
            ("memory", scanner.memory(pid).unwrap()),
            ("environments", scanner.environments(pid).unwrap()),
        ]);
        let files = [
            ("database", "threads.sqlite"),
            ("database", "threads.sqlite-wal"),
            ("database", "threads.sqlite-shm"),
            ("trace", "trace.log"),
            ("progress", "progress.log"),
        ];
        for (sink, file) in files {
            let findings = scanner.file(&folder.join(file)).unwrap();
            found.entry(sink).or_default().merge(findings);
        }
        writeln!(self.input, "go on").unwrap();
        self.output.read_to_end(&mut self.said).unwrap();
        assert!(self.process.wait().unwrap().success(), "{}", self.errors());
        found.insert("output", scanner.bytes("output", &self.said));
        found.insert("errors", scanner.bytes("errors", self.errors().as_bytes()));
        found
    }
}
