//! The session policy of an observation: every read it makes, and no action that it never makes.

use std::collections::BTreeSet;

use ecs_agent_ecs::{SearchHints, identify, observe_actions};
use ecs_agent_lab::{RequestOutcome, Scenario};

use super::support::World;

/// In this scenario the role itself is denied some reads, which is what it is about.
const DENIED_BY_THE_ROLE: &str = "missing-permissions";

/// A service that a CloudFormation stack owns; no built-in scenario has one.
const OWNED_BY_A_STACK: &str = r#"
name: owned-by-a-stack
title: A stack owns the service
request: api
accounts:
- id: "111122223333"
  regions:
  - name: us-east-1
    clusters:
    - name: prod
      services:
      - {name: api, template: fargate-web, stack: true}
truth:
  target: {cluster: prod, service: api}
  causes: []
  repairable: false
"#;

/// Identifies and observes the scenario's service; returns the actions that were used.
async fn read(scenario: Scenario) -> BTreeSet<String> {
    let name = scenario.name().to_owned();
    let words = scenario.request().to_owned();
    let world = World::playing(scenario).await;
    let hints = SearchHints::default();
    let _found = identify(&world.clients, &words, &hints).await.unwrap();
    world.observe().await;
    let requests = world.lab.requests().into_iter();
    requests
        .map(|request| {
            let action = format!("{}:{}", request.service, request.operation);
            if let RequestOutcome::Denied(code) = &request.outcome {
                assert_eq!(name, DENIED_BY_THE_ROLE, "{action} was refused: {code}");
            }
            assert!(!request.mutating, "{action}");
            action
        })
        .collect()
}

#[tokio::test]
async fn every_read_of_every_scenario_is_allowed_and_every_allowed_read_is_made() {
    let owned = Scenario::parse("owned-by-a-stack.yaml", OWNED_BY_A_STACK).unwrap();
    let mut made = read(owned).await;
    for name in Scenario::names() {
        made.extend(read(Scenario::named(&name).unwrap()).await);
    }
    let allowed: BTreeSet<String> = observe_actions().map(str::to_owned).collect();
    let never: Vec<&String> = allowed.difference(&made).collect();
    assert!(never.is_empty(), "allowed and never read: {never:?}");
    // Every principal may assume a role it is trusted by, and ask who it is.
    let beside: Vec<&String> = made.difference(&allowed).collect();
    assert_eq!(beside, ["sts:AssumeRole", "sts:GetCallerIdentity"]);
}
