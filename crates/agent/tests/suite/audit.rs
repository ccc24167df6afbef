//! The audit chain tells what happened, and agrees with what AWS saw.

use std::collections::{BTreeMap, BTreeSet};

use ecs_agent_core::Input;
use ecs_agent_ecs::{observe_actions, operate_actions};
use ecs_agent_lab::{RequestOutcome, WireFault, WireFaultKind};
use ecs_agent_store::{AuditRecord, TenantScope};
use serde_json::Value;

use super::support::Bench;

async fn records(bench: &Bench) -> Vec<AuditRecord> {
    let local = TenantScope::local();
    bench.settings.store.audit_verify(&local).await.unwrap();
    let store = &bench.settings.store;
    store.audit(&local, bench.thread).await.unwrap()
}

/// Every way in which the audit and the lab's own log of requests differ: a request that is not
/// recorded exactly once, a record of none, another operation, key or outcome, a change of AWS
/// without its intent before it and its end behind it.
pub(super) async fn differences(bench: &Bench) -> Vec<String> {
    let records = records(bench).await;
    let mut calls: BTreeMap<&str, &AuditRecord> = BTreeMap::new();
    let mut problems = Vec::new();
    for record in &records {
        if record.content["person"] != "person" || record.content["invocation"].is_null() {
            problems.push(format!(
                "record {} does not say who: {record:?}",
                record.seq
            ));
        }
        if record.kind != "aws_call" {
            continue;
        }
        let id = record.content["request_id"].as_str().unwrap_or("none");
        if calls.insert(id, record).is_some() {
            problems.push(format!("request {id} is recorded twice"));
        }
    }
    let known: BTreeSet<&str> = observe_actions()
        .chain(operate_actions())
        .chain(["sts:AssumeRole", "sts:GetCallerIdentity"])
        .collect();
    let intent = |kind: &str| ["plan_begun", "write_intended"].contains(&kind);
    for request in bench.lab.requests() {
        let what = format!("{}:{}", request.service, request.operation);
        if !known.contains(what.as_str()) {
            problems.push(format!("{what} is not in the catalogue"));
        }
        let Some(record) = calls.remove(request.request_id.as_str()) else {
            problems.push(format!("{what} ({}) is not recorded", request.request_id));
            continue;
        };
        let said = |field: &str| record.content[field].as_str().unwrap_or("");
        let (outcome, code) = match &request.outcome {
            RequestOutcome::Allowed => ("succeeded", ""),
            RequestOutcome::Denied(code) | RequestOutcome::Failed(code) => ("failed", &**code),
            _ => ("unknown", ""),
        };
        let last4 = &request.access_key_id[request.access_key_id.len() - 4..];
        for (field, expected) in [
            ("service", &*request.service),
            ("operation", &request.operation),
            ("region", &request.region),
            ("access_key_id_last4", last4),
            ("outcome", outcome),
            ("error_code", code),
        ] {
            if said(field) != expected {
                let found = said(field);
                problems.push(format!("{what}: {field} is `{found}`, not `{expected}`"));
            }
        }
        let phase = &record.content["scope"]["phase"];
        if request.mutating {
            let mut before = records.iter().filter(|other| other.seq < record.seq);
            let mut after = records.iter().filter(|other| other.seq > record.seq);
            if phase != "operate" || record.content["resource"].is_null() {
                problems.push(format!("{what}: {}", record.content));
            }
            if !before.any(|other| intent(&other.kind)) {
                problems.push(format!("{what}: no intent before it"));
            }
            if !after.any(|other| other.kind == "write_ended") {
                problems.push(format!("{what}: no end behind it"));
            }
        } else if request.service != "sts" && phase.is_null() {
            problems.push(format!("{what}: no scope in {}", record.content));
        }
    }
    problems.extend(calls.keys().map(|id| format!("AWS never saw request {id}")));
    problems
}

