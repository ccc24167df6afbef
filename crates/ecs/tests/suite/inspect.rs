//! Single questions, each asked of the lab under its own session policy.

use std::collections::BTreeSet;

use chrono::Utc;
use ecs_agent_ecs::inspect::{
    self, EcsOperation, ImagesOf, Inspection, LogQuery, Readiness, StopCategory, TaskFailures,
    TaskLogs, TimeWindow,
};
use ecs_agent_ecs::{Catalogue, ObserveOptions};
use ecs_agent_lab::RequestOutcome;
use serde::Serialize;
use serde_json::{Value, json};

use super::support::World;

/// Top-level fields of each action's answer that a client of awslabs' `ecs-mcp-server` 0.1.37 reads.
const FIELDS: [(&str, &[&str]); 7] = [
    ("guidance", &["status", "assessment", "raw_data"]),
    (
        "stack",
        &[
            "status",
            "stack_exists",
            "stack_status",
            "resources",
            "failure_reasons",
            "raw_events",
        ],
    ),
    (
        "events",
        &[
            "status",
            "service_exists",
            "events",
            "issues",
            "deployment",
            "raw_data",
            "message",
        ],
    ),
    (
        "failures",
        &[
            "status",
            "cluster_exists",
            "failed_tasks",
            "failure_categories",
            "raw_data",
        ],
    ),
    (
        "logs",
        &[
            "status",
            "log_groups",
            "log_entries",
            "error_count",
            "warning_count",
            "info_count",
            "pattern_summary",
            "message",
        ],
    ),
    (
        "images",
        &["status", "image_issues", "assessment", "recommendations"],
    ),
    ("network", &["status", "data"]),
];

fn today() -> TimeWindow {
    TimeWindow::new(Utc::now(), Some(86_400), None, None).unwrap()
}

fn written<T: Serialize>(answer: T) -> Value {
    serde_json::to_value(answer).unwrap()
}

/// Asks the lab's own service a question.
async fn asked(world: &World, inspection: Inspection) -> Value {
    world.may_ask(inspection).await;
    let (clients, target) = (&world.clients, world.target());
    let (cluster, service) = (target.cluster_name(), target.service_name());
    let options = ObserveOptions::default();
    let catalogue = Catalogue::embedded().unwrap();
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a question that is not asked here fails the test"
    )]
    match inspection {
        Inspection::Guidance => {
            let told =
                inspect::guidance(clients, &catalogue, cluster, Some(service), None, options).await;
            written(told.unwrap())
        }
        Inspection::StackStatus => written(inspect::stack_status(clients, "nobody").await.unwrap()),
        Inspection::ServiceEvents => {
            let told = inspect::service_events(clients, &target, today()).await;
            written(told.unwrap())
        }
        Inspection::TaskFailures => written(failures(world).await),
        Inspection::TaskLogs => written(logs(world, None, None).await),
        Inspection::ImageFailures => {
            let of = ImagesOf::Service { cluster, service };
            written(inspect::image_failures(clients, of).await.unwrap())
        }
        Inspection::NetworkConfiguration => {
            let told = inspect::network_configuration(clients, cluster, None).await;
            written(told.unwrap())
        }
        Inspection::Readiness => written(inspect::readiness(clients, &target).await.unwrap()),
        Inspection::Scan => {
            let told = inspect::scan(clients, &catalogue, None, 5, options, |_, _, _| ()).await;
            written(told.unwrap())
        }
        Inspection::EcsRead(read) => {
            let params = json!({"cluster": cluster, "services": [service]});
            let params = params.as_object().unwrap();
            written(inspect::ecs_read(clients, read, params).await.unwrap())
        }
        other => panic!("{other:?} is not asked here"),
    }
}

async fn failures(world: &World) -> TaskFailures {
    world.may_ask(Inspection::TaskFailures).await;
    let target = world.target();
    inspect::task_failures(&world.clients, target.cluster_name(), today())
        .await
        .unwrap()
}

async fn logs(world: &World, task: Option<&str>, filter_pattern: Option<&str>) -> TaskLogs {
    world.may_ask(Inspection::TaskLogs).await;
    let target = world.target();
    let query = LogQuery {
        cluster: target.cluster_name(),
        task,
        filter_pattern,
        window: today(),
    };
    inspect::task_logs(&world.clients, query).await.unwrap()
}

fn describe_services() -> Inspection {
    match EcsOperation::named("DescribeServices").unwrap() {
        EcsOperation::Read(read) => Inspection::EcsRead(read),
        EcsOperation::Write(name) => panic!("{name} reads"),
    }
}

#[tokio::test]
async fn every_question_is_answered_under_its_own_policy_with_every_field_of_its_kind() {
    for scenario in ["demo", "oom-kill-137", "image-tag-not-found"] {
        let world = World::of(scenario).await;
        let questions = [
            ("guidance", Inspection::Guidance),
            ("stack", Inspection::StackStatus),
            ("events", Inspection::ServiceEvents),
            ("failures", Inspection::TaskFailures),
            ("logs", Inspection::TaskLogs),
            ("images", Inspection::ImageFailures),
            ("network", Inspection::NetworkConfiguration),
            ("readiness", Inspection::Readiness),
            ("scan", Inspection::Scan),
            ("read", describe_services()),
        ];
        for (name, inspection) in questions {
            let before = world.lab.requests().len();
            let answer = asked(&world, inspection).await;
            let made = world.lab.requests().split_off(before);
            let allowed = inspection.actions();
            for request in made.iter().filter(|request| request.service != "sts") {
                let action = format!("{}:{}", request.service, request.operation);
                assert!(allowed.contains(action.as_str()), "{name}: {action}");
                assert!(!request.mutating, "{name}: {action}");
                let denied = matches!(request.outcome, RequestOutcome::Denied(_));
                assert!(
                    !denied,
                    "{scenario}: {name}: {action}: {:?}",
                    request.outcome
                );
            }
            let fields = FIELDS.iter().find(|(known, _)| *known == name);
            for field in fields.map_or(&[][..], |(_, fields)| fields) {
                assert!(answer.get(field).is_some(), "{name} has no {field}");
            }
        }
    }
}

