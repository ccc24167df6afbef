//! The audit chain tells what happened, and agrees with what AWS saw.

use std::collections::BTreeSet;

use ecs_agent_store::TenantScope;

use super::support::Bench;

#[tokio::test]
async fn every_request_that_aws_saw_is_in_the_audit_and_no_other() {
    let mut bench = Bench::of("demo").await;
    let result = bench.say().await;
    bench.finish(result).await;

    let local = TenantScope::local();
    let store = &bench.settings.store;
    store.audit_verify(&local).await.unwrap();
    let records = store.audit(&local, bench.thread).await.unwrap();
    let count = |kind: &str| records.iter().filter(|record| record.kind == kind).count();
    assert_eq!(count("invocation_started"), 2);
    assert_eq!(count("invocation_ended"), 2);
    assert_eq!(count("person_answered"), 1);
    assert_eq!(count("plan_begun"), 1);

    let audited: BTreeSet<String> = records
        .iter()
        .filter(|record| record.kind == "aws_call")
        .map(|record| record.content["request_id"].as_str().unwrap().to_owned())
        .collect();
    let seen: BTreeSet<String> = bench
        .lab
        .requests()
        .into_iter()
        .map(|request| request.request_id)
        .collect();
    assert_eq!(audited, seen);
}

/// The secret of the account's user is in no event, report or record. The sessions' own secrets
/// never leave the cell, so this test cannot know them.
#[tokio::test]
async fn nothing_that_is_stored_holds_the_secret() {
    let mut bench = Bench::of("demo").await;
    let result = bench.say().await;
    let result = bench.finish(result).await;

    let local = TenantScope::local();
    let store = &bench.settings.store;
    let events = store
        .events(&local, bench.thread, ecs_agent_store::Seq::START)
        .await
        .unwrap();
    let audit = store.audit(&local, bench.thread).await.unwrap();
    let everything = format!("{events:?}{audit:?}{result:?}");
    assert!(!everything.contains(&bench.account.secret_access_key));
    // The scan works: what is no secret is found.
    assert!(everything.contains(&bench.account.account_id));
}
