//! What must not compile, each case for the reason that its `.stderr` states.
//!
//! The compiler is asked directly, against the libraries this test was itself built with, so that
//! nothing is built twice. After a deliberate change, run with `UPDATE_EXPECTED=1` and review.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

const CASES_AT_LEAST: usize = 30;

#[test]
fn misuse_does_not_compile() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let compiler = Compiler::find(&cases.join("pass/control.rs"));
    let mut sources: Vec<PathBuf> = files(&cases).filter(|f| has_extension(f, "rs")).collect();
    sources.sort();
    assert!(sources.len() >= CASES_AT_LEAST, "{} cases", sources.len());
    let mut wrong = String::new();
    for source in sources {
        let errors = compiler
            .compile(&source)
            .expect_err(&source.display().to_string());
        let expected = source.with_extension("stderr");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&expected, &errors).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        if errors != expected {
            wrong += &format!(
                "{}\nexpected: {expected}found:    {errors}\n",
                source.display()
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The compiler, with the libraries to compile against.
struct Compiler {
    libraries: PathBuf,
    externs: Vec<(&'static str, PathBuf)>,
    out: tempfile::TempDir,
}

impl Compiler {
    /// Finds the libraries that `control` compiles with. The directory may hold several builds of
    /// each; a wrong one would let a case fail for a reason of its own.
    fn find(control: &Path) -> Self {
        let libraries = std::env::current_exe()
            .unwrap()
            .parent()
            .unwrap()
            .to_owned();
        let builds = |name: &str| -> Vec<PathBuf> {
            let prefix = format!("lib{name}-");
            let named = |f: &PathBuf| {
                f.file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with(&prefix)
            };
            let mut builds: Vec<_> = files(&libraries)
                .filter(|f| has_extension(f, "rlib") && named(f))
                .collect();
            builds.sort_by_key(|f| f.metadata().unwrap().modified().unwrap());
            builds.reverse();
            builds
        };
        let mut errors = String::new();
        for credentials in builds("ecs_agent_credentials").into_iter().take(1) {
            for serde in builds("serde") {
                for tokio_util in builds("tokio_util") {
                    let compiler = Self {
                        libraries: libraries.clone(),
                        externs: vec![
                            ("ecs_agent_credentials", credentials.clone()),
                            ("serde", serde.clone()),
                            ("tokio_util", tokio_util),
                        ],
                        out: tempfile::tempdir().unwrap(),
                    };
                    match compiler.compile(control) {
                        Ok(()) => return compiler,
                        Err(error) => errors += &error,
                    }
                }
            }
        }
        panic!(
            "the control compiles with no build in {}:\n{errors}",
            libraries.display()
        );
    }

    /// Compiles one file, and returns its errors, one a line.
    fn compile(&self, source: &Path) -> Result<(), String> {
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc
            .args([
                "--edition=2024",
                "--crate-type=bin",
                "--emit=metadata",
                "--cap-lints=allow",
            ])
            .args(["--error-format=short", "--color=never"])
            .arg(format!("-Ldependency={}", self.libraries.display()))
            .arg("--out-dir")
            .arg(self.out.path())
            .current_dir(source.parent().unwrap())
            .arg(source.file_name().unwrap());
        for (name, library) in &self.externs {
            rustc.arg(format!("--extern={name}={}", library.display()));
        }
        let output = rustc.output().unwrap();
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8(output.stderr).unwrap();
        let errors = text.lines().filter(|line| line.contains(": error"));
        Err(errors.map(|line| format!("{line}\n")).collect())
    }
}

fn files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension() == Some(OsStr::new(extension))
}
