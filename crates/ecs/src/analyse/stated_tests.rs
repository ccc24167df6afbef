use super::super::tests::assert_roots;
use super::super::{Confidence, Verdict};
use super::*;
use crate::testing::*;

/// Texts as AWS writes them, each with the mode it decides.
const TASK_TEXTS: [(&str, &str); 13] = [
    (
        "TaskFailedToStart: EMPTY CAPACITY PROVIDER",
        "capacity-provider-empty",
    ),
    (
        "CannotPullContainerError: User: arn:aws:sts::111122223333:assumed-role/x/1 is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-central-1:444455556666:repository/shop/web because no resource-based policy allows the ecr:BatchGetImage action",
        "ecr-cross-account-repository-policy",
    ),
    (
        "Timeout waiting for network interface provisioning to complete.",
        "eni-provisioning-timeout",
    ),
    (
        "ResourceInitializationError: unable to download firelens s3 config file: AccessDenied",
        "firelens-config-or-router-crash",
    ),
    (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: KMSInvalidStateException: arn:aws:kms:eu-central-1:111122223333:key/1 is pending deletion",
        "kms-key-disabled-or-deleted",
    ),
    (
        "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: AccessDeniedException: Access to KMS is not allowed",
        "secret-kms-decrypt-denied",
    ),
    (
        "ResourceInitializationError: failed to validate logger args: failed to create Cloudwatch log group: User: x is not authorized to perform: logs:CreateLogGroup on resource: y",
        "log-group-create-denied",
    ),
    (
        "CannotPullContainerError: pull image manifest has been retried: unauthorized: incorrect username or password",
        "private-registry-credentials-bad",
    ),
    (
        "Unable to attach network interface to unused device index",
        "resource-eni-limit",
    ),
    (
        "CannotPullContainerError: failed to resolve ref 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef: not found",
        "image-digest-gone-version-consistency",
    ),
    (
        "TaskFailedToStart: NO ACTIVE INSTANCES",
        "capacity-provider-empty",
    ),
    (
        "ResourceInitializationError: The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.",
        "secret-kms-decrypt-denied",
    ),
    (
        "CannotPullContainerError: asm fetching username: AuthorizationData is malformed, empty field",
        "private-registry-credentials-bad",
    ),
];

#[test]
fn what_aws_states_of_a_task_is_the_cause() {
    for (text, mode) in TASK_TEXTS {
        let mut world = World::deploying(|_| ());
        world.stopped(-60, "TaskFailedToStart", text);
        let diagnosis = assert_roots(&world, &[mode]);
        assert_eq!(diagnosis.findings[0].confidence, Confidence::High, "{mode}");
        assert!(diagnosis.findings[0].root_cause.ends_with('.'), "{mode}");
    }
}

#[test]
fn what_was_stated_before_the_last_steady_state_is_history() {
    for (text, _) in TASK_TEXTS {
        let mut world = World::healthy();
        world.stopped(-8_990, "TaskFailedToStart", text);
        assert_eq!(
            assert_roots(&world, &[]).verdict,
            Verdict::Healthy,
            "{text}"
        );
    }
}

#[test]
fn what_aws_states_of_the_service_is_the_cause() {
    for (text, mode) in [
        (
            "(service web) was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
            "deployment-config-impossible",
        ),
        (
            "(service web) was unable to reach steady state because task set (ecs-svc/1) was unable to scale in. Reason: The number of protected tasks are more than the desired count of tasks.",
            "deployment-blocked-by-task-protection",
        ),
        (
            "(service web) (deployment ecs-svc/0000000000000000002) deployment failed: alarm detected.",
            "deployment-alarm-rollback",
        ),
        (
            "(service web) was unable to reach steady state. Reason: No Container Instances were found in your capacity provider.",
            "capacity-provider-empty",
        ),
        (
            "(service web) was unable to place a task because no container instance met all of its requirements. The closest matching container-instance 1 encountered error \"RESOURCE:ENI\".",
            "resource-eni-limit",
        ),
    ] {
        let mut world = World::deploying(|_| ());
        world.event(-60, text);
        assert_roots(&world, &[mode]);
    }
}

/// Look-alikes: the same words beside ones that have the better claim.
#[test]
fn another_modes_words_win() {
    let denied = "User: x is not authorized to perform: kms:Decrypt on resource: k with an explicit deny in a service control policy";
    let mut world = World::deploying(|_| ());
    world.stopped(-60, "TaskFailedToStart", denied);
    assert_roots(&world, &["scp-or-boundary-explicit-deny"]);

    // A digest that the task definition names is a wrong reference.
    let pinned = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let mut world = World::deploying(|next| next.containers[0].image = pinned.to_owned());
    let text = format!("CannotPullContainerError: failed to resolve ref {pinned}: not found");
    world.stopped(-60, "TaskFailedToStart", &text);
    assert_roots(&world, &["image-tag-not-found"]);
}

#[test]
fn every_mode_of_the_table_is_in_the_catalogue() {
    let catalogue = catalogue();
    for stated in &STATED {
        assert!(catalogue.mode(stated.mode).is_some(), "{}", stated.mode);
    }
}
