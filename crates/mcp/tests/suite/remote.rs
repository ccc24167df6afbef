//! A server over streamable HTTP: what it is shown, and what it can do.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ecs_agent_mcp::{ChildError, McpTools, Reach, RemoteSettings, Sink, TokenFile, ToolError};
use serde_json::json;

use super::world::World;

/// A server that listens on a port of its own.
struct Remote {
    world: World,
    process: Child,
    port: u16,
}

impl Remote {
    fn start(test: &str) -> Self {
        let world = World::new(test);
        let mut process = Command::new("python3")
            .arg(world.directory.join("hostile.py"))
            .arg(&world.directory)
            .arg("http")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let said = process.stdout.as_mut().unwrap();
        BufReader::new(said).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Self {
            world,
            process,
            port,
        }
    }

    fn settings(&self) -> RemoteSettings {
        RemoteSettings {
            name: "hostile".to_owned(),
            url: format!("http://127.0.0.1:{}/mcp", self.port)
                .parse()
                .unwrap(),
            token: None,
            start_timeout: Duration::from_secs(60),
            call_timeout: Duration::from_secs(60),
            output_bytes: 64 * 1024,
        }
    }

    fn token(&self, text: &str) -> TokenFile {
        let path = self.world.directory.join("token");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        TokenFile::new(path)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}

async fn call(tools: &McpTools) -> Result<String, ToolError> {
    let request = World::request("hostile__find", json!({"query": "api"}));
    let answer = tools.call(request).await?;
    Ok(answer.said.render_for(Sink::Model))
}

#[tokio::test]
async fn each_request_carries_this_servers_token_and_no_other() {
    let remote = Remote::start("token");
    let mut settings = remote.settings();
    settings.token = Some(remote.token("first-token-0123456789"));
    let declared = remote.world.reached(Reach::Remote(settings));
    let declared = World::accept(declared).await;
    let tools = McpTools::new(&[declared], None);
    let said = call(&tools).await.unwrap();
    assert_eq!(
        said,
        r#"{"tool": "find", "arguments": {"query": "api"}, "calls": 1}"#
    );
    // A token that is replaced is used at once.
    remote.token("second-token-0123456789");
    call(&tools).await.unwrap();
    tools.end().await;
    let asked = remote.world.asked();
    let headers: Vec<&String> = asked.iter().filter(|l| l.starts_with("HEADERS")).collect();
    assert!(headers.len() >= 6, "{headers:?}");
    assert!(
        headers
            .iter()
            .all(|line| line.contains("-token-0123456789"))
    );
    assert!(headers.last().unwrap().contains("Bearer second-token"));
    let first = headers
        .iter()
        .filter(|line| line.contains("Bearer first-token"));
    assert!(first.count() >= 4);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let remote = Remote::start("redirect");
    let mut settings = remote.settings();
    settings.token = Some(remote.token("first-token-0123456789"));
    let declared = World::accept(remote.world.reached(Reach::Remote(settings))).await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let to = format!("http://{}/", elsewhere.local_addr().unwrap());
    remote.world.behave(json!({"http": "redirect", "to": to}));
    let tools = McpTools::new(&[declared], None);
    let error = call(&tools).await.unwrap_err();
    assert!(
        matches!(error, ToolError::Server(ChildError::NoSession { .. })),
        "{error}"
    );
    let nobody = elsewhere.accept().err().map(|error| error.kind());
    assert_eq!(nobody, Some(std::io::ErrorKind::WouldBlock));
    // So that the listener would have noticed.
    std::net::TcpStream::connect(elsewhere.local_addr().unwrap()).unwrap();
    elsewhere.set_nonblocking(false).unwrap();
    let (mut stream, _) = elsewhere.accept().unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[tokio::test]
async fn an_answer_that_holds_the_servers_token_is_dropped() {
    let remote = Remote::start("echo");
    let token = "first-token-0123456789";
    let mut settings = remote.settings();
    settings.token = Some(remote.token(token));
    let declared = World::accept(remote.world.reached(Reach::Remote(settings))).await;
    remote.world.behave(json!({"call": "echo"}));
    let tools = McpTools::new(&[declared], None);
    let backwards: String = token.chars().rev().collect();
    let hexadecimal: String = token.bytes().map(|b| format!("{b:02X}")).collect();
    for (form, dropped) in [
        (token, true),
        (&backwards, true),
        (&hexadecimal, true),
        // "xfirst-token-0123456789" in base64: it begins at another place of a group.
        ("eGZpcnN0LXRva2VuLTAxMjM0NTY3ODk=", true),
        ("first-token", false),
    ] {
        std::fs::write(remote.world.directory.join("secret"), form).unwrap();
        let called = call(&tools).await;
        match dropped {
            true => {
                let error = called.unwrap_err();
                assert!(
                    matches!(error, ToolError::Server(ChildError::Echo { .. })),
                    "{form}: {error}"
                );
            }
            false => assert!(called.unwrap().contains(form)),
        }
    }
    tools.end().await;
}

#[tokio::test]
async fn a_server_elsewhere_is_held_to_its_allowance_and_to_what_was_accepted() {
    let remote = Remote::start("allowance");
    let declared = World::accept(remote.world.reached(Reach::Remote(remote.settings()))).await;
    for (how, expected) in [
        (json!({"call": "huge"}), "wrote more than 65536 bytes"),
        (json!({"http": "stream"}), "wrote more than 65536 bytes"),
        (json!({"mutation": "description"}), "is quarantined"),
        (json!({"mutation": "endless"}), "refused"),
        (json!({"start": "protocol"}), "did not begin a session"),
    ] {
        remote.world.behave(how.clone());
        let tools = McpTools::new(std::slice::from_ref(&declared), None);
        let error = call(&tools).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{how}: {error}");
        tools.end().await;
    }
}

#[tokio::test]
async fn a_token_that_others_can_read_is_shown_to_nobody() {
    let remote = Remote::start("open-token");
    let mut settings = remote.settings();
    settings.token = Some(remote.token("first-token-0123456789"));
    let path = remote.world.directory.join("token");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let declared = remote.world.reached(Reach::Remote(settings));
    let error = ecs_agent_mcp::Inspection::of(&declared).await.unwrap_err();
    assert!(matches!(error, ChildError::Token { .. }), "{error}");
    assert!(remote.world.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_gap() {
    let remote = Remote::start("absent");
    let declared = World::accept(remote.world.reached(Reach::Remote(remote.settings()))).await;
    drop(remote);
    let tools = McpTools::new(&[declared], None);
    let error = call(&tools).await.unwrap_err();
    assert!(
        matches!(error, ToolError::Server(ChildError::NoSession { .. })),
        "{error}"
    );
}
