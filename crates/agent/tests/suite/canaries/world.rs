//! A lab of many accounts, what each invocation in it is given, and what is looked for afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use chrono::{DateTime, Utc};
use ecs_agent_canaries::{Canary, Scanner};
use ecs_agent_core::{
    InvocationSettings, Mode, Oversight, Permissions, ProgressSink, Prompts, RunbookModel,
    ServiceHints, TokioTimer, VerificationPace,
};
use ecs_agent_credentials::{CredentialReference, Endpoints, LeakGuard};
use ecs_agent_lab::{LabAccount, LabConfig, LabHandle, LabServer, Scenario};
use ecs_agent_models::{DeltaSink, Message, Model, ModelError, ModelReply};
use ecs_agent_runtime::{Budgets, ModelRequest};
use ecs_agent_store::{Store, TenantScope};
use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

/// What every user says; the same names are in every account and region.
pub(super) const WORDS: &str = "my api service keeps restarting";

/// Regions that the users are spread over.
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// Label of the user's keys in references.
pub(super) const LABEL: &str = "person";

/// A lab on a thread of its own, so that a test can wait for a child meanwhile.
pub(super) struct Lab {
    pub(super) handle: Arc<LabHandle>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lab {
    pub(super) fn of(accounts: usize) -> Self {
        let (started, there) = mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let scenario = Scenario::isolation(accounts, &REGIONS).unwrap();
                let lab = LabServer::start(LabConfig::new(scenario)).await.unwrap();
                started.send(Arc::new(lab)).unwrap();
                let _ = stopped.await;
            });
        });
        Self {
            handle: there.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The accounts with the region in which each user acts.
    pub(super) fn users(&self) -> Vec<(LabAccount, &'static str)> {
        let accounts = self.handle.accounts().iter().cloned();
        accounts.zip(REGIONS.into_iter().cycle()).collect()
    }

    /// A scanner for everything that these users' invocations held: their keys, their sessions'
    /// keys and tokens, and the four keys that SigV4 derives, for each service that was called.
    pub(super) fn scanner(&self, users: &[(LabAccount, &str)], since: DateTime<Utc>) -> Scanner {
        let days: BTreeSet<String> = [since, Utc::now()]
            .map(|time| time.format("%Y%m%d").to_string())
            .into();
        let mut services: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for record in self.handle.requests() {
            let of_key = services.entry(record.access_key_id).or_default();
            of_key.insert(record.service);
        }
        let regions: BTreeMap<&str, &str> = users
            .iter()
            .map(|(account, region)| (account.account_id.as_str(), *region))
            .collect();
        let mut canaries = Vec::new();
        let mut plant = |name: String, key_id: &str, account: &str, secret: &str| {
            canaries.push(Canary::text(format!("secret of {name}"), secret).unwrap());
            let called = services.get(key_id).cloned().unwrap_or_default();
            for day in &days {
                for service in &called {
                    let derived = derived_keys(secret, day, regions[account], service);
                    for (key, step) in derived
                        .into_iter()
                        .zip(["date", "region", "service", "signing"])
                    {
                        let name = format!("{step} key for {service} of {name}");
                        canaries.push(Canary::binary(name, key).unwrap());
                    }
                }
            }
        };
        for (account, _) in users {
            let id = &account.account_id;
            plant(
                format!("user {id}"),
                &account.access_key_id,
                id,
                &account.secret_access_key,
            );
        }
        let sessions = self.handle.sessions();
        for one in &sessions {
            let name = format!("session {}", one.session_name);
            plant(
                name,
                &one.access_key_id,
                &one.account_id,
                &one.secret_access_key,
            );
        }
        canaries.extend(sessions.iter().map(|one| {
            Canary::text(
                format!("token of {}", one.session_name),
                one.session_token.clone(),
            )
            .unwrap()
        }));
        // The date's and the region's key come once for each service.
        canaries.dedup();
        Scanner::new(canaries)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Signature Version 4: each key is made from the one before.
fn derived_keys(secret: &str, day: &str, region: &str, service: &str) -> Vec<Vec<u8>> {
    let mut key = format!("AWS4{secret}").into_bytes();
    let steps = [day, region, service, "aws4_request"];
    let keys = steps.map(|step| {
        key = hmac(&key, step.as_bytes());
        key.clone()
    });
    keys.into()
}

/// HMAC-SHA256, RFC 2104.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(message)
        .finalize();
    let outer = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner);
    outer.finalize().to_vec()
}

#[test]
fn derived_keys_are_those_of_the_aws_documentation() {
    // "Examples of how to derive a signing key for Signature Version 4".
    let keys = derived_keys(
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "20120215",
        "us-east-1",
        "iam",
    );
    let signing: String = keys[3].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        signing,
        "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
    );
}

/// How much of a diagnosis an invocation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Credentials, search, service context: some eight requests.
    Identify,
    /// Everything.
    Diagnose,
}

/// The runbook, which stops when the service is identified.
#[derive(Debug)]
struct Identifier;

impl Model for Identifier {
    fn name(&self) -> &str {
        "identifier"
    }

    fn respond<'a>(
        &'a self,
        request: ModelRequest,
        deltas: &'a dyn DeltaSink,
    ) -> BoxFuture<'a, Result<ModelReply, ModelError>> {
        let answered = request
            .messages
            .iter()
            .rev()
            .find_map(|message| match message {
                Message::Tool { text, .. } => Some(text.clone()),
                Message::Human { .. } | Message::Ai { .. } => None,
            });
        match answered {
            Some(text) if request.agent.as_str() == "main" => {
                Box::pin(async move { Ok(ModelReply::text(text)) })
            }
            Some(_) | None => RunbookModel.respond(request, deltas),
        }
    }
}

/// What an invocation in the lab is given.
pub(super) fn settings(
    url: &str,
    region: &str,
    role: (&str, &str),
    store: Store,
    depth: Depth,
    progress: Arc<dyn ProgressSink>,
    leak_guard: Arc<LeakGuard>,
) -> InvocationSettings {
    let (role_arn, external_id) = role;
    let model: Arc<dyn Model> = match depth {
        Depth::Identify => Arc::new(Identifier),
        Depth::Diagnose => Arc::new(RunbookModel),
    };
    InvocationSettings {
        model,
        fallbacks: Vec::new(),
        approvals: BTreeMap::new(),
        guidance: ecs_agent_core::TeamGuidance::default(),
        store,
        tenant: TenantScope::local(),
        person: None,
        endpoints: Endpoints::Override(url.parse().unwrap()),
        region: Some(region.parse().unwrap()),
        reference: CredentialReference::AssumeRole {
            role_arn: role_arn.parse().unwrap(),
            external_id: Some(external_id.to_owned()),
            base: Box::new(CredentialReference::Static {
                label: LABEL.to_owned(),
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
        progress,
        leak_guard,
        log_hook: None,
        registry: Vec::new(),
        accounts: Vec::new(),
        mcp_servers: Vec::new(),
        mode: Mode::Diagnose,
        prompts: Arc::new(Prompts::built_in().unwrap()),
        oversight: Oversight::None,
    }
}
