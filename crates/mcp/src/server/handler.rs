//! The tools on the protocol's side: arguments in, text and structured content out.

use std::sync::Arc;

use ecs_agent_credentials::{LeakBlocked, LeakGuard, Sink};
use ecs_agent_runtime::ThreadId;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, GetPromptRequestParams,
    GetPromptResponse, Implementation, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam,
    ProgressToken, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    ResourceContents, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, Peer, RoleServer, ServerHandler};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::backend::{Backend, BackendError};
use super::catalogue::{INSTRUCTIONS, ToolName};
use super::decision::{Approvals, NoRandomness};
use super::message::{EcsQuestion, ThreadParams, question};
use super::progress::{Progress, ProgressStep};
use super::prompt::PromptName;
use super::resource::{self, ResourceAddress};
use super::text::Readable;

/// The tools over a [`Backend`]. Holds no answer between calls.
#[derive(Clone)]
pub struct ToolServer {
    backend: Arc<dyn Backend>,
    leak_guard: Arc<LeakGuard>,
    calls: TaskTracker,
    approvals: Approvals,
}

impl std::fmt::Debug for ToolServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolServer").finish_non_exhaustive()
    }
}

impl ToolServer {
    /// Offers what `backend` does, once `leak_guard` has seen it.
    ///
    /// # Errors
    /// [`NoRandomness`]: people's answers could not be told from made-up ones.
    pub fn new(
        backend: Arc<dyn Backend>,
        leak_guard: Arc<LeakGuard>,
    ) -> Result<Self, NoRandomness> {
        Ok(Self {
            backend,
            leak_guard,
            calls: TaskTracker::new(),
            approvals: Approvals::new()?,
        })
    }

    pub(super) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    pub(super) fn guard(&self) -> &LeakGuard {
        &self.leak_guard
    }

    pub(super) const fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    /// The calls in flight.
    pub(super) const fn calls(&self) -> &TaskTracker {
        &self.calls
    }

    /// Carries one call out. What goes wrong is the tool's own error, so that the assistant reads
    /// it and can correct itself.
    pub(super) async fn call(
        &self,
        tool: ToolName,
        arguments: JsonObject,
        progress: Progress,
        cancel: CancellationToken,
    ) -> CallToolResult {
        let result = self.carry_out(tool, arguments, progress, cancel).await;
        self.guarded(result)
    }

    /// The result, or a word that it holds a secret.
    pub(super) fn guarded(&self, result: CallToolResult) -> CallToolResult {
        let written = serde_json::to_vec(&result).unwrap_or_default();
        match self.leak_guard.inspect(Sink::McpResult, &written) {
            Ok(()) => result,
            Err(_blocked) => refused(&BackendError::new(LeakBlocked::NOTICE)),
        }
    }

    async fn carry_out(
        &self,
        tool: ToolName,
        arguments: JsonObject,
        progress: Progress,
        cancel: CancellationToken,
    ) -> CallToolResult {
        let backend = &self.backend;
        let question = match tool {
            ToolName::Identify => {
                return match parse(arguments) {
                    Ok(params) => result(backend.identify(params, cancel).await),
                    Err(refusal) => refused(&refusal),
                };
            }
            ToolName::Diagnose => {
                return match parse(arguments) {
                    Ok(params) => result(backend.diagnose(params, progress, cancel).await),
                    Err(refusal) => refused(&refusal),
                };
            }
            ToolName::Propose => {
                return match parse(arguments) {
                    Ok(params) => result(backend.propose(params, progress, cancel).await),
                    Err(refusal) => refused(&refusal),
                };
            }
            // Needs the client, for its question.
            ToolName::Execute => {
                return refused(&BackendError::new(
                    "a repair is carried out by a client's call",
                ));
            }
            ToolName::Threads => {
                return match parse(arguments) {
                    Ok(params) => result(backend.threads(params).await),
                    Err(refusal) => refused(&refusal),
                };
            }
            ToolName::Report => {
                return match thread(arguments) {
                    Ok(thread) => result(backend.report(thread).await),
                    Err(refusal) => refused(&refusal),
                };
            }
            ToolName::Plan => {
                return match thread(arguments) {
                    Ok(thread) => result(backend.plan(thread).await),
                    Err(refusal) => refused(&refusal),
                };
            }
            ToolName::Troubleshooting => parse(arguments).and_then(question),
            ToolName::Scan => parse(arguments).map(EcsQuestion::Scan),
            ToolName::ResourceManagement => parse(arguments).map(EcsQuestion::Resource),
            ToolName::WaitForService => parse(arguments).map(EcsQuestion::WaitForService),
            ToolName::Prerequisites => parse(arguments).map(EcsQuestion::Prerequisites),
            ToolName::DeploymentStatus => parse(arguments).map(EcsQuestion::DeploymentStatus),
            ToolName::Containerize => parse(arguments).map(EcsQuestion::Containerize),
            ToolName::BuildImage => parse(arguments).map(EcsQuestion::BuildImage),
            ToolName::DeleteApp => parse(arguments).map(EcsQuestion::DeleteApp),
            ToolName::CreateInfrastructure => {
                parse(arguments).map(EcsQuestion::CreateInfrastructure)
            }
            ToolName::DeleteInfrastructure => {
                parse(arguments).map(EcsQuestion::DeleteInfrastructure)
            }
        };
        match question {
            Ok(question) => result(backend.ask(question, progress, cancel).await),
            Err(refusal) => refused(&refusal),
        }
    }

