//! Many invocations at once: on the wire, each is signed by its own keys and no other's.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ecs_agent_credentials::{Cell, ClearGuard, ContextState, CredentialContext, Sources};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::fake_aws::{FakeAws, Principal};
use super::world::{by_label, by_role, context_in, keys, observe, whoami};

const INVOCATIONS: usize = 16;
const CALLS: usize = 25;

struct Tenant {
    account: String,
    region: &'static str,
    role: String,
    user: Principal,
}

fn tenants(aws: &FakeAws) -> Vec<Tenant> {
    let regions = ["eu-west-1", "us-east-1", "ap-south-1", "sa-east-1"];
    let accounts = (0..INVOCATIONS).map(|i| format!("{:012}", 100_000_000_000 + i));
    let tenants = accounts
        .zip(regions.into_iter().cycle())
        .map(|(account, region)| Tenant {
            role: aws.role(&account, &account),
            user: aws.user(&account),
            account,
            region,
        });
    tenants.collect()
}

/// Runs one invocation on `context`, in its cell, and returns the account of every answer.
async fn invocation(tenant: &Tenant, context: Arc<CredentialContext>) -> Vec<String> {
    let sources = Sources::builder()
        .with_static("given", keys(&tenant.user))
        .build();
    let reference = by_role(&tenant.role, &tenant.account);
    let cell = Cell::run(
        &tenant.account,
        CancellationToken::new(),
        move || async move {
            let _guard = ClearGuard::new(Arc::clone(&context));
            sources.fill(&context, &reference, observe()).await.unwrap();
            let mut answers = Vec::new();
            for _ in 0..CALLS {
                answers.push(whoami(&context).await.unwrap());
            }
            answers
        },
    );
    cell.await.unwrap()
}

#[tokio::test]
async fn concurrent_invocations_do_not_cross() {
    let aws = FakeAws::start();
    let mut running = JoinSet::new();
    let mut contexts = Vec::new();
    for tenant in tenants(&aws) {
        let context = context_in(&aws.url(), tenant.region);
        contexts.push(Arc::clone(&context));
        running.spawn(async move {
            let answers = invocation(&tenant, context).await;
            assert_eq!(answers, vec![tenant.account; CALLS]);
        });
    }
    running.join_all().await;

    let seen = aws.seen();
    assert_eq!(seen.len(), INVOCATIONS * (CALLS + 2));
    assert!(seen.iter().all(|request| request.signature_ok));
    // Each region is one of four accounts', each key id of one account.
    let mut regions: HashMap<String, HashSet<String>> = HashMap::new();
    for request in &seen {
        let account = aws.holder(&request.key_id).unwrap().account;
        regions
            .entry(account)
            .or_default()
            .insert(request.region.clone());
    }
    assert_eq!(regions.len(), INVOCATIONS);
    assert!(
        regions.values().all(|of_account| of_account.len() == 1),
        "{regions:?}"
    );
    assert!(
        contexts
            .iter()
            .all(|context| context.describe().state == ContextState::Cleared)
    );
}

/// The positive control: what this test would see if the context were a global.
#[tokio::test]
async fn one_context_for_two_tenants_is_caught() {
    let aws = FakeAws::start();
    let shared = context_in(&aws.url(), "eu-west-1");
    let mut accounts = HashSet::new();
    for tenant in &tenants(&aws)[..2] {
        let sources = Sources::builder()
            .with_static("given", keys(&tenant.user))
            .build();
        sources.fill(&shared, &by_label(), observe()).await.unwrap();
        accounts.insert(whoami(&shared).await.unwrap());
    }
    assert_eq!(
        accounts.len(),
        2,
        "one context acted for two accounts, and the test can tell"
    );
}