#[tokio::test]
async fn exit_code_137_is_out_of_memory_only_where_ecs_says_so() {
    let of = |failures: &TaskFailures| -> BTreeSet<StopCategory> {
        failures.failed_tasks.iter().map(|t| t.category).collect()
    };
    let memory = failures(&World::of("oom-kill-137").await).await;
    assert!(
        of(&memory).contains(&StopCategory::OutOfMemory),
        "{memory:?}"
    );
    let balancer = failures(&World::of("elb-hc-timeout-slow-app").await).await;
    assert!(
        of(&balancer).contains(&StopCategory::LoadBalancerHealthCheckFailed),
        "{balancer:?}"
    );
    assert!(
        !of(&balancer).contains(&StopCategory::OutOfMemory),
        "{balancer:?}"
    );
}

#[tokio::test]
async fn the_stopped_reason_is_read() {
    for (scenario, category) in [
        ("image-tag-not-found", StopCategory::ImagePullFailure),
        ("secret-not-found", StopCategory::SecretsUnavailable),
        (
            "container-hc-command-broken",
            StopCategory::ContainerHealthCheckFailed,
        ),
    ] {
        let told = failures(&World::of(scenario).await).await;
        let found = told.failed_tasks.iter().any(|task| {
            task.category == category && task.stopped_reason.as_ref().is_some_and(|r| !r.is_empty())
        });
        assert!(found, "{scenario}: {told:?}");
    }
}

#[tokio::test]
async fn scaling_in_is_no_failure() {
    let told = failures(&World::of("healthy-scale-in").await).await;
    assert!(told.failed_tasks.is_empty(), "{told:?}");
    assert!(!told.stopped_on_purpose.is_empty(), "{told:?}");
}

#[tokio::test]
async fn log_lines_are_found_once_by_task_and_by_pattern() {
    let world = World::of("app-crash-exit-nonzero").await;
    let all = logs(&world, None, None).await;
    assert!(!all.log_entries.is_empty(), "{all:?}");
    let lines = written(&all.log_entries);
    let lines = lines.as_array().unwrap();
    let once: BTreeSet<String> = lines.iter().map(Value::to_string).collect();
    assert_eq!(once.len(), lines.len(), "a line is there twice");

    let tasks = failures(&world).await;
    let task = &tasks.failed_tasks[0].task_id;
    let of_task = logs(&world, Some(task), None).await;
    assert!(!of_task.log_entries.is_empty(), "{of_task:?}");
    assert!(of_task.log_entries.len() < all.log_entries.len());

    let none = logs(&world, None, Some("\"no line has these words\"")).await;
    assert!(none.log_entries.is_empty(), "{none:?}");
    let message = lines[0]["message"].as_str().unwrap();
    let word = message
        .split_whitespace()
        .find(|word| word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let word = word.unwrap();
    let some = logs(&world, None, Some(word)).await;
    assert!(!some.log_entries.is_empty(), "`{word}`: {some:?}");
    for entry in written(&some.log_entries).as_array().unwrap() {
        assert!(entry["message"].as_str().unwrap().contains(word), "{entry}");
    }
}

#[tokio::test]
async fn a_missing_tag_is_named_and_a_healthy_service_has_no_issue() {
    let missing = asked(
        &World::of("image-tag-not-found").await,
        Inspection::ImageFailures,
    )
    .await;
    assert_eq!(
        missing["image_issues"].as_array().unwrap().len(),
        1,
        "{missing}"
    );
    let healthy = World::of("healthy-steady").await;
    let images = asked(&healthy, Inspection::ImageFailures).await;
    assert_eq!(images["image_issues"], json!([]), "{images}");
    let events = asked(&healthy, Inspection::ServiceEvents).await;
    assert_eq!(events["issues"], json!([]), "{events}");
    let target = healthy.target();
    healthy.may_ask(Inspection::Readiness).await;
    let ready = inspect::readiness(&healthy.clients, &target).await.unwrap();
    assert!(matches!(ready, Readiness::Ready { .. }), "{ready:?}");
}

#[tokio::test]
async fn environment_values_are_withheld_from_the_apis_own_answers() {
    let world = World::of("demo").await;
    let EcsOperation::Read(read) = EcsOperation::named("DescribeTaskDefinition").unwrap() else {
        panic!("it reads")
    };
    let definition = asked(&world, describe_services()).await;
    let arn = definition["services"][0]["taskDefinition"].clone();
    assert!(arn.is_string(), "{definition}");
    world.may_ask(Inspection::EcsRead(read)).await;
    let params = json!({"taskDefinition": arn});
    let told = inspect::ecs_read(&world.clients, read, params.as_object().unwrap())
        .await
        .unwrap();
    let containers = told["taskDefinition"]["containerDefinitions"]
        .as_array()
        .unwrap();
    assert!(!containers.is_empty(), "{told}");
    for variable in containers
        .iter()
        .flat_map(|container| container["environment"].as_array().into_iter().flatten())
    {
        assert_eq!(variable["value"], "[withheld]", "{variable}");
    }
}
