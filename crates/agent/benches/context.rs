//! What a credential context costs: from nothing to the first answered request, and clearing it;
//! beside a plain AWS SDK client against the same lab in the same run.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on stops"
)]

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use criterion::{Criterion, criterion_group, criterion_main};
use ecs_agent_credentials::{
    Cell, ClearGuard, CredentialContext, CredentialReference, Endpoints, InvocationId,
    ScopeRequest, SecretText, SessionPolicy, Sources, Statement, StaticCredentials,
    WIPING_ALLOCATOR, WipingAllocator,
};
use ecs_agent_lab::{LabAccount, LabConfig, LabServer, Scenario};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: WipingAllocator = WIPING_ALLOCATOR;

const REGION: &str = "eu-west-1";

/// A lab on a thread of its own: its URL and its account.
fn lab() -> (String, LabAccount) {
    let (started, there) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = runtime();
        runtime.block_on(async {
            let scenario = Scenario::named("demo").unwrap();
            let lab = LabServer::start(LabConfig::new(scenario)).await.unwrap();
            let account = lab.accounts()[0].clone();
            started.send((lab.url(), account)).unwrap();
            lab.wait().await.unwrap();
        });
    });
    there.recv().unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// An empty context, filled with the engineer's keys: STS says whose they are.
async fn filled(url: &str, account: &LabAccount) -> Arc<CredentialContext> {
    let context = CredentialContext::new(
        InvocationId::new(Uuid::now_v7()),
        Some(REGION.parse().unwrap()),
        Endpoints::Override(url.parse().unwrap()),
    );
    let secret = SecretText::from(account.engineer.secret_access_key.clone());
    let keys = StaticCredentials::new(&account.engineer.access_key_id, secret, None, None).unwrap();
    let sources = Sources::builder().with_static("given", keys).build();
    let reference = CredentialReference::Static {
        label: "given".to_owned(),
    };
    let statement = Statement {
        actions: vec!["ecs:ListClusters".to_owned()],
        resources: vec!["*".to_owned()],
        ..Statement::default()
    };
    let policy = SessionPolicy::new(vec![statement]).unwrap();
    let filling = sources.fill(&context, &reference, ScopeRequest::observe(policy));
    filling.await.unwrap();
    context
}

async fn first_request(context: &Arc<CredentialContext>) {
    let client = aws_sdk_ecs::Client::new(&context.sdk_config().unwrap());
    client.list_clusters().send().await.unwrap();
}

/// One invocation's life on its cell, as the program has it.
async fn invocation(url: String, account: LabAccount) {
    let life = move || async move {
        let context = filled(&url, &account).await;
        let _guard = ClearGuard::new(Arc::clone(&context));
        first_request(&context).await;
    };
    Cell::run("bench", CancellationToken::new(), life)
        .await
        .unwrap();
}

/// The same calls through a client as the SDK's documentation has it.
async fn plain(url: &str, account: &LabAccount, calls: usize) {
    let keys = &account.engineer;
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(url)
        .credentials_provider(Credentials::new(
            &keys.access_key_id,
            &keys.secret_access_key,
            None,
            None,
            "bench",
        ))
        .build();
    let client = aws_sdk_ecs::Client::from_conf(config);
    for _ in 0..calls {
        client.list_clusters().send().await.unwrap();
    }
}

fn context(criterion: &mut Criterion) {
    let (url, account) = lab();
    let runtime = runtime();
    let mut group = criterion.benchmark_group("context");
    group.sample_size(50);
    group.bench_function("plain SDK client, new client and one call", |bencher| {
        bencher.iter(|| runtime.block_on(plain(&url, &account, 1)));
    });
    group.bench_function("plain SDK client, new client and two calls", |bencher| {
        bencher.iter(|| runtime.block_on(plain(&url, &account, 2)));
    });
    group.bench_function(
        "cell, context, fill (one call), one call, clear",
        |bencher| {
            bencher.iter(|| runtime.block_on(invocation(url.clone(), account.clone())));
        },
    );
    group.bench_function("clear", |bencher| {
        bencher.iter_custom(|times| {
            let mut total = Duration::ZERO;
            for _ in 0..times {
                let context = runtime.block_on(async {
                    let context = filled(&url, &account).await;
                    first_request(&context).await;
                    context
                });
                let begun = Instant::now();
                context.clear();
                total += begun.elapsed();
            }
            total
        });
    });
    group.finish();
}

criterion_group!(benches, context);
criterion_main!(benches);
