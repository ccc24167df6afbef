//! The peer of these tests: a Python program that tries what a hostile server would.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ecs_agent_mcp::{ChildError, ChildServer, ServerSettings, Sink};
use serde_json::{Value, json};

/// Settings that start `tests/peer.py` with these arguments.
pub(crate) fn settings(arguments: &[&str]) -> ServerSettings {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer.py");
    python(&script, arguments)
}

/// Settings that start a Python program.
pub(crate) fn python(script: &Path, arguments: &[&str]) -> ServerSettings {
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
    let mut all = vec![script.to_string_lossy().into_owned()];
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let mut settings = ServerSettings::new("peer", interpreter, all, std::env::temp_dir());
    settings.readable = vec![script.to_owned(), installed];
    settings.start_timeout = Duration::from_secs(60);
    settings
}

pub(crate) async fn started(settings: ServerSettings) -> ChildServer {
    ChildServer::start(settings, None).await.unwrap()
}

/// Calls a tool that answers with JSON.
pub(crate) async fn call(server: &ChildServer, tool: &str, arguments: Value) -> Value {
    try_call(server, tool, arguments).await.unwrap()
}

pub(crate) async fn try_call(
    server: &ChildServer,
    tool: &str,
    arguments: Value,
) -> Result<Value, ChildError> {
    let arguments = arguments.as_object().cloned().unwrap_or_default();
    let said = server.call(tool, arguments).await?;
    Ok(serde_json::from_str(&said.render_for(Sink::Model)).unwrap_or(json!(null)))
}

/// Tells whether a process runs; a dead one that nobody has reaped does not.
pub(crate) fn runs(process: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_some_and(|state| !state.starts_with(['Z', 'X']))
}
