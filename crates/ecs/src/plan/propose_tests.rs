use super::*;
use crate::analyse::analyse;
use crate::observation::*;
use crate::plan::*;
use crate::testing::*;

/// Diagnoses, proposes, and checks what must hold of every plan.
fn plan_for(world: &World) -> Plan<Proposed> {
    let observation = world.observe();
    let diagnosis = analyse(&observation, &catalogue());
    let plan = propose(&observation, &diagnosis).unwrap();
    assert_eq!(
        propose(&observation, &diagnosis).unwrap().hash(),
        plan.hash()
    );
    for step in &plan.content().steps {
        assert!(!step.effect.is_empty() && !step.diff.is_empty(), "{step:?}");
        assert!(plan.content().rendered.contains(&step.effect));
    }
    plan
}

fn names(plan: &Plan<Proposed>) -> Vec<&'static str> {
    plan.content()
        .steps
        .iter()
        .map(|step| step.operation.name())
        .collect()
}

const PULL: &str = "CannotPullContainerError: failed to resolve ref: not found";

fn bad_tag() -> World {
    let mut world = World::deploying(|next| next.containers[0].image = image("1.5.0"));
    world.images.insert(0, image_snapshot("1.5.0", false));
    world.stopped(-60, "TaskFailedToStart", PULL);
    world
}

#[test]
fn a_healthy_service_gets_no_plan() {
    let observation = World::healthy().observe();
    let diagnosis = analyse(&observation, &catalogue());
    assert!(matches!(
        propose(&observation, &diagnosis),
        Err(PlanError::NothingToRepair { .. })
    ));
}

#[test]
fn a_bad_tag_goes_back_to_the_revision_that_ran() {
    let plan = plan_for(&bad_tag());
    assert_eq!(names(&plan), ["update_service"]);
    assert_eq!(plan.unproven().count(), 0);
    assert_eq!(plan.content().alternatives.len(), 1);
}

#[test]
fn a_plans_session_allows_its_calls_and_no_others() {
    let mut world = World::deploying(|next| {
        next.containers[0]
            .environment_names
            .retain(|name| name != "DATABASE_URL");
    });
    world.exited(-60, 1);
    world.says("web", 0, "environment variable DATABASE_URL is not set");
    let plan = plan_for(&world);
    assert_eq!(
        names(&plan),
        ["register_task_definition_revision", "update_service"]
    );
    let mut actions: Vec<&str> = plan
        .content()
        .session_policy
        .iter()
        .flat_map(|permission| &permission.actions)
        .map(String::as_str)
        .collect();
    actions.sort_unstable();
    assert_eq!(
        actions,
        [
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
            "ecs:ListTaskDefinitions",
            "ecs:RegisterTaskDefinition",
            "ecs:TagResource",
            "ecs:UpdateService",
            "iam:PassRole",
        ]
    );
}

#[test]
fn without_a_good_revision_a_listed_image_is_marked_unproven() {
    let mut world = bad_tag();
    world.definitions.truncate(1);
    world.service.deployments.truncate(1);
    world.tasks.remove(0);
    let plan = plan_for(&world);
    assert_eq!(
        names(&plan),
        ["register_task_definition_revision", "update_service"]
    );
    assert_eq!(plan.unproven().count(), 1);
}

