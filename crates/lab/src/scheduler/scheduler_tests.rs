//! Invariants that hold whatever anybody does to the world.

use proptest::prelude::*;

use super::*;
use crate::scenario::{Change, Scenario};
use crate::world::{Service, TargetState};

/// A small world with each template in it.
const WORLD: &str = r#"
name: fuzz
title: every template
request: none
warm_up_minutes: 10
accounts:
- id: "111122223333"
  regions:
  - name: us-east-1
    clusters:
    - name: prod
      instances: 2
      services:
      - name: api
        template: fargate-web
        circuit_breaker: {enable: true, rollback: true}
        scaling: {min: 1, max: 5}
      - {name: old, template: ec2-web}
      - {name: mailer, template: fargate-worker}
truth:
  target: {cluster: prod, service: api}
  causes: []
  repairable: false
"#;

/// Everything that the fuzzer may do, one YAML change a line.
const CHANGES: &[&str] = &[
    "deploy: {service: prod/api, image_tag: '9.9.9'}",
    "deploy: {service: prod/api, image_tag: '1.4.0'}",
    "deploy: {service: prod/api, memory: 1024}",
    "deploy: {service: prod/old, memory: 3072}",
    "deploy: {service: prod/mailer, set_environment: {A: b}}",
    "deploy: {service: prod/api, container_health_check: 'curl -f http://localhost:8080/health'}",
    "deploy: {service: prod/api, container_health_check: 'nothing'}",
    "deploy-revision: {service: prod/api, revision: 1}",
    "force-new-deployment: {service: prod/api}",
    "force-new-deployment: {service: prod/old}",
    "set-desired-count: {service: prod/api, count: 0}",
    "set-desired-count: {service: prod/api, count: 5}",
    "set-desired-count: {service: prod/old, count: 9}",
    "set-desired-count: {service: prod/mailer, count: 1}",
    "set-grace-period: {service: prod/api, seconds: 0}",
    "set-circuit-breaker: {service: prod/api, enable: true, rollback: false}",
    "set-health-check: {service: prod/api, path: /nope}",
    "set-health-check: {service: prod/api, path: /health, port: 0}",
    "push-image: {repository: api, tag: '1.4.0', app: {crash: {after_seconds: 9, exit_code: 3}}}",
    "push-image: {repository: api, tag: '1.4.0', app: {memory_growth_mib_per_minute: 90}}",
    "push-image: {repository: api, tag: '9.9.9'}",
    "delete-image: {repository: api, tag: '1.4.0'}",
    "detach-role-policy: {role: prod-api-execution, policy: AmazonECSTaskExecutionRolePolicy}",
    "attach-role-policy: {role: prod-api-execution, policy: AmazonECSTaskExecutionRolePolicy}",
    "delete-secret: {secret: prod/mailer/database}",
    "delete-log-group: {log_group: /ecs/prod/api}",
    "create-log-group: {log_group: /ecs/prod/api}",
    "revoke-ingress: {service: prod/api}",
    "authorize-ingress: {service: prod/api, port: 8080}",
    "revoke-egress: {service: prod/mailer}",
    "delete-default-route",
    "restore-default-route",
    "add-endpoints",
    "exhaust-subnets: {service: prod/api}",
    "set-subnets: {service: prod/api, letters: [b, c]}",
    "remove-instances: {cluster: prod}",
    "add-instances: {cluster: prod, count: 1}",
    "deregister-task-definition: {service: prod/mailer}",
    "set-load: {service: prod/api, tasks: 8}",
    "set-load: {service: prod/api, tasks: 1}",
    "stop-task: {service: prod/api}",
    "stop-task: {service: prod/old}",
];

