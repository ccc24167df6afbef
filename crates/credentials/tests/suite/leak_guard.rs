//! The leak guard follows the keys: armed by the act that fills a context, disarmed by the one that
//! wipes it.

use std::sync::Arc;

use ecs_agent_credentials::{
    CredentialContext, EndpointUrl, Endpoints, InvocationId, LeakBlocked, LeakGuard, Sink,
};
use uuid::Uuid;

use super::fake_aws::{FakeAws, Principal};
use super::world::{ACCOUNT, by_label, by_role, context, given, observe, operate, whoami};

fn guarded(aws: &FakeAws, guard: &Arc<LeakGuard>) -> Arc<CredentialContext> {
    let url: EndpointUrl = aws.url().parse().unwrap();
    CredentialContext::guarded(
        InvocationId::new(Uuid::now_v7()),
        Some("eu-west-1".parse().unwrap()),
        Endpoints::Override(url),
        Arc::clone(guard),
    )
}

fn secrets(of: &Principal) -> Vec<String> {
    std::iter::once(of.secret.clone())
        .chain(of.token.clone())
        .collect()
}

#[tokio::test]
async fn keys_are_looked_for_from_the_fill_to_the_wipe_and_a_while_after() {
    let aws = FakeAws::start();
    let user = aws.user(ACCOUNT);
    let guard = LeakGuard::new();
    let leak = format!("a line with {} in it", user.secret);
    assert!(!guard.is_armed());
    {
        let context = guarded(&aws, &guard);
        let sources = given(&user).build();
        sources
            .fill(&context, &by_label(), observe())
            .await
            .unwrap();
        assert!(guard.is_armed());
        guard
            .inspect(Sink::Log, b"an ordinary line of a log")
            .unwrap();
        whoami(&context).await.unwrap();
        context.clear();
    }
    assert!(!guard.is_armed());
    assert_eq!(guard.hits(), 0);
    // AWS would still honour them, and the report is yet to be written.
    guard.inspect(Sink::Report, leak.as_bytes()).unwrap_err();
    for _ in 0..16 {
        let context = guarded(&aws, &guard);
        drop(given(&aws.user(ACCOUNT)).build().watched_by(&context));
    }
    guard.inspect(Sink::Report, leak.as_bytes()).unwrap();
}

#[tokio::test]
async fn a_leak_is_withheld_counted_and_ends_the_context() {
    for sink in Sink::ALL {
        let aws = FakeAws::start();
        let user = aws.user(ACCOUNT);
        let guard = LeakGuard::new();
        let (context, bystander) = (guarded(&aws, &guard), guarded(&aws, &guard));
        let other = aws.user(ACCOUNT);
        let sources = given(&user).build();
        sources
            .fill(&context, &by_label(), observe())
            .await
            .unwrap();
        given(&other)
            .build()
            .fill(&bystander, &by_label(), observe())
            .await
            .unwrap();

        let leak = format!("{{\"text\": \"{}\"}}", user.secret);
        let blocked = guard.inspect(sink, leak.as_bytes()).unwrap_err();
        assert_eq!(blocked, LeakBlocked { sink });
        assert_eq!((guard.hits_at(sink), guard.hits()), (1, 1));
        assert!(context.is_cleared());
        assert_eq!(context.withheld(), Some(blocked));
        assert!(context.sdk_config().is_err());
        let text = format!("{blocked} {blocked:?} {guard:?} {context:?}");
        assert!(!text.contains(&user.secret));
        // Nobody else is hurt.
        assert_eq!(bystander.withheld(), None);
        whoami(&bystander).await.unwrap();
    }
}

#[tokio::test]
async fn an_invocation_that_lets_out_somebody_else_s_secret_is_ended_with_them() {
    let aws = FakeAws::start();
    let guard = LeakGuard::new();
    let (ours, theirs) = (guarded(&aws, &guard), guarded(&aws, &guard));
    let (our_user, their_user) = (aws.user(ACCOUNT), aws.user(ACCOUNT));
    given(&our_user)
        .build()
        .fill(&ours, &by_label(), observe())
        .await
        .unwrap();
    given(&their_user)
        .build()
        .fill(&theirs, &by_label(), observe())
        .await
        .unwrap();
    let blocked = ours
        .inspect(Sink::ModelRequest, their_user.secret.as_bytes())
        .unwrap_err();
    assert!(ours.is_cleared() && theirs.is_cleared());
    assert_eq!(
        (ours.withheld(), theirs.withheld()),
        (Some(blocked), Some(blocked))
    );
}

#[tokio::test]
async fn every_secret_of_a_chain_is_looked_for_while_it_is_in_use() {
    let aws = FakeAws::start();
    let user = aws.user(ACCOUNT);
    let role = aws.role(ACCOUNT, "shop-1");
    let guard = LeakGuard::new();
    let context = guarded(&aws, &guard);
    let sources = given(&user).build().watched_by(&context);
    assert!(
        guard.is_armed(),
        "keys that were given are watched before they are asked for"
    );
    for request in [observe(), operate("plan-1")] {
        let reference = by_role(&role, "shop-1");
        sources.fill(&context, &reference, request).await.unwrap();
    }
    let sessions = aws
        .seen()
        .into_iter()
        .filter(|seen| seen.action() == "GetCallerIdentity");
    let sessions: Vec<_> = sessions
        .map(|seen| aws.holder(&seen.key_id).unwrap())
        .collect();
    let [observing, operating] = sessions.as_slice() else {
        panic!("two sessions were issued, not {}", sessions.len())
    };
    // The first session was replaced; AWS honours it until it ends.
    for secret in secrets(observing)
        .iter()
        .chain(&secrets(operating))
        .chain(&secrets(&user))
    {
        guard.inspect(Sink::Stdout, secret.as_bytes()).unwrap_err();
    }
    assert!(context.is_cleared());
    drop(sources);
    assert!(!guard.is_armed());
}

#[tokio::test]
async fn a_context_made_without_a_guard_has_one_of_its_own() {
    let aws = FakeAws::start();
    let user = aws.user(ACCOUNT);
    let context = context(&aws.url());
    given(&user)
        .build()
        .fill(&context, &by_label(), observe())
        .await
        .unwrap();
    context
        .inspect(Sink::Stderr, user.secret.as_bytes())
        .unwrap_err();
    assert!(context.is_cleared());
    assert_eq!(context.leak_guard().hits(), 1);
}

/// What the tests of the sinks rely on: an unguarded look finds the same text.
#[tokio::test]
async fn nothing_is_found_when_the_guard_is_another_one() {
    let aws = FakeAws::start();
    let user = aws.user(ACCOUNT);
    let context = guarded(&aws, &LeakGuard::new());
    given(&user)
        .build()
        .fill(&context, &by_label(), observe())
        .await
        .unwrap();
    LeakGuard::new()
        .inspect(Sink::Log, user.secret.as_bytes())
        .unwrap();
    assert!(!context.is_cleared());
}
