//! One module a part of the command line.

mod children;
mod config;
mod help;
mod linked;
mod record;
mod registry;

use std::process::{Command, Output};

/// Runs the program in a directory of its own, with nothing of this machine's environment.
pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_ecs-deep-agent"))
        .args(arguments)
        .current_dir(home.path())
        .env_clear()
        .env("HOME", home.path())
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// Standard output of a run that must succeed.
pub(crate) fn said(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(arguments, variables);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
