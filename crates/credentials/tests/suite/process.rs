//! What `harden_process` does to a process; in a child, since it cannot be undone.

use std::process::{Command, Stdio};

use ecs_agent_credentials::{harden_process, install_panic_hook};

const CHILD: &str = "ECS_TEST_PROCESS_CHILD";

#[test]
fn a_hardened_process_leaves_no_core_and_no_message() {
    if std::env::var_os(CHILD).is_some() {
        install_panic_hook();
        let hardening = harden_process().unwrap();
        let owner = std::fs::metadata("/proc/self/environ").unwrap();
        println!(
            "{} {}",
            serde_json::to_string(&hardening).unwrap(),
            owner.len()
        );
        panic!("the message that must not be seen");
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "suite::process::a_hardened_process_leaves_no_core_and_no_message",
        ])
        .arg("--nocapture")
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!child.status.success());
    let output = String::from_utf8(child.stdout).unwrap();
    assert!(
        output.contains(r#"{"not_dumpable":true,"no_core_file":true,"memory":""#),
        "{output}"
    );
    let errors = String::from_utf8(child.stderr).unwrap();
    assert!(errors.contains("internal error at "), "{errors}");
    assert!(errors.contains("process.rs:"), "{errors}");
    assert!(!errors.contains("must not be seen"), "{errors}");
}
