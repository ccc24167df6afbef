use std::sync::Mutex;

use ecs_agent_credentials::{
    CredentialContext, Endpoints, InvocationId, SecretText, Sources, StaticCredentials,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

use super::super::backend::BoxFuture;
use super::super::message::{
    DiagnoseParams, DiagnoseResponse, DiagnosisStatus, FoundService, IdentifyParams,
    IdentifyResponse, Match, PlanResponse, ReportResponse, ThreadsParams, ThreadsResponse,
};
use super::*;

const THREAD: &str = "thread-00000000-0000-0000-0000-000000000007";

/// Answers at once; `diagnose` waits until it is cancelled when asked to `wait`.
#[derive(Default)]
struct Fake {
    cancelled: Mutex<usize>,
}

impl Backend for Fake {
    fn identify(
        &self,
        params: IdentifyParams,
        _cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<IdentifyResponse, BackendError>> {
        Box::pin(async move {
            Ok(IdentifyResponse {
                matched: Match::One,
                services: vec![FoundService {
                    cluster: params.cluster.unwrap_or_else(|| "shop".to_owned()),
                    service: "api".to_owned(),
                    arn: "arn:aws:ecs:eu-west-1:111122223333:service/shop/api".to_owned(),
                    reasons: vec!["the name is in the words".to_owned()],
                }],
                searched: None,
            })
        })
    }

    fn diagnose(
        &self,
        params: DiagnoseParams,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<DiagnoseResponse, BackendError>> {
        Box::pin(async move {
            if params.text == "wait" {
                cancel.cancelled().await;
                *self.cancelled.lock().unwrap() += 1;
            }
            Ok(DiagnoseResponse {
                thread: THREAD.to_owned(),
                status: DiagnosisStatus::Done,
                summary: "unwell: the image tag is missing".to_owned(),
                service_context: None,
                findings: vec![json!({"mode": "image_tag_missing"})],
                question: None,
                report: Some("# Report".to_owned()),
            })
        })
    }

    fn ask(
        &self,
        question: EcsQuestion,
        progress: Progress,
        _cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<serde_json::Map<String, Value>, BackendError>> {
        Box::pin(async move {
            progress.tell(1, Some(2), "half of it");
            let asked = format!("{question:?}");
            Ok([("asked".to_owned(), json!(asked))].into_iter().collect())
        })
    }

    fn threads(
        &self,
        _params: ThreadsParams,
    ) -> BoxFuture<'_, Result<ThreadsResponse, BackendError>> {
        Box::pin(async {
            Ok(ThreadsResponse {
                threads: Vec::new(),
            })
        })
    }

    fn report(&self, thread: ThreadId) -> BoxFuture<'_, Result<ReportResponse, BackendError>> {
        Box::pin(async move { Err(BackendError::new(format!("`{thread}` not found"))) })
    }

    fn plan(&self, thread: ThreadId) -> BoxFuture<'_, Result<PlanResponse, BackendError>> {
        Box::pin(async move {
            Ok(PlanResponse {
                thread: thread.to_string(),
                plan: None,
                awaiting_approval: true,
                document: Some("# Plan".to_owned()),
            })
        })
    }
}

/// A client that writes lines of JSON, as any MCP client does.
struct Client {
    input: DuplexStream,
    output: tokio::io::Lines<BufReader<DuplexStream>>,
}

impl Client {
    async fn send(&mut self, message: &Value) {
        self.input
            .write_all(format!("{message}\n").as_bytes())
            .await
            .unwrap();
    }

    async fn ask(&mut self, id: u32, method: &str, params: Value) -> Value {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await;
        self.answer(id).await
    }

    async fn next(&mut self) -> Value {
        let line = self.output.next_line().await.unwrap();
        serde_json::from_str(&line.expect("the server is there")).unwrap()
    }

    async fn answer(&mut self, id: u32) -> Value {
        loop {
            let message = self.next().await;
            if message["id"] == id {
                return message;
            }
        }
    }
}

async fn session(
    backend: Arc<Fake>,
) -> (Client, tokio::task::JoinHandle<Result<(), crate::McpError>>) {
    let (input, server_input) = tokio::io::duplex(64 * 1024);
    let (server_output, output) = tokio::io::duplex(64 * 1024);
    let serving = tokio::spawn(crate::serve(
        backend,
        LeakGuard::new(),
        server_input,
        server_output,
        CancellationToken::new(),
    ));
    let mut client = Client {
        input,
        output: BufReader::new(output).lines(),
    };
    let begun = client
        .ask(
            0,
            "initialize",
            json!({
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "0"},
            }),
        )
        .await;
    assert_eq!(begun["result"]["serverInfo"]["name"], "ecs-deep-agent");
    client
        .send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        .await;
    (client, serving)
}

