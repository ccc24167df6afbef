use super::*;

fn files(entries: &[(&str, &str)]) -> VirtualFiles {
    let mut files = VirtualFiles::default();
    for (path, content) in entries {
        files.write(path, content).unwrap();
    }
    files
}

fn tree() -> VirtualFiles {
    files(&[
        ("/a.md", "alpha\nbeta\n"),
        ("/notes/b.md", "beta\n"),
        ("/notes/deep/c.txt", "gamma.*\n"),
        ("/notesx.md", ""),
    ])
}

fn grep(pattern: &str, output: GrepOutput) -> Grep<'_> {
    Grep {
        pattern,
        path: "/",
        glob: None,
        output,
        max_count: None,
    }
}

#[test]
fn ls_lists_one_level() {
    let cases = [
        ("/", "/a.md\n/notes/\n/notesx.md\n"),
        ("/notes", "/notes/b.md\n/notes/deep/\n"),
        ("/notes/", "/notes/b.md\n/notes/deep/\n"),
        ("/none", "No files found"),
    ];
    for (path, expected) in cases {
        assert_eq!(tree().ls(path).unwrap(), expected, "{path}");
    }
    assert!(tree().ls("../x").is_err());
}

#[test]
fn read_numbers_lines_and_says_how_to_go_on() {
    let files = files(&[("/f", "one\ntwo\nthree\n"), ("/empty", "")]);
    assert_eq!(
        files.read("/f", 0, 100).unwrap(),
        "     1\tone\n     2\ttwo\n     3\tthree\n"
    );
    assert_eq!(
        files.read("/f", 1, 1).unwrap(),
        "     2\ttwo\n(1 more lines; go on with offset=2)\n"
    );
    assert_eq!(files.read("/empty", 0, 100).unwrap(), "(`/empty` is empty)");
    assert!(matches!(
        files.read("/f", 3, 1),
        Err(FileError::Offset { lines: 3, .. })
    ));
    assert!(matches!(
        files.read("/g", 0, 1),
        Err(FileError::NotFound(_))
    ));
}

#[test]
fn a_long_line_is_split_and_numbered_in_parts() {
    let files = files(&[("/f", &format!("{}\nend", "é".repeat(MAX_LINE_CHARS + 1)))]);
    let read = files.read("/f", 0, 100).unwrap();
    let labels: Vec<&str> = read
        .lines()
        .map(|line| line.split('\t').next().unwrap().trim())
        .collect();
    assert_eq!(labels, ["1", "1.1", "2"]);
}

#[test]
fn a_large_file_is_read_to_its_end_by_following_the_offsets() {
    let content: String = (0..5_000)
        .map(|n| format!("line {n} {}\n", "x".repeat(60)))
        .collect();
    let files = files(&[("/f", &content)]);
    let mut offset = 0;
    let mut seen = 0;
    loop {
        let read = files.read("/f", offset, usize::MAX).unwrap();
        assert!(read.len() < MAX_ANSWER_BYTES + 100);
        seen += read.lines().filter(|line| line.contains('\t')).count();
        let Some((_, rest)) = read.split_once("offset=") else {
            break;
        };
        offset = rest.trim_end_matches(")\n").parse().unwrap();
    }
    assert_eq!(seen, 5_000);
}

#[test]
fn edit_wants_exactly_one_place_or_all() {
    let mut files = files(&[("/f", "a b a")]);
    let many = files.edit("/f", "a", "c", EditScope::Unique);
    assert!(matches!(many, Err(FileError::ManyMatches { count: 2, .. })));
    assert!(matches!(
        files.edit("/f", "z", "c", EditScope::All),
        Err(FileError::NoMatch(_))
    ));
    for (old, new) in [("", "x"), ("a", "a")] {
        let nothing = files.edit("/f", old, new, EditScope::All);
        assert!(matches!(nothing, Err(FileError::NothingToReplace)));
    }
    files.edit("/f", "b", "-", EditScope::Unique).unwrap();
    files.edit("/f", "a", "cc", EditScope::All).unwrap();
    assert_eq!(files.get("/f"), Some("cc - cc"));
}

