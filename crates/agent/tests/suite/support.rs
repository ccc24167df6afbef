//! A lab, a store, and one person's conversation with the agent.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ecs_agent_core::{
    Input, InvocationError, InvocationResult, InvocationSettings, InvocationStatus, LogHook, Mode,
    OpenInterrupt, Oversight, Permissions, Prompts, RunbookModel, ServiceHints, Silent, Timer,
    VerificationPace, invoke,
};
use ecs_agent_credentials::{
    CredentialReference, Endpoints, LeakGuard, SecretText, SessionIdentity, Sources,
    StaticCredentials,
};
use ecs_agent_lab::{LabAccount, LabConfig, LabHandle, LabServer, Scenario};
use ecs_agent_runtime::{Budgets, ThreadId};
use ecs_agent_store::{Store, TenantScope};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Waiting moves the lab's time and takes none of ours.
#[derive(Debug)]
pub(crate) struct LabTimer(Arc<LabHandle>);

impl Timer for LabTimer {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        self.0.advance(duration);
        Box::pin(std::future::ready(()))
    }
}

pub(crate) struct Bench {
    pub(crate) lab: Arc<LabHandle>,
    pub(crate) account: LabAccount,
    pub(crate) request: String,
    pub(crate) settings: InvocationSettings,
    pub(crate) thread: ThreadId,
    /// How many invocations there were, and how many contexts were left uncleared.
    pub(crate) invocations: usize,
}

impl Bench {
    pub(crate) async fn of(name: &str) -> Self {
        Self::with(Scenario::named(name).unwrap_or_else(|error| panic!("{name}: {error}"))).await
    }

    pub(crate) async fn with(scenario: Scenario) -> Self {
        let target = scenario.truth().target.clone();
        let request = scenario.request().to_owned();
        let lab = Arc::new(LabServer::start(LabConfig::new(scenario)).await.unwrap());
        let account = lab
            .accounts()
            .iter()
            .find(|account| {
                target
                    .account
                    .as_ref()
                    .is_none_or(|id| *id == account.account_id)
            })
            .unwrap()
            .clone();
        let region = target.region.unwrap_or_else(|| account.regions[0].clone());
        let store = Store::memory().await.unwrap();
        let thread = ThreadId::new(Uuid::now_v7());
        store
            .create_thread(&TenantScope::local(), thread, &request, Utc::now())
            .await
            .unwrap();
        let settings = InvocationSettings {
            model: Arc::new(RunbookModel),
            fallbacks: Vec::new(),
            approvals: std::collections::BTreeMap::new(),
            guidance: ecs_agent_core::TeamGuidance::default(),
            store,
            tenant: TenantScope::local(),
            person: None,
            endpoints: Endpoints::Override(lab.url().parse().unwrap()),
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
                allow_write: true,
                person_may_execute: true,
                allow_sensitive_data: true,
            },
            budgets: Budgets::default(),
            pace: VerificationPace {
                interval: Duration::from_secs(45),
                settle: Duration::from_secs(185),
                timeout: Duration::from_secs(1_200),
            },
            timer: Arc::new(LabTimer(lab.clone())),
            progress: Arc::new(Silent),
            log_hook: None,
            leak_guard: LeakGuard::new(),
            registry: Vec::new(),
            accounts: Vec::new(),
            mcp_servers: Vec::new(),
            mode: Mode::Repair,
            prompts: Arc::new(Prompts::built_in().unwrap()),
            oversight: Oversight::None,
        };
        Self {
            lab,
            account,
            request,
            settings,
            thread,
            invocations: 0,
        }
    }

    /// From now on another conversation, in the same world.
    pub(crate) async fn new_thread(&mut self) {
        self.thread = ThreadId::new(Uuid::now_v7());
        let (store, tenant) = (&self.settings.store, TenantScope::local());
        let made = store.create_thread(&tenant, self.thread, &self.request, Utc::now());
        made.await.unwrap();
    }

    pub(crate) fn sources(&self) -> Sources {
        let keys = StaticCredentials::new(
            &self.account.access_key_id,
            SecretText::from(self.account.secret_access_key.clone()),
            None,
            None,
        )
        .unwrap();
        Sources::builder()
            .with_static("person", keys)
            .session(SessionIdentity::new("test", Some("person")).unwrap())
            .build()
    }

    pub(crate) async fn invoke(
        &mut self,
        input: Input,
        hook: Option<LogHook>,
    ) -> Result<InvocationResult, InvocationError> {
        let sources = self.sources();
        self.invoke_with(sources, input, hook).await
    }

    pub(crate) async fn invoke_with(
        &mut self,
        sources: Sources,
        input: Input,
        hook: Option<LogHook>,
    ) -> Result<InvocationResult, InvocationError> {
        self.invocations += 1;
        let settings = InvocationSettings {
            log_hook: hook,
            ..self.settings.clone()
        };
        let result = invoke(
            settings,
            sources,
            self.thread,
            input,
            CancellationToken::new(),
        )
        .await;
        if let Ok(result) = &result {
            assert!(result.context_cleared);
        }
        // Whatever scenario it is: the net has nothing to catch.
        let guard = &self.settings.leak_guard;
        assert_eq!(guard.hits(), 0, "withheld: {:?}", guard.withheld());
        assert!(!guard.is_armed(), "a wiped context still counts as in use");
        result
    }

    /// Says the scenario's words and stops at the first question or at the end.
    pub(crate) async fn say(&mut self) -> InvocationResult {
        let words = self.request.clone();
        self.invoke(Input::Say(words), None).await.unwrap()
    }

    /// Answers a question about which service is meant, and approves.
    pub(crate) fn answer(&self, open: &OpenInterrupt) -> Input {
        let truth = self.lab.truth();
        let answer = match open.payload["kind"].as_str() {
            Some("approval") => json!({"decisions": [{"type": "approve"}]}),
            Some("question") => {
                let wanted = format!("/{}/{}", truth.target.cluster, truth.target.service);
                let option = open.payload["options"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|option| option["id"].as_str().unwrap().ends_with(&wanted))
                    .unwrap_or_else(|| panic!("no option for {wanted} in {}", open.payload));
                json!({"choice": option["id"]})
            }
            other => panic!("nobody expects {other:?}"),
        };
        Input::Answer {
            interrupt: open.id,
            answer,
            by: "person".to_owned(),
        }
    }

    /// Goes on until the run ends, answering everything.
    pub(crate) async fn finish(&mut self, mut result: InvocationResult) -> InvocationResult {
        for _ in 0..4 {
            let InvocationStatus::Interrupted(open) = &result.status else {
                return result;
            };
            let input = self.answer(&open[0]);
            result = self.invoke(input, None).await.unwrap();
        }
        panic!("more than four questions");
    }

    /// Every mutating request that reached the lab, allowed or not.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.lab
            .requests()
            .into_iter()
            .filter(|request| request.mutating)
            .map(|request| format!("{}:{}", request.service, request.operation))
            .collect()
    }
}

/// Mode ids of the root causes that the agent reported.
pub(crate) fn roots(result: &InvocationResult) -> Vec<String> {
    let mut roots: Vec<String> = result
        .values
        .get("findings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|finding| finding["role"] == "root")
        .filter_map(|finding| finding["mode"].as_str().map(str::to_owned))
        .collect();
    roots.sort();
    roots
}