#[test]
fn every_repairable_mode_has_its_repair() {
    type Break = fn(&mut World);
    let unreached = "ResourceInitializationError: i/o timeout";
    let stop = |world: &mut World, reason: &str| {
        world.stopped(-60, "TaskFailedToStart", reason);
    };
    let cases: Vec<(&str, Break, &[&str])> = vec![
        (
            "oom-kill-137",
            |world| {
                let task = world.exited(-60, 137);
                task.containers[0].reason =
                    Some("OutOfMemoryError: Container killed due to memory usage".to_owned());
            },
            &["register_task_definition_revision", "update_service"],
        ),
        (
            "log-group-missing",
            |world| {
                world.log_groups[0].exists = Some(false);
                world.stopped(
                    -60,
                    "TaskFailedToStart",
                    "ResourceNotFoundException: The specified log group does not exist.",
                );
            },
            &["create_log_group"],
        ),
        (
            "required-env-var-missing",
            |world| {
                world.definitions[0].containers[0].environment_names.clear();
                world.exited(-60, 1);
                world.says("web", 0, "environment variable DATABASE_URL is not set");
            },
            &["register_task_definition_revision", "update_service"],
        ),
        (
            "app-crash-exit-nonzero",
            |world| {
                world.exited(-60, 1);
            },
            &["update_service"],
        ),
        (
            "sg-egress-blocked",
            |world| world.groups[0].egress.clear(),
            &["authorize_security_group"],
        ),
        (
            "elb-hc-timeout-sg-ingress",
            |world| {
                world.groups[0].ingress.clear();
                world.target_groups[0].targets[0].state = "unhealthy".to_owned();
                world.target_groups[0].targets[0].reason = Some("Target.Timeout".to_owned());
            },
            &["authorize_security_group"],
        ),
        (
            "subnet-ip-exhaustion",
            |world| {
                world.subnets[0].available_ips = 0;
                world.stopped(
                    -60,
                    "TaskFailedToStart",
                    "InsufficientFreeAddressesInSubnet",
                );
            },
            &["update_service"],
        ),
        (
            "fargate-public-subnet-no-public-ip",
            |world| {
                world.route_tables[0].routes[0].target = "igw-1".to_owned();
            },
            &["update_service"],
        ),
        (
            "private-subnet-no-nat-or-endpoint",
            |world| world.route_tables[0].routes.clear(),
            &[],
        ),
        (
            "service-desired-count-zero",
            |world| {
                *world = World::healthy();
                world.service.desired_count = 0;
                world.event(
                    -60,
                    "(service web) has stopped 2 running tasks: (task x) (task y).",
                );
            },
            &["update_service"],
        ),
        (
            "task-definition-inactive",
            |world| {
                *world = World::healthy();
                world.definitions[0].status = "INACTIVE".to_owned();
            },
            &["register_task_definition_revision", "update_service"],
        ),
        (
            "scaling-at-max-capacity",
            |world| {
                *world = World::healthy();
                world.scaling = Some(ScalingSnapshot {
                    min_capacity: 1,
                    max_capacity: 2,
                    activities: vec![(
                        at(-30),
                        "alarm".to_owned(),
                        "Unfulfilled: AlreadyAtMaxCapacity".to_owned(),
                    )],
                    ..ScalingSnapshot::default()
                });
            },
            &["register_scalable_target"],
        ),
        (
            "elb-hc-path-mismatch",
            |world| {
                world.target_groups[0].health_check.path = Some("/wrong".to_owned());
                world.target_groups[0].targets[0].state = "unhealthy".to_owned();
                world.target_groups[0].targets[0].reason =
                    Some("Target.ResponseCodeMismatch".to_owned());
                world.says("web", 3, "\"GET /health HTTP/1.1\" 200");
            },
            &["modify_target_group_health_check"],
        ),
    ];
    for (mode, break_it, expected) in cases {
        let mut world = World::deploying(|_| {});
        break_it(&mut world);
        let diagnosis = analyse(&world.observe(), &catalogue());
        if diagnosis.roots().next().is_none() {
            stop(&mut world, unreached);
        }
        let plan = plan_for(&world);
        assert_eq!(plan.content().repairs, [mode]);
        assert_eq!(names(&plan), expected, "{mode}");
        assert_eq!(plan.is_executable(), !plan.content().steps.is_empty());
        assert!(
            !plan.content().steps.is_empty() || !plan.content().advice.is_empty(),
            "{mode}"
        );
    }
}

#[test]
fn permissions_are_advice_unless_an_earlier_role_worked() {
    let denied =
        "CannotPullContainerError: x is not authorized to perform: ecr:BatchGetImage on resource";
    let mut world = World::deploying(|_| {});
    world.stopped(-60, "TaskFailedToStart", denied);
    let plan = plan_for(&world);
    assert!(!plan.is_executable());
    assert!(
        plan.content().advice[0].commands[0]
            .contains("attach-role-policy --role-name shop-web-execution")
    );
    let mut world = World::deploying(|next| next.execution_role_arn = Some(role_arn("other")));
    world.stopped(-60, "TaskFailedToStart", denied);
    assert_eq!(names(&plan_for(&world)), ["update_service"]);
}

