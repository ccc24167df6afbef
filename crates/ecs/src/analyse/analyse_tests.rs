use super::*;
use crate::observation::*;
use crate::testing::*;

/// Analyses a world and checks what must hold of every diagnosis.
pub(super) fn diagnose(world: &World) -> Diagnosis {
    let observation = world.observe();
    let diagnosis = analyse(&observation, &catalogue());
    for finding in &diagnosis.findings {
        assert_eq!(ground(&observation, finding), Ok(()), "{finding:?}");
        assert!(!finding.root_cause.is_empty());
    }
    diagnosis
}

#[track_caller]
pub(super) fn assert_roots(world: &World, expected: &[&str]) -> Diagnosis {
    let diagnosis = diagnose(world);
    let roots: Vec<&str> = diagnosis
        .roots()
        .map(|finding| finding.mode.as_str())
        .collect();
    assert_eq!(roots, expected, "{:#?}", diagnosis.findings);
    diagnosis
}

#[test]
fn a_healthy_service_has_no_finding() {
    let diagnosis = assert_roots(&World::healthy(), &[]);
    assert_eq!(diagnosis.verdict, Verdict::Healthy);
    assert_eq!(diagnosis.findings, []);
}

#[test]
fn scale_in_exits_are_no_findings() {
    for exit_code in [143, 137] {
        let mut world = World::healthy();
        let task = world.stopped(
            -100,
            "ServiceSchedulerInitiated",
            "Scaling activity initiated by (deployment ecs-svc/0000000000000000001)",
        );
        task.containers[0].exit_code = Some(exit_code);
        let diagnosis = assert_roots(&world, &[]);
        assert_eq!(diagnosis.verdict, Verdict::Healthy);
    }
}

#[test]
fn noisy_logs_are_no_finding() {
    let mut world = World::healthy();
    world.says(
        "web",
        5,
        "ERROR environment variable FOO_BAR is not set; OutOfMemoryError; exec format error",
    );
    assert_eq!(assert_roots(&world, &[]).verdict, Verdict::Healthy);
}

#[test]
fn failures_before_the_last_steady_state_are_history() {
    let mut world = World::healthy();
    world.exited(-8990, 1);
    assert_eq!(assert_roots(&world, &[]).verdict, Verdict::Healthy);
}

const PULL: &str = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref";

#[test]
fn a_tag_that_does_not_exist() {
    let mut world = World::deploying(|next| next.containers[0].image = image("1.5.0"));
    world.images.insert(0, image_snapshot("1.5.0", false));
    world.stopped(
        -60,
        "TaskFailedToStart",
        &format!("{PULL} {}: not found", image("1.5.0")),
    );
    let diagnosis = assert_roots(&world, &["image-tag-not-found"]);
    assert_eq!(diagnosis.findings[0].confidence, Confidence::High);
    assert!(diagnosis.summary.contains("1.5.0"));
}

#[test]
fn a_repository_that_does_not_exist() {
    let mut world = World::deploying(|next| next.containers[0].image = image("1.5.0"));
    let mut image_known = image_snapshot("1.5.0", false);
    image_known.repository_exists = Some(false);
    world.images.insert(0, image_known);
    world.stopped(
        -60,
        "TaskFailedToStart",
        "CannotPullContainerError: name unknown: The repository with name 'shop/web' does not exist in the registry",
    );
    assert_roots(&world, &["image-repo-not-found"]);
}

#[test]
fn a_role_that_may_not_pull() {
    let mut world = World::deploying(|_| {});
    world.stopped(
        -60,
        "TaskFailedToStart",
        "CannotPullContainerError: User: arn:aws:sts::111122223333:assumed-role/shop-web-execution/x is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-central-1:111122223333:repository/shop/web because no identity-based policy allows the ecr:BatchGetImage action",
    );
    assert_roots(&world, &["ecr-pull-denied-execution-role"]);
}

#[test]
fn a_role_that_gets_no_registry_token() {
    let mut world = World::deploying(|_| {});
    world.stopped(
        -60,
        "TaskFailedToStart",
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: AccessDeniedException: User: x is not authorized to perform: ecr:GetAuthorizationToken on resource: *",
    );
    assert_roots(&world, &["ecr-auth-token-denied"]);
}

fn secret(name: &str, key: &str) -> SecretReference {
    SecretReference {
        name: "DB_PASSWORD".to_owned(),
        value_from: format!(
            "{}{key}",
            arn("secretsmanager", &format!("secret:{name}-AbCdEf"))
        ),
    }
}

