use super::super::tests::assert_roots;
use crate::testing::*;

fn refused(
    words: &str,
    change: impl FnOnce(&mut crate::observation::ContainerDefinition),
) -> World {
    let mut world = World::deploying(|definition| change(&mut definition.containers[0]));
    world.exited(-60, 1);
    world.says("web", 2, words);
    world
}

#[test]
fn the_line_tells_what_was_refused() {
    for (words, mode) in [
        (
            "listen tcp :80: bind: permission denied",
            "privileged-port-permission-denied",
        ),
        (
            "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)",
            "privileged-port-permission-denied",
        ),
        (
            "Error: listen EACCES: permission denied 0.0.0.0:80",
            "privileged-port-permission-denied",
        ),
        (
            "OSError: [Errno 30] Read-only file system: '/tmp/x'",
            "readonly-filesystem-write",
        ),
        (
            "Error: EROFS: read-only file system, open '/app/cache'",
            "readonly-filesystem-write",
        ),
        ("accept4: too many open files", "ulimit-nofile-exhausted"),
        ("Error: EMFILE, uv_cwd", "ulimit-nofile-exhausted"),
        (
            "write /var/lib/x: no space left: No space left on device",
            "ephemeral-storage-full-runtime",
        ),
        (
            "Error: getaddrinfo ENOTFOUND orders-db.internal",
            "dns-resolution-app-failure",
        ),
        (
            "java.net.UnknownHostException: orders-db",
            "dns-resolution-app-failure",
        ),
        (
            "dial tcp: lookup orders-db.internal on 10.0.0.2:53: no such host",
            "dns-resolution-app-failure",
        ),
    ] {
        let diagnosis = assert_roots(&refused(words, |_| ()), &[mode]);
        assert!(
            diagnosis.findings[0]
                .evidence
                .iter()
                .any(|citation| citation.quote == words),
            "{words}"
        );
    }
}

#[test]
fn the_task_definition_makes_it_sure() {
    use super::super::Confidence;
    for (words, sure) in [
        ("bind() to 0.0.0.0:80 failed (13: Permission denied)", true),
        ("Read-only file system", true),
        ("too many open files", true),
    ] {
        let world = refused(words, |container| {
            container.runs_as_other_user = sure;
            container.read_only_root = sure;
            container.open_files_limit = sure.then_some(1_024);
        });
        let diagnosis = super::super::tests::diagnose(&world);
        assert_eq!(
            diagnosis.findings[0].confidence,
            Confidence::High,
            "{words}"
        );
        let doubtful = super::super::tests::diagnose(&refused(words, |_| ()));
        assert_eq!(
            doubtful.findings[0].confidence,
            Confidence::Medium,
            "{words}"
        );
    }
}

/// Look-alikes: a file without its execute bit, a peer that refuses, words of a healthy program.
#[test]
fn other_refusals_are_other_modes() {
    let mut world = World::deploying(|_| ());
    world.exited(-60, 126);
    world.says("web", 1, "/bin/sh: 1: /app/start: Permission denied");
    assert_roots(&world, &["exit-126-not-executable"]);

    let world = refused(
        "dial tcp 10.0.0.5:5432: connect: connection refused",
        |_| (),
    );
    assert_roots(&world, &["app-dependency-unreachable"]);

    let mut world = World::healthy();
    world.says(
        "web",
        10,
        "warning: ENOSPC on the metrics volume, dropping samples",
    );
    world.says(
        "web",
        11,
        "getaddrinfo ENOTFOUND ads.example.com, going on without",
    );
    assert_roots(&world, &[]);
}
