//! The backend of the MCP tools: each call an invocation of its own.

mod ask;
mod document;
mod http;
mod repair;
mod telling;

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use ecs_agent_core::{
    Input, InvocationResult, InvocationSettings, InvocationStatus, Mode, OpenInterrupt, invoke,
};
use ecs_agent_credentials::{LeakGuard, Sources};
use ecs_agent_ecs::Identification;
use ecs_agent_mcp::{
    Backend, BackendError, BoxFuture, DiagnoseParams, DiagnoseResponse, DiagnosisStatus, Document,
    EcsQuestion, ExecuteResponse, FoundService, IdentifyParams, IdentifyResponse, Match, McpError,
    PlanDecision, PlanResponse, Progress, ProposeParams, ProposeResponse, ReportResponse,
    ThreadSummary, ThreadsParams, ThreadsResponse, WaitingPlan,
};
use ecs_agent_runtime::{AgentSpec, ThreadId};
use ecs_agent_store::{Store, StoreError, TenantScope};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::authentication::{Action, Caller};
use crate::config::InvocationFactory;
use crate::error::ApiError;
use crate::fold::Fold;
use crate::identification::find_service;
use crate::invocation::prepare;
use crate::projection::open_interrupts;
use crate::run::{Runs, ThreadKey};
use crate::state::App;

pub(crate) use self::http::{McpCallers, answer};
use self::telling::Telling;

/// Most threads of one list.
const MAX_THREADS: u32 = 100;
/// Threads of a list unless told.
const DEFAULT_THREADS: u32 = 20;

/// Serves the MCP tools on standard input and output until the client leaves or `shutdown` is
/// cancelled. `store` and `leak_guard` must be those of the factory's invocations.
///
/// # Errors
/// [`McpError`], when no session began or the server failed.
///
/// # Cancel safety
/// Dropping the future ends the session; calls in flight are cancelled.
pub async fn serve_mcp_stdio(
    store: Store,
    factory: InvocationFactory,
    leak_guard: Arc<LeakGuard>,
    shutdown: CancellationToken,
) -> Result<(), McpError> {
    let caller = Caller::of_this_machine();
    let backend = Arc::new(AgentBackend::new(store, factory, caller));
    ecs_agent_mcp::serve_stdio(backend, leak_guard, shutdown).await
}

/// The agent behind the MCP tools.
///
/// Everything but `propose` and `decide` runs in [`Mode::Diagnose`] and without the permission to
/// write, whatever the factory says.
pub struct AgentBackend {
    store: Store,
    factory: InvocationFactory,
    caller: Caller,
    agents: Arc<AgentSpec>,
    /// The runs of the server, whose limits hold for every call, where there is one.
    runs: Option<Arc<Runs>>,
}

