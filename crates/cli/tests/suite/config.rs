//! Configuration, seen through `config show`.

use super::{run, said};

#[test]
fn every_setting_is_shown_with_its_origin() {
    let shown = said(
        &[
            "config",
            "show",
            "--format",
            "markdown",
            "--data-dir",
            "/data",
            "--region",
            "eu-west-3",
        ],
        &[
            ("ECS_DEEP_AGENT_REGION", "eu-west-1"),
            ("ECS_DEEP_AGENT_CREDENTIALS", "env"),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn no_secret_of_the_environment_is_ever_shown() {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", secret),
    ];
    for format in ["terminal", "markdown", "json"] {
        let output = run(
            &["config", "show", "--credentials", "env", "--format", format],
            &keys,
        );
        let all = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&all).contains(secret), "{format}");
    }
}
