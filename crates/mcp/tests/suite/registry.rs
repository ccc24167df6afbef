//! The registry over MCP, against the example server.

use std::path::{Path, PathBuf};

use ecs_agent_credentials::{CredentialRegistry as _, RegistryError, RegistryId, RegistryQuery};
use ecs_agent_mcp::{McpRegistry, ServerSettings};
use serde_json::{Value, json};

use super::peer::python;

/// A file of its own for each test, removed at its end.
struct Data(PathBuf);

impl Data {
    fn new(test: &str, data: &Value) -> Self {
        let name = format!("ecs-agent-registry-{test}-{}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, data.to_string()).unwrap();
        Self(path)
    }

    fn settings(&self) -> ServerSettings {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/registry/server.py");
        let mut settings = python(&script, &[self.0.to_str().unwrap()]);
        settings.name = "registry".to_owned();
        settings.readable.push(self.0.clone());
        settings
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn example() -> Value {
    let text = include_str!("../../../../examples/registry/registry.example.json");
    serde_json::from_str(text).unwrap()
}

fn id(text: &str) -> RegistryId {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_service_leads_to_its_credential() {
    let data = Data::new("leads", &example());
    let registry = McpRegistry::new(data.settings());
    let all = registry
        .list_services(&RegistryQuery::default())
        .await
        .unwrap();
    assert_eq!(all.len(), 1);
    let query = RegistryQuery {
        organization: Some("acme".to_owned()),
        environment: Some("production".to_owned()),
        name: Some("why is checkout failing?".to_owned()),
    };
    let found = registry.list_services(&query).await.unwrap();
    assert_eq!(found, all);
    let nowhere = RegistryQuery {
        environment: Some("staging".to_owned()),
        ..query
    };
    assert_eq!(registry.list_services(&nowhere).await.unwrap(), Vec::new());

    let service = registry.get_service(&found[0].id).await.unwrap();
    assert_eq!(service, found[0]);
    assert_eq!(service.region.as_ref().unwrap().as_str(), "eu-west-1");
    let job = registry.latest_stack_job(&service.id).await.unwrap();
    assert_eq!(job.cluster.as_deref(), Some("shop"));
    assert!(job.updated_at.is_some());
    let credential = registry
        .credential(&job.provider_credential_id)
        .await
        .unwrap();
    assert_eq!(credential.account, service.account);
    assert!(!format!("{credential:?}").contains("wJalr"));
    assert!(registry.end().await.unwrap().by_itself);
}

#[tokio::test]
async fn what_is_not_there_or_not_usable_is_said_without_the_answer() {
    let mut data = example();
    data["credentials"][0]["secret_access_key"] = json!(["wJalrXUtnFEMI"]);
    data["services"][0]["account_id"] = json!("twelve");
    let data = Data::new("unusable", &data);
    let registry = McpRegistry::new(data.settings());
    let error = registry.credential(&id("cred-shop")).await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Malformed {
                field: "secret_access_key",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(!format!("{error:?} {error}").contains("wJalr"));
    let error = registry.get_service(&id("svc-checkout")).await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Malformed {
                field: "account_id",
                ..
            }
        ),
        "{error:?}"
    );
    let error = registry.credential(&id("cred-other")).await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::NotFound {
                kind: "credential",
                ..
            }
        ),
        "{error:?}"
    );
    let error = registry
        .latest_stack_job(&id("svc-other"))
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_unreachable() {
    let data = Data::new("absent", &json!({}));
    let mut settings = data.settings();
    settings.arguments.pop();
    let registry = McpRegistry::new(settings);
    let error = registry.credential(&id("cred-shop")).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(registry.end().await.is_none());
}
