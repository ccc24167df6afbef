//! Credentials that end in the middle of an invocation.

use chrono::{TimeDelta, Utc};
use ecs_agent_credentials::{SecretText, Sources, StaticCredentials};

use super::fake_aws::{FakeAws, Mishap};
use super::world::{ACCOUNT, by_label, by_role, context, given, observe, operate, whoami};

#[tokio::test]
async fn a_session_about_to_end_is_renewed_within_its_scope_before_the_next_request() {
    let aws = FakeAws::start();
    let role = aws.role(ACCOUNT, "shop-1");
    let context = context(&aws.url());
    let sources = given(&aws.user(ACCOUNT)).build();
    aws.next_lifetimes([TimeDelta::seconds(60)]);
    let first = sources
        .fill(&context, &by_role(&role, "shop-1"), operate("plan-1"))
        .await
        .unwrap();
    drop(sources);
    whoami(&context).await.unwrap();
    let second = context.describe();
    assert_ne!(first.access_key_id_last4, second.access_key_id_last4);
    assert_eq!(first.scope, second.scope);
    let actions = aws.actions();
    assert_eq!(
        actions,
        [
            "AssumeRole",
            "GetCallerIdentity",
            "AssumeRole",
            "GetCallerIdentity",
            "GetCallerIdentity"
        ]
    );
    whoami(&context).await.unwrap();
    assert_eq!(
        context.describe().access_key_id_last4,
        second.access_key_id_last4
    );
}

#[tokio::test]
async fn many_requests_at_once_renew_once() {
    let aws = FakeAws::start();
    let role = aws.role(ACCOUNT, "shop-1");
    let context = context(&aws.url());
    let sources = given(&aws.user(ACCOUNT)).build();
    aws.next_lifetimes([TimeDelta::seconds(60)]);
    sources
        .fill(&context, &by_role(&role, "shop-1"), observe())
        .await
        .unwrap();
    let (a, b, c) = tokio::join!(whoami(&context), whoami(&context), whoami(&context));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    let minted = aws
        .actions()
        .iter()
        .filter(|action| *action == "AssumeRole")
        .count();
    assert_eq!(minted, 2);
}

#[tokio::test]
async fn a_renewal_that_fails_is_no_error_while_the_session_lasts() {
    let aws = FakeAws::start();
    let role = aws.role(ACCOUNT, "shop-1");
    let context = context(&aws.url());
    let sources = given(&aws.user(ACCOUNT)).build();
    aws.next_lifetimes([TimeDelta::seconds(60)]);
    sources
        .fill(&context, &by_role(&role, "shop-1"), observe())
        .await
        .unwrap();
    aws.next_answers([Mishap::Error(403, "AccessDenied")]);
    context.ensure_fresh().await.unwrap();
    assert_eq!(aws.actions().len(), 3);
}

#[tokio::test]
async fn a_service_clock_far_from_ours_neither_ends_nor_renews_a_session() {
    for days in [-400, 400] {
        let aws = FakeAws::start();
        aws.set_clock_ahead(TimeDelta::days(days));
        let role = aws.role(ACCOUNT, "shop-1");
        let context = context(&aws.url());
        let sources = given(&aws.user(ACCOUNT)).build();
        sources
            .fill(&context, &by_role(&role, "shop-1"), observe())
            .await
            .unwrap();
        whoami(&context).await.unwrap();
        assert_eq!(aws.actions().len(), 3, "{days}");
        // The service's clock leaps to a minute before the end: its word counts.
        aws.set_clock_ahead(TimeDelta::days(days) + TimeDelta::minutes(59));
        whoami(&context).await.unwrap();
        whoami(&context).await.unwrap();
        assert_eq!(aws.actions()[4], "AssumeRole", "{days}");
    }
}

#[tokio::test]
async fn keys_that_were_given_are_asked_for_again() {
    let aws = FakeAws::start();
    let user = aws.user(ACCOUNT);
    let ended = Some(Utc::now() - TimeDelta::seconds(1));
    let secret = SecretText::from(user.secret.clone());
    let keys = StaticCredentials::new(&user.key_id, secret, None, ended).unwrap();
    let sources = Sources::builder().with_static("given", keys).build();
    let error = sources
        .fill(&context(&aws.url()), &by_label(), observe())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "credentials_expired");
    assert!(error.to_string().contains("keys `given`"), "{error}");
    assert_eq!(aws.actions(), [""; 0]);
}