fn check(world: &World) -> Result<(), TestCaseError> {
    let regions = world
        .accounts
        .values()
        .flat_map(|account| account.regions.values());
    for region in regions {
        for service in region.services.values() {
            check_service(region, service)?;
        }
        for group in region.target_groups.values() {
            for target in group
                .targets
                .iter()
                .filter(|t| t.state == TargetState::Healthy)
            {
                let running = region
                    .services
                    .values()
                    .filter_map(|service| service.task(&target.task))
                    .any(|task| task.is_running());
                prop_assert!(
                    running,
                    "healthy target {} without a running task",
                    target.id
                );
            }
        }
        for subnet in region.subnets.values() {
            prop_assert!(
                subnet.available_ips <= 251 + 50,
                "{} has {}",
                subnet.id,
                subnet.available_ips
            );
        }
    }
    Ok(())
}

fn check_service(region: &Region, service: &Service) -> Result<(), TestCaseError> {
    let primaries = service
        .deployments
        .iter()
        .filter(|d| d.status == crate::world::DeploymentStatus::Primary);
    prop_assert_eq!(
        primaries.count(),
        1,
        "{} has not one primary deployment",
        service.name
    );
    prop_assert!(service.events.len() <= 100);
    prop_assert!(
        region.task_definition(&service.task_definition).is_some(),
        "{} runs a definition that does not exist",
        service.name
    );
    for task in &service.tasks {
        let stopped = task.last_status == TaskStatus::Stopped;
        prop_assert_eq!(stopped, task.stopped_at.is_some());
        prop_assert!(
            !stopped || task.stopped_reason.is_some(),
            "stopped without a reason"
        );
        prop_assert!(
            !stopped || task.stop_code.is_some(),
            "stopped without a code"
        );
        let order = [
            Some(task.created_at),
            task.started_at,
            task.stopping_at,
            task.stopped_at,
        ];
        prop_assert!(
            order.iter().flatten().is_sorted(),
            "times out of order: {order:?}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_history_makes_an_impossible_world(
        seed in 0_u64..1_000,
        history in prop::collection::vec((0..CHANGES.len(), 1_i64..400), 1..14),
    ) {
        let text = WORLD.replace("warm_up", &format!("seed: {seed}\nwarm_up"));
        let mut world = Scenario::parse("fuzz.yaml", &text).unwrap().simulate().unwrap().world;
        for (index, seconds) in history {
            let change: Change = serde_saphyr::from_str(CHANGES[index]).unwrap();
            // Refusals are fine; what may not happen is a world that cannot be.
            let _ = change.apply(&mut world, "111122223333", "us-east-1");
            let before = world.now;
            world.advance(before + TimeDelta::seconds(seconds));
            prop_assert_eq!(world.now, before + TimeDelta::seconds(seconds), "the clock is stuck");
            check(&world)?;
            for service in world.accounts["111122223333"].regions["us-east-1"].services.values() {
                let most = u64::from(service.desired_count)
                    * u64::from(service.deployment_configuration.maximum_percent) / 100;
                prop_assert!(
                    u64::from(service.running_count) <= most,
                    "{} runs {} of {}", service.name, service.running_count, service.desired_count
                );
            }
        }
    }
}

#[test]
fn the_past_changes_nothing() {
    let mut world = Scenario::parse("fuzz.yaml", WORLD)
        .unwrap()
        .simulate()
        .unwrap()
        .world;
    let before = world.clone();
    world.advance(before.now - TimeDelta::hours(1));
    assert!(world == before);
}

#[test]
fn stopped_tasks_are_forgotten_after_an_hour() {
    let mut world = Scenario::parse("fuzz.yaml", WORLD)
        .unwrap()
        .simulate()
        .unwrap()
        .world;
    let change: Change = serde_saphyr::from_str("stop-task: {service: prod/api}").unwrap();
    change
        .apply(&mut world, "111122223333", "us-east-1")
        .unwrap();
    let stopped = |world: &World| {
        let region = world.region("111122223333", "us-east-1").unwrap();
        region
            .service("prod", "api")
            .unwrap()
            .tasks
            .iter()
            .filter(|t| t.stopped_at.is_some())
            .count()
    };
    let start = world.now;
    world.advance(start + TimeDelta::minutes(5));
    assert_eq!(stopped(&world), 1);
    world.advance(start + TimeDelta::minutes(66));
    assert_eq!(stopped(&world), 0);
}