#[test]
fn secrets_that_cannot_be_injected() {
    let denied = format!(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: AccessDeniedException: User: x is not authorized to perform: secretsmanager:GetSecretValue on resource: {}",
        secret("db", "").value_from
    );
    let missing = "ResourceInitializationError: unable to retrieve secret from asm: ResourceNotFoundException: Secrets Manager can\u{2019}t find the specified secret.".to_owned();
    let key = "ResourceInitializationError: unable to pull secrets or registry auth: retrieved secret from Secrets Manager did not contain json key pass".to_owned();
    for (reason, suffix, exists, mode) in [
        (denied, "", true, "secret-access-denied-execution-role"),
        (missing, "", false, "secret-not-found"),
        (key, ":pass::", true, "secret-json-key-missing"),
    ] {
        let mut world =
            World::deploying(|next| next.containers[0].secrets = vec![secret("db", suffix)]);
        world.secrets = vec![SecretSnapshot {
            value_from: secret("db", suffix).value_from,
            exists: Some(exists),
            ..SecretSnapshot::default()
        }];
        world.stopped(-60, "TaskFailedToStart", &reason);
        let diagnosis = assert_roots(&world, &[mode]);
        assert!(
            diagnosis.findings[0].root_cause.contains("DB_PASSWORD"),
            "{:?}",
            diagnosis.findings[0]
        );
        assert_eq!(diagnosis.findings[0].confidence, Confidence::High);
    }
}

#[test]
fn a_log_group_that_is_gone() {
    let mut world = World::deploying(|_| {});
    world.log_groups[0].exists = Some(false);
    world.stopped(
        -60,
        "TaskFailedToStart",
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1",
    );
    let diagnosis = assert_roots(&world, &["log-group-missing"]);
    assert!(diagnosis.summary.contains("/ecs/shop-web"));
}

#[test]
fn exits_are_told_apart() {
    type Break = fn(&mut World);
    let cases: [(&str, Break); 7] = [
        ("oom-kill-137", |world| {
            let task = world.exited(-60, 137);
            task.containers[0].reason =
                Some("OutOfMemoryError: Container killed due to memory usage".to_owned());
        }),
        ("exec-format-error", |world| {
            world.exited(-60, 255);
            world.says("web", 0, "exec /app/server: exec format error");
        }),
        ("exit-127-command-not-found", |world| {
            world.exited(-60, 127);
            world.says("web", 0, "sh: npm start: not found");
        }),
        ("required-env-var-missing", |world| {
            world.definitions[0].containers[0]
                .environment_names
                .retain(|name| name != "DATABASE_URL");
            world.exited(-60, 1);
            world.says(
                "web",
                0,
                "FATAL: environment variable DATABASE_URL is not set",
            );
        }),
        ("app-dependency-unreachable", |world| {
            world.exited(-60, 1);
            world.says("web", 9, "Error: connect to db.internal:5432 timed out");
        }),
        ("sg-egress-blocked", |world| {
            world.groups[0].egress = vec![rule((443, 443), &["0.0.0.0/0"], &[])];
            world.exited(-60, 1);
            world.says("web", 9, "Error: connect to db.internal:5432 timed out");
        }),
        ("app-crash-exit-nonzero", |world| {
            world.exited(-60, 1);
            world.says("web", 9, "panic: index out of range [3] with length 3");
        }),
    ];
    for (mode, break_it) in cases {
        let mut world = World::deploying(|_| {});
        break_it(&mut world);
        assert_roots(&world, &[mode]);
    }
}

#[test]
fn a_sibling_without_last_words_is_no_cause_of_its_own() {
    let mut world = World::deploying(|_| {});
    world.exited(-300, 255);
    world.says("web", 0, "exec /app/server: exec format error");
    world.exited(-200, 255);
    world.exited(-100, 255);
    assert_roots(&world, &["exec-format-error"]);
    // Another revision may end for another reason.
    world.exited(-50, 1).task_definition = revision_arn(1);
    assert_roots(&world, &["exec-format-error", "app-crash-exit-nonzero"]);
}

#[test]
fn a_variable_that_is_there_is_not_called_missing() {
    let mut world = World::deploying(|_| {});
    world.exited(-60, 1);
    world.says(
        "web",
        0,
        "environment variable DATABASE_URL is required, ignored",
    );
    assert_roots(&world, &["app-crash-exit-nonzero"]);
}

#[test]
fn exit_137_alone_is_not_out_of_memory() {
    let mut world = World::deploying(|_| {});
    world.exited(-60, 137);
    let diagnosis = assert_roots(&world, &[]);
    assert_eq!(diagnosis.verdict, Verdict::Inconclusive);
}

