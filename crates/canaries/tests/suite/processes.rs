//! A child of ours, searched from outside.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use ecs_agent_canaries::{Canary, Scanner, descendants, file_descriptors, threads};

use super::noise::secret;

const CHILD: &str = "CANARIES_TEST_CHILD";

/// The child: holds what it reads from its standard input until that is closed.
#[test]
fn child_holds_a_line() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let mut held = String::new();
    let mut input = std::io::stdin().lock();
    input.read_line(&mut held).unwrap();
    println!("holding {} bytes", held.len());
    let mut end = String::new();
    input.read_line(&mut end).unwrap();
    assert!(!held.is_empty());
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn child() -> Running {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "suite::processes::child_holds_a_line",
            "--nocapture",
        ])
        .env(CHILD, secret("environment", 40))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    Running(child)
}

#[test]
fn what_a_process_holds_is_found_and_what_it_does_not_is_not() {
    let mut child = child();
    let pid = child.0.id();
    let held = secret("held", 40);
    let mut input = child.0.stdin.take().unwrap();
    writeln!(input, "{held}").unwrap();
    let mut output = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("holding 41 bytes") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0);
    }
    let scanner = Scanner::new(
        ["held", "environment", "nowhere"]
            .map(|name| Canary::text(name, secret(name, 40)).unwrap()),
    );
    let memory = scanner.memory(pid).unwrap();
    assert!(memory.has("held") && !memory.has("nowhere"), "{memory}");
    assert!(memory.read > 1 << 20, "{memory}");
    let environment = scanner.environments(pid).unwrap();
    assert_eq!(environment.canaries(), ["environment"], "{environment}");
    let of_family = scanner.environments(std::process::id()).unwrap();
    assert!(
        of_family.has("environment"),
        "of descendants, too: {of_family}"
    );
    assert!(descendants(std::process::id()).unwrap().contains(&pid));
    assert!(file_descriptors(pid).unwrap() >= 3);
    assert!(threads(pid).unwrap() >= 1);
    drop(child);
    assert!(scanner.memory(pid).is_err(), "it is gone");
}
