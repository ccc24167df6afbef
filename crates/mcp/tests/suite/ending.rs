//! How a child ends, whatever it does: nothing of it is left, and the invocation goes on.

use std::time::Duration;

use ecs_agent_mcp::{ChildError, ChildPool, ChildServer, DetachedReach, ServerSettings};
use serde_json::{Map, json};

use super::peer::{call, runs, settings, started, try_call};

#[tokio::test]
async fn a_child_that_is_done_goes_by_itself() {
    let server = started(settings(&[])).await;
    let process = u64::from(server.process());
    assert!(runs(process));
    let ending = server.end().await.unwrap();
    assert!(ending.by_itself, "{ending:?}");
    assert_eq!((ending.killed, ending.left), (0, 0));
    assert!(!runs(process));
    assert!(server.end().await.is_none());
    let gone = try_call(&server, "environment", json!({})).await;
    assert!(matches!(gone, Err(ChildError::Gone { .. })));
}

#[tokio::test]
async fn a_child_that_does_not_go_is_made_to() {
    let server = started(settings(&[])).await;
    call(&server, "linger", json!({})).await;
    let process = u64::from(server.process());
    let ending = server.end().await.unwrap();
    assert!(!ending.by_itself && ending.left == 0, "{ending:?}");
    assert!(!runs(process));
}

#[tokio::test]
async fn what_a_child_detached_ends_with_it() {
    for shed in [false, true] {
        let server = started(settings(&[])).await;
        assert_eq!(server.level().detached, DetachedReach::ByNamespace);
        let detached = call(&server, "detach", json!({"shed": shed})).await;
        let detached = detached.as_u64().unwrap();
        assert!(runs(detached), "so there is something to end");
        let ending = server.end().await.unwrap();
        assert_eq!((ending.killed, ending.left), (1, 0));
        assert!(!runs(detached), "shed: {shed}");
    }
}

#[tokio::test]
async fn dropping_a_server_kills_it_and_what_it_detached() {
    let server = started(settings(&[])).await;
    let detached = call(&server, "detach", json!({"shed": true})).await;
    let process = u64::from(server.process());
    drop(server);
    assert!(!runs(process) && !runs(detached.as_u64().unwrap()));
}

#[tokio::test]
async fn a_child_dies_with_the_thread_that_it_was_started_on() {
    // As when an invocation's thread is gone without any of its destructors.
    let process = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let server = started(settings(&[])).await;
            let process = u64::from(server.process());
            assert!(runs(process));
            std::mem::forget(server);
            process
        })
    })
    .join()
    .unwrap();
    while runs(process) {
        tokio::task::yield_now().await;
    }
}

/// Short patience, small output.
fn impatient(arguments: &[&str]) -> ServerSettings {
    ServerSettings {
        call_timeout: Duration::from_millis(500),
        output_bytes: 64 * 1024,
        ..settings(arguments)
    }
}

#[tokio::test]
async fn a_child_that_never_answers_or_never_stops_is_ended() {
    for (tool, too_much) in [("hang", false), ("flood", true), ("chatter", true)] {
        let mut settings = impatient(&[]);
        if too_much {
            settings.call_timeout = Duration::from_secs(60);
        }
        let server = started(settings).await;
        let process = u64::from(server.process());
        let error = try_call(&server, tool, json!({})).await.unwrap_err();
        match too_much {
            true => assert!(
                matches!(error, ChildError::TooMuch { .. }),
                "{tool}: {error}"
            ),
            false => assert!(
                matches!(error, ChildError::TimedOut { .. }),
                "{tool}: {error}"
            ),
        }
        assert!(!runs(process), "{tool}");
    }
}

#[tokio::test]
async fn a_child_that_begins_no_session_is_ended() {
    for (argument, settings) in [
        (
            "mute",
            ServerSettings {
                start_timeout: Duration::from_millis(500),
                ..settings(&["mute"])
            },
        ),
        ("flood", impatient(&["flood"])),
    ] {
        let error = ChildServer::start(settings, None).await.unwrap_err();
        match argument {
            "mute" => assert!(matches!(error, ChildError::TimedOut { .. }), "{error}"),
            _ => assert!(matches!(error, ChildError::TooMuch { .. }), "{error}"),
        }
    }
    let missing = ServerSettings::new("none", "/no/such/program", Vec::new(), std::env::temp_dir());
    let error = ChildServer::start(missing, None).await.unwrap_err();
    assert!(matches!(error, ChildError::Start { .. }));
}

#[tokio::test]
async fn a_failing_child_is_a_named_gap_and_the_others_go_on() {
    let mut broken = settings(&[]);
    broken.name = "broken".to_owned();
    let mut missing = settings(&[]);
    missing.name = "missing".to_owned();
    missing.command = "/no/such/program".into();
    let pool = ChildPool::new([settings(&[]), broken, missing], None);
    let gap = pool.call("broken", "crash", Map::new()).await.unwrap_err();
    assert_eq!(gap.server, "broken");
    assert!(gap.reason.contains("`broken` is gone"), "{gap:?}");
    // It is not started again, and one that cannot be started is not tried twice.
    for (server, why) in [("broken", "is gone"), ("missing", "failed to start")] {
        let gap = pool
            .call(server, "environment", Map::new())
            .await
            .unwrap_err();
        assert!(gap.reason.contains(why), "{gap:?}");
    }
    let gap = pool
        .call("missing", "environment", Map::new())
        .await
        .unwrap_err();
    assert_eq!(gap.reason, "it is not there");
    let gap = pool.call("peer", "fail", Map::new()).await.unwrap_err();
    assert!(
        gap.reason
            .contains("`fail` of the MCP server `peer` failed"),
        "{gap:?}"
    );
    pool.call("peer", "environment", Map::new()).await.unwrap();
    let ended = pool.end().await;
    assert_eq!(ended.keys().collect::<Vec<_>>(), ["peer"]);
    assert!(pool.call("peer", "environment", Map::new()).await.is_err());
}

#[tokio::test]
async fn what_a_child_complains_of_is_kept_scrubbed() {
    use std::sync::{Arc, Mutex};
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let mut settings = settings(&[]);
    settings.log = Some(Arc::new(move |server: &str, line: &str| {
        log.lock().unwrap().push(format!("{server}: {line}"));
    }));
    let server = started(settings).await;
    let gone = try_call(&server, "crash", json!({})).await;
    assert!(matches!(gone, Err(ChildError::Gone { .. })), "{gone:?}");
    let heard = heard.lock().unwrap();
    assert_eq!(*heard, ["peer: \\u{1b}[2Jsecret [masked] is out"]);
}
