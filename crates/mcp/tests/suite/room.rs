//! What a child finds in its room.

use std::net::{TcpListener, UdpSocket};

use ecs_agent_mcp::{ChildNetwork, NetworkLevel};
use serde_json::json;

use super::peer::{call, settings, started};

#[tokio::test]
async fn a_child_sees_an_environment_made_for_it() {
    let server = started(settings(&[])).await;
    let seen = call(&server, "environment", json!({})).await;
    let mut names: Vec<&str> = seen
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    let mut expected = vec![
        "AWS_CONFIG_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_SHARED_CREDENTIALS_FILE",
        "ECS_DEEP_AGENT_CHILD",
        "HOME",
        "LANG",
        "PATH",
        "TMPDIR",
    ];
    // Python itself may add this one.
    names.retain(|name| *name != "LC_CTYPE");
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(seen["AWS_CONFIG_FILE"], "/dev/null");
    let home = seen["HOME"].as_str().unwrap();
    assert_eq!(
        call(&server, "write", json!({"path": format!("{home}/x")})).await,
        "ok"
    );
    server.end().await.unwrap();
    assert!(
        !std::path::Path::new(home).exists(),
        "the home goes with its child"
    );
}

#[tokio::test]
async fn a_child_reaches_neither_our_memory_nor_our_files_nor_our_processes() {
    let server = started(settings(&[])).await;
    let level = server.level();
    assert!(
        level.user_namespace && level.files && level.signals && level.descriptors,
        "{level:?}"
    );
    let us = std::process::id();
    let here = env!("CARGO_MANIFEST_DIR");
    for path in [
        format!("/proc/{us}/environ"),
        format!("/proc/{us}/mem"),
        format!("/proc/{us}/maps"),
        "/proc/self/environ".to_owned(),
        format!("{here}/Cargo.toml"),
        "/etc/shadow".to_owned(),
        "/root".to_owned(),
        "/home".to_owned(),
        "/tmp".to_owned(),
    ] {
        let came = call(&server, "read", json!({"path": path})).await;
        assert_eq!(came, "EACCES", "{path}");
    }
    for path in ["/usr/lib/x", "/etc/passwd", "/tmp/x", "/dev/shm/x"] {
        let came = call(&server, "write", json!({"path": path})).await;
        assert_eq!(came, "EACCES", "{path}");
    }
    assert_eq!(call(&server, "disturb", json!({"pid": us})).await, "EPERM");
    assert_eq!(call(&server, "descriptors", json!({})).await, json!([]));
    // And what a child is for does work.
    assert_eq!(
        call(&server, "read", json!({"path": "/etc/passwd"})).await,
        "ok"
    );
    server.end().await.unwrap();
}

#[tokio::test]
async fn a_child_without_aws_reaches_no_network_at_all() {
    let server = started(settings(&[])).await;
    assert_eq!(server.level().network, NetworkLevel::Nothing);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (host, port, kind) in [
        ("127.0.0.1", listener.local_addr().unwrap().port(), "tcp"),
        ("127.0.0.1", datagrams.local_addr().unwrap().port(), "udp"),
        ("169.254.169.254", 80, "tcp"),
        ("169.254.170.2", 80, "tcp"),
        ("169.254.169.254", 53, "udp"),
    ] {
        let came = call(
            &server,
            "connect",
            json!({"host": host, "port": port, "kind": kind}),
        )
        .await;
        assert!(
            ["EACCES", "ENETUNREACH"].contains(&came.as_str().unwrap()),
            "{host} {came}"
        );
    }
    server.end().await.unwrap();

    // The same attempts of a child that may: so it is the room that stood in the way.
    let mut open = settings(&[]);
    open.network = ChildNetwork::Open;
    let server = started(open).await;
    assert_eq!(server.level().network, NetworkLevel::Everything);
    let port = listener.local_addr().unwrap().port();
    let came = call(
        &server,
        "connect",
        json!({"host": "127.0.0.1", "port": port}),
    )
    .await;
    assert_eq!(came, "ok");
    server.end().await.unwrap();
}

#[tokio::test]
async fn a_child_that_asks_for_something_in_return_gets_nothing() {
    let server = started(settings(&[])).await;
    for (method, params) in [
        (
            "elicitation/create",
            json!({"message": "Approve?", "requestedSchema": {"type": "object", "properties": {}}}),
        ),
        (
            "sampling/createMessage",
            json!({"messages": [], "maxTokens": 10}),
        ),
        ("roots/list", json!({})),
    ] {
        let reply = call(&server, "ask", json!({"method": method, "params": params})).await;
        let declined = reply["result"]["action"] == "decline";
        let empty = reply["result"]["roots"] == json!([]);
        assert!(
            reply["error"].is_object() || declined || empty,
            "{method}: {reply}"
        );
    }
    server.end().await.unwrap();
}

#[tokio::test]
async fn a_childs_resources_are_limited() {
    let server = started(settings(&[])).await;
    let found = call(&server, "limits", json!({})).await;
    let expected = ecs_agent_mcp::RoomLimits::default();
    for (name, most) in [
        ("RLIMIT_CORE", 0),
        ("RLIMIT_AS", expected.memory),
        ("RLIMIT_NOFILE", expected.descriptors),
        ("RLIMIT_FSIZE", expected.file),
    ] {
        assert_eq!(found[name], json!([most, most]), "{name}");
    }
    server.end().await.unwrap();
}
