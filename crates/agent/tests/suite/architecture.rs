//! The lines of `ARCHITECTURE.md` that say what is absent, checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which rooms a room may use. `lab` is used by nobody: it is spoken to over the wire.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("canaries", &[]),
    ("credentials", &[]),
    ("untrusted", &[]),
    ("runtime", &[]),
    ("lab", &[]),
    ("model-lab", &[]),
    ("models", &["runtime"]),
    ("store", &["runtime"]),
    ("ecs", &["credentials", "untrusted"]),
    ("mcp", &["credentials", "runtime", "untrusted"]),
    (
        "agent",
        &[
            "credentials",
            "ecs",
            "mcp",
            "models",
            "runtime",
            "store",
            "untrusted",
        ],
    ),
    (
        "server",
        &[
            "agent",
            "credentials",
            "ecs",
            "mcp",
            "models",
            "runtime",
            "store",
        ],
    ),
    (
        "cli",
        &[
            "agent",
            "credentials",
            "ecs",
            "lab",
            "mcp",
            "models",
            "runtime",
            "server",
            "store",
            "untrusted",
        ],
    ),
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn manifest(room: &str) -> toml::Table {
    let path = crates().join(room).join("Cargo.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

/// Names in a section of a room's manifest.
fn names(room: &str, section: &str) -> Vec<String> {
    manifest(room)
        .get(section)
        .and_then(toml::Value::as_table)
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default()
}

/// Package name to room.
fn packages() -> BTreeMap<String, String> {
    MAY_USE
        .iter()
        .map(|(room, _)| {
            (
                manifest(room)["package"]["name"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
                (*room).to_owned(),
            )
        })
        .collect()
}

/// Every room.
pub(super) const ROOMS: [&str; MAY_USE.len()] = {
    let mut rooms = [""; MAY_USE.len()];
    let mut place = 0;
    while place < rooms.len() {
        rooms[place] = MAY_USE[place].0;
        place += 1;
    }
    rooms
};

/// Every Rust source of a room that is not a test, whole.
pub(super) fn sources(room: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![crates().join(room).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("_tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

#[test]
fn rooms_use_only_the_rooms_below_them() {
    let packages = packages();
    for (room, allowed) in MAY_USE {
        for name in names(room, "dependencies") {
            if let Some(used) = packages.get(&name) {
                assert!(
                    allowed.contains(&used.as_str()),
                    "`{room}` must not use `{used}`"
                );
            }
        }
    }
}

#[test]
fn every_room_is_in_the_picture_and_keeps_the_house_rules() {
    let mut rooms: Vec<String> = std::fs::read_dir(crates())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let mut drawn: Vec<&str> = MAY_USE.iter().map(|(room, _)| *room).collect();
    rooms.sort();
    drawn.sort_unstable();
    assert_eq!(rooms, drawn);
    for room in rooms {
        let manifest = manifest(&room);
        assert_eq!(
            manifest["lints"]["workspace"].as_bool(),
            Some(true),
            "{room}"
        );
        for section in ["dependencies", "dev-dependencies"] {
            let Some(table) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for (name, dependency) in table {
                let inherited = dependency.get("workspace").and_then(toml::Value::as_bool);
                assert_eq!(
                    inherited,
                    Some(true),
                    "`{room}` sets the version of `{name}` itself"
                );
            }
        }
    }
}

#[test]
fn the_core_does_no_io() {
    for banned in [
        "tokio",
        "futures-util",
        "sqlx",
        "getrandom",
        "reqwest",
        "aws-config",
    ] {
        assert!(
            !names("runtime", "dependencies").contains(&banned.to_owned()),
            "{banned}"
        );
    }
    for (path, text) in sources("runtime") {
        let code = text.split("#[cfg(test)]").next().unwrap();
        for banned in [
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "now_v7",
            "std::env",
            "std::fs",
            "async fn",
        ] {
            assert!(!code.contains(banned), "{} has `{banned}`", path.display());
        }
    }
}

#[test]
fn unsafe_code_stays_in_the_modules_that_exist_for_it() {
    const KNOWN: [&str; 2] = ["credentials/src/memory.rs", "mcp/src/client/pre_exec.rs"];
    let mut found = Vec::new();
    for (room, _) in MAY_USE {
        for (path, code) in sources(room) {
            let is_known = KNOWN.iter().any(|known| path.ends_with(known));
            let has_unsafe = ["unsafe {", "unsafe fn", "unsafe impl"]
                .iter()
                .any(|word| code.contains(word));
            assert!(is_known || !has_unsafe, "{}", path.display());
            if has_unsafe {
                found.push(path);
            }
        }
    }
    assert_eq!(
        found.len(),
        KNOWN.len(),
        "a list that is longer than it has to be: {found:?}"
    );
}
