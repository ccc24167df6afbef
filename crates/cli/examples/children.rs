//! Runs one MCP server as the child of many invocations at once, each with keys of its own, for
//! `tests/peers`: who signed what, and whether any child holds a secret.
//!
//! Standard input is one JSON object ([`Asked`]), standard output another ([`Answered`]).

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ecs_agent_canaries::{Canary, Findings, Scanner};
use ecs_agent_credentials::{
    Cell, ClearGuard, CredentialContext, CredentialReference, EndpointLimits, EndpointUrl,
    Endpoints, InvocationId, Region, ScopeRequest, SecretText, Sources, StaticCredentials,
    WIPING_ALLOCATOR, WipingAllocator,
};
use ecs_agent_ecs::{observe_operations, observe_policy};
use ecs_agent_lab::{LabAccount, LabConfig, LabHandle, LabServer, RequestRecord, Scenario};
use ecs_agent_mcp::{
    ChildAws, ChildCredentials, ChildPool, EnvironmentVariable, ServerSettings, Sink,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::Barrier;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: WipingAllocator = WIPING_ALLOCATOR;

type Failure = Box<dyn Error + Send + Sync>;

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// What is to be done.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    invocations: usize,
    command: PathBuf,
    args: Vec<String>,
    readable: Vec<PathBuf>,
    environment: Vec<(String, String)>,
    /// Each invocation's calls, one after the other: tool and arguments.
    calls: Vec<(String, Map<String, Value>)>,
    /// The positive control: the first user's secret is put into that child's environment.
    plant: bool,
}

/// What one invocation came to.
#[derive(Serialize)]
struct Invocation {
    account: String,
    invocation: String,
    process: u32,
    said: Vec<Value>,
    /// What the signing endpoint refused.
    refused: usize,
    /// The request ids of what it signed.
    signed: Vec<String>,
    /// Processes that were left when the child had been ended.
    left: usize,
}

/// What all of them came to.
#[derive(Serialize)]
struct Answered {
    invocations: Vec<Invocation>,
    requests: Vec<RequestRecord>,
    /// Bytes that were searched in the children, while all of them lived.
    searched: u64,
    /// Canaries that were found there.
    found: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let asked: Asked = serde_json::from_reader(std::io::stdin().lock())?;
    let count = asked.invocations;
    let scenario = Scenario::isolation(count, &REGIONS)?;
    let lab = LabServer::start(LabConfig::new(scenario)).await?;
    // All children live while they are searched.
    let everybody = Arc::new(Barrier::new(count + 1));
    let asked = Arc::new(asked);
    let accounts = lab
        .accounts()
        .iter()
        .cloned()
        .zip(REGIONS.into_iter().cycle());
    let running: Vec<_> = accounts
        .enumerate()
        .map(|(number, (account, region))| {
            let (asked, everybody) = (Arc::clone(&asked), Arc::clone(&everybody));
            let url = lab.url();
            tokio::spawn(async move {
                let invocation = InvocationId::new(Uuid::now_v7());
                let plant = asked.plant && number == 0;
                let work = move || hold(asked, account, region, url, invocation, plant, everybody);
                Cell::run(&invocation.to_string(), CancellationToken::new(), work).await?
            })
        })
        .collect();
    everybody.wait().await;
    let found = search(&lab).await?;
    everybody.wait().await;
    let mut invocations = Vec::new();
    for one in running {
        invocations.push(one.await??);
    }
    let answered = Answered {
        invocations,
        requests: lab.requests(),
        searched: found.read,
        found: found.canaries().into_iter().map(str::to_owned).collect(),
    };
    say(&json!(answered));
    Ok(())
}

