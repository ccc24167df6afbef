//! Children of an invocation, against the lab: what they may, what they see, whose key signs for them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ecs_agent_credentials::{
    Cell, ClearGuard, CredentialContext, CredentialReference, EndpointLimits, Endpoints,
    InvocationId, ScopeRequest, SecretText, Sources, StaticCredentials,
};
use ecs_agent_ecs::{observe_operations, observe_policy};
use ecs_agent_lab::{LabAccount, LabConfig, LabHandle, LabServer, Scenario};
use ecs_agent_mcp::{
    ChildAws, ChildCredentials, ChildNetwork, ChildServer, NetworkLevel, ServerSettings, Sink,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const ECS: &str = "AmazonEC2ContainerServiceV20141113";

/// Settings that start the peer of the `mcp` crate's tests.
fn peer() -> ServerSettings {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mcp/tests/peer.py");
    let found = Command::new("python3")
        .args([
            "-c",
            "import sys; print(sys.executable); print(sys.base_prefix)",
        ])
        .output()
        .unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let mut lines = found.lines().map(PathBuf::from);
    let (interpreter, installed) = (lines.next().unwrap(), lines.next().unwrap());
    let arguments = vec![script.to_string_lossy().into_owned()];
    let mut settings = ServerSettings::new("peer", interpreter, arguments, std::env::temp_dir());
    settings.readable = vec![script, installed];
    settings.credentials = ChildCredentials::SignedReads;
    settings.start_timeout = Duration::from_secs(120);
    settings
}

async fn lab() -> LabHandle {
    let scenario = Scenario::named("demo").unwrap();
    LabServer::start(LabConfig::new(scenario)).await.unwrap()
}

fn account(lab: &LabHandle) -> &LabAccount {
    lab.accounts().first().unwrap()
}

fn context(lab: &LabHandle) -> Arc<CredentialContext> {
    let region = account(lab).regions.first().unwrap().parse().unwrap();
    let endpoints = Endpoints::Override(lab.url().parse().unwrap());
    CredentialContext::new(InvocationId::new(Uuid::now_v7()), Some(region), endpoints)
}

/// Fills a context with a session of its own, or with the engineer's keys as they are.
async fn fill(context: &Arc<CredentialContext>, account: &LabAccount, assumed: bool) {
    let (key_id, secret) = match assumed {
        true => (&account.access_key_id, &account.secret_access_key),
        false => (
            &account.engineer.access_key_id,
            &account.engineer.secret_access_key,
        ),
    };
    let secret = SecretText::from(secret.clone());
    let keys = StaticCredentials::new(key_id, secret, None, None).unwrap();
    let sources = Sources::builder().with_static("given", keys).build();
    let given = CredentialReference::Static {
        label: "given".to_owned(),
    };
    let reference = match assumed {
        false => given,
        true => CredentialReference::AssumeRole {
            role_arn: account.role_arn.parse().unwrap(),
            external_id: Some(account.external_id.clone()),
            base: Box::new(given),
        },
    };
    let request = ScopeRequest::observe(observe_policy().unwrap());
    sources.fill(context, &reference, request).await.unwrap();
}

async fn child(context: &Arc<CredentialContext>) -> ChildServer {
    let aws = ChildAws {
        context: Arc::clone(context),
        allowed: observe_operations().unwrap(),
        limits: EndpointLimits::default(),
    };
    ChildServer::start(peer(), Some(&aws)).await.unwrap()
}

async fn call(server: &ChildServer, tool: &str, arguments: Value) -> Value {
    let arguments = arguments.as_object().cloned().unwrap_or_default();
    let said = server.call(tool, arguments).await.unwrap();
    serde_json::from_str(&said.render_for(Sink::Model)).unwrap()
}

fn ecs(operation: &str, body: &Value) -> Value {
    json!({"service": "ecs", "target": format!("{ECS}.{operation}"), "body": body.to_string()})
}

/// What reached the lab in a child's name, allowed or not.
fn arrived(lab: &LabHandle) -> Vec<String> {
    let requests = lab.requests().into_iter();
    requests
        .filter(|request| request.service != "sts")
        .map(|request| request.operation)
        .collect()
}

#[tokio::test]
async fn a_child_reads_what_the_invocation_may_read_and_writes_nothing() {
    let lab = lab().await;
    let context = context(&lab);
    fill(&context, account(&lab), true).await;
    let server = child(&context).await;
    assert_eq!(server.level().network, NetworkLevel::OwnPortsOverTcp);

    // The endpoint's port is all the network there is, whatever the placeholder would do elsewhere.
    let port = lab.address().port();
    for (host, port) in [
        ("127.0.0.1", port),
        ("169.254.169.254", 80),
        ("169.254.170.2", 80),
    ] {
        let came = call(&server, "connect", json!({"host": host, "port": port})).await;
        assert_eq!(came, "EACCES", "{host}:{port}");
    }
    assert_eq!(call(&server, "listen", json!({})).await, "EACCES");

    // The same request by a child with the engineer's own keys, straight to the lab.
    let mut open = peer();
    open.credentials = ChildCredentials::None;
    open.network = ChildNetwork::Open;
    let direct = ChildServer::start(open, None).await.unwrap();
    let mut reads = vec![
        ecs("ListClusters", &json!({})),
        ecs(
            "DescribeServices",
            &json!({"cluster": "prod", "services": ["api"]}),
        ),
        ecs("ListTasks", &json!({"cluster": "prod"})),
        json!({"service": "ec2", "body": "Action=DescribeSubnets&Version=2016-11-15"}),
        json!({"service": "elasticloadbalancing",
               "body": "Action=DescribeTargetGroups&Version=2015-12-01"}),
        json!({"service": "iam", "region": "us-east-1",
               "body": "Action=GetRole&Version=2010-05-08&RoleName=ecs-deep-agent"}),
    ];
    for read in &mut reads {
        let through = call(&server, "aws", read.clone()).await;
        let engineer = &account(&lab).engineer;
        read["keys"] = json!({"id": engineer.access_key_id, "secret": engineer.secret_access_key});
        read["url"] = json!(lab.url());
        read["region"] = json!(account(&lab).regions.first().unwrap());
        let directly = call(&direct, "aws", read.clone()).await;
        assert_eq!(through["status"], 200, "{read} {through}");
        // An XML answer holds its request's id; the rest is the same, byte for byte.
        let plain = |answer: &Value| {
            let body = answer["body"].as_str().unwrap();
            match body.to_ascii_lowercase().find("requestid") {
                Some(_) => body.replace(|c: char| c.is_ascii_hexdigit() || c == '-', ""),
                None => body.to_owned(),
            }
        };
        assert_eq!(plain(&through), plain(&directly), "{read}");
    }

    let before = arrived(&lab).len();
    for write in [
        ecs(
            "UpdateService",
            &json!({"cluster": "prod", "service": "api", "desiredCount": 0}),
        ),
        ecs(
            "DeleteService",
            &json!({"cluster": "prod", "service": "api"}),
        ),
        json!({"service": "ec2", "body": "Action=RevokeSecurityGroupIngress&Version=2016-11-15"}),
        json!({"service": "sts", "body": "Action=GetSessionToken&Version=2011-06-15"}),
        json!({"service": "secretsmanager", "target": "secretsmanager.GetSecretValue", "body": "{}"}),
    ] {
        let refused = call(&server, "aws", write.clone()).await;
        assert_eq!(refused["status"], 403, "{write} {refused}");
        assert!(
            refused["body"].as_str().unwrap().contains("ECS Deep Agent"),
            "{refused}"
        );
    }
    assert_eq!(arrived(&lab).len(), before, "nothing of it reached the lab");
    assert_eq!(server.refused().len(), 5);
    let named = context
        .calls()
        .into_iter()
        .filter(|call| call.via.is_some());
    assert_eq!(named.count(), reads.len());

    // New keys at once, the same child.
    fill(&context, account(&lab), true).await;
    let answer = call(&server, "aws", ecs("ListClusters", &json!({}))).await;
    assert_eq!(answer["status"], 200);
    context.clear();
    let answer = call(&server, "aws", ecs("ListClusters", &json!({}))).await;
    assert_eq!(answer["status"], 403, "{answer}");
    server.end().await.unwrap();
    direct.end().await.unwrap();
}

#[tokio::test]
async fn another_process_with_the_childs_own_placeholder_is_refused() {
    let lab = lab().await;
    let context = context(&lab);
    fill(&context, account(&lab), true).await;
    let server = child(&context).await;
    let variables = call(&server, "environment", json!({})).await;
    let mut thief = peer();
    thief.credentials = ChildCredentials::None;
    thief.network = ChildNetwork::Open;
    let thief = ChildServer::start(thief, None).await.unwrap();
    let before = arrived(&lab).len();
    let mut stolen = ecs("ListClusters", &json!({}));
    stolen["keys"] = json!({
        "id": variables["AWS_ACCESS_KEY_ID"], "secret": variables["AWS_SECRET_ACCESS_KEY"]});
    stolen["url"] = variables["AWS_ENDPOINT_URL"].clone();
    stolen["region"] = variables["AWS_REGION"].clone();
    let refused = call(&thief, "aws", stolen.clone()).await;
    let said = refused["body"].as_str().unwrap();
    assert!(said.contains("does not belong to the child"), "{refused}");
    // And at the lab the placeholder is nobody's.
    stolen["url"] = json!(lab.url());
    assert_ne!(call(&thief, "aws", stolen).await["status"], 200);
    assert_eq!(arrived(&lab).len(), before + 1);
    thief.end().await.unwrap();
    server.end().await.unwrap();
}

/// Tells whether `text` is anywhere in the environment or the memory of a process.
fn holds(process: u32, text: &str) -> bool {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let contains = |bytes: &[u8]| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    if contains(&std::fs::read(format!("/proc/{process}/environ")).unwrap()) {
        return true;
    }
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut memory = std::fs::File::open(format!("/proc/{process}/mem")).unwrap();
    maps.lines().any(|line| {
        let mut fields = line.split(' ');
        let range = fields
            .next()
            .and_then(|range| range.split_once('-'))
            .unwrap();
        if !fields.next().unwrap().starts_with("rw") {
            return false;
        }
        let [start, end] = [range.0, range.1].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        let mut bytes = Vec::new();
        let read = memory
            .seek(SeekFrom::Start(start))
            .and_then(|_| (&mut memory).take(end - start).read_to_end(&mut bytes));
        read.is_ok() && contains(&bytes)
    })
}

#[tokio::test]
async fn no_real_secret_is_in_a_childs_environment_or_memory() {
    let lab = lab().await;
    let context = context(&lab);
    // Keys that are known here, so that they can be looked for.
    fill(&context, account(&lab), false).await;
    let server = child(&context).await;
    let answer = call(&server, "aws", ecs("ListClusters", &json!({}))).await;
    assert_eq!(answer["status"], 200, "{answer}");
    let variables = call(&server, "environment", json!({})).await;
    let placeholder = variables["AWS_SECRET_ACCESS_KEY"].as_str().unwrap();
    let process = server.process();
    assert!(
        holds(process, placeholder),
        "so the scan finds what is there"
    );
    let engineer = &account(&lab).engineer;
    assert!(!holds(process, &engineer.secret_access_key));
    assert!(!holds(process, &engineer.access_key_id));
    server.end().await.unwrap();
}

#[tokio::test]
async fn of_twenty_invocations_at_once_each_childs_calls_carry_its_own_key() {
    let lab = Arc::new(lab().await);
    let invocations = (0..20).map(|_| {
        let lab = Arc::clone(&lab);
        async move {
            let name = "twenty";
            Cell::run(name, CancellationToken::new(), move || async move {
                let context = context(&lab);
                let _guard = ClearGuard::new(Arc::clone(&context));
                fill(&context, account(&lab), true).await;
                let server = child(&context).await;
                for _ in 0..3 {
                    let answer = call(&server, "aws", ecs("ListClusters", &json!({}))).await;
                    assert_eq!(answer["status"], 200, "{answer}");
                }
                let ending = server.end().await.unwrap();
                let calls = context.calls().into_iter();
                let ids: Vec<String> = calls
                    .filter(|call| call.via.is_some())
                    .map(|call| call.request_id.unwrap())
                    .collect();
                (context.invocation(), ids, server.process(), ending.left)
            })
            .await
            .unwrap()
        }
    });
    let ended = futures_util::future::join_all(invocations).await;
    let requests = lab.requests();
    let mut keys = BTreeSet::new();
    for (invocation, ids, process, left) in &ended {
        assert_eq!(ids.len(), 3);
        let of_this: Vec<_> = requests
            .iter()
            .filter(|request| ids.contains(&request.request_id))
            .collect();
        let own: BTreeSet<&str> = of_this.iter().map(|r| r.access_key_id.as_str()).collect();
        assert_eq!((of_this.len(), own.len()), (3, 1));
        keys.extend(own);
        // The session that signed is the invocation's own, by its name.
        let session = of_this
            .first()
            .and_then(|r| r.session_name.clone())
            .unwrap();
        let id = invocation.uuid().to_string();
        assert!(session.contains(&id), "{session} is not of {id}");
        assert_eq!(*left, 0);
        assert!(
            !Path::new(&format!("/proc/{process}")).exists(),
            "no child is left"
        );
    }
    assert_eq!(keys.len(), 20);
    let listed = requests.iter().filter(|r| r.operation == "ListClusters");
    assert_eq!(listed.count(), 60);
}