#[test]
fn a_file_and_all_files_together_have_a_limit() {
    let mut files = VirtualFiles::default();
    let full = "x".repeat(MAX_FILE_BYTES);
    assert!(matches!(
        files.write("/f", &format!("{full}x")),
        Err(FileError::TooLarge(_))
    ));
    for n in 0..64 {
        files.write(&format!("/{n}"), &full).unwrap();
    }
    assert!(matches!(
        files.write("/more", "x"),
        Err(FileError::TooLarge(_))
    ));
    // Replacing counts the difference, deleting gives room.
    files.write("/0", "x").unwrap();
    files.write("/more", "x").unwrap();
    files.remove(&"/1".parse().unwrap());
    files.write("/2", &full).unwrap();
    // An edit that would grow a file without end is refused before it is made.
    files.write("/grow", &"a".repeat(1_000)).unwrap();
    let grown = files.edit("/grow", "a", &"b".repeat(100_000), EditScope::All);
    assert!(matches!(grown, Err(FileError::TooLarge(_))));
}

#[test]
fn glob_finds_by_the_kind_of_pattern() {
    let cases = [
        ("*.md", "/", "/a.md\n/notes/b.md\n/notesx.md\n"),
        ("/*.md", "/", "/a.md\n/notesx.md\n"),
        ("notes/*", "/", "/notes/b.md\n"),
        (
            "**/*.{txt,md}",
            "/notes",
            "/notes/b.md\n/notes/deep/c.txt\n",
        ),
        ("deep/*", "/notes", "/notes/deep/c.txt\n"),
        ("*.rs", "/", "No files found"),
    ];
    for (pattern, path, expected) in cases {
        assert_eq!(
            tree().glob(pattern, path).unwrap(),
            expected,
            "{pattern} in {path}"
        );
    }
    for pattern in ["", "[", "../*", &"*".repeat(300)] {
        assert!(tree().glob(pattern, "/").is_err(), "{pattern}");
    }
}

#[test]
fn grep_is_literal_and_has_three_outputs() {
    let cases = [
        ("beta", GrepOutput::FilesWithMatches, "/a.md\n/notes/b.md\n"),
        (
            "beta",
            GrepOutput::Content,
            "/a.md:2:beta\n/notes/b.md:1:beta\n",
        ),
        (
            "a",
            GrepOutput::Count,
            "/a.md: 2\n/notes/b.md: 1\n/notes/deep/c.txt: 1\n",
        ),
        (".*", GrepOutput::Content, "/notes/deep/c.txt:1:gamma.*\n"),
        ("none", GrepOutput::Count, "No matches found."),
    ];
    for (pattern, output, expected) in cases {
        assert_eq!(
            tree().grep(&grep(pattern, output)).unwrap(),
            expected,
            "{pattern} {output:?}"
        );
    }
    let hint = tree().grep(&grep("al.+a", GrepOutput::Content)).unwrap();
    assert!(hint.contains("taken literally"), "{hint}");
}

#[test]
fn grep_keeps_to_its_place_its_glob_and_its_limit() {
    let tree = tree();
    let query = Grep {
        path: "/notes",
        ..grep("a", GrepOutput::FilesWithMatches)
    };
    assert_eq!(
        tree.grep(&query).unwrap(),
        "/notes/b.md\n/notes/deep/c.txt\n"
    );
    let query = Grep {
        glob: Some("*.txt"),
        ..grep("a", GrepOutput::FilesWithMatches)
    };
    assert_eq!(tree.grep(&query).unwrap(), "/notes/deep/c.txt\n");
    let query = Grep {
        path: "/a.md",
        ..grep("a", GrepOutput::Count)
    };
    assert_eq!(tree.grep(&query).unwrap(), "/a.md: 2\n");
    let query = Grep {
        max_count: Some(1),
        ..grep("a", GrepOutput::Content)
    };
    assert_eq!(
        tree.grep(&query).unwrap(),
        "/a.md:1:alpha\n(more than 1 matches; narrow the search)\n"
    );
}
