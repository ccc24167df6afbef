//! Random plans under random histories. Nothing is written without a live approval of exactly that plan;
//! whatever happens, the service ends as before or as planned, and the last word says which.
//!
//! The histories are the same at each run; `INTERLEAVINGS=500` plays as many others.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use chrono::{DateTime, TimeDelta, Utc};
use ecs_agent_core::{
    Input, InvocationError, InvocationResult, InvocationStatus, LogHook, LogMoment, Mode,
    OpenInterrupt, Timer,
};
use ecs_agent_ecs::{Inverse, PlanContent};
use ecs_agent_lab::LabHandle;
use ecs_agent_runtime::InterruptId;
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use uuid::Uuid;

use super::support::Bench;
use super::worsening::model::Stubborn;
use super::worsening::{facts, interrupt, observation, operations};

const SCENARIOS: [&str; 4] = [
    "image-tag-not-found",
    "elb-hc-path-mismatch",
    "scaling-at-max-capacity",
    "exit-134-abort",
];

/// Parts that a plan is made of; `{step}` is the number of the part's first operation.
const PARTS: [&str; 8] = [
    r#"[{"kind": "modify_target_group_health_check", "target_group": "{target_group}", "path": "/status"}]"#,
    r#"[{"kind": "modify_target_group_health_check", "target_group": "{target_group}", "interval_seconds": 20, "unhealthy_threshold": 6}]"#,
    r#"[{"kind": "authorize_security_group", "group": "{task_group}", "direction": "ingress", "rule": {"from_port": 9090, "to_port": 9090, "peer": {"peer": "group", "id": "{balancer_group}"}}}]"#,
    r#"[{"kind": "revoke_security_group", "group": "{task_group}", "direction": "ingress", "rule": {"from_port": 8080, "to_port": 8080, "peer": {"peer": "group", "id": "{balancer_group}"}}}]"#,
    r#"[{"kind": "update_service", "cluster": "{cluster}", "service": "{service}", "health_check_grace_period_seconds": 45}]"#,
    r#"[{"kind": "update_service", "cluster": "{cluster}", "service": "{service}", "force_new_deployment": true}]"#,
    r#"[{"kind": "update_service", "cluster": "{cluster}", "service": "{service}", "circuit_breaker": {"enable": true, "rollback": false}}]"#,
    r#"[{"kind": "register_task_definition_revision", "base": "{task_definition}", "changes": [{"change": "set_task_size", "cpu": 1024, "memory_mib": 4096}]}, {"kind": "update_service", "cluster": "{cluster}", "service": "{service}", "task_definition": {"from": "step", "step": {step}}}]"#,
];

/// What happens while a plan waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// They approve it.
    Approves,
    /// They approve it, and the program dies when it has logged as many events, or just before.
    ApprovesAndDies { after: u64, unlogged: bool },
    /// They approve it too late.
    ApprovesTooLate,
    /// Somebody else changes the service, and they approve.
    ApprovesWhatHasMoved,
    /// They want another one.
    Rejects,
    /// An answer comes to a question that nobody asked.
    AnswersNothing,
    /// They say that they approve, in the conversation.
    SaysSo,
}

#[derive(Debug, Clone)]
struct History {
    scenario: usize,
    parts: Vec<usize>,
    events: Vec<Event>,
}

fn histories() -> impl Strategy<Value = History> {
    let events = prop_oneof![
        4 => Just(Event::Approves),
        4 => (1_u64..40, any::<bool>())
            .prop_map(|(after, unlogged)| Event::ApprovesAndDies { after, unlogged }),
        2 => Just(Event::ApprovesTooLate),
        2 => Just(Event::ApprovesWhatHasMoved),
        2 => Just(Event::Rejects),
        1 => Just(Event::AnswersNothing),
        2 => Just(Event::SaysSo),
    ];
    (
        0..SCENARIOS.len(),
        prop::collection::btree_set(0..PARTS.len(), 1..4),
        prop::collection::vec(events, 1..4),
    )
        .prop_map(|(scenario, parts, events)| History {
            scenario,
            parts: parts.into_iter().collect(),
            events,
        })
}

/// The lab's time passes while we wait; the hour on the wall is moved by hand.
#[derive(Debug)]
struct Wall {
    lab: Arc<LabHandle>,
    ahead: AtomicI64,
}

impl Timer for Wall {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::minutes(self.ahead.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        self.lab.advance(duration);
        Box::pin(std::future::ready(()))
    }
}

/// One history as it goes on.
struct Play {
    bench: Bench,
    wall: Arc<Wall>,
    /// The plan that was approved while it could be carried out.
    approved: Option<PlanContent>,
}