async fn call(client: &mut Client, id: u32, tool: &str, arguments: Value) -> Value {
    let answer = client
        .ask(
            id,
            "tools/call",
            json!({"name": tool, "arguments": arguments}),
        )
        .await;
    answer["result"].clone()
}

#[tokio::test]
async fn every_tool_says_that_it_reads_and_what_it_returns() {
    let (mut client, _serving) = session(Arc::default()).await;
    let listed = client.ask(1, "tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "identify_service",
            "diagnose_service",
            "scan_services",
            "list_threads",
            "get_report",
            "get_plan",
            "ecs_troubleshooting_tool",
            "ecs_resource_management",
            "wait_for_service_ready",
            "validate_ecs_express_mode_prerequisites",
            "get_deployment_status",
            "containerize_app",
            "build_and_push_image_to_ecr",
            "delete_app",
            "create_ecs_infrastructure",
            "delete_ecs_infrastructure",
        ]
    );
    for tool in tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert_eq!(tool["annotations"]["destructiveHint"], false, "{tool}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
    }
}

#[tokio::test]
async fn a_result_is_text_and_structure() {
    let (mut client, _serving) = session(Arc::default()).await;
    let found = call(
        &mut client,
        1,
        "identify_service",
        json!({"query": "api", "cluster": "shop"}),
    )
    .await;
    assert_eq!(found["isError"], false);
    assert_eq!(found["structuredContent"]["services"][0]["cluster"], "shop");
    assert_eq!(found["structuredContent"]["match"], "one");
    assert!(
        found["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("api in cluster shop")
    );
    let diagnosed = call(
        &mut client,
        2,
        "diagnose_service",
        json!({"text": "api is down"}),
    )
    .await;
    assert_eq!(diagnosed["structuredContent"]["thread"], THREAD);
    assert!(
        diagnosed["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("# Report")
    );
    let plan = call(&mut client, 3, "get_plan", json!({"thread": THREAD})).await;
    assert_eq!(plan["structuredContent"]["awaiting_approval"], true);
    assert!(
        plan["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("ecs-deep-agent resume")
    );
}

#[tokio::test]
async fn what_goes_wrong_is_the_tools_error() {
    let (mut client, _serving) = session(Arc::default()).await;
    let cases = [
        ("identify_service", json!({}), "query"),
        (
            "identify_service",
            json!({"query": "x", "approve": true}),
            "approve",
        ),
        ("get_report", json!({"thread": "nonsense"}), "list_threads"),
        ("get_report", json!({"thread": THREAD}), "not found"),
    ];
    for (id, (tool, arguments, word)) in (1..).zip(cases) {
        let answer = call(&mut client, id, tool, arguments).await;
        assert_eq!(answer["isError"], true, "{answer}");
        assert!(
            answer["content"][0]["text"]
                .as_str()
                .unwrap()
                .contains(word),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn no_tool_approves_or_executes() {
    let (mut client, _serving) = session(Arc::default()).await;
    for (id, tool) in (1..).zip(["approve", "execute_repair", "execute_operation", "resume"]) {
        let answer = client
            .ask(id, "tools/call", json!({"name": tool, "arguments": {}}))
            .await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_reaches_the_backend_and_the_rest_goes_on() {
    let backend = Arc::new(Fake::default());
    let (mut client, serving) = session(backend.clone()).await;
    let waiting = json!({"name": "diagnose_service", "arguments": {"text": "wait"}});
    client
        .send(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": waiting}))
        .await;
    let ping = client.ask(2, "ping", json!({})).await;
    assert_eq!(
        ping["result"],
        json!({}),
        "a call in flight does not block others"
    );
    client
        .send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}))
        .await;
    let after = call(&mut client, 3, "list_threads", json!({})).await;
    assert_eq!(after["isError"], false);
    drop(client);
    serving.await.unwrap().unwrap();
    assert_eq!(*backend.cancelled.lock().unwrap(), 1);
}

// The protocol library waits some seconds for late results: the clock is moved, not watched.
#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_its_calls() {
    let backend = Arc::new(Fake::default());
    let (mut client, serving) = session(backend.clone()).await;
    let waiting = json!({"name": "diagnose_service", "arguments": {"text": "wait"}});
    client
        .send(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": waiting}))
        .await;
    client.ask(2, "ping", json!({})).await;
    drop(client);
    serving.await.unwrap().unwrap();
    assert_eq!(*backend.cancelled.lock().unwrap(), 1);
}

/// Asks for a service in a cluster of that name, which the answer repeats.
async fn answer(guard: &Arc<LeakGuard>, cluster: &str) -> String {
    let server = ToolServer::new(Arc::new(Fake::default()), Arc::clone(guard));
    let arguments = json!({"query": "api", "cluster": cluster});
    let arguments = arguments.as_object().cloned().unwrap();
    let (progress, _steps) = Progress::channel();
    let call = server.call(
        ToolName::Identify,
        arguments,
        progress,
        CancellationToken::new(),
    );
    serde_json::to_string(&call.await).unwrap()
}

#[tokio::test]
async fn a_result_that_holds_a_secret_is_withheld() {
    // AWS's documented example.
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let guard = LeakGuard::new();
    assert!(
        answer(&guard, secret).await.contains(secret),
        "nobody knows it yet"
    );

    let thread: ThreadId = THREAD.parse().unwrap();
    let invocation = InvocationId::new(thread.as_uuid());
    let context = CredentialContext::guarded(invocation, None, Endpoints::Aws, Arc::clone(&guard));
    let text = SecretText::from(secret.to_owned());
    let keys = StaticCredentials::new("AKIAIOSFODNN7EXAMPLE", text, None, None).unwrap();
    let sources = Sources::builder().with_static("given", keys).build();
    let sources = sources.watched_by(&context);
    let told = answer(&guard, secret).await;
    assert!(
        told.contains(LeakBlocked::NOTICE) && !told.contains(secret),
        "{told}"
    );
    assert_eq!(guard.hits_at(Sink::McpResult), 1);
    assert!(context.is_cleared());
    assert!(answer(&guard, "shop").await.contains("shop"));
    drop(sources);
}

#[tokio::test]
async fn each_action_takes_its_own_parameters_and_no_other() {
    let (mut client, _serving) = session(Arc::default()).await;
    let asked = [
        (
            json!({"action": "fetch_task_logs", "parameters": {"ecs_cluster_name": "shop",
            "filter_pattern": "ERROR", "ecs_task_id": "0123"}}),
            "TaskLogs(",
        ),
        (
            json!({"parameters": {"ecs_cluster_name": "shop"}}),
            "Guidance(",
        ),
        (json!({"action": "detect_image_pull_failures"}), "Images("),
    ];
    for (id, (arguments, words)) in (1..).zip(asked) {
        let answer = call(&mut client, id, "ecs_troubleshooting_tool", arguments).await;
        let told = answer["structuredContent"]["asked"].as_str().unwrap();
        assert!(told.starts_with(words), "{answer}");
    }
    let refusals = [
        (
            json!({"action": "fetch_task_logs"}),
            "`parameters` do not fit fetch_task_logs: missing field `ecs_cluster_name`",
        ),
        (
            json!({"action": "fetch_task_logs", "parameters": {"ecs_cluster_name": "shop", "clustr": 1}}),
            "clustr",
        ),
        (
            json!({"action": "delete_everything"}),
            "fetch_task_failures",
        ),
    ];
    for (id, (arguments, words)) in (10..).zip(refusals) {
        let answer = call(&mut client, id, "ecs_troubleshooting_tool", arguments).await;
        assert_eq!(answer["isError"], true, "{answer}");
        let told = answer["content"][0]["text"].as_str().unwrap();
        assert!(told.contains(words), "{told}");
    }
}

#[tokio::test]
async fn a_client_that_asks_is_told_how_far_a_call_is() {
    let (mut client, _serving) = session(Arc::default()).await;
    let params = json!({
        "name": "scan_services", "arguments": {}, "_meta": {"progressToken": "scan"},
    });
    client
        .send(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}))
        .await;
    let mut messages = vec![client.next().await, client.next().await];
    messages.retain(|message| message["method"] == "notifications/progress");
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(messages[0]["params"]["progressToken"], "scan");
    assert_eq!(messages[0]["params"]["message"], "half of it");
    assert_eq!(messages[0]["params"]["total"], 2.0);
}
