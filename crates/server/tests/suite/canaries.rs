//! Nothing that the server answers holds a secret, in any form: bodies, streams and headers of a
//! whole diagnosis against the fault lab.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests: what fails here fails the test"
)]

use std::sync::Arc;

use axum::response::Response;
use ecs_agent_canaries::{Canary, Findings, Scanner};
use ecs_agent_core::{
    InvocationSettings, Mode, Oversight, Permissions, Prompts, RunbookModel, ServiceHints, Silent,
    TokioTimer, VerificationPace,
};
use ecs_agent_credentials::{
    CredentialReference, Endpoints, LeakGuard, SecretText, Sources, StaticCredentials,
};
use ecs_agent_lab::{LabAccount, LabConfig, LabServer, Scenario};
use ecs_agent_runtime::Budgets;
use ecs_agent_server::{InvocationFactory, ServerConfig, router};
use ecs_agent_store::{Store, TenantScope};
use serde_json::json;

use super::house::{ASSISTANT, House, get, post};

#[tokio::test]
async fn no_answer_of_a_diagnosis_holds_a_secret() {
    let scenario = Scenario::named("demo").unwrap();
    let region = scenario.truth().target.region.clone();
    let lab = LabServer::start(LabConfig::new(scenario)).await.unwrap();
    let account = lab.accounts()[0].clone();
    let region = region.unwrap_or_else(|| account.regions[0].clone());
    let store = Store::memory().await.unwrap();
    let guard = LeakGuard::new();
    let factory = factory(
        lab.url(),
        account.clone(),
        region,
        store.clone(),
        Arc::clone(&guard),
    );
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = ServerConfig::new(listen, store.clone(), Arc::clone(&guard));
    let house = House {
        router: router(&config, factory.clone()),
        store,
        factory,
        guard,
    };

    let thread = house.thread().await;
    let ask = json!({
        "assistant_id": ASSISTANT,
        "input": {"messages": [{"role": "user", "content": "my api service keeps restarting"}]},
        "stream_mode": ["values", "updates"],
    });
    let requests = [
        post(&format!("/threads/{thread}/runs/stream"), &ask),
        get(&format!("/threads/{thread}")),
        get(&format!("/threads/{thread}/state")),
        get(&format!("/threads/{thread}/runs")),
        post(
            &format!("/threads/{thread}/history"),
            &json!({"limit": 100}),
        ),
        post("/threads/search", &json!({})),
    ];
    let mut answers = Vec::new();
    for request in requests {
        let path = request.uri().to_string();
        answers.push((path, caught(house.send(request).await).await));
    }

    let text = |name: &str, value: &str| Canary::text(name, value).unwrap();
    let mut canaries = vec![text("the user's secret", &account.secret_access_key)];
    for session in lab.sessions() {
        canaries.push(text("a session's secret", &session.secret_access_key));
        canaries.push(text("a session's token", &session.session_token));
    }
    assert!(canaries.len() > 2, "no session was made");
    let scanner = Scanner::new(canaries);
    let all = |scanner: &Scanner| {
        let mut findings = Findings::default();
        for (path, answer) in &answers {
            findings.merge(scanner.bytes(path, answer));
        }
        findings
    };
    let findings = all(&scanner);
    assert!(findings.is_clean() && findings.read > 10_000, "{findings}");
    // The positive control: what is no secret and is in the answers is found in them.
    let control = all(&Scanner::new([text("the account", &account.role_arn)]));
    assert!(control.has("the account"), "{control}");
}

/// Headers and body, as they went out.
async fn caught(response: Response) -> Vec<u8> {
    let mut bytes = format!("{:?}", response.headers()).into_bytes();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX);
    bytes.extend(body.await.unwrap());
    bytes
}

fn factory(
    url: String,
    account: LabAccount,
    region: String,
    store: Store,
    leak_guard: Arc<LeakGuard>,
) -> InvocationFactory {
    Arc::new(move |_caller| {
        let secret = SecretText::from(account.secret_access_key.clone());
        let keys = StaticCredentials::new(&account.access_key_id, secret, None, None).unwrap();
        let settings = InvocationSettings {
            model: Arc::new(RunbookModel),
            fallbacks: Vec::new(),
            approvals: std::collections::BTreeMap::new(),
            guidance: ecs_agent_core::TeamGuidance::default(),
            store: store.clone(),
            tenant: TenantScope::local(),
            person: None,
            endpoints: Endpoints::Override(url.parse().unwrap()),
            region: Some(region.parse().unwrap()),
            reference: CredentialReference::AssumeRole {
                role_arn: account.role_arn.parse().unwrap(),
                external_id: Some(account.external_id.clone()),
                base: Box::new(CredentialReference::Static {
                    label: "person".to_owned(),
                }),
            },
            hints: ServiceHints::default(),
            permissions: Permissions {
                allow_write: false,
                person_may_execute: true,
                allow_sensitive_data: true,
            },
            budgets: Budgets::default(),
            pace: VerificationPace::default(),
            timer: Arc::new(TokioTimer::real()),
            progress: Arc::new(Silent),
            leak_guard: Arc::clone(&leak_guard),
            log_hook: None,
            registry: Vec::new(),
            accounts: Vec::new(),
            mcp_servers: Vec::new(),
            mode: Mode::Diagnose,
            prompts: Arc::new(Prompts::built_in().unwrap()),
            oversight: Oversight::None,
        };
        Ok((
            settings,
            Sources::builder().with_static("person", keys).build(),
        ))
    })
}