fn approved(plan: Plan<Proposed>) -> Plan<Approved> {
    let plan = plan.bind("thread-1", at(900));
    let approval = Approval {
        plan_hash: plan.hash(),
        decided_by: "ada".to_owned(),
        decided_at: at(10),
        expires_at: at(900),
    };
    plan.approve(approval).unwrap()
}

#[test]
fn an_approval_is_for_exactly_one_content() {
    let plan = plan_for(&bad_tag());
    let approval = |plan: &Plan<Proposed>| Approval {
        plan_hash: plan.hash(),
        decided_by: "ada".to_owned(),
        decided_at: at(10),
        expires_at: at(900),
    };
    let unbound = approval(&plan);
    assert!(matches!(
        plan.clone().approve(unbound),
        Err(ApprovalError::Unbound)
    ));
    let bound = plan.bind("thread-1", at(900));
    let other = bound.clone().bind("thread-2", at(900));
    let of_other = approval(&other);
    assert!(matches!(
        bound.clone().approve(of_other),
        Err(ApprovalError::OtherPlan { .. })
    ));
    let mut late = approval(&bound);
    late.decided_at = at(901);
    assert!(matches!(
        bound.clone().approve(late),
        Err(ApprovalError::Expired { .. })
    ));
    let mut nobody = approval(&bound);
    nobody.decided_by = " ".to_owned();
    assert!(matches!(
        bound.approve(nobody),
        Err(ApprovalError::Anonymous)
    ));
}

#[test]
fn a_stored_plan_has_the_same_hash() {
    let plan = plan_for(&bad_tag());
    let text = serde_json::to_string(plan.content()).unwrap();
    assert_eq!(
        Plan::restore(serde_json::from_str(&text).unwrap()).hash(),
        plan.hash()
    );
}

/// Every scalar of the content, changed by itself, changes the hash.
#[test]
fn any_changed_field_changes_the_hash() {
    fn scalars(value: &serde_json::Value, path: String, out: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, item) in fields {
                    scalars(
                        item,
                        format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")),
                        out,
                    );
                }
            }
            serde_json::Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    scalars(item, format!("{path}/{index}"), out);
                }
            }
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => out.push(path),
        }
    }
    let plan = plan_for(&bad_tag()).bind("thread-1", at(900));
    let value = serde_json::to_value(plan.content()).unwrap();
    let mut paths = Vec::new();
    scalars(&value, String::new(), &mut paths);
    assert!(paths.len() > 60, "{}", paths.len());
    let mut changed = 0;
    for path in paths {
        let mut other = value.clone();
        let place = other.pointer_mut(&path).unwrap();
        *place = match place {
            serde_json::Value::String(text) => format!("{text}x").into(),
            serde_json::Value::Number(number) => (number.as_i64().unwrap() + 1).into(),
            serde_json::Value::Bool(on) => (!*on).into(),
            serde_json::Value::Null
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => "x".into(),
        };
        // What no longer parses (a time, an account) can be no plan at all.
        if let Ok(content) = serde_json::from_value::<PlanContent>(other) {
            assert_ne!(Plan::restore(content).hash(), plan.hash(), "{path}");
            changed += 1;
        }
    }
    assert!(changed > 50);
}

#[test]
fn the_grant_is_minimal_and_fits() {
    let plan = approved(plan_for(&bad_tag()));
    let grant = plan.grant(1).unwrap();
    let policy = grant.policy().to_json();
    assert!(policy.len() <= 2048);
    assert!(
        policy.contains("ecs:UpdateService") && !policy.contains("iam:"),
        "{policy}"
    );
    assert_eq!(grant.plan_hash(), plan.hash().as_str());
}

#[test]
fn a_moved_world_is_noticed_and_own_steps_are_not() {
    let mut world = World::deploying(|_| {});
    world.exited(-60, 137).containers[0].reason =
        Some("OutOfMemoryError: Container killed".to_owned());
    let plan = approved(plan_for(&world));
    let now = Fingerprint::of(&world.observe());
    assert_eq!(plan.drift(1, &[], &now), []);
    let mut scaled = world.clone();
    scaled.service.desired_count = 5;
    let drift = plan.drift(2, &[], &Fingerprint::of(&scaled.observe()));
    assert_eq!(drift.len(), 1);
    assert_eq!(drift[0].fact, "service.desired_count");
}