#[test]
fn a_sidecar_takes_the_task_down() {
    let mut world = World::deploying(|next| {
        let mut sidecar = container("metrics", "1.4.1");
        sidecar.port_mappings.clear();
        next.containers.push(sidecar);
    });
    let task = world.exited(-60, 143);
    task.containers.push(ContainerSnapshot {
        name: "metrics".to_owned(),
        exit_code: Some(1),
        ..ContainerSnapshot::default()
    });
    world.says("metrics", 30, "cannot open socket");
    assert_roots(&world, &["essential-sidecar-exited"]);
}

const UNREACHED: &str = "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. i/o timeout";

#[test]
fn networks_are_told_apart() {
    type Break = fn(&mut World);
    let cases: [(&[&str], Break); 5] = [
        (&["sg-egress-blocked"], |world| {
            world.groups[0].egress.clear()
        }),
        (&["route-blackhole-nat-deleted"], |world| {
            world.route_tables[0].routes[0].state = "blackhole".to_owned();
            world.nat_gateways[0].state = "deleted".to_owned();
        }),
        (&["private-subnet-no-nat-or-endpoint"], |world| {
            world.route_tables[0].routes.clear()
        }),
        (&["fargate-public-subnet-no-public-ip"], |world| {
            world.route_tables[0].routes[0].target = "igw-1".to_owned();
        }),
        (
            &["route-blackhole-nat-deleted", "sg-egress-blocked"],
            |world| {
                world.groups[0].egress.clear();
                world.route_tables[0].routes[0].state = "blackhole".to_owned();
            },
        ),
    ];
    for (modes, break_it) in cases {
        let mut world = World::deploying(|_| {});
        break_it(&mut world);
        world.stopped(-60, "TaskFailedToStart", UNREACHED);
        assert_roots(&world, modes);
    }
}

#[test]
fn endpoints_replace_a_route() {
    let mut world = World::deploying(|_| {});
    world.route_tables[0].routes.clear();
    world.endpoints = ["ecr.api", "ecr.dkr", "s3"]
        .map(|name| VpcEndpointSnapshot {
            id: format!("vpce-{name}"),
            service: format!("com.amazonaws.{REGION}.{name}"),
            kind: "Interface".to_owned(),
            private_dns: true,
            state: "available".to_owned(),
            ..VpcEndpointSnapshot::default()
        })
        .to_vec();
    world.stopped(-60, "TaskFailedToStart", UNREACHED);
    assert_eq!(assert_roots(&world, &[]).verdict, Verdict::Inconclusive);
}

#[test]
fn a_subnet_without_addresses() {
    let mut world = World::deploying(|_| {});
    world.subnets[0].available_ips = 0;
    world.stopped(
        -60,
        "TaskFailedToStart",
        "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-0aaaaaaaaaaaaaaa1': InsufficientFreeAddressesInSubnet",
    );
    assert_roots(&world, &["subnet-ip-exhaustion"]);
}

fn hc(start_period: i32) -> ContainerHealthCheck {
    ContainerHealthCheck {
        program: "CMD-SHELL curl".to_owned(),
        interval_seconds: Some(10),
        timeout_seconds: Some(5),
        retries: Some(3),
        start_period_seconds: Some(start_period),
    }
}

#[test]
fn container_health_checks_are_told_apart() {
    for (ready_after, mode) in [
        (55, "container-hc-start-period-short"),
        (5, "container-hc-command-broken"),
    ] {
        let mut world = World::deploying(|next| next.containers[0].health_check = Some(hc(0)));
        world.stopped(
            -60,
            "ServiceSchedulerInitiated",
            "Task failed container health checks",
        );
        world.says("web", ready_after, "listening on 0.0.0.0:8080");
        assert_roots(&world, &[mode]);
    }
}

fn unhealthy(world: &mut World, reason: &str, description: &str) {
    let target = &mut world.target_groups[0].targets[0];
    target.state = "unhealthy".to_owned();
    target.reason = Some(reason.to_owned());
    target.description = Some(description.to_owned());
}