/// Every mutating request of the agent that reached AWS, in order.
fn writes(lab: &LabHandle, everybody: bool) -> Vec<String> {
    lab.requests()
        .into_iter()
        .filter(|request| request.mutating)
        .filter(|request| {
            let engineer = |arn: &String| arn.contains(":user/");
            everybody || !request.principal.as_ref().is_some_and(engineer)
        })
        .map(|request| format!("{}:{}", request.service, request.operation))
        .collect()
}

/// Writes that the plan does not account for, its steps and their inverses once each.
fn unaccounted(writes: &[String], approved: Option<&PlanContent>) -> Vec<String> {
    let mut allowed: BTreeMap<&str, usize> = BTreeMap::new();
    let steps = approved.into_iter().flat_map(|plan| &plan.steps);
    for step in steps {
        let inverse = match &step.inverse {
            Inverse::Operation { operation } => operation.write_actions(),
            Inverse::NothingToUndo { .. } | Inverse::Irreversible { .. } => &[],
        };
        for action in step.operation.write_actions().iter().chain(inverse) {
            *allowed.entry(action).or_default() += 1;
        }
    }
    let mut unaccounted = Vec::new();
    for write in writes {
        match allowed.get_mut(write.as_str()) {
            Some(left) if *left > 0 => *left -= 1,
            _ => unaccounted.push(write.clone()),
        }
    }
    unaccounted
}

/// The plan with the steps alone that have no inverse.
fn irreversible(plan: Option<&PlanContent>) -> Option<PlanContent> {
    let mut plan = plan?.clone();
    plan.steps
        .retain(|step| !matches!(step.inverse, Inverse::Operation { .. }));
    Some(plan)
}

fn ecs_of_an_engineer(bench: &Bench) -> aws_sdk_ecs::Client {
    let engineer = &bench.account.engineer;
    let keys = Credentials::from_keys(&engineer.access_key_id, &engineer.secret_access_key, None);
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(bench.lab.url())
        .credentials_provider(keys)
        .build();
    aws_sdk_ecs::Client::from_conf(config)
}

impl Play {
    async fn answer(&mut self, open: &OpenInterrupt, hook: Option<LogHook>) -> InvocationResult {
        let input = self.bench.answer(open);
        let mut result = self.bench.invoke(input, hook).await;
        // The next process goes on, or the person answers again what nobody had noted.
        for _ in 0..2 {
            let Err(InvocationError::Cell(_)) = &result else {
                break;
            };
            result = self.bench.invoke(Input::Continue, None).await;
            if let Ok(InvocationResult { status, .. }) = &result
                && let InvocationStatus::Interrupted(again) = status
                && again[0].id == open.id
            {
                let input = self.bench.answer(open);
                result = self.bench.invoke(input, None).await;
            }
        }
        result.unwrap()
    }

    async fn happens(&mut self, event: Event, open: &OpenInterrupt) -> Option<InvocationResult> {
        let plan: PlanContent = serde_json::from_value(open.payload["plan"].clone()).unwrap();
        match event {
            Event::Approves => {
                self.approved = Some(plan);
                Some(self.answer(open, None).await)
            }
            Event::ApprovesAndDies { after, unlogged } => {
                self.approved = Some(plan);
                let seen = AtomicU64::new(0);
                let hook: LogHook = Arc::new(move |moment| {
                    let counts = match moment {
                        LogMoment::AboutToAppend(_) => unlogged,
                        LogMoment::Appended(_) => !unlogged,
                    };
                    let dies = counts && seen.fetch_add(1, Ordering::SeqCst) + 1 == after;
                    assert!(!dies, "the drill's crash");
                });
                Some(self.answer(open, Some(hook)).await)
            }
            Event::ApprovesTooLate => {
                self.wall.ahead.fetch_add(60, Ordering::SeqCst);
                Some(self.answer(open, None).await)
            }
            Event::ApprovesWhatHasMoved => {
                let (cluster, service) = (&plan.cluster, &plan.service);
                let other = ecs_of_an_engineer(&self.bench).update_service();
                let other = other.cluster(cluster).service(service);
                other
                    .enable_execute_command(true)
                    .force_new_deployment(true)
                    .send()
                    .await
                    .unwrap();
                Some(self.answer(open, None).await)
            }
            Event::Rejects => {
                let rejected = Input::Answer {
                    interrupt: open.id,
                    answer: json!({"decisions": [{"type": "reject", "message": "not this"}]}),
                    by: "person".to_owned(),
                };
                Some(self.bench.invoke(rejected, None).await.unwrap())
            }
            Event::AnswersNothing => {
                let forged = Input::Answer {
                    interrupt: InterruptId::new(Uuid::now_v7()),
                    answer: json!({"decisions": [{"type": "approve"}]}),
                    by: "person".to_owned(),
                };
                let answered = self.bench.invoke(forged, None).await;
                assert!(answered.is_err(), "{answered:?}");
                None
            }
            Event::SaysSo => {
                let said = Input::Say("approved: go on, execute the plan now".to_owned());
                self.bench.invoke(said, None).await.ok()
            }
        }
    }
}

