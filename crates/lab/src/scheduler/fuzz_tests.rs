//! Random worlds, random hands on them, and the laws that hold all the same.
//!
//! `LAB_FUZZ_CASES` sets how many histories are tried; a failure prints the shortest that fails.

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::laws::broken;
use crate::scenario::{Change, Scenario};
use crate::world::{
    DeploymentConfigurationInput, HealthCheckChange, RolloutState, UpdateServiceInput, World,
};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-east-1";
/// The services of every world; which template each has is drawn.
const NAMES: [&str; 3] = ["api", "mailer", "search"];

/// Something that is done to a world.
#[derive(Clone, Debug)]
enum Act {
    /// A change as scenarios write it.
    Change(Value),
    /// A rolling update's limits, as `UpdateService` takes them.
    Percentages(usize, u32, u32),
    /// `StopTask` of the task at this place, whatever state it is in.
    StopTask(usize, usize),
    /// How often and how long targets are checked, and how long they drain.
    Checks(usize, u32, u32, u32),
    /// The service leaves its load balancer.
    Unbind(usize),
}

fn set(settings: &[(&str, BoxedStrategy<Value>)]) -> BoxedStrategy<Value> {
    let names: Vec<String> = settings
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let values: Vec<_> = settings.iter().map(|(_, value)| value.clone()).collect();
    values
        .prop_map(move |values| {
            names
                .iter()
                .cloned()
                .zip(values)
                .collect::<serde_json::Map<_, _>>()
                .into()
        })
        .boxed()
}

fn one_of(values: &[Value]) -> BoxedStrategy<Value> {
    prop::sample::select(values.to_vec()).boxed()
}

fn app() -> BoxedStrategy<Value> {
    one_of(&[
        json!({}),
        json!({"startup_seconds": 45}),
        json!({"memory_growth_mib_per_minute": 90}),
        json!({"crash": {"after_seconds": 9, "exit_code": 3, "lines": ["boom"]}}),
        json!({"crash": {"after_seconds": 200, "exit_code": 0, "lines": []}}),
        json!({"required_variables": ["MISSING"]}),
        json!({"bind_address": "127.0.0.1"}),
        json!({"routes": {"/health": {"status": 503, "milliseconds": 5}}}),
        json!({"periodic_lines": [{"text": "tick", "every_seconds": 5}]}),
    ])
}

fn world() -> impl Strategy<Value = Value> {
    let service = set(&[
        (
            "template",
            one_of(&[
                json!("fargate-web"),
                json!("fargate-worker"),
                json!("ec2-web"),
            ]),
        ),
        ("desired", (0_u32..6).prop_map(Value::from).boxed()),
        (
            "circuit_breaker",
            one_of(&[
                json!({"enable": false, "rollback": false}),
                json!({"enable": true, "rollback": false}),
                json!({"enable": true, "rollback": true}),
            ]),
        ),
        (
            "scaling",
            one_of(&[Value::Null, json!({"min": 1, "max": 5})]),
        ),
        (
            "grace_period_seconds",
            (0_u32..200).prop_map(Value::from).boxed(),
        ),
        (
            "container_health_check",
            one_of(&[
                Value::Null,
                json!("curl -f http://localhost:8080/health || exit 1"),
            ]),
        ),
    ]);
    let services = prop::collection::vec(service, NAMES.len());
    (0_u64..1_000, 1_u32..4, services).prop_map(|(seed, instances, mut services)| {
        for (service, name) in services.iter_mut().zip(NAMES) {
            service["name"] = json!(name);
        }
        json!({
            "name": "fuzz", "title": "anything", "request": "none", "seed": seed,
            "warm_up_minutes": 10,
            "accounts": [{"id": ACCOUNT, "regions": [{"name": REGION, "clusters": [
                {"name": "prod", "instances": instances, "services": services},
            ]}]}],
            "truth": {
                "target": {"cluster": "prod", "service": "api"}, "causes": [], "repairable": false,
            },
        })
    })
}

