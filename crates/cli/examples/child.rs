//! Runs an MCP server as a child of one invocation, for `tests/peers`: real AWS clients in the room.
//!
//! Standard input and output are lines of JSON. The first line says where AWS is, whose keys to take
//! and which server to start; each later one is answered with one line: `{"call": TOOL, "arguments":
//! {…}}`, `{"fill": true}` for new credentials, `{"clear": true}`, `{"process": true}`. The end of the
//! input ends the child and then the invocation.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ecs_agent_credentials::{
    Cell, ClearGuard, CredentialContext, CredentialReference, EndpointLimits, EndpointUrl,
    Endpoints, InvocationId, Region, RoleArn, ScopeRequest, SecretText, Sources, StaticCredentials,
    WIPING_ALLOCATOR, WipingAllocator,
};
use ecs_agent_ecs::{observe_operations, observe_policy};
use ecs_agent_mcp::{ChildAws, ChildCredentials, ChildPool, ServerSettings, Sink};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: WipingAllocator = WIPING_ALLOCATOR;

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    endpoint_url: EndpointUrl,
    region: Region,
    access_key_id: String,
    secret_access_key: String,
    role_arn: RoleArn,
    external_id: String,
    command: PathBuf,
    args: Vec<String>,
    readable: Vec<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let first = line().await?.ok_or("no first line")?;
    let start: Start = serde_json::from_str(&first)?;
    let invocation = InvocationId::new(Uuid::now_v7());
    let name = invocation.to_string();
    Cell::run(&name, CancellationToken::new(), move || {
        hold(start, invocation)
    })
    .await?
}

async fn hold(start: Start, invocation: InvocationId) -> Result<(), Failure> {
    let endpoints = Endpoints::Override(start.endpoint_url);
    let context = CredentialContext::new(invocation, Some(start.region), endpoints);
    let _guard = ClearGuard::new(Arc::clone(&context));
    let secret = SecretText::from(start.secret_access_key);
    let keys = StaticCredentials::new(&start.access_key_id, secret, None, None)?;
    let sources = Sources::builder().with_static("given", keys).build();
    let reference = CredentialReference::AssumeRole {
        role_arn: start.role_arn,
        external_id: Some(start.external_id),
        base: Box::new(CredentialReference::Static {
            label: "given".to_owned(),
        }),
    };
    fill(&sources, &context, &reference).await?;
    let mut settings = ServerSettings::new("peer", start.command, start.args, std::env::temp_dir());
    settings.readable = start.readable;
    settings.credentials = ChildCredentials::SignedReads;
    settings.start_timeout = Duration::from_secs(120);
    settings.call_timeout = Duration::from_secs(120);
    let aws = ChildAws {
        context: Arc::clone(&context),
        allowed: observe_operations()?,
        limits: EndpointLimits::default(),
    };
    let pool = ChildPool::new([settings], Some(aws));
    while let Some(line) = line().await? {
        let asked: Map<String, Value> = serde_json::from_str(&line)?;
        let answer = if let Some(tool) = asked.get("call").and_then(Value::as_str) {
            let arguments = asked.get("arguments").and_then(Value::as_object);
            call(&pool, tool, arguments.cloned().unwrap_or_default()).await
        } else if asked.contains_key("fill") {
            fill(&sources, &context, &reference).await?;
            json!({ "filled": context.describe() })
        } else if asked.contains_key("clear") {
            context.clear();
            json!({ "cleared": true })
        } else {
            let running = pool.running("peer").await?.ok_or("it is over")?;
            json!({ "process": running.process(), "level": running.level(), "refused": running.refused() })
        };
        say(&answer);
    }
    let calls: Vec<_> = context
        .calls()
        .into_iter()
        .filter(|call| call.via.is_some())
        .collect();
    let ended = pool.end().await;
    let left: usize = ended.values().map(|ending| ending.left).sum();
    say(&json!({ "calls": calls, "left": left }));
    Ok(())
}

async fn fill(
    sources: &Sources,
    context: &Arc<CredentialContext>,
    reference: &CredentialReference,
) -> Result<(), Failure> {
    let request = ScopeRequest::observe(observe_policy()?);
    sources.fill(context, reference, request).await?;
    Ok(())
}

async fn call(pool: &ChildPool, tool: &str, arguments: Map<String, Value>) -> Value {
    match pool.call("peer", tool, arguments).await {
        Ok(said) => json!({ "said": said.render_for(Sink::Model) }),
        Err(gap) => json!({ "gap": gap.reason }),
    }
}

/// Reads a line on a thread of its own, so that the endpoint goes on meanwhile.
async fn line() -> Result<Option<String>, Failure> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin()
            .read_line(&mut line)
            .map(|bytes| (bytes, line))
    });
    let (bytes, line) = read.await??;
    Ok((bytes > 0).then_some(line))
}

#[expect(clippy::print_stdout, reason = "this program's output is its answers")]
fn say(answer: &Value) {
    println!("{answer}");
}
