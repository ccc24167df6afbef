use super::super::Verdict;
use super::super::tests::assert_roots;
use super::*;
use crate::testing::*;

fn assume_event(role: &str) -> String {
    format!(
        "(service web) failed to launch a task with (error ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.)."
    )
}

#[test]
fn the_role_in_the_event_is_the_one_at_fault() {
    for (name, mode) in [
        ("shop-web-execution", "execution-role-cannot-be-assumed"),
        ("shop-web-task", "task-role-cannot-be-assumed"),
    ] {
        let mut world = World::deploying(|_| ());
        world.event(-60, &assume_event(&role_arn(name)));
        let diagnosis = assert_roots(&world, &[mode]);
        assert!(diagnosis.summary.contains(name));
        assert_eq!(diagnosis.findings[0].confidence, Confidence::Medium);

        world.roles.push(RoleSnapshot {
            arn: role_arn(name),
            exists: Some(true),
            trusted_services: vec!["ec2.amazonaws.com".to_owned()],
            ..RoleSnapshot::default()
        });
        let diagnosis = assert_roots(&world, &[mode]);
        assert_eq!(diagnosis.findings[0].confidence, Confidence::High);
        assert!(diagnosis.summary.contains(TASKS));
    }
}

#[test]
fn another_services_role_is_not_ours() {
    let mut world = World::healthy();
    world.event(-60, &assume_event(&role_arn("somebody-else")));
    assert_roots(&world, &[]);
}

#[test]
fn a_task_without_execution_credentials() {
    let mut world = World::deploying(|next| next.execution_role_arn = None);
    world.stopped(
        -60,
        "TaskFailedToStart",
        "ResourceInitializationError: unable to pull secrets or registry auth: unable to find execution role credentials",
    );
    let diagnosis = assert_roots(&world, &["execution-role-cannot-be-assumed"]);
    assert_eq!(diagnosis.findings[0].confidence, Confidence::High);
}

#[test]
fn an_explicit_deny_is_named_by_its_policy() {
    for (words, policy) in [
        (
            "with an explicit deny in a service control policy",
            "service control policy",
        ),
        (
            "with an explicit deny in a permissions boundary",
            "permissions boundary",
        ),
        (
            "with an explicit deny in an identity-based policy",
            "identity-based policy",
        ),
    ] {
        let mut world = World::deploying(|_| ());
        let text = format!(
            "ResourceInitializationError: User: x is not authorized to perform: secretsmanager:GetSecretValue on resource: y {words}"
        );
        world.stopped(-60, "TaskFailedToStart", &text);
        let diagnosis = assert_roots(&world, &["scp-or-boundary-explicit-deny"]);
        assert!(diagnosis.summary.contains(policy), "{}", diagnosis.summary);
    }
}

const REFUSAL: &str = "botocore.exceptions.ClientError: An error occurred (AccessDenied): User: arn:aws:sts::111122223333:assumed-role/shop-web-task/0123 is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::shop/config";

#[test]
fn a_program_that_ends_for_a_refusal_lacks_a_permission() {
    let mut world = World::deploying(|_| ());
    world.exited(-60, 1);
    world.says("web", 5, REFUSAL);
    assert_roots(&world, &["task-role-permission-missing-app"]);
}

/// Positive control and look-alikes: another role's refusal, and one that the service does without.
#[test]
fn a_refusal_that_is_not_the_tasks_own_is_no_cause() {
    let mut world = World::deploying(|_| ());
    world.exited(-60, 1);
    world.says("web", 5, &REFUSAL.replace("shop-web-task", "somebody-else"));
    assert_roots(&world, &["app-crash-exit-nonzero"]);

    let mut world = World::healthy();
    world.says("web", 5, REFUSAL);
    assert!(assert_roots(&world, &[]).verdict != Verdict::RootCauseFound);
}