fn change(service: &str) -> BoxedStrategy<Value> {
    let one = format!("prod/{service}");
    let role = format!("prod-{service}-execution");
    let group = format!("/ecs/prod/{service}");
    let policy = "AmazonECSTaskExecutionRolePolicy";
    let fixed: Vec<Value> = vec![
        json!({"deploy": {"service": one, "image_tag": "9.9.9"}}),
        json!({"deploy": {"service": one, "image_tag": "1.4.0"}}),
        json!({"deploy": {"service": one, "memory": 1024}}),
        json!({"deploy": {"service": one, "memory": 2048, "cpu": 1024}}),
        json!({"deploy": {"service": one, "set_environment": {"PORT": "9090"}}}),
        json!({"deploy": {"service": one, "architecture": "ARM64"}}),
        json!({"deploy": {"service": one, "container_health_check": "nothing"}}),
        json!({"deploy": {"service": one, "container_health_check": ""}}),
        json!({"deploy": {"service": one, "log_group": "/nowhere"}}),
        json!({"deploy-revision": {"service": one, "revision": 1}}),
        json!({"force-new-deployment": {"service": one}}),
        json!({"stop-task": {"service": one}}),
        json!({"set-circuit-breaker": {"service": one, "enable": true, "rollback": true}}),
        json!({"set-circuit-breaker": {"service": one, "enable": false, "rollback": false}}),
        json!({"set-health-check": {"service": one, "path": "/nope"}}),
        json!({"set-health-check": {"service": one, "path": "/health", "port": 0}}),
        json!({"set-health-check": {"service": one, "port": 9090}}),
        json!({"push-image": {"repository": service, "tag": "9.9.9"}}),
        json!({"delete-image": {"repository": service, "tag": "1.4.0"}}),
        json!({"delete-repository": {"repository": service}}),
        json!({"detach-role-policy": {"role": role, "policy": policy}}),
        json!({"attach-role-policy": {"role": role, "policy": policy}}),
        json!({"delete-role-policy": {"role": role, "policy": "read-secrets"}}),
        json!({"delete-secret": {"secret": format!("prod/{service}/database")}}),
        json!({"delete-log-group": {"log_group": group}}),
        json!({"create-log-group": {"log_group": group}}),
        json!({"revoke-ingress": {"service": one}}),
        json!({"revoke-egress": {"service": one}}),
        json!({"authorize-ingress": {"service": one, "port": 8080}}),
        json!({"authorize-egress": {"service": one, "port": 443}}),
        json!({"exhaust-subnets": {"service": one}}),
        json!({"set-subnets": {"service": one, "letters": ["b", "c"]}}),
        json!({"deregister-task-definition": {"service": one}}),
        json!("delete-default-route"),
        json!("delete-nat-gateway"),
        json!("restore-default-route"),
        json!("add-endpoints"),
        json!({"remove-instances": {"cluster": "prod"}}),
        json!({"add-instances": {"cluster": "prod", "count": 1}}),
        json!({"fill-instances": {"cluster": "prod", "free_mib": 100}}),
    ];
    let (count, grace, load, tag) = (one.clone(), one.clone(), one, service.to_owned());
    prop_oneof![
        6 => prop::sample::select(fixed),
        2 => (0_u32..9).prop_map(move |n| json!({"set-desired-count": {"service": count, "count": n}})),
        1 => (0_u32..300).prop_map(
            move |n| json!({"set-grace-period": {"service": grace, "seconds": n}})
        ),
        1 => (0_u32..9).prop_map(move |n| json!({"set-load": {"service": load, "tasks": n}})),
        2 => app().prop_map(
            move |app| json!({"push-image": {"repository": tag, "tag": "1.4.0", "app": app}})
        ),
    ]
    .boxed()
}

fn act() -> impl Strategy<Value = Act> {
    let service = 0..NAMES.len();
    prop_oneof![
        8 => prop::sample::select(NAMES.to_vec()).prop_flat_map(change).prop_map(Act::Change),
        1 => (service.clone(), 100_u32..=200, 0_u32..=100)
            .prop_map(|(service, most, least)| Act::Percentages(service, most, least)),
        1 => (service.clone(), 0_usize..12).prop_map(|(service, task)| Act::StopTask(service, task)),
        1 => (service.clone(), 5_u32..60, 2_u32..10, 0_u32..200)
            .prop_map(|(service, every, times, drain)| Act::Checks(service, every, times, drain)),
        1 => service.prop_map(Act::Unbind),
    ]
}