    /// Lets something be shown, unless it holds a secret.
    fn shown<T: Serialize>(&self, shown: &T) -> Result<(), ErrorData> {
        let written = serde_json::to_vec(shown).unwrap_or_default();
        self.leak_guard
            .inspect(Sink::McpResult, &written)
            .map_err(|_blocked| ErrorData::internal_error(LeakBlocked::NOTICE, None))
    }

    /// Tells the client one step, if it asked to be told and unless it holds a secret.
    async fn tell(
        &self,
        peer: &Peer<RoleServer>,
        token: Option<&ProgressToken>,
        step: ProgressStep,
    ) {
        let Some(token) = token else { return };
        let seen = self
            .leak_guard
            .inspect(Sink::McpResult, step.words.as_bytes());
        if seen.is_err() {
            return;
        }
        let mut told =
            ProgressNotificationParam::new(token.clone(), step.done).with_message(step.words);
        told.total = step.total;
        // A client that left is told nothing more.
        let _ = peer.notify_progress(told).await;
    }
}

impl ServerHandler for ToolServer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(
                Implementation::new("ecs-deep-agent", env!("CARGO_PKG_VERSION"))
                    .with_title("ECS Deep Agent"),
            )
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(
            ToolName::ALL.into_iter().map(ToolName::tool).collect(),
        ))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = ToolName::parse(&request.name) else {
            let names: Vec<&str> = ToolName::ALL.into_iter().map(ToolName::as_str).collect();
            return Err(ErrorData::invalid_params(
                format!(
                    "there is no tool of that name; there are {}",
                    names.join(", ")
                ),
                None,
            ));
        };
        let token = context.meta.get_progress_token();
        let (progress, mut steps) = Progress::channel();
        let (server, asked) = (self.clone(), context.clone());
        let call = async move {
            if tool == ToolName::Execute {
                return server.execute(request, &asked, progress).await;
            }
            let arguments = request.arguments.unwrap_or_default();
            server
                .call(tool, arguments, progress, asked.ct)
                .await
                .into()
        };
        let told = async {
            tokio::pin!(call);
            let result = loop {
                tokio::select! {
                    result = &mut call => break result,
                    Some(step) = steps.recv() => {
                        self.tell(&context.peer, token.as_ref(), step).await;
                    }
                }
            };
            while let Ok(step) = steps.try_recv() {
                self.tell(&context.peer, token.as_ref(), step).await;
            }
            result
        };
        Ok(self.calls.track_future(told).await)
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let listed = resource::listed(self.backend()).await?;
        self.shown(&listed)?;
        Ok(ListResourcesResult::with_all_items(listed))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(
            resource::templates(),
        ))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let none = |why: String| ErrorData::resource_not_found(why, None);
        let address = ResourceAddress::parse(&request.uri).ok_or_else(|| {
            none("there is no such resource; resources/templates/list shows their forms".to_owned())
        })?;
        let text = address
            .read(self.backend())
            .await
            .map_err(|error| none(error.to_string()))?;
        self.shown(&text)?;
        let contents = ResourceContents::TextResourceContents {
            uri: request.uri,
            mime_type: Some(address.mime_type().to_owned()),
            text,
            meta: None,
        };
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(
            PromptName::ALL
                .into_iter()
                .map(PromptName::prompt)
                .collect(),
        ))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let wrong = |why: String| ErrorData::invalid_params(why, None);
        let prompt = PromptName::parse(&request.name).ok_or_else(|| {
            let names = PromptName::ALL.map(PromptName::as_str).join(", ");
            wrong(format!(
                "there is no prompt of that name; there are {names}"
            ))
        })?;
        let filled = prompt
            .fill(&request.arguments.unwrap_or_default())
            .map_err(|missing| wrong(format!("the argument `{missing}` is missing")))?;
        Ok(filled.into())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        ToolName::parse(name).map(ToolName::tool)
    }
}

pub(super) fn parse<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, BackendError> {
    serde_json::from_value(arguments.into())
        .map_err(|error| BackendError::new(format!("the arguments do not fit the tool: {error}")))
}

fn thread(arguments: JsonObject) -> Result<ThreadId, BackendError> {
    let params: ThreadParams = parse(arguments)?;
    thread_id(&params.thread)
}

/// Reads a thread's id.
pub(super) fn thread_id(text: &str) -> Result<ThreadId, BackendError> {
    text.parse()
        .map_err(|error: ecs_agent_runtime::ParseIdError| {
            BackendError::new(format!("{error}; list_threads shows the ids there are"))
        })
}

/// The same result twice: readable text for a model, structure for a program.
pub(super) fn result<T: Serialize + Readable>(outcome: Result<T, BackendError>) -> CallToolResult {
    let response = match outcome {
        Ok(response) => response,
        Err(error) => return refused(&error),
    };
    match serde_json::to_value(&response) {
        Ok(value) => {
            let mut result = CallToolResult::success(vec![ContentBlock::text(response.text())]);
            result.structured_content = Some(value);
            result
        }
        Err(error) => refused(&BackendError::new(format!(
            "the result cannot be written: {error}"
        ))),
    }
}

pub(super) fn refused(error: &BackendError) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(error.to_string())])
}

#[cfg(test)]
#[path = "handler_tests.rs"]
mod tests;