#[test]
fn balancer_checks_are_told_apart() {
    type Break = fn(&mut World);
    let cases: [(&str, Break); 6] = [
        ("elb-hc-path-mismatch", |world| {
            world.target_groups[0].health_check.path = Some("/wrong".to_owned());
            unhealthy(
                world,
                "Target.ResponseCodeMismatch",
                "Health checks failed with these codes: [404]",
            );
        }),
        ("elb-hc-port-mismatch", |world| {
            world.says("web", 4, "listening on 0.0.0.0:3000");
            unhealthy(world, "Target.FailedHealthChecks", "Health checks failed");
        }),
        ("elb-hc-port-mismatch", |world| {
            world.target_groups[0].health_check.port = Some("9999".to_owned());
            unhealthy(world, "Target.FailedHealthChecks", "Health checks failed");
        }),
        ("elb-hc-timeout-sg-ingress", |world| {
            world.groups[0].ingress.clear();
            unhealthy(world, "Target.Timeout", "Request timed out");
        }),
        ("elb-hc-timeout-slow-app", |world| {
            unhealthy(world, "Target.Timeout", "Request timed out");
        }),
        ("elb-hc-grace-period-short", |world| {
            world.service.health_check_grace_period_seconds = Some(0);
            world.stopped(
                -60,
                "ServiceSchedulerInitiated",
                &format!(
                    "Task failed ELB health checks in (target-group {})",
                    target_group_arn()
                ),
            );
            world.says("web", 0, "warming up");
            world.says("web", 50, "still warming up");
            unhealthy(world, "Target.FailedHealthChecks", "Health checks failed");
        }),
    ];
    for (mode, break_it) in cases {
        let mut world = World::deploying(|_| {});
        world.tasks.truncate(0);
        world.running(7, -300);
        world.target_groups[0].targets.remove(0);
        break_it(&mut world);
        assert_roots(&world, &[mode]);
    }
}

fn killed_by_the_balancer(world: &mut World) {
    let reason = format!(
        "Task failed ELB health checks in (target-group {})",
        target_group_arn()
    );
    world.stopped(-60, "ServiceSchedulerInitiated", &reason);
}

#[test]
fn a_silent_start_where_another_revision_serves_is_slow() {
    let mut world = World::deploying(|_| {});
    world.service.health_check_grace_period_seconds = Some(5);
    killed_by_the_balancer(&mut world);
    assert_roots(&world, &["elb-hc-grace-period-short"]);
    // The program says that it listens elsewhere: patience would not help.
    world.says("web", 3, "server listening on 0.0.0.0:3000");
    assert_roots(&world, &["elb-hc-port-mismatch"]);
}

#[test]
fn how_fast_another_revision_starts_proves_nothing_about_this_one() {
    let mut world = World::healthy();
    world.says("web", 4, "server listening on 0.0.0.0:8080");
    let lines = world.log_groups[0].lines.clone();
    let mut world = World::deploying(|_| {});
    world.log_groups[0].lines = lines;
    world.service.health_check_grace_period_seconds = Some(5);
    killed_by_the_balancer(&mut world);
    assert_roots(&world, &["elb-hc-grace-period-short"]);
}

#[test]
fn an_answer_of_503_is_no_wrong_path() {
    let mut world = World::healthy();
    unhealthy(
        &mut world,
        "Target.ResponseCodeMismatch",
        "Health checks failed with these codes: [503]",
    );
    assert_roots(&world, &["elb-hc-dependency-503"]);
}

fn instance(remaining_memory_mib: i32, agent_connected: bool) -> ContainerInstanceSnapshot {
    ContainerInstanceSnapshot {
        arn: arn("ecs", "container-instance/shop/1"),
        status: "ACTIVE".to_owned(),
        agent_connected,
        remaining_memory_mib,
        ..ContainerInstanceSnapshot::default()
    }
}

#[test]
fn placement_failures_are_told_apart() {
    const NO_PLACE: &str = "(service web) was unable to place a task because no container instance met all of its requirements.";
    for (mode, words, instances) in [
        (
            "no-container-instances",
            format!("{NO_PLACE} Reason: No Container Instances were found in your cluster."),
            vec![],
        ),
        (
            "insufficient-memory-instances",
            format!(
                "{NO_PLACE} The closest matching container-instance 1 has insufficient memory available."
            ),
            vec![instance(100, true)],
        ),
        (
            "task-larger-than-instance",
            format!(
                "{NO_PLACE} The closest matching container-instance 1 has insufficient memory available."
            ),
            vec![ContainerInstanceSnapshot {
                registered_memory_mib: 300,
                ..instance(100, true)
            }],
        ),
        (
            "agent-disconnected",
            format!(
                "{NO_PLACE} The closest matching container-instance 1 encountered error \"AGENT\"."
            ),
            vec![instance(4000, false)],
        ),
    ] {
        let mut world = World::deploying(|_| {});
        world.service.launch_type = Some("EC2".to_owned());
        world.instances = instances;
        world.event(-60, &words);
        assert_roots(&world, &[mode]);
    }
}

#[test]
fn a_momentary_disconnect_is_no_finding() {
    let mut world = World::healthy();
    world.instances = vec![instance(4000, false)];
    assert_eq!(assert_roots(&world, &[]).verdict, Verdict::Healthy);
}

