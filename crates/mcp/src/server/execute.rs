//! `execute_repair`: the question to the person, and what follows from their answer.

use ecs_agent_credentials::Sink;
use rmcp::RoleServer;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult};
use rmcp::service::RequestContext;

use super::backend::BackendError;
use super::decision::{Answered, Asked};
use super::handler::{ToolServer, parse, refused, result, thread_id};
use super::message::{ExecuteParams, ExecuteResponse, RepairStatus};
use super::progress::Progress;
use ecs_agent_credentials::LeakBlocked;

impl ToolServer {
    /// Asks, and has the plan carried out only on a yes to exactly this plan.
    pub(super) async fn execute(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
        progress: Progress,
    ) -> CallToolResponse {
        match self.try_execute(request, context, progress).await {
            Ok(response) => response,
            Err(error) => refused(&error).into(),
        }
    }

    async fn try_execute(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
        progress: Progress,
    ) -> Result<CallToolResponse, BackendError> {
        let params: ExecuteParams = parse(request.arguments.unwrap_or_default())?;
        let thread = thread_id(&params.thread)?;
        let waiting = self.backend().waiting(thread).await?;
        if waiting.plan_hash != params.plan_hash {
            return Err(BackendError::new(format!(
                "`plan_hash` names another plan than the one that waits on this thread ({}); read it with get_plan",
                waiting.plan_hash
            )));
        }
        self.guard()
            .inspect(Sink::McpResult, waiting.rendered.as_bytes())
            .map_err(|_blocked| BackendError::new(LeakBlocked::NOTICE))?;
        let answered = Answered::of(request.request_state, request.input_responses);
        let asked = self.approvals().ask(thread, &waiting, answered, context);
        let asked = tokio::select! {
            asked = asked => asked?,
            () = context.ct.cancelled() => Asked::Unanswered,
        };
        let outcome = match asked {
            Asked::Elsewhere(question) => return Ok(question.into()),
            Asked::Unanswered => Ok(ExecuteResponse {
                thread: thread.to_string(),
                plan_hash: waiting.plan_hash,
                status: RepairStatus::Unanswered,
                summary: String::new(),
                execution: None,
                rollback: None,
                verification: None,
                report: None,
            }),
            Asked::Decided(decision) => {
                self.backend()
                    .decide(decision, progress, context.ct.clone())
                    .await
            }
        };
        let result: CallToolResult = result(outcome);
        Ok(self.guarded(result).into())
    }
}
