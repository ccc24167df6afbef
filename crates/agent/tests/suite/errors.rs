//! Wrong input and a hostile world: one clear word each, and nothing written.

use std::sync::Arc;

use ecs_agent_core::{Input, InvocationStatus, Mode, Permissions};
use ecs_agent_credentials::{CredentialReference, Endpoints};
use ecs_agent_lab::{WireFault, WireFaultKind};
use ecs_agent_runtime::Budgets;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::support::Bench;

async fn last_word(bench: &mut Bench, words: &str) -> String {
    let result = bench
        .invoke(Input::Say(words.to_owned()), None)
        .await
        .unwrap();
    assert!(bench.writes().is_empty());
    match result.status {
        InvocationStatus::Done { text } => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_unknown_service_is_said_to_be_unknown() {
    let mut bench = Bench::of("healthy-steady").await;
    let text = last_word(&mut bench, "zebra-frobnicator is down").await;
    assert!(text.starts_with("not identified:"), "{text}");
}

#[tokio::test]
async fn a_missing_region_says_where_one_may_come_from() {
    let mut bench = Bench::of("healthy-steady").await;
    bench.settings.region = None;
    let text = last_word(&mut bench, "api is down").await;
    assert!(text.contains("--region"), "{text}");
}

#[tokio::test]
async fn a_wrong_external_id_is_a_denial_that_names_the_action() {
    let mut bench = Bench::of("healthy-steady").await;
    bench.settings.reference = CredentialReference::AssumeRole {
        role_arn: bench.account.role_arn.parse().unwrap(),
        external_id: Some("somebody-else".to_owned()),
        base: Box::new(CredentialReference::Static {
            label: "person".to_owned(),
        }),
    };
    let text = last_word(&mut bench, "api is down").await;
    assert!(text.contains("sts:AssumeRole"), "{text}");
}

#[tokio::test]
async fn an_endpoint_that_nobody_answers_on_is_named() {
    let mut bench = Bench::of("healthy-steady").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    bench.settings.endpoints = Endpoints::Override(nobody.parse().unwrap());
    let text = last_word(&mut bench, "api is down").await;
    assert!(
        text.starts_with("not identified:") && text.contains(&nobody),
        "{text}"
    );
}

#[tokio::test]
async fn a_rejected_plan_writes_nothing() {
    let mut bench = Bench::of("demo").await;
    let result = bench.say().await;
    let InvocationStatus::Interrupted(open) = &result.status else {
        panic!("{:?}", result.status)
    };
    let input = Input::Answer {
        interrupt: open[0].id,
        answer: json!({"decisions": [{"type": "reject", "message": "not now"}]}),
        by: "person".to_owned(),
    };
    let result = bench.invoke(input, None).await.unwrap();
    assert!(
        matches!(&result.status, InvocationStatus::Done { text } if text.starts_with("rejected: not now"))
    );
    assert!(bench.writes().is_empty());
}

#[tokio::test]
async fn a_diagnosis_proposes_nothing() {
    let mut bench = Bench::of("demo").await;
    bench.settings.mode = Mode::Diagnose;
    let result = bench.say().await;
    assert!(
        matches!(&result.status, InvocationStatus::Done { text } if text.starts_with("unwell:"))
    );
    assert!(bench.writes().is_empty());
    assert!(!result.values.contains_key("plan"));
}

#[tokio::test]
async fn without_leave_to_write_the_plan_is_shown_and_kept() {
    let mut bench = Bench::of("demo").await;
    bench.settings.permissions = Permissions {
        allow_write: false,
        person_may_execute: true,
        allow_sensitive_data: true,
    };
    let result = bench.say().await;
    assert!(
        matches!(&result.status, InvocationStatus::Done { text } if text.starts_with("needs a person:"))
    );
    assert!(result.files.contains_key("/repair_plan.md"));
    assert!(bench.writes().is_empty());
}

#[tokio::test]
async fn a_service_that_moved_since_the_approval_is_left_alone() {
    let mut bench = Bench::of("demo").await;
    let result = bench.say().await;
    let InvocationStatus::Interrupted(open) = &result.status else {
        panic!("{:?}", result.status)
    };
    let input = bench.answer(&open[0]);
    somebody_scales(&bench).await;
    let before = bench.writes();
    let result = bench.invoke(input, None).await.unwrap();
    assert_eq!(bench.writes(), before);
    assert!(
        matches!(&result.status, InvocationStatus::Done { text } if text.starts_with("not repaired:")),
        "{:?}",
        result.status
    );
}

/// Somebody else changes the desired count, with keys of their own.
async fn somebody_scales(bench: &Bench) {
    use ecs_agent_credentials::{
        CredentialContext, InvocationId, OperateGrant, ScopeRequest, SessionPolicy, Statement,
    };

    let context = CredentialContext::new(
        InvocationId::new(uuid::Uuid::now_v7()),
        bench.settings.region.clone(),
        bench.settings.endpoints.clone(),
    );
    let policy = SessionPolicy::new(vec![Statement {
        sid: None,
        actions: vec!["ecs:UpdateService".to_owned()],
        resources: vec!["*".to_owned()],
        conditions: std::collections::BTreeMap::new(),
    }])
    .unwrap();
    let grant = OperateGrant::new("somebody", policy);
    bench
        .sources()
        .fill(
            &context,
            &bench.settings.reference,
            ScopeRequest::operate(grant),
        )
        .await
        .unwrap();
    let target = &bench.lab.truth().target;
    let client = aws_sdk_ecs::Client::new(&context.sdk_config().unwrap());
    let service = client
        .describe_services()
        .cluster(&target.cluster)
        .services(&target.service);
    drop(service);
    client
        .update_service()
        .cluster(&target.cluster)
        .service(&target.service)
        .desired_count(7)
        .send()
        .await
        .unwrap();
    context.clear();
}

#[tokio::test]
async fn a_budget_ends_the_run_and_keeps_what_is_known() {
    let mut bench = Bench::of("demo").await;
    bench.settings.budgets = Budgets {
        max_steps: 8,
        ..Budgets::default()
    };
    let result = bench.say().await;
    assert!(
        matches!(result.status, InvocationStatus::BudgetExhausted { .. }),
        "{:?}",
        result.status
    );
    assert!(result.values.contains_key("service_context"));
}

#[tokio::test]
async fn cancelling_is_logged_and_clears() {
    let bench = Bench::of("demo").await;
    let cancel = CancellationToken::new();
    let trigger = cancel.clone();
    let settings = ecs_agent_core::InvocationSettings {
        log_hook: Some(Arc::new(move |moment| {
            if moment == ecs_agent_core::LogMoment::Appended(10) {
                trigger.cancel();
            }
        })),
        ..bench.settings.clone()
    };
    let words = Input::Say(bench.request.clone());
    let result = ecs_agent_core::invoke(settings, bench.sources(), bench.thread, words, cancel)
        .await
        .unwrap();
    assert_eq!(result.status, InvocationStatus::Cancelled);
    assert!(result.context_cleared);
}

/// AWS cannot be read for a while, and does not answer the write: the step is looked for and not made
/// again, and when nothing can be learnt, that is what is said.
#[tokio::test]
async fn a_step_of_unknown_outcome_is_looked_for_and_told_as_it_is() {
    for (lost, verdict) in [(9, "repaired:"), (200, "not repaired:")] {
        let mut bench = Bench::of("elb-hc-path-mismatch").await;
        let result = bench.say().await;
        let InvocationStatus::Interrupted(open) = &result.status else {
            panic!("{:?}", result.status);
        };
        let approved = bench.answer(&open[0]);
        for (operation, times) in [("ModifyTargetGroup", 20), ("DescribeTargetGroups", lost)] {
            bench.lab.inject(WireFault {
                service: None,
                operation: Some(operation.to_owned()),
                kind: WireFaultKind::AnswerLost,
                times,
            });
        }
        let result = bench.invoke(approved, None).await.unwrap();
        let InvocationStatus::Done { text } = &result.status else {
            panic!("{:?}", result.status);
        };
        assert!(text.starts_with(verdict), "{lost}: {text}");
        let log = &result.files["/execution_log.md"];
        let unknown = log.contains("it is not known whether the change was made");
        assert_eq!(unknown, verdict.starts_with("not"), "{log}");
    }
}
