//! The audit chain and the permissions, as a person asks for them.

use super::{run, said};

/// No run printed this head.
const NO_HEAD: &str = "1111111111111111111111111111111111111111111111111111111111111111";

#[test]
fn a_chain_without_records_holds_and_lacks_every_head() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let verified = said(&["audit", "verify", "--data-dir", folder], &[]);
    assert!(verified.starts_with("OK: 0 records"), "{verified}");
    let listed = said(&["audit", "list", "--data-dir", folder], &[]);
    assert_eq!(listed, "");

    let missing = ["audit", "verify", "--head", NO_HEAD, "--data-dir", folder];
    let output = run(&missing, &[]);
    assert_eq!(output.status.code(), Some(11), "{output:?}");
    let json = run(&[&missing[..], &["--format", "json"]].concat(), &[]);
    assert_eq!(json.status.code(), Some(11), "{json:?}");
    let told: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(told["holds"], false);
    assert!(
        told["problem"].as_str().unwrap().contains(NO_HEAD),
        "{told}"
    );

    let output = run(&["audit", "verify", "--head", "abc"], &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn the_roles_are_printed_in_every_form() {
    for (form, word) in [
        ("json", "deny_sessions"),
        ("cloudformation", "AWSTemplateFormatVersion"),
        ("terraform", "aws_iam_role_policy"),
    ] {
        let text = said(&["permissions", "--template", form], &[]);
        for word in [word, "ecs:UpdateService", "sts:SourceIdentity"] {
            assert!(text.contains(word), "{form} lacks {word}");
        }
    }
}
