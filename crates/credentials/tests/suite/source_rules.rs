//! Rules that the compiler cannot check, checked on the source text.

use std::path::{Path, PathBuf};

/// Returns every source file of the crate that is not a test, with its text up to its tests.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    let files = files.into_iter();
    let files = files.filter(|file| !file.to_str().unwrap().ends_with("_tests.rs"));
    let mut sources: Vec<_> = files
        .map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
            (file, code)
        })
        .collect();
    sources.sort();
    assert!(sources.len() > 20);
    sources
}

/// Finds the lines of code, not comments, that contain `needle`.
fn lines_with(needle: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (file, code) in sources() {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let lines = code
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with("//"));
        let hits = lines.filter(|line| line.contains(needle));
        found.extend(hits.map(|line| format!("{name}: {line}")));
    }
    found
}

#[test]
fn secrets_leave_their_pages_in_one_place() {
    assert_eq!(
        lines_with(".sign("),
        [
            "key_document.rs: Field::KeyId => self.key_id = Some(text.sign(str::to_owned)),",
            "key_document.rs: Field::End => match text.sign(DateTime::parse_from_rfc3339) {",
            "keys.rs: let token = token.map(|token| token.sign(str::to_owned));",
            "keys.rs: self.secret_access_key.sign(|secret| {",
            "signed_request.rs: let signed = request.sign(&keys.into()).ok_or_else(unsignable)?;",
            "secrets_manager.rs: let read = text.sign(|text| StaticCredentials::from_json(text.as_bytes()));",
            "sts.rs: let request = token.sign(|token| {",
        ],
        "the first two read an id and a time, which are none; `signed_request` signs and touches no \
         secret itself; `secrets_manager` moves a secret's fields into pages of their own; `sts` \
         sends a token as the proof that it is"
    );
    assert_eq!(lines_with(".for_signing()").len(), 1);
    // The leak guard's look gives keyed hashes and nothing else.
    let looks = lines_with("SecretText::trap(");
    assert_eq!(looks.len(), 1, "{looks:?}");
    assert!(looks[0].starts_with("leak_guard.rs: "), "{looks:?}");
}

#[test]
fn nothing_is_global() {
    // Each line found starts with its file's name, a colon and a blank.
    for word in [
        ": static ",
        "pub static ",
        "thread_local",
        "LazyLock",
        "lazy_static",
        "env::var",
    ] {
        let lines = lines_with(word.trim_start_matches(": "));
        let found: Vec<_> = lines.iter().filter(|line| line.contains(word)).collect();
        assert!(found.is_empty(), "{word}: {found:?}");
    }
}

#[test]
fn unsafe_code_is_in_one_module_and_each_block_says_why() {
    let unsafe_code = lines_with("unsafe ");
    assert!(
        unsafe_code
            .iter()
            .all(|line| line.starts_with("memory.rs: ")),
        "{unsafe_code:?}"
    );
    let (_, memory) = sources()
        .into_iter()
        .find(|(file, _)| file.ends_with("memory.rs"))
        .unwrap();
    let reasons = memory.matches("// SAFETY:").count() + memory.matches("# Safety").count();
    assert!(
        reasons >= unsafe_code.len(),
        "{reasons} reasons for {} uses",
        unsafe_code.len()
    );
}

#[test]
fn the_machine_s_own_configuration_is_read_in_one_module() {
    let found = lines_with("aws_config");
    assert!(!found.is_empty() && found.iter().all(|line| line.starts_with("machine.rs: ")));
}