impl std::fmt::Debug for AgentBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentBackend")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl AgentBackend {
    /// A backend of this caller's threads, whose invocations are made by `factory`.
    pub fn new(store: Store, factory: InvocationFactory, caller: Caller) -> Self {
        Self {
            store,
            factory,
            caller,
            agents: Arc::new(ecs_agent_core::agent_definition()),
            runs: None,
        }
    }

    /// A backend of a server's caller: each call counts as a run of theirs.
    pub(crate) fn admitted(app: &App, caller: Caller) -> Self {
        Self {
            store: app.store().clone(),
            factory: app.factory().clone(),
            caller,
            agents: Arc::clone(app.agents()),
            runs: Some(Arc::clone(app.runs())),
        }
    }

    /// Refuses what the caller may not do.
    fn allow(&self, action: Action) -> Result<(), BackendError> {
        if self.caller.may(action) {
            return Ok(());
        }
        Err(BackendError::from_chain(&ApiError::NotAllowed(action)))
    }

    /// Takes a place among the runs, for as long as the answer takes.
    async fn admit<F: Future>(&self, thread: ThreadId, call: F) -> Result<F::Output, BackendError> {
        let Some(runs) = &self.runs else {
            return Ok(call.await);
        };
        let key = ThreadKey::new(self.tenant().clone(), thread);
        let claim = runs.claim(key);
        let _claim = claim.map_err(|error| BackendError::from_chain(&error))?;
        Ok(runs.tracked(call).await)
    }

    /// Whose threads these are.
    const fn tenant(&self) -> &TenantScope {
        self.caller.tenant()
    }

    fn read_only(&self) -> Result<(InvocationSettings, Sources), BackendError> {
        let (mut settings, sources) = prepare(&self.factory, &self.caller)
            .map_err(|error| BackendError::from_chain(&error))?;
        settings.mode = Mode::Diagnose;
        settings.permissions.allow_write = false;
        Ok((settings, sources))
    }

    async fn fold(&self, thread: ThreadId) -> Result<Fold, BackendError> {
        self.allow(Action::Read)?;
        match Fold::read(&self.store, self.tenant(), thread, &self.agents).await {
            Ok(fold) => Ok(fold),
            Err(ApiError::Store(StoreError::ThreadNotFound(_))) => Err(BackendError::new(
                "thread not found; list_threads shows the ids there are",
            )),
            Err(error) => Err(BackendError::from_chain(&error)),
        }
    }

    async fn diagnosis(
        &self,
        params: DiagnoseParams,
        progress: Progress,
        cancel: CancellationToken,
    ) -> Result<DiagnoseResponse, BackendError> {
        self.allow(Action::Diagnose)?;
        if params.text.trim().is_empty() {
            return Err(BackendError::new(
                "`text` is empty; say what is wrong in the person's words",
            ));
        }
        let (mut settings, sources) = self.read_only()?;
        settings.hints.cluster = params.cluster.or(settings.hints.cluster);
        settings.hints.service = params.service.or(settings.hints.service);
        settings.progress = Telling::of(settings.progress, progress);
        let thread = new_thread();
        self.create(thread, &params.text).await?;
        let input = Input::Say(params.text);
        response(self.run(settings, sources, thread, input, cancel).await?)
    }

    async fn create(&self, thread: ThreadId, title: &str) -> Result<(), BackendError> {
        self.store
            .create_thread(self.tenant(), thread, title, Utc::now())
            .await
            .map(drop)
            .map_err(|error| BackendError::from_chain(&error))
    }

    async fn run(
        &self,
        settings: InvocationSettings,
        sources: Sources,
        thread: ThreadId,
        input: Input,
        cancel: CancellationToken,
    ) -> Result<InvocationResult, BackendError> {
        self.admit(thread, invoke(settings, sources, thread, input, cancel))
            .await?
            .map_err(|error| BackendError::from_chain(&error))
    }
}

fn new_thread() -> ThreadId {
    ThreadId::new(Uuid::now_v7())
}

impl Backend for AgentBackend {
    fn identify(
        &self,
        params: IdentifyParams,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<IdentifyResponse, BackendError>> {
        Box::pin(async move {
            self.allow(Action::Diagnose)?;
            let (settings, sources) = self.read_only()?;
            let found_one = find_service(settings, sources, params.query, params.cluster, cancel);
            self.admit(new_thread(), found_one)
                .await?
                .map(found)
                .map_err(|error| BackendError::from_chain(&error))
        })
    }

    fn diagnose(
        &self,
        params: DiagnoseParams,
        progress: Progress,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<DiagnoseResponse, BackendError>> {
        Box::pin(self.diagnosis(params, progress, cancel))
    }

    fn ask(
        &self,
        question: EcsQuestion,
        progress: Progress,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Map<String, Value>, BackendError>> {
        Box::pin(async move {
            self.allow(Action::Diagnose)?;
            let (settings, sources) = self.read_only()?;
            let answer = ask::ask(settings, sources, question, progress, cancel);
            self.admit(new_thread(), answer)
                .await?
                .map_err(|error| BackendError::from_chain(&error))
        })
    }

    fn threads(
        &self,
        params: ThreadsParams,
    ) -> BoxFuture<'_, Result<ThreadsResponse, BackendError>> {
        Box::pin(async move {
            self.allow(Action::Read)?;
            let limit = params.limit.unwrap_or(DEFAULT_THREADS).min(MAX_THREADS);
            let records = self
                .store
                .threads(self.tenant(), limit, None)
                .await
                .map_err(|error| BackendError::from_chain(&error))?;
            let threads = records
                .into_iter()
                .map(|record| ThreadSummary {
                    thread: record.id.to_string(),
                    title: record.title,
                    status: record.status.as_str().to_owned(),
                    created_at: record.created_at.to_rfc3339_opts(SecondsFormat::Secs, true),
                    updated_at: record.updated_at.to_rfc3339_opts(SecondsFormat::Secs, true),
                })
                .collect();
            Ok(ThreadsResponse { threads })
        })
    }

    fn report(&self, thread: ThreadId) -> BoxFuture<'_, Result<ReportResponse, BackendError>> {
        Box::pin(async move {
            let fold = self.fold(thread).await?;
            let files = fold.thread().state().files();
            ["/final_report.md", "/diagnostic_report.md"]
                .iter()
                .find_map(|path| Some((*path, files.get(path)?)))
                .map(|(path, report)| ReportResponse {
                    thread: thread.to_string(),
                    path: path.to_owned(),
                    report: report.to_owned(),
                })
                .ok_or_else(|| BackendError::new("this thread has no report yet"))
        })
    }

    fn document(&self, document: Document) -> BoxFuture<'_, Result<String, BackendError>> {
        Box::pin(self.document_text(document))
    }