#[test]
fn a_service_at_zero() {
    let mut world = World::healthy();
    world.service.desired_count = 0;
    world.service.running_count = 0;
    world.tasks.clear();
    world.target_groups[0].targets.clear();
    assert_roots(&world, &["service-desired-count-zero"]);
    world.scaling = Some(ScalingSnapshot {
        min_capacity: 0,
        max_capacity: 4,
        ..ScalingSnapshot::default()
    });
    assert_eq!(assert_roots(&world, &[]).verdict, Verdict::Healthy);
}

#[test]
fn a_rollback_leads_to_its_cause() {
    let mut world = World::deploying(|next| next.containers[0].image = image("1.5.0"));
    world.images.insert(0, image_snapshot("1.5.0", false));
    world.stopped(
        -400,
        "TaskFailedToStart",
        &format!("{PULL} {}: not found", image("1.5.0")),
    );
    world.service.task_definition = revision_arn(1);
    world.service.deployments = vec![DeploymentSnapshot {
        id: "ecs-svc/0000000000000000003".to_owned(),
        status: "PRIMARY".to_owned(),
        task_definition: revision_arn(1),
        rollout_state: Some("COMPLETED".to_owned()),
        created_at: Some(at(-300)),
        ..DeploymentSnapshot::default()
    }];
    world.service.running_count = 2;
    world.event(-301, "(service web) (deployment ecs-svc/0000000000000000002) deployment failed: tasks failed to start.");
    world.event(
        -300,
        "(service web) rolling back to deployment ecs-svc/0000000000000000003.",
    );
    world.event(-100, "(service web) has reached a steady state.");
    let diagnosis = assert_roots(&world, &["image-tag-not-found"]);
    assert_eq!(
        diagnosis
            .finding("circuit-breaker-rolled-back")
            .unwrap()
            .role,
        Role::Symptom
    );
}

#[test]
fn a_failed_deployment_without_rollback() {
    let mut world = World::deploying(|_| {});
    world.service.deployments[0].rollout_state = Some("FAILED".to_owned());
    world.service.circuit_breaker = Some((true, false));
    world.exited(-400, 1);
    world.says("web", 1, "panic: no");
    let diagnosis = assert_roots(&world, &["app-crash-exit-nonzero"]);
    assert_eq!(
        diagnosis
            .finding("circuit-breaker-no-rollback")
            .unwrap()
            .role,
        Role::Symptom
    );
}

#[test]
fn an_inactive_revision() {
    let mut world = World::healthy();
    world.definitions[0].status = "INACTIVE".to_owned();
    assert_roots(&world, &["task-definition-inactive"]);
}

#[test]
fn a_service_that_may_not_grow() {
    let mut world = World::healthy();
    world.scaling = Some(ScalingSnapshot {
        min_capacity: 1,
        max_capacity: 2,
        activities: vec![(
            at(-30),
            "alarm AlarmHigh in state ALARM triggered policy cpu".to_owned(),
            "Unfulfilled: AlreadyAtMaxCapacity".to_owned(),
        )],
        ..ScalingSnapshot::default()
    });
    assert_roots(&world, &["scaling-at-max-capacity"]);
    world.scaling.as_mut().unwrap().activities.clear();
    assert_roots(&world, &[]);
}

#[test]
fn denied_reads_are_named() {
    let mut world = World::deploying(|_| {});
    world.stopped(
        -60,
        "EssentialContainerExited",
        "Essential container in task exited",
    );
    world.gaps.push(Gap {
        call: "logs:FilterLogEvents".to_owned(),
        subject: "/ecs/shop-web".to_owned(),
        reason: GapReason::Denied {
            iam_action: "logs:FilterLogEvents".to_owned(),
        },
    });
    let diagnosis = assert_roots(&world, &[]);
    assert_eq!(diagnosis.verdict, Verdict::Inconclusive);
    assert!(
        diagnosis.summary.contains("Allow logs:FilterLogEvents"),
        "{}",
        diagnosis.summary
    );
}

#[test]
fn a_misquote_is_noticed() {
    let mut world = World::healthy();
    world.definitions[0].status = "INACTIVE".to_owned();
    let observation = world.observe();
    let mut finding = analyse(&observation, &catalogue()).findings.remove(0);
    finding.evidence[0].quote = "something else".to_owned();
    assert!(matches!(
        ground(&observation, &finding),
        Err(GroundError::Misquoted { .. })
    ));
    finding.evidence.clear();
    assert!(matches!(
        ground(&observation, &finding),
        Err(GroundError::Uncited { .. })
    ));
}