#[test]
fn an_operation_and_its_inverse_restore_the_service() {
    for world in [bad_tag(), {
        let mut world = World::deploying(|_| {});
        world.groups[0].egress.clear();
        world.stopped(-60, "TaskFailedToStart", "i/o timeout");
        world
    }] {
        let plan = approved(plan_for(&world));
        let done: Vec<StepOutcome> = plan
            .content()
            .steps
            .iter()
            .map(|step| StepOutcome {
                step: step.number,
                status: StepStatus::Applied,
                produced: Produced::default(),
                requests: Vec::new(),
                started_at: at(20),
                finished_at: at(21),
            })
            .collect();
        let before = Fingerprint::of(&world.observe());
        let mut changed = world.clone();
        for step in &plan.content().steps {
            apply(&mut changed, &step.operation);
        }
        assert_ne!(Fingerprint::of(&changed.observe()), before);
        for operation in crate::verify::rollback_plan(&plan, &done) {
            apply(&mut changed, &operation);
        }
        assert_eq!(Fingerprint::of(&changed.observe()), before);
    }
}

/// What AWS would do, for the operations these worlds need.
fn apply(world: &mut World, operation: &Operation) {
    let rule_of = |rule: &PortRule| {
        let mut made = rule_between(rule.from_port, rule.to_port);
        match &rule.peer {
            Peer::Group { id } => made.groups.push(id.clone()),
            Peer::Cidr { cidr } => made.cidrs.push(cidr.clone()),
            Peer::PrefixList { id } => made.prefix_lists.push(id.clone()),
        }
        made
    };
    match operation {
        Operation::UpdateService(update) => {
            if let Some(RevisionRef::Existing { arn }) = &update.task_definition {
                world.service.task_definition.clone_from(arn);
            }
        }
        Operation::AuthorizeSecurityGroup(change) => {
            world.groups[0].egress.push(rule_of(&change.rule));
        }
        Operation::RevokeSecurityGroup(change) => {
            let gone = rule_of(&change.rule);
            world.groups[0].egress.retain(|rule| *rule != gone);
        }
        Operation::RegisterTaskDefinitionRevision(_)
        | Operation::ModifyTargetGroupHealthCheck(_)
        | Operation::CreateLogGroup(_)
        | Operation::RegisterScalableTarget(_)
        | Operation::StopTask(_) => panic!("{operation:?}"),
    }
}

fn rule_between(from: i32, to: i32) -> SecurityRule {
    rule((from, to), &[], &[])
}

#[test]
fn a_model_obeys_the_same_rules() {
    let observation = bad_tag().observe();
    let refused = |operation: Operation| {
        let proposed = ProposedOperation {
            operation,
            reason: "ignore the rules".to_owned(),
        };
        Plan::from_model(vec![proposed], &observation).unwrap_err()
    };
    let open = |direction, port, cidr: &str| {
        Operation::AuthorizeSecurityGroup(SecurityGroupRuleChange {
            group: GROUP.to_owned(),
            direction,
            rule: PortRule {
                from_port: port,
                to_port: port,
                peer: Peer::Cidr {
                    cidr: cidr.to_owned(),
                },
            },
        })
    };
    for operation in [
        open(Direction::Ingress, 443, "0.0.0.0/0"),
        open(Direction::Ingress, 8080, "::/0"),
        open(Direction::Egress, 22, "0.0.0.0/0"),
        open(Direction::Egress, 443, "0.0.0.0/1"),
        open(Direction::Ingress, 8080, "203.0.113.0/24"),
        Operation::StopTask(StopTask {
            cluster: arn("ecs", "cluster/shop"),
            task: arn("ecs", "task/shop/other"),
        }),
        Operation::CreateLogGroup(CreateLogGroup {
            name: "/other".to_owned(),
        }),
        Operation::RegisterTaskDefinitionRevision(RegisterTaskDefinitionRevision {
            base: revision_arn(2),
            changes: vec![TaskDefinitionChange::SetImage {
                container: "web".to_owned(),
                image: "evil.example.com/miner:latest".to_owned(),
            }],
        }),
        Operation::RegisterTaskDefinitionRevision(RegisterTaskDefinitionRevision {
            base: revision_arn(2),
            changes: vec![TaskDefinitionChange::SetTaskSize {
                cpu: 256,
                memory_mib: 8192,
            }],
        }),
        Operation::UpdateService(UpdateService {
            cluster: arn("ecs", "cluster/shop"),
            service: arn("ecs", "service/shop/payments"),
            desired_count: Some(0),
            ..UpdateService::default()
        }),
    ] {
        let error = refused(operation.clone());
        assert!(
            matches!(
                error,
                PlanError::NotInInventory { .. } | PlanError::ValueRefused { .. }
            ),
            "{operation:?}: {error}"
        );
    }
}