/// Every change of AWS is in the chain, behind its intent, whatever became of the process.
pub(super) async fn unrecorded_writes(bench: &Bench) -> Vec<String> {
    let records = records(bench).await;
    let mut problems = Vec::new();
    for request in bench.lab.requests().iter().filter(|one| one.mutating) {
        let id = Value::from(request.request_id.as_str());
        let at = records
            .iter()
            .position(|record| record.kind == "aws_call" && record.content["request_id"] == id);
        let intended = records[..at.unwrap_or(0)]
            .iter()
            .any(|record| ["plan_begun", "write_intended"].contains(&record.kind.as_str()));
        if at.is_none() || !intended {
            problems.push(format!("{}: recorded {at:?}", request.operation));
        }
    }
    problems
}

#[tokio::test]
async fn every_request_that_aws_saw_is_in_the_audit_and_no_other() {
    let mut bench = Bench::of("demo").await;
    let result = bench.say().await;
    let result = bench.finish(result).await;

    assert_eq!(differences(&bench).await, Vec::<String>::new());
    let records = records(&bench).await;
    let count = |kind: &str| records.iter().filter(|record| record.kind == kind).count();
    assert_eq!(count("invocation_started"), 2);
    assert_eq!(count("invocation_ended"), 2);
    assert_eq!(count("person_answered"), 1);
    assert_eq!(count("plan_begun"), 1);
    assert_eq!(count("context_cleared"), 2);
    assert!(count("write_ended") >= 1);
    // The head that the run ends with is the chain's.
    let last = records.last().unwrap();
    assert_eq!(
        (result.audit.records, &result.audit.head),
        (last.seq, &last.hash)
    );

    // Every mint says of whom, for what, and what it changed.
    let mints: Vec<(&str, &str)> = records
        .iter()
        .filter(|record| record.kind == "credentials_minted")
        .map(|record| {
            let change = record.content["change"].as_str().unwrap();
            let phase = record.content["scope"]["phase"].as_str().unwrap();
            assert_eq!(record.content["narrowed"], true, "{}", record.content);
            (change, phase)
        })
        .collect();
    assert_eq!(mints.first(), Some(&("resolved", "observe")));
    assert!(mints.contains(&("scope_changed", "observe")), "{mints:?}");
    assert!(
        mints.iter().any(|(_, phase)| *phase == "operate"),
        "{mints:?}"
    );
}

/// Each attempt of a call is a request that AWS saw, so each is a record.
#[tokio::test]
async fn every_attempt_of_a_throttled_call_is_recorded() {
    let mut bench = Bench::of("healthy-steady").await;
    bench.lab.inject(WireFault {
        service: Some("ecs".to_owned()),
        operation: Some("DescribeServices".to_owned()),
        kind: WireFaultKind::Throttled,
        times: 2,
    });
    let words = bench.request.clone();
    bench.invoke(Input::Say(words), None).await.unwrap();
    assert_eq!(differences(&bench).await, Vec::<String>::new());
    let tries: BTreeSet<u64> = records(&bench)
        .await
        .iter()
        .filter(|record| record.content["operation"] == "DescribeServices")
        .filter_map(|record| record.content["attempts"].as_u64())
        .collect();
    assert!(tries.contains(&1) && tries.contains(&2), "{tries:?}");
}

/// What was answered is durable while the invocation still runs: whoever reads the chain beside it
/// sees the calls, and a process that dies has lost none that its log builds on.
#[tokio::test]
async fn calls_are_recorded_while_the_invocation_runs() {
    let mut bench = Bench::of("demo").await;
    bench.say().await;
    let records = records(&bench).await;
    let seq = |kind: &str| {
        let found = records.iter().find(|record| record.kind == kind);
        found.unwrap_or_else(|| panic!("no {kind}")).seq
    };
    // One transaction has one time of writing: calls that were written at the end would all have it.
    let times: BTreeSet<_> = records
        .iter()
        .filter(|record| record.kind == "aws_call")
        .map(|record| record.at)
        .collect();
    assert!(times.len() > 3, "{times:?}");
    assert!(seq("aws_call") < seq("context_cleared"));
    assert!(seq("context_cleared") < seq("invocation_ended"));
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
