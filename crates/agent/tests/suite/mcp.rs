//! Other people's MCP servers in a diagnosis: what they say is evidence, and a failing one a gap.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ecs_agent_core::{Input, Mode, invoke};
use ecs_agent_mcp::{
    ChildCredentials, Consent, DeclaredServer, DiagnoseCall, Inspection, Reach, ServerSettings,
    ToolEffect,
};
use ecs_agent_store::{Seq, TenantScope};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::support::Bench;

/// The hostile server of the `mcp` crate's tests, accepted as it behaves now.
pub(super) async fn server(directory: &Path) -> DeclaredServer {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mcp/tests/hostile.py");
    std::fs::copy(script, directory.join("hostile.py")).unwrap();
    let found = Command::new("python3")
        .args([
            "-c",
            "import sys; print(sys.executable); print(sys.base_prefix)",
        ])
        .output()
        .unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let mut lines = found.lines().map(PathBuf::from);
    let (interpreter, installed) = (lines.next().unwrap(), lines.next().unwrap());
    let arguments = [directory.join("hostile.py"), directory.to_owned()];
    let arguments = arguments.map(|path| path.to_str().unwrap().to_owned());
    let mut settings = ServerSettings::new(
        "tickets",
        interpreter,
        arguments.to_vec(),
        std::env::temp_dir(),
    );
    settings.readable = vec![directory.to_owned(), installed];
    settings.start_timeout = Duration::from_secs(120);
    settings.credentials = ChildCredentials::SignedReads;
    let mut declared = DeclaredServer {
        name: "tickets".parse().unwrap(),
        reach: Reach::Child(settings),
        tools: [("find".parse().unwrap(), ToolEffect::Reads)].into(),
        diagnose: vec![DiagnoseCall {
            tool: "find".parse().unwrap(),
            arguments: json!({"query": "{cluster}/{service}"})
                .as_object()
                .cloned()
                .unwrap(),
        }],
        may_ask: false,
        result_chars: 10_000,
        consent: None,
    };
    let found = Inspection::of(&declared).await.unwrap();
    declared.consent = Some(Consent::to(
        declared.name.clone(),
        found.identity,
        found.offer,
    ));
    declared
}

async fn report(servers: Vec<DeclaredServer>) -> String {
    let mut bench = Bench::of("demo").await;
    bench.settings.mode = Mode::Diagnose;
    bench.settings.mcp_servers = servers;
    let result = bench.say().await;
    result.files["/diagnostic_report.md"].clone()
}

#[tokio::test]
async fn what_a_server_says_is_evidence_of_the_report_and_a_hostile_one_is_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let declared = server(directory.path()).await;
    for (behaviour, expected) in [
        (json!({}), "`tickets__find` at"),
        (
            json!({"mutation": "description"}),
            "is quarantined: since it was accepted",
        ),
        (json!({"call": "crash"}), "the MCP server 'tickets' is gone"),
    ] {
        let file = directory.path().join("behaviour.json");
        std::fs::write(file, behaviour.to_string()).unwrap();
        let text = report(vec![declared.clone()]).await;
        assert!(text.contains("## Other servers"), "{text}");
        assert!(text.contains(expected), "{behaviour}: {text}");
    }
    let text = report(Vec::new()).await;
    assert!(!text.contains("## Other servers"), "{text}");
}

#[tokio::test]
async fn a_server_that_says_a_secret_of_the_invocation_back_ends_it_and_the_secret_goes_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let declared = server(directory.path()).await;
    let echo = json!({"call": "echo"}).to_string();
    std::fs::write(directory.path().join("behaviour.json"), echo).unwrap();
    for leaks in [true, false] {
        let mut bench = Bench::of("demo").await;
        bench.settings.mode = Mode::Diagnose;
        bench.settings.mcp_servers = vec![declared.clone()];
        // The child cannot know it: somebody told it elsewhere.
        let said = match leaks {
            true => bench.account.secret_access_key.clone(),
            false => "what everybody knows".to_owned(),
        };
        std::fs::write(directory.path().join("secret"), &said).unwrap();
        let ended = invoke(
            bench.settings.clone(),
            bench.sources(),
            bench.thread,
            Input::Say(bench.request.clone()),
            CancellationToken::new(),
        )
        .await;
        let tenant = TenantScope::local();
        let store = &bench.settings.store;
        let events = store.events(&tenant, bench.thread, Seq::START).await;
        let kept = format!("{:?}", events.unwrap());
        let told = format!("{ended:?}");
        let guard = &bench.settings.leak_guard;
        assert_eq!(guard.hits() > 0, leaks, "{told}");
        assert!(!guard.is_armed(), "the context was not wiped");
        // The control: what is no secret comes through as evidence.
        assert_eq!(kept.contains(&said), !leaks);
        assert_eq!(told.contains(&said), !leaks);
    }
}
