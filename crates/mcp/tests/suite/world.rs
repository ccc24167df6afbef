//! A hostile server with a directory in which it is told how to behave.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ecs_agent_mcp::{
    Consent, DeclaredServer, Inspection, Reach, ServerSettings, ToolEffect, ToolRequest,
};
use serde_json::Value;

use super::peer::python;

/// A directory of its own for each test, removed at its end.
pub(crate) struct World {
    pub(crate) directory: PathBuf,
}

impl World {
    pub(crate) fn new(test: &str) -> Self {
        let name = format!("ecs-agent-hostile-{test}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile.py");
        std::fs::copy(script, directory.join("hostile.py")).unwrap();
        Self { directory }
    }

    /// The server as it is configured, accepted by nobody.
    pub(crate) fn declared(&self) -> DeclaredServer {
        let directory = self.directory.to_str().unwrap();
        let mut settings = python(&self.directory.join("hostile.py"), &[directory]);
        settings.name = "hostile".to_owned();
        settings.readable.push(self.directory.clone());
        settings.call_timeout = Duration::from_secs(60);
        self.reached(Reach::Child(settings))
    }

    pub(crate) fn reached(&self, reach: Reach) -> DeclaredServer {
        let tools = ["find", "close"].map(|tool| (tool.parse().unwrap(), ToolEffect::Reads));
        DeclaredServer {
            name: "hostile".parse().unwrap(),
            reach,
            tools: tools.into(),
            may_ask: false,
            result_chars: 10_000,
            diagnose: Vec::new(),
            consent: None,
        }
    }

    /// The same, accepted as it behaves now.
    pub(crate) async fn accepted(&self) -> DeclaredServer {
        Self::accept(self.declared()).await
    }

    pub(crate) async fn accept(declared: DeclaredServer) -> DeclaredServer {
        let found = Inspection::of(&declared).await.unwrap();
        let consent = Consent::to(declared.name.clone(), found.identity, found.offer);
        DeclaredServer {
            consent: Some(consent),
            ..declared
        }
    }

    pub(crate) fn settings(declared: &mut DeclaredServer) -> &mut ServerSettings {
        let Reach::Child(settings) = &mut declared.reach else {
            unreachable!("this test's server is a child");
        };
        settings
    }

    pub(crate) fn behave(&self, how: Value) {
        std::fs::write(self.directory.join("behaviour.json"), how.to_string()).unwrap();
    }

    /// Makes the server's program another one.
    pub(crate) fn edit_script(&self) {
        let script = self.directory.join("hostile.py");
        let text = std::fs::read_to_string(&script).unwrap();
        std::fs::write(script, text + "\n# one line more\n").unwrap();
    }

    /// The requests to a server elsewhere.
    pub(crate) fn asked(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.directory.join("asked")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn request(tool: &str, arguments: Value) -> ToolRequest<'_> {
        ToolRequest {
            tool,
            arguments: arguments.as_object().cloned().unwrap(),
            answer: None,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}
