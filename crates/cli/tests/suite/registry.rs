//! A service that only the registry knows, diagnosed with the credentials that only it has.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ecs_agent_lab::{LabConfig, LabHandle, LabServer, Scenario};
use serde_json::json;

struct World {
    lab: LabHandle,
    home: tempfile::TempDir,
}

impl World {
    /// A lab, and a registry that knows one of its services as `checkout`.
    async fn new() -> Self {
        let scenario = Scenario::named("demo").unwrap();
        let lab = LabServer::start(LabConfig::new(scenario)).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let account = lab.accounts().first().unwrap();
        let region = account.regions.first().unwrap();
        let data = json!({
            "services": [{
                "service_id": "svc-1", "name": "checkout", "organization": "acme",
                "environment": "production", "account_id": account.account_id, "region": region,
                "stack_jobs": [{
                    "stack_job_id": "job-1", "provider_credential_id": "cred-1",
                    "account_id": account.account_id, "region": region,
                    "cluster": "prod", "service": "api", "updated_at": "2026-01-31T12:00:00Z",
                }],
            }],
            "credentials": [{
                "credential_id": "cred-1", "account_id": account.account_id,
                "access_key_id": account.engineer.access_key_id,
                "secret_access_key": account.engineer.secret_access_key,
            }],
        });
        let registry = home.path().join("registry.json");
        std::fs::write(&registry, data.to_string()).unwrap();
        let world = Self { lab, home };
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../examples/registry/server.py")
            .canonicalize()
            .unwrap();
        let (interpreter, installed) = python();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let configuration = toml::to_string(&json!({
            "region": region_of(&world.lab),
            "endpoint_url": world.lab.url(),
            "registry": {
                "command": text(&interpreter),
                "args": [text(&script), text(&registry)],
                "readable": [text(&script), text(&registry), text(&installed)],
                "timeout": "2m",
            },
        }));
        std::fs::write(world.home.path().join("c.toml"), configuration.unwrap()).unwrap();
        world
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-deep-agent"));
        command
            .args(["--config", "c.toml", "--data-dir", "data", "--lab-clock"])
            .args(arguments)
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env("ECS_DEEP_AGENT_LOG", "trace");
        command
    }

    /// Runs the program on a thread of its own: the lab answers on this one.
    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        let ran = tokio::task::spawn_blocking(move || command.output());
        ran.await.unwrap().unwrap()
    }

    /// Every file below the data directory, as bytes.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.home.path().join("data")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => found.push((path.clone(), std::fs::read(path).unwrap())),
                }
            }
        }
        found
    }
}

fn region_of(lab: &LabHandle) -> String {
    lab.accounts()
        .first()
        .unwrap()
        .regions
        .first()
        .unwrap()
        .clone()
}

fn python() -> (PathBuf, PathBuf) {
    let found = Command::new("python3")
        .args([
            "-c",
            "import sys; print(sys.executable); print(sys.base_prefix)",
        ])
        .output()
        .unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let mut lines = found.lines().map(PathBuf::from);
    (lines.next().unwrap(), lines.next().unwrap())
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn a_registered_service_is_diagnosed_with_the_registrys_credentials_and_they_stay_secret() {
    let world = World::new().await;
    let words = "why does checkout keep restarting?";
    let output = world.run(&["diagnose", words, "--format", "json"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}\n{log}");
    let result: serde_json::Value = serde_json::from_str(&said).unwrap();
    let account = world.lab.accounts().first().unwrap();
    let service = &result["service"];
    assert_eq!(service["account"], account.account_id.as_str(), "{said}");

    let signed = world.lab.requests();
    assert!(!signed.is_empty());
    for request in &signed {
        assert_eq!(request.access_key_id, account.engineer.access_key_id);
    }
    let secret = &account.engineer.secret_access_key;
    let registry = std::fs::read(world.home.path().join("registry.json")).unwrap();
    assert!(
        contains(&registry, secret),
        "so the search finds what is there"
    );
    assert!(
        contains(&output.stderr, " INFO "),
        "so there is a log: {log}"
    );
    assert!(!contains(&output.stdout, secret) && !contains(&output.stderr, secret));
    let files = world.files();
    assert!(
        files.iter().any(|(_, bytes)| contains(bytes, "cred-1")),
        "the reference is kept"
    );
    for (path, bytes) in files {
        assert!(!contains(&bytes, secret), "{}", path.display());
    }
}

#[tokio::test]
async fn what_the_registry_does_not_know_needs_credentials_of_ones_own() {
    let world = World::new().await;
    let words = "why does api keep restarting?";
    let output = world.run(&["diagnose", words, "--format", "json"]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert_eq!(
        world.lab.requests().len(),
        0,
        "nobody's keys were taken instead"
    );
}

#[tokio::test]
async fn a_registry_that_fails_is_a_named_gap_and_the_diagnosis_goes_on() {
    let world = World::new().await;
    let configuration = world.home.path().join("c.toml");
    let text = std::fs::read_to_string(&configuration).unwrap();
    let broken = text.replace("registry.json", "no-such-file.json");
    assert_ne!(text, broken);
    std::fs::write(&configuration, broken).unwrap();
    let account = world.lab.accounts().first().unwrap();
    let keys = &account.engineer;
    let mut command = world.command(&["diagnose", "why does api keep restarting?"]);
    command
        .args(["--credentials", "env"])
        .env("AWS_ACCESS_KEY_ID", &keys.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key);
    let ran = tokio::task::spawn_blocking(move || command.output());
    let output = ran.await.unwrap().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{log}");
    let gap = "the registry `registry` cannot be reached";
    let files = world.files();
    assert!(files.iter().any(|(_, bytes)| contains(bytes, gap)), "{log}");
}
