//! Time, and what it leaves behind.

use super::*;
use crate::scenario::{Change, Scenario};

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