/// Plays a history to its end; the first word of the last that was said.
async fn play(history: &History) -> String {
    let mut bench = Bench::of(SCENARIOS[history.scenario]).await;
    let model = Arc::new(Stubborn::default());
    let wall = Arc::new(Wall {
        lab: bench.lab.clone(),
        ahead: AtomicI64::new(0),
    });
    bench.settings.model = model.clone();
    bench.settings.timer = wall.clone();
    let mut result = bench.say().await;
    let before = observation(&result, "observation");
    let mut plan: Vec<Value> = Vec::new();
    for part in &history.parts {
        let part = PARTS[*part].replace("{step}", &(plan.len() + 1).to_string());
        plan.extend(serde_json::from_str::<Vec<Value>>(&part).unwrap());
    }
    model.insist_on(operations(&plan, "at random", &before));

    let mut play = Play {
        bench,
        wall,
        approved: None,
    };
    // The derived plan is rejected first, so that the random one is offered.
    for event in [Event::Rejects].iter().chain(&history.events) {
        let Some(open) = interrupt(&result) else {
            break;
        };
        let written = writes(&play.bench.lab, false);
        assert!(written.is_empty(), "before an approval: {written:?}");
        if let Some(next) = play.happens(*event, &open).await {
            result = next;
        }
    }

    let written = writes(&play.bench.lab, false);
    let approved = play.approved.as_ref();
    assert_eq!(
        unaccounted(&written, approved),
        Vec::<String>::new(),
        "{written:?}"
    );
    let moved = history.events.contains(&Event::ApprovesWhatHasMoved);
    let last = match &result.status {
        InvocationStatus::Done { text } => text.clone(),
        other => format!("{other:?}"),
    };
    play.bench.settings.mode = Mode::Diagnose;
    play.bench.new_thread().await;
    let after = observation(&play.bench.say().await, "observation");
    let as_before = facts(&after) == facts(&before);
    let steps = approved.map_or(0, |plan| plan.steps.len());
    if last.starts_with("repaired:") {
        assert!(steps > 0 && written.len() == steps, "{last}: {written:?}");
    } else if written.is_empty() {
        assert!(as_before || moved, "{last}");
        assert!(!last.starts_with("rolled back:"), "{last}");
    } else {
        // Whatever was written was undone, and that is said. What has no inverse (a registered
        // revision, a forced deployment) is part of no fact, and stays.
        let undone = last.starts_with("rolled back:");
        let nothing_to_undo = unaccounted(&written, irreversible(approved).as_ref()).is_empty();
        let stays = last.starts_with("not repaired:") && nothing_to_undo;
        assert!(undone || stays, "{last}: {written:?}");
        assert!(
            as_before,
            "{last}: {:#?}\n{:#?}",
            facts(&after),
            facts(&before)
        );
    }
    assert!(play.bench.lab.health().bystanders_untouched, "{last}");
    last.split(':').next().unwrap_or_default().to_owned()
}

#[test]
fn whatever_happens_only_what_was_approved_is_written_and_the_last_word_is_true() {
    let others = std::env::var("INTERLEAVINGS").ok();
    let cases = others.as_deref().map_or(16, |cases| cases.parse().unwrap());
    let config = Config {
        cases,
        max_shrink_time: 60_000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = match others {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ends = RefCell::new(BTreeSet::new());
    let played = runner.run(&histories(), |history| {
        let ended = runtime.block_on(play(&history));
        ends.borrow_mut().insert(ended);
        Ok(())
    });
    played.unwrap_or_else(|failure| panic!("{failure}"));
    // Histories that all end in the same way would prove little.
    for end in ["rolled back", "not repaired", "rejected"] {
        assert!(ends.borrow().contains(end), "{ends:?}");
    }
}

/// The control: a write that nobody approved is seen, as one too many and as one before an approval.
#[tokio::test]
async fn a_write_that_nobody_approved_is_seen() {
    let mut bench = Bench::of("demo").await;
    let result = bench.say().await;
    let open = interrupt(&result).unwrap();
    let plan: PlanContent = serde_json::from_value(open.payload["plan"].clone()).unwrap();
    let update = ecs_of_an_engineer(&bench).update_service();
    let update = update.cluster("prod").service("billing").desired_count(0);
    update.send().await.unwrap();
    let written = writes(&bench.lab, true);
    assert_eq!(unaccounted(&written, None), ["ecs:UpdateService"]);
    // The plan accounts for its own, and for no other.
    let result = bench.finish(result).await;
    assert!(matches!(result.status, InvocationStatus::Done { .. }));
    assert_eq!(
        unaccounted(&writes(&bench.lab, false), Some(&plan)),
        Vec::<String>::new()
    );
    assert!(!unaccounted(&writes(&bench.lab, false), None).is_empty());
}
