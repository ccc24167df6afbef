//! Folders as a program leaves them.

use std::fs;

use ecs_agent_canaries::{Canary, Scanner};

use super::noise::{noise, secret};

#[test]
fn every_file_below_a_folder_is_read_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let value = secret("file", 40);
    let scanner = Scanner::new([Canary::text("the canary", value.clone()).unwrap()]);
    let below = folder.path().join("a/b");
    fs::create_dir_all(&below).unwrap();
    fs::write(folder.path().join("clean.log"), noise("log", 5000)).unwrap();
    std::os::unix::fs::symlink("/proc/self/environ", folder.path().join("link")).unwrap();
    let findings = scanner.folder(folder.path()).unwrap();
    assert!(findings.is_clean() && findings.read > 5000, "{findings}");

    fs::write(below.join("threads.sqlite-wal"), format!("..{value}..")).unwrap();
    let name = value.replace('/', "_");
    fs::write(folder.path().join(name), b"").unwrap();
    let findings = scanner.folder(folder.path()).unwrap();
    let places: Vec<&str> = findings.hits.iter().map(|hit| hit.place.as_str()).collect();
    assert!(places.iter().any(|p| p.ends_with("a/b/threads.sqlite-wal")));
    assert!(places.contains(&"a file's name"), "{findings}");
    assert!(scanner.folder(&folder.path().join("absent")).is_err());
}