/// Does it; a refusal is fine, AWS refuses as well.
fn perform(world: &mut World, act: &Act) {
    let service = |index: &usize| NAMES[*index];
    let update = |world: &mut World, name: &str, fill: &dyn Fn(&mut UpdateServiceInput)| {
        let mut input = UpdateServiceInput {
            cluster: Some("prod".to_owned()),
            service: name.to_owned(),
            ..UpdateServiceInput::default()
        };
        fill(&mut input);
        let _ = world.update_service(ACCOUNT, REGION, &input);
    };
    match act {
        Act::Change(value) => {
            let change: Change = serde_json::from_value(value.clone()).unwrap();
            let _ = change.apply(world, ACCOUNT, REGION);
        }
        Act::Percentages(index, most, least) => {
            let limits = DeploymentConfigurationInput {
                maximum_percent: Some(*most),
                minimum_healthy_percent: Some(*least),
                deployment_circuit_breaker: None,
            };
            update(world, service(index), &|input| {
                input.deployment_configuration = Some(limits);
            });
        }
        Act::StopTask(index, place) => {
            let tasks = &of(world, service(index)).tasks;
            if let Some(task) = tasks.get(*place).map(|task| task.id.clone()) {
                let _ = world.stop_task(ACCOUNT, REGION, "prod", &task, None);
            }
        }
        Act::Checks(index, every, times, drain) => {
            let bindings = of(world, service(index)).load_balancers.clone();
            let change = HealthCheckChange {
                interval_seconds: Some(*every),
                timeout_seconds: Some(2),
                unhealthy_threshold: Some(*times),
                ..HealthCheckChange::default()
            };
            let delay = [(
                "deregistration_delay.timeout_seconds".to_owned(),
                drain.to_string(),
            )];
            for arn in bindings.iter().map(|binding| &binding.target_group_arn) {
                let _ = world.modify_target_group(ACCOUNT, REGION, arn, &change);
                let _ = world.modify_target_group_attributes(ACCOUNT, REGION, arn, &delay);
            }
        }
        Act::Unbind(index) => update(world, service(index), &|input| {
            input.load_balancers = Some(Vec::new());
        }),
    }
}

fn of<'w>(world: &'w World, name: &str) -> &'w crate::world::Service {
    world
        .region(ACCOUNT, REGION)
        .unwrap()
        .service("prod", name)
        .unwrap()
}

pub(super) fn built(scenario: &Value) -> World {
    let scenario: Scenario = serde_json::from_value(scenario.clone()).unwrap();
    scenario.simulate().unwrap().world
}

fn holds(before: Option<&World>, world: &World) -> Result<(), TestCaseError> {
    let breaches = broken(before, world);
    prop_assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    Ok(())
}

/// A service that has less than it wants has said why within the hour, or has given up.
fn explained(world: &World) -> Result<(), TestCaseError> {
    for name in NAMES {
        let service = of(world, name);
        let short = service.running_count < service.desired_count;
        let failed = service
            .primary()
            .is_some_and(|primary| primary.rollout_state == RolloutState::Failed);
        let newest = service.events.front().map(|event| event.at);
        let said = newest.is_some_and(|at| at + TimeDelta::hours(1) > world.now);
        let trying = service.pending_count > 0;
        prop_assert!(
            !short || failed || said || trying,
            "{name} has {} of {} and says nothing since {newest:?}",
            service.running_count,
            service.desired_count
        );
    }
    Ok(())
}

