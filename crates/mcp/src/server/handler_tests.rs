use std::sync::Mutex;

use ecs_agent_credentials::{
    CredentialContext, Endpoints, InvocationId, SecretText, Sources, StaticCredentials,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

use super::super::backend::BoxFuture;
use super::super::backend::Document;
use super::super::decision::{PlanDecision, Verdict};
use super::super::message::{
    DiagnoseParams, DiagnoseResponse, DiagnosisStatus, ExecuteResponse, FoundService,
    IdentifyParams, IdentifyResponse, Match, PlanResponse, ProposalStatus, ProposeParams,
    ProposeResponse, RepairStatus, ReportResponse, ThreadSummary, ThreadsParams, ThreadsResponse,
    WaitingPlan,
};
use super::*;

const THREAD: &str = "thread-00000000-0000-0000-0000-000000000007";

/// Answers at once; `diagnose` waits until it is cancelled when asked to `wait`.
#[derive(Default)]
struct Fake {
    cancelled: Mutex<usize>,
    decided: Mutex<Vec<PlanDecision>>,
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
        _progress: Progress,
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
                threads: vec![ThreadSummary {
                    thread: THREAD.to_owned(),
                    title: "api is down".to_owned(),
                    status: "done".to_owned(),
                    created_at: "2026-01-01T00:00:00Z".to_owned(),
                    updated_at: "2026-01-01T00:00:00Z".to_owned(),
                }],
            })
        })
    }

    fn report(&self, thread: ThreadId) -> BoxFuture<'_, Result<ReportResponse, BackendError>> {
        Box::pin(async move { Err(BackendError::new(format!("`{thread}` not found"))) })
    }

    fn document(&self, document: Document) -> BoxFuture<'_, Result<String, BackendError>> {
        Box::pin(async move { Ok(format!("{document:?}")) })
    }

    fn propose(
        &self,
        params: ProposeParams,
        progress: Progress,
        _cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<ProposeResponse, BackendError>> {
        Box::pin(async move {
            progress.tell(1, None, "repair-planner");
            Ok(ProposeResponse {
                thread: THREAD.to_owned(),
                status: ProposalStatus::Waiting,
                summary: String::new(),
                service_context: None,
                findings: vec![json!({"asked": params.text})],
                waiting: Some(waiting()),
                document: None,
                question: None,
            })
        })
    }

    fn waiting(&self, _thread: ThreadId) -> BoxFuture<'_, Result<WaitingPlan, BackendError>> {
        Box::pin(async { Ok(waiting()) })
    }

    fn decide(
        &self,
        decision: PlanDecision,
        _progress: Progress,
        _cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<ExecuteResponse, BackendError>> {
        Box::pin(async move {
            let status = match decision.verdict() {
                Verdict::Approve => RepairStatus::Done,
                Verdict::Reject { .. } => RepairStatus::Rejected,
            };
            let plan_hash = decision.plan_hash().to_owned();
            self.decided.lock().unwrap().push(decision);
            Ok(ExecuteResponse {
                thread: THREAD.to_owned(),
                plan_hash,
                status,
                summary: "repaired: api is healthy".to_owned(),
                execution: None,
                rollback: None,
                verification: None,
                report: None,
            })
        })
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

fn waiting() -> WaitingPlan {
    WaitingPlan {
        plan_hash: "a1b2".to_owned(),
        plan: json!({"steps": []}),
        rendered: "1. Registers a revision.".to_owned(),
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

type Serving = tokio::task::JoinHandle<Result<(), crate::McpError>>;

async fn session(backend: Arc<Fake>) -> (Client, Serving) {
    session_of(backend, json!({})).await
}

/// A session of a client that declares these capabilities.
async fn session_of(backend: Arc<Fake>, capabilities: Value) -> (Client, Serving) {
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
                "capabilities": capabilities,
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
            "propose_repair",
            "execute_repair",
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
        let changes = tool["name"] == "execute_repair";
        assert_eq!(tool["annotations"]["readOnlyHint"], !changes, "{tool}");
        assert_eq!(tool["annotations"]["destructiveHint"], changes, "{tool}");
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
async fn no_tool_approves() {
    let (mut client, _serving) = session(Arc::default()).await;
    for (id, tool) in (1..).zip(["approve", "approve_plan", "execute_operation", "resume"]) {
        let answer = client
            .ask(id, "tools/call", json!({"name": tool, "arguments": {}}))
            .await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
}

/// Calls `execute_repair` and answers what the person is asked.
async fn execute(client: &mut Client, id: u32, answer: Value) -> (Value, Value) {
    let arguments = json!({"thread": THREAD, "plan_hash": "a1b2"});
    let params = json!({"name": "execute_repair", "arguments": arguments});
    client
        .send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}))
        .await;
    let question = client.next().await;
    assert_eq!(question["method"], "elicitation/create", "{question}");
    client
        .send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": answer}))
        .await;
    let result = client.answer(id).await["result"].clone();
    (question["params"].clone(), result)
}

#[tokio::test]
async fn a_repair_is_carried_out_on_a_yes_to_this_plan_and_on_nothing_else() {
    let backend = Arc::new(Fake::default());
    let (mut client, _serving) = session_of(backend.clone(), json!({"elicitation": {}})).await;
    let cancel = json!({"action": "cancel"});
    let (question, closed) = execute(&mut client, 1, cancel).await;
    let message = question["message"].as_str().unwrap();
    assert!(
        message.contains("1. Registers a revision.") && message.contains("a1b2"),
        "the person sees the plan: {message}"
    );
    assert_eq!(closed["structuredContent"]["status"], "unanswered");
    assert!(backend.decided.lock().unwrap().is_empty());

    let no = json!({"action": "accept", "content": {"decision": "reject", "reason": "later"}});
    let (_, rejected) = execute(&mut client, 2, no).await;
    assert_eq!(rejected["structuredContent"]["status"], "rejected");

    let yes = json!({"action": "accept", "content": {"decision": "approve"}});
    let (_, done) = execute(&mut client, 3, yes).await;
    assert_eq!(done["structuredContent"]["status"], "done");
    let decided = backend.decided.lock().unwrap();
    let verdicts: Vec<_> = decided.iter().map(PlanDecision::verdict).collect();
    let later = Verdict::Reject {
        reason: "later".to_owned(),
    };
    assert_eq!(verdicts, [&later, &Verdict::Approve]);
}

#[tokio::test]
async fn arguments_never_approve_and_a_client_that_cannot_ask_is_refused() {
    let backend = Arc::new(Fake::default());
    let asks = json!({"elicitation": {}});
    let cases = [
        (
            json!({}),
            json!({"thread": THREAD, "plan_hash": "a1b2"}),
            "does not declare MCP elicitation",
        ),
        (
            json!({"elicitation": {"url": {}}}),
            json!({"thread": THREAD, "plan_hash": "a1b2"}),
            "does not declare MCP elicitation",
        ),
        (
            asks.clone(),
            json!({"thread": THREAD, "plan_hash": "c3d4"}),
            "names another plan",
        ),
        (
            asks.clone(),
            json!({"thread": THREAD, "plan_hash": "a1b2", "decision": "approve"}),
            "decision",
        ),
        (asks, json!({"thread": THREAD}), "plan_hash"),
    ];
    for (capabilities, arguments, words) in cases {
        let (mut client, _serving) = session_of(backend.clone(), capabilities).await;
        let answer = call(&mut client, 1, "execute_repair", arguments).await;
        assert_eq!(answer["isError"], true, "{answer}");
        let told = answer["content"][0]["text"].as_str().unwrap();
        assert!(told.contains(words), "{told}");
    }
    assert!(backend.decided.lock().unwrap().is_empty());
}

/// A call in the protocol of 2026-07-28, which has no session and no requests of the server.
async fn call_of_2026(client: &mut Client, id: u32, more: Value) -> Value {
    let mut params = json!({
        "name": "execute_repair",
        "arguments": {"thread": THREAD, "plan_hash": "a1b2"},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
        },
    });
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    client.ask(id, "tools/call", params).await["result"].clone()
}

#[tokio::test]
async fn later_clients_repeat_the_call_with_the_answer() {
    let backend = Arc::new(Fake::default());
    let (input, server_input) = tokio::io::duplex(64 * 1024);
    let (server_output, output) = tokio::io::duplex(64 * 1024);
    let _serving = tokio::spawn(crate::serve(
        backend.clone(),
        LeakGuard::new(),
        server_input,
        server_output,
        CancellationToken::new(),
    ));
    let mut client = Client {
        input,
        output: BufReader::new(output).lines(),
    };
    let asked = call_of_2026(&mut client, 1, json!({})).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let question = &asked["inputRequests"]["approval"];
    assert_eq!(question["method"], "elicitation/create", "{asked}");
    let yes = json!({"approval": {"action": "accept", "content": {"decision": "approve"}}});

    // An answer without its question, and one to a question that was made up.
    let unasked = call_of_2026(&mut client, 2, json!({"inputResponses": yes})).await;
    assert_eq!(unasked["resultType"], "input_required", "{unasked}");
    let made_up = json!({"inputResponses": yes, "requestState": "rs1.approval"});
    let made_up = call_of_2026(&mut client, 3, made_up).await;
    assert_eq!(made_up["isError"], true, "{made_up}");
    assert!(backend.decided.lock().unwrap().is_empty());

    let answered = json!({"inputResponses": yes, "requestState": asked["requestState"]});
    let done = call_of_2026(&mut client, 4, answered).await;
    assert_eq!(done["structuredContent"]["status"], "done", "{done}");
    assert_eq!(backend.decided.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn resources_and_prompts_are_offered_and_wrong_ones_are_refused() {
    let (mut client, _serving) = session(Arc::default()).await;
    let listed = client.ask(1, "resources/list", json!({})).await;
    let uris: Vec<&str> = listed["result"]["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["uri"].as_str().unwrap())
        .collect();
    let report = format!("ecs-deep-agent://threads/{THREAD}/report");
    assert_eq!(uris, ["ecs-deep-agent://failure-modes", &report]);
    let forms = client.ask(2, "resources/templates/list", json!({})).await;
    assert_eq!(
        forms["result"]["resourceTemplates"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    for (id, uri, words) in [
        (
            3,
            "ecs-deep-agent://failure-modes/oom-kill-137",
            "oom-kill-137",
        ),
        (4, "ecs-deep-agent://failure-modes", "FailureModes"),
    ] {
        let read = client.ask(id, "resources/read", json!({"uri": uri})).await;
        let contents = &read["result"]["contents"][0];
        assert!(contents["text"].as_str().unwrap().contains(words), "{read}");
        assert_eq!(contents["mimeType"], "text/markdown");
    }
    for (id, uri) in [(5, "file:///etc/passwd"), (6, report.as_str())] {
        let read = client.ask(id, "resources/read", json!({"uri": uri})).await;
        assert!(read["error"]["code"].is_i64(), "{read}");
    }

    let prompts = client.ask(7, "prompts/list", json!({})).await;
    let prompts = prompts["result"]["prompts"].as_array().unwrap().clone();
    assert_eq!(prompts.len(), 3);
    for (id, prompt) in (8..).zip(&prompts) {
        let argument = prompt["arguments"][0]["name"].as_str().unwrap();
        let params = json!({"name": prompt["name"], "arguments": {argument: "the api"}});
        let filled = client.ask(id, "prompts/get", params).await;
        let text = filled["result"]["messages"][0]["content"]["text"].clone();
        assert!(text.as_str().unwrap().contains("the api"), "{filled}");
        let missing = json!({"name": prompt["name"], "arguments": {}});
        let refused = client.ask(id + 10, "prompts/get", missing).await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
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
    let server = ToolServer::new(Arc::new(Fake::default()), Arc::clone(guard)).unwrap();
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