    fn propose(
        &self,
        params: ProposeParams,
        progress: Progress,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<ProposeResponse, BackendError>> {
        Box::pin(self.proposal(params, progress, cancel))
    }

    fn waiting(&self, thread: ThreadId) -> BoxFuture<'_, Result<WaitingPlan, BackendError>> {
        Box::pin(self.waiting_plan(thread))
    }

    fn decide(
        &self,
        decision: PlanDecision,
        progress: Progress,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<ExecuteResponse, BackendError>> {
        Box::pin(self.decided(decision, progress, cancel))
    }

    fn plan(&self, thread: ThreadId) -> BoxFuture<'_, Result<PlanResponse, BackendError>> {
        Box::pin(async move {
            let fold = self.fold(thread).await?;
            let asked = open_interrupts(&fold)
                .into_iter()
                .find_map(|open| open.payload.get("plan"));
            let state = fold.thread().state();
            Ok(PlanResponse {
                thread: thread.to_string(),
                plan: asked.or_else(|| state.value("plan")).cloned(),
                awaiting_approval: asked.is_some(),
                document: state.files().get("/repair_plan.md").map(str::to_owned),
            })
        })
    }
}

fn found(identification: Identification) -> IdentifyResponse {
    let services = |candidates: Vec<ecs_agent_ecs::ServiceCandidate>| {
        candidates
            .into_iter()
            .map(|candidate| FoundService {
                cluster: candidate.cluster,
                service: candidate.service,
                arn: candidate.service_arn,
                reasons: candidate.reasons,
            })
            .collect()
    };
    match identification {
        Identification::One(candidate) => IdentifyResponse {
            matched: Match::One,
            services: services(vec![candidate]),
            searched: None,
        },
        Identification::Several(candidates) => IdentifyResponse {
            matched: Match::Several,
            services: services(candidates),
            searched: None,
        },
        Identification::None { searched } => IdentifyResponse {
            matched: Match::None,
            services: Vec::new(),
            searched: Some(searched.to_string()),
        },
    }
}

fn response(result: InvocationResult) -> Result<DiagnoseResponse, BackendError> {
    let (status, summary, question) = match result.status {
        InvocationStatus::Done { text } => (DiagnosisStatus::Done, text, None),
        InvocationStatus::Interrupted(open) => {
            let question = open
                .into_iter()
                .next()
                .map(|OpenInterrupt { payload, .. }| payload);
            let question = question.and_then(|payload| serde_json::from_value(payload).ok());
            (DiagnosisStatus::Question, String::new(), question)
        }
        InvocationStatus::Cancelled => (DiagnosisStatus::Cancelled, String::new(), None),
        InvocationStatus::BudgetExhausted { budget } => (
            DiagnosisStatus::BudgetExhausted,
            format!("The limit of {budget} was reached."),
            None,
        ),
        InvocationStatus::Failed { error } => {
            let thread = result.thread;
            return Err(BackendError::new(format!(
                "the diagnosis failed: {error} (thread {thread})"
            )));
        }
    };
    let findings = result
        .values
        .get("findings")
        .and_then(Value::as_array)
        .cloned();
    Ok(DiagnoseResponse {
        thread: result.thread.to_string(),
        status,
        summary,
        service_context: result.values.get("service_context").cloned(),
        findings: findings.unwrap_or_default(),
        question,
        report: result.files.get("/diagnostic_report.md").cloned(),
    })
}