/// One invocation from its start to its end.
async fn hold(
    asked: Arc<Asked>,
    account: LabAccount,
    region: &'static str,
    url: String,
    invocation: InvocationId,
    plant: bool,
    everybody: Arc<Barrier>,
) -> Result<Invocation, Failure> {
    let endpoint: EndpointUrl = url.parse()?;
    let region = region.parse::<Region>()?;
    let endpoints = Endpoints::Override(endpoint);
    let context = CredentialContext::new(invocation, Some(region), endpoints);
    let _guard = ClearGuard::new(Arc::clone(&context));
    let secret = SecretText::from(account.secret_access_key.clone());
    let keys = StaticCredentials::new(&account.access_key_id, secret, None, None)?;
    let sources = Sources::builder().with_static("given", keys).build();
    let reference = CredentialReference::AssumeRole {
        role_arn: account.role_arn.parse()?,
        external_id: Some(account.external_id.clone()),
        base: Box::new(CredentialReference::Static {
            label: "given".to_owned(),
        }),
    };
    let request = ScopeRequest::observe(observe_policy()?);
    sources.fill(&context, &reference, request).await?;

    let (command, args) = (asked.command.clone(), asked.args.clone());
    let mut settings = ServerSettings::new("peer", command, args, std::env::temp_dir());
    settings.readable.clone_from(&asked.readable);
    settings.credentials = ChildCredentials::SignedReads;
    settings.start_timeout = Duration::from_secs(240);
    settings.call_timeout = Duration::from_secs(240);
    for (name, value) in &asked.environment {
        settings
            .environment
            .push((EnvironmentVariable::try_from(name.clone())?, value.clone()));
    }
    if plant {
        let name = EnvironmentVariable::try_from("PLANTED".to_owned())?;
        settings.environment.push((name, account.secret_access_key));
    }
    let aws = ChildAws {
        context: Arc::clone(&context),
        allowed: observe_operations()?,
        limits: EndpointLimits::default(),
    };
    let pool = ChildPool::new([settings], Some(aws));
    let mut said = Vec::new();
    for (tool, arguments) in &asked.calls {
        said.push(match pool.call("peer", tool, arguments.clone()).await {
            Ok(answer) => json!({ "said": answer.render_for(Sink::Model) }),
            Err(gap) => json!({ "gap": gap.reason }),
        });
    }
    let running = pool.running("peer").await?.ok_or("the child is over")?;
    let (process, refused) = (running.process(), running.refused().len());
    everybody.wait().await;
    everybody.wait().await;
    let signed = context
        .calls()
        .into_iter()
        .filter(|call| call.via.is_some());
    let signed = signed.filter_map(|call| call.request_id).collect();
    let ended = pool.end().await;
    Ok(Invocation {
        account: account.account_id,
        invocation: invocation.to_string(),
        process,
        said,
        refused,
        signed,
        left: ended.values().map(|ending| ending.left).sum(),
    })
}

/// Searches every process below this one for every secret of every invocation.
async fn search(lab: &LabHandle) -> Result<Findings, Failure> {
    let mut canaries = Vec::new();
    for account in lab.accounts() {
        let name = format!("secret of user {}", account.account_id);
        canaries.push(Canary::text(name, account.secret_access_key.clone())?);
    }
    for session in lab.sessions() {
        let whose = session.session_name;
        canaries.push(Canary::text(
            format!("secret of {whose}"),
            session.secret_access_key,
        )?);
        canaries.push(Canary::text(
            format!("token of {whose}"),
            session.session_token,
        )?);
    }
    // Apart, so that the endpoints and the lab go on meanwhile.
    let search = tokio::task::spawn_blocking(move || {
        let scanner = Scanner::new(canaries);
        let mut all = Findings::default();
        for process in ecs_agent_canaries::descendants(std::process::id())? {
            all.merge(scanner.memory(process)?);
            all.merge(scanner.environments(process)?);
        }
        Ok::<_, std::io::Error>(all)
    });
    Ok(search.await??)
}

#[expect(clippy::print_stdout, reason = "this program's output is its answer")]
fn say(answer: &Value) {
    println!("{answer}");
}