mod tainted {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~]{0,40}",
            Just(arn("ecs", "service/shop/web-2")),
            Just(arn("ecs", "task-definition/shop-web:9")),
            Just("evil.example.com/miner:latest".to_owned()),
            Just(format!("{}@sha256:0", image("1.4.1"))),
            Just("0.0.0.0/0".to_owned()),
            Just("sg-0ffffffffffffffff".to_owned()),
        ]
    }

    fn operation() -> impl Strategy<Value = Operation> {
        prop_oneof![
            text().prop_map(|image| {
                Operation::RegisterTaskDefinitionRevision(RegisterTaskDefinitionRevision {
                    base: revision_arn(2),
                    changes: vec![TaskDefinitionChange::SetImage {
                        container: "web".to_owned(),
                        image,
                    }],
                })
            }),
            text().prop_map(|base| {
                Operation::RegisterTaskDefinitionRevision(RegisterTaskDefinitionRevision {
                    base,
                    changes: vec![],
                })
            }),
            text().prop_map(|service| Operation::UpdateService(UpdateService {
                cluster: arn("ecs", "cluster/shop"),
                service,
                desired_count: Some(1),
                ..UpdateService::default()
            })),
            (text(), text(), 1..65_535i32, any::<bool>()).prop_map(|(group, cidr, port, out)| {
                Operation::AuthorizeSecurityGroup(SecurityGroupRuleChange {
                    group: if out { GROUP.to_owned() } else { group },
                    direction: Direction::Ingress,
                    rule: PortRule {
                        from_port: port,
                        to_port: port,
                        peer: Peer::Cidr { cidr },
                    },
                })
            }),
            text().prop_map(|target_group| Operation::ModifyTargetGroupHealthCheck(
                ModifyTargetGroupHealthCheck {
                    target_group,
                    path: Some("/".to_owned()),
                    ..ModifyTargetGroupHealthCheck::default()
                }
            )),
            text().prop_map(|name| Operation::CreateLogGroup(CreateLogGroup { name })),
            text().prop_map(|task| Operation::StopTask(StopTask {
                cluster: arn("ecs", "cluster/shop"),
                task
            })),
        ]
    }

    #[test]
    fn nothing_outside_the_inventory_is_planned() {
        let observation = bad_tag().observe();
        let config = ProptestConfig {
            cases: 10_000,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let outcome = TestRunner::new(config).run(&operation(), |operation| {
            let reason = String::new();
            let proposed = ProposedOperation { operation, reason };
            prop_assert!(Plan::from_model(vec![proposed], &observation).is_err());
            Ok(())
        });
        assert_eq!(outcome, Ok(()));
    }
}

#[test]
fn the_schema_that_a_model_sees() {
    let schema = serde_json::to_value(schemars::schema_for!(ProposedOperation)).unwrap();
    let text = schema.to_string();
    for word in [
        "register_task_definition_revision",
        "stop_task",
        "copy_environment_variable",
    ] {
        assert!(text.contains(word), "{word}");
    }
    for word in [
        "iam",
        "policy",
        "environment_value",
        "privileged",
        "command_line",
    ] {
        assert!(!text.contains(&format!("\"{word}\"")), "{word}");
    }
}

#[test]
fn hidden_characters_do_not_reach_the_person() {
    let mut world = bad_tag();
    world
        .service
        .tags
        .push(("managed-by".to_owned(), "\u{202e}evil".to_owned()));
    let plan = plan_for(&world);
    assert!(!plan.content().rendered.contains('\u{202e}'));
}
