//! Help is the first document that people read: a change to it is seen in review.

use super::{run, said};

#[test]
fn help_names_every_command_setting_and_exit_code() {
    insta::assert_snapshot!(said(&["--help"], &[]));
}

#[test]
fn demo_and_lab_explain_themselves() {
    insta::assert_snapshot!("demo", said(&["demo", "--help"], &[]));
    insta::assert_snapshot!("lab", said(&["lab", "--help"], &[]));
}

#[test]
fn a_slip_on_the_command_line_is_a_usage_error() {
    let output = run(&["diagnoze", "x"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("diagnose"),
        "{output:?}"
    );
}

#[test]
fn every_shell_gets_a_completion_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            said(&["completions", shell], &[]).contains("ecs-deep-agent"),
            "{shell}"
        );
    }
}