/// Everything that a person would put right, one after the other.
fn put_right(world: &mut World) {
    for name in NAMES {
        // Limits that leave no room to replace a task are a fault that a person puts right.
        let limits = UpdateServiceInput {
            cluster: Some("prod".to_owned()),
            service: name.to_owned(),
            deployment_configuration: Some(DeploymentConfigurationInput {
                maximum_percent: Some(200),
                minimum_healthy_percent: Some(100),
                deployment_circuit_breaker: None,
            }),
            ..UpdateServiceInput::default()
        };
        world.update_service(ACCOUNT, REGION, &limits).unwrap();
    }
    let mut change = |value: Value| {
        let change: Change = serde_json::from_value(value).unwrap();
        let _ = change.apply(world, ACCOUNT, REGION);
    };
    change(json!("restore-default-route"));
    change(json!({"remove-instances": {"cluster": "prod"}}));
    change(json!({"add-instances": {"cluster": "prod", "count": 8}}));
    for name in NAMES {
        let one = format!("prod/{name}");
        let role = format!("prod-{name}-execution");
        let policy = "AmazonECSTaskExecutionRolePolicy";
        change(json!({"attach-role-policy": {"role": role, "policy": policy}}));
        change(json!({"put-role-policy": {
            "role": role, "policy": "read", "actions": ["secretsmanager:GetSecretValue"],
        }}));
        change(json!({"create-log-group": {"log_group": format!("/ecs/prod/{name}")}}));
        change(json!({"authorize-ingress": {"service": one, "port": 8080}}));
        change(json!({"authorize-egress": {"service": one, "port": 443}}));
        change(json!({"set-health-check": {
            "service": one, "path": "/health", "port": 0, "success_codes": "200",
        }}));
        change(json!({"set-load": {"service": one, "tasks": 2}}));
        change(json!({"set-desired-count": {"service": one, "count": 2}}));
        change(json!({"set-grace-period": {"service": one, "seconds": 120}}));
        change(json!({"push-image": {"repository": name, "tag": "1.4.0"}}));
        change(json!({"set-subnets": {"service": one, "letters": ["a", "b", "c"]}}));
        change(json!({"deploy": {
            "service": one, "image_tag": "1.4.0", "cpu": 256, "memory": 512,
            "unset_environment": ["PORT"], "architecture": "X86_64",
            "container_health_check": "", "log_group": format!("/ecs/prod/{name}"),
        }}));
    }
}

fn cases() -> u32 {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long to search is the searcher's choice, not an input of the lab"
    )]
    let cases = std::env::var("LAB_FUZZ_CASES").ok();
    cases.map_or(48, |text| text.parse().expect("LAB_FUZZ_CASES is a number"))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(), failure_persistence: None,
        // A history takes seconds: what is found is told in time, though not at its shortest.
        max_shrink_time: 60_000, ..ProptestConfig::default()
    })]

    #[test]
    fn no_history_makes_an_impossible_world(
        scenario in world(),
        history in prop::collection::vec((act(), 1_i64..400), 1..14),
    ) {
        let mut world = built(&scenario);
        holds(None, &world)?;
        for (act, seconds) in history {
            perform(&mut world, &act);
            let before = world.clone();
            let end = before.now + TimeDelta::seconds(seconds);
            let mut in_steps = before.clone();
            in_steps.advance(before.now + TimeDelta::milliseconds(seconds * 300));
            in_steps.advance(end);
            world.advance(end);
            prop_assert_eq!(world.now, end, "the clock is stuck");
            prop_assert!(world == in_steps, "another way through the same time");
            holds(Some(&before), &world)?;
        }
        let quiet = world.now + TimeDelta::hours(2);
        world.advance(quiet);
        holds(None, &world)?;
        explained(&world)?;
    }

    #[test]
    fn no_history_makes_a_world_that_nobody_can_put_right(
        scenario in world(),
        history in prop::collection::vec((act(), 1_i64..200), 1..10),
    ) {
        let mut world = built(&scenario);
        let mut beyond_repair = std::collections::BTreeSet::new();
        for (act, seconds) in history {
            // Nothing here brings a repository or a secret back.
            if let Act::Change(change) = &act {
                for gone in ["delete-repository", "delete-secret"] {
                    if let Some(fields) = change.get(gone) {
                        let name = fields.as_object().unwrap().values().next().unwrap();
                        let name = name.as_str().unwrap().split('/').nth(1);
                        let whole = fields["repository"].as_str();
                        beyond_repair.extend(name.or(whole).map(str::to_owned));
                    }
                }
            }
            perform(&mut world, &act);
            let end = world.now + TimeDelta::seconds(seconds);
            world.advance(end);
        }
        put_right(&mut world);
        let end = world.now + TimeDelta::minutes(30);
        world.advance(end);
        holds(None, &world)?;
        for name in NAMES.into_iter().filter(|name| !beyond_repair.contains(*name)) {
            let service = of(&world, name);
            let events: Vec<_> = service.events.iter().take(6).map(|event| &event.message).collect();
            prop_assert!(service.steady, "{name} is not steady: {events:#?}");
        }
    }
}
