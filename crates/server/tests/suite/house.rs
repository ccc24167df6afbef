//! A server in memory whose model is a script: it asks the person once, then ends.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of tests: what fails here fails the test"
)]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use chrono::Utc;
use ecs_agent_core::{
    InvocationSettings, Mode, Oversight, Permissions, Prompts, ServiceHints, Silent, TokioTimer,
    VerificationPace,
};
use ecs_agent_credentials::{CredentialReference, Endpoints, LeakGuard, Sources};
use ecs_agent_models::{Message, ModelReply, ModelRequest, ScriptedModel, ToolCall};
use ecs_agent_runtime::Budgets;
use ecs_agent_server::{
    Actions, ApiKeyParams, ApiKeys, Authentication, InvocationFactory, ServerConfig, router,
};
use ecs_agent_store::{Store, TenantScope};
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(super) const ASSISTANT: &str = "ecs_deep_agent";

pub(super) struct House {
    pub(super) router: Router,
    pub(super) store: Store,
    pub(super) factory: InvocationFactory,
    pub(super) guard: Arc<LeakGuard>,
}

impl House {
    pub(super) async fn new() -> Self {
        Self::with(|_config| {}).await
    }

    /// A server that asks for API keys.
    pub(super) async fn with_keys() -> Self {
        Self::with(|config| config.authentication = Authentication::ApiKeys).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let store = Store::memory().await.unwrap();
        let guard = LeakGuard::new();
        let factory = factory(store.clone(), Arc::clone(&guard));
        let listen = "127.0.0.1:0".parse().unwrap();
        let mut config = ServerConfig::new(listen, store.clone(), Arc::clone(&guard));
        change(&mut config);
        Self {
            router: router(&config, factory.clone()),
            store,
            factory,
            guard,
        }
    }

    /// A new API key, as its person got to see it.
    pub(super) async fn key(&self, tenant: &str, actions: Actions) -> String {
        let tenant = TenantScope::authenticated(tenant.parse().unwrap());
        let keys = ApiKeys::new(&self.store, &tenant, "the test");
        let params = ApiKeyParams {
            name: "test".to_owned(),
            person: format!("ada@{}", tenant.tenant()),
            actions,
            lives: Duration::from_secs(3600),
        };
        let (key, _) = keys.create(params, Utc::now()).await.unwrap();
        key.reveal().to_string()
    }

    /// A server of these threads on another address.
    pub(super) fn config(&self, address: &str) -> ServerConfig {
        let listen = address.parse().unwrap();
        ServerConfig::new(listen, self.store.clone(), Arc::clone(&self.guard))
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> (StatusCode, Value) {
        read(self.send(get(path)).await).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        read(self.send(post(path, &body)).await).await
    }

    pub(super) async fn thread(&self) -> String {
        let (status, thread) = self.post("/threads", json!({})).await;
        assert_eq!(status, StatusCode::OK);
        thread["thread_id"].as_str().unwrap().to_owned()
    }

    /// The server-sent events of a request, until its stream ends.
    pub(super) async fn events(&self, request: Request<Body>) -> Vec<(String, Value, String)> {
        let response = self.send(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        let text = text(response).await;
        text.split("\r\n\r\n")
            .filter(|event| event.starts_with("event: "))
            .map(|event| {
                let field = |name: &str| {
                    event
                        .split("\r\n")
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap_or_default()
                };
                let data = serde_json::from_str(field("data: ")).unwrap();
                (field("event: ").to_owned(), data, field("id: ").to_owned())
            })
            .collect()
    }
}

pub(super) fn get(path: &str) -> Request<Body> {
    Request::get(path)
        .header(header::HOST, "localhost:2024")
        .body(Body::empty())
        .unwrap()
}

/// The same request with a credential.
pub(super) fn with_key(mut request: Request<Body>, key: &str) -> Request<Body> {
    let value = key.parse().unwrap();
    request.headers_mut().insert("x-api-key", value);
    request
}

pub(super) fn post(path: &str, body: &Value) -> Request<Body> {
    Request::post(path)
        .header(header::HOST, "localhost:2024")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

pub(super) async fn text(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(super) async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = text(response).await;
    (
        status,
        serde_json::from_str(text.trim()).unwrap_or(Value::Null),
    )
}

/// Settings that reach no AWS: the script never calls a tool that needs it.
fn factory(store: Store, leak_guard: Arc<LeakGuard>) -> InvocationFactory {
    Arc::new(move |_caller| {
        let settings = InvocationSettings {
            model: Arc::new(ScriptedModel::from_fn(|request| Ok(script(request)))),
            fallbacks: Vec::new(),
            approvals: std::collections::BTreeMap::new(),
            guidance: ecs_agent_core::TeamGuidance::default(),
            store: store.clone(),
            tenant: TenantScope::local(),
            person: None,
            endpoints: Endpoints::Aws,
            region: None,
            reference: CredentialReference::Static {
                label: "none".to_owned(),
            },
            hints: ServiceHints::default(),
            permissions: Permissions {
                allow_write: false,
                person_may_execute: true,
                allow_sensitive_data: false,
            },
            budgets: Budgets::default(),
            pace: VerificationPace::default(),
            timer: Arc::new(TokioTimer::real()),
            progress: Arc::new(Silent),
            log_hook: None,
            leak_guard: Arc::clone(&leak_guard),
            registry: Vec::new(),
            accounts: Vec::new(),
            mcp_servers: Vec::new(),
            mode: Mode::Diagnose,
            prompts: Arc::new(Prompts::built_in().unwrap()),
            oversight: Oversight::None,
        };
        Ok((settings, Sources::builder().build()))
    })
}

fn script(request: &ModelRequest) -> ModelReply {
    let answered = match request.messages.last() {
        Some(Message::Tool { text, .. }) => Some(text.clone()),
        Some(Message::Human { .. } | Message::Ai { .. }) | None => None,
    };
    match (request.agent.as_str(), answered) {
        ("main", None) => calls(vec![
            ToolCall::new(
                "todo",
                "write_todos",
                json!({"todos": [{"content": "Identify", "status": "in_progress"}]}),
            ),
            ToolCall::new(
                "task",
                "task",
                json!({"subagent_type": "service-identifier", "description": "api"}),
            ),
        ]),
        ("service-identifier", None) => calls(vec![ToolCall::new(
            "ask",
            "ask_person",
            json!({"question": "Which?", "options": [{"id": "a", "label": "A"}, {"id": "b", "label": "B"}]}),
        )]),
        (_, Some(text)) => says(text),
        (_, None) => says("nothing to do".to_owned()),
    }
}

fn calls(tool_calls: Vec<ToolCall>) -> ModelReply {
    ModelReply::calls(tool_calls)
}

fn says(text: String) -> ModelReply {
    ModelReply::text(text)
}
