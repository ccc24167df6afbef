use super::super::tests::assert_roots;
use crate::testing::*;

/// A running task whose check is answered with these codes.
fn answering(codes: &str) -> World {
    let mut world = World::deploying(|_| ());
    for target in &mut world.target_groups[0].targets {
        target.state = "unhealthy".to_owned();
        target.reason = Some("Target.ResponseCodeMismatch".to_owned());
        target.description = Some(format!("Health checks failed with these codes: [{codes}]"));
    }
    world
}

#[test]
fn the_code_tells_what_is_wrong() {
    for (codes, mode) in [
        ("301", "elb-hc-auth-or-redirect"),
        ("302, 307", "elb-hc-auth-or-redirect"),
        ("401", "elb-hc-auth-or-redirect"),
        ("403", "elb-hc-auth-or-redirect"),
        ("503", "elb-hc-dependency-503"),
        ("500, 503", "elb-hc-dependency-503"),
        // Look-alike: a path that is not there.
        ("404", "elb-hc-path-mismatch"),
    ] {
        assert_roots(&answering(codes), &[mode]);
    }
}

#[test]
fn a_program_that_crashes_is_the_cause_of_its_own_503() {
    let mut world = answering("503");
    world.exited(-30, 1);
    world.says("web", 5, "fatal: cannot open the configuration");
    assert_roots(&world, &["app-crash-exit-nonzero"]);
}

#[test]
fn the_other_protocol() {
    let mut world = answering("400");
    world.target_groups[0].targets[0].description = Some("Health checks failed".to_owned());
    world.target_groups[0].targets[0].reason = Some("Target.FailedHealthChecks".to_owned());
    world.says(
        "web",
        8_900,
        "http: TLS handshake error from 10.0.0.7:4711: EOF",
    );
    assert_roots(&world, &["elb-hc-protocol-mismatch"]);
}

#[test]
fn a_zone_that_the_load_balancer_does_not_serve() {
    let mut world = World::healthy();
    let target = &mut world.target_groups[0].targets[0];
    target.state = "unused".to_owned();
    target.reason = Some("Target.NotInUse".to_owned());
    target.description = Some(
        "Target is in an Availability Zone that is not enabled for the load balancer".to_owned(),
    );
    assert_roots(&world, &["target-az-not-enabled"]);
}

#[test]
fn a_group_that_nothing_forwards_to() {
    let mut world = World::healthy();
    let group = &mut world.target_groups[0];
    group.load_balancer_arns.clear();
    for target in &mut group.targets {
        target.state = "unused".to_owned();
        target.reason = Some("Target.NotInUse".to_owned());
    }
    assert_roots(&world, &["target-group-not-attached"]);

    // Look-alike: the first moments of a target in a group that is attached.
    let mut world = World::healthy();
    world.target_groups[0].targets[0].state = "initial".to_owned();
    assert_roots(&world, &[]);
}
