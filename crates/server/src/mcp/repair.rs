//! Proposing a repair and having an approved one carried out, over MCP.
//!
//! A plan is approved here as anywhere: by an answer to the thread's own open question, which names
//! the plan's hash. What is new is only who puts the question: the person's MCP client.

use ecs_agent_core::{Input, InvocationResult, InvocationStatus, OpenInterrupt};
use ecs_agent_mcp::{
    BackendError, ExecuteResponse, PlanDecision, Progress, ProposalStatus, ProposeParams,
    ProposeResponse, RepairStatus, Verdict, WaitingPlan,
};
use ecs_agent_runtime::{InterruptId, ThreadId};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::telling::Telling;
use super::{AgentBackend, new_thread};
use crate::authentication::Action;
use crate::fold::Fold;
use crate::invocation::prepare;
use crate::projection::open_interrupts;
use crate::resume;

impl AgentBackend {
    pub(super) async fn proposal(
        &self,
        params: ProposeParams,
        progress: Progress,
        cancel: CancellationToken,
    ) -> Result<ProposeResponse, BackendError> {
        self.allow(Action::Diagnose)?;
        self.allow(Action::Plan)?;
        if params.text.trim().is_empty() {
            return Err(BackendError::new(
                "`text` is empty; say what is wrong in the person's words",
            ));
        }
        let (mut settings, sources) = prepare(&self.factory, &self.caller)
            .map_err(|error| BackendError::from_chain(&error))?;
        settings.hints.cluster = params.cluster.or(settings.hints.cluster);
        settings.hints.service = params.service.or(settings.hints.service);
        settings.progress = Telling::of(settings.progress, progress);
        let thread = new_thread();
        self.create(thread, &params.text).await?;
        let input = Input::Say(params.text);
        let result = self.run(settings, sources, thread, input, cancel).await?;
        proposed(result)
    }

    /// The plan that the thread's open question is about.
    pub(super) async fn waiting_plan(&self, thread: ThreadId) -> Result<WaitingPlan, BackendError> {
        self.allow(Action::Approve)?;
        self.allow(Action::Execute)?;
        let fold = self.fold(thread).await?;
        let (_, waiting) = open_plan(&fold).ok_or_else(|| none_waits(thread))?;
        Ok(waiting)
    }

    pub(super) async fn decided(
        &self,
        decision: PlanDecision,
        progress: Progress,
        cancel: CancellationToken,
    ) -> Result<ExecuteResponse, BackendError> {
        self.allow(Action::Approve)?;
        self.allow(Action::Execute)?;
        let thread = decision.thread();
        let fold = self.fold(thread).await?;
        // The person thought for a while: somebody else may have answered, or asked for another plan.
        let (interrupt, _) = open_plan(&fold).ok_or_else(|| none_waits(thread))?;
        let (decided, rejected) = match decision.verdict() {
            Verdict::Approve => (json!({"type": "approve"}), false),
            Verdict::Reject { reason } => (json!({"type": "reject", "message": reason}), true),
        };
        let answer = json!({"decisions": [decided], "plan_hash": decision.plan_hash()});
        let given = resume::answer(&answer, &open_interrupts(&fold))
            .map_err(|error| BackendError::from_chain(&error))?
            .filter(|given| given.interrupt == interrupt)
            .ok_or_else(|| none_waits(thread))?;
        let (mut settings, sources) = prepare(&self.factory, &self.caller)
            .map_err(|error| BackendError::from_chain(&error))?;
        settings.progress = Telling::of(settings.progress, progress);
        let input = Input::Answer {
            interrupt: given.interrupt,
            answer: given.value,
            by: self.caller.person().to_owned(),
        };
        let result = self.run(settings, sources, thread, input, cancel).await?;
        executed(result, decision.plan_hash(), rejected)
    }
}

fn none_waits(thread: ThreadId) -> BackendError {
    BackendError::new(format!(
        "no plan waits for a decision on {thread}; propose_repair makes one, get_plan shows the last"
    ))
}

/// The open question about a plan, if there is one.
fn open_plan(fold: &Fold) -> Option<(InterruptId, WaitingPlan)> {
    open_interrupts(fold)
        .into_iter()
        .find_map(|open| Some((open.id, waiting(&open.payload)?)))
}

fn waiting(payload: &Value) -> Option<WaitingPlan> {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    if text("/kind") != Some("approval") {
        return None;
    }
    let mut rendered = text("/action_requests/0/description")?.to_owned();
    if let Some(note) = text("/note") {
        rendered.push('\n');
        rendered.push_str(note);
    }
    Some(WaitingPlan {
        plan_hash: text("/plan_hash")?.to_owned(),
        plan: payload.get("plan")?.clone(),
        rendered,
    })
}

fn failed(thread: ThreadId, error: &str) -> BackendError {
    BackendError::new(format!("it failed: {error} (thread {thread})"))
}

fn proposed(mut result: InvocationResult) -> Result<ProposeResponse, BackendError> {
    let (mut summary, mut question, mut plan) = (String::new(), None, None);
    let status = match result.status {
        InvocationStatus::Done { text } => {
            summary = text;
            ProposalStatus::NoPlan
        }
        InvocationStatus::Interrupted(open) => {
            let payload = open
                .into_iter()
                .next()
                .map(|OpenInterrupt { payload, .. }| payload);
            plan = payload.as_ref().and_then(waiting);
            if plan.is_some() {
                ProposalStatus::Waiting
            } else {
                question = payload.and_then(|payload| serde_json::from_value(payload).ok());
                ProposalStatus::Question
            }
        }
        InvocationStatus::Cancelled => ProposalStatus::Cancelled,
        InvocationStatus::BudgetExhausted { budget } => {
            summary = format!("The limit of {budget} was reached.");
            ProposalStatus::BudgetExhausted
        }
        InvocationStatus::Failed { error } => return Err(failed(result.thread, &error)),
    };
    let findings = result.values.remove("findings");
    Ok(ProposeResponse {
        thread: result.thread.to_string(),
        status,
        summary,
        service_context: result.values.remove("service_context"),
        findings: match findings {
            Some(Value::Array(findings)) => findings,
            _ => Vec::new(),
        },
        waiting: plan,
        document: result.files.remove("/repair_plan.md"),
        question,
    })
}

fn executed(
    mut result: InvocationResult,
    plan_hash: &str,
    rejected: bool,
) -> Result<ExecuteResponse, BackendError> {
    let (status, summary) = match result.status {
        InvocationStatus::Done { text } if rejected => (RepairStatus::Rejected, text),
        InvocationStatus::Done { text } => (RepairStatus::Done, text),
        InvocationStatus::Interrupted(_) => (
            RepairStatus::Question,
            "A further question waits for a person; get_plan shows it.".to_owned(),
        ),
        InvocationStatus::Cancelled => (RepairStatus::Cancelled, String::new()),
        InvocationStatus::BudgetExhausted { budget } => (
            RepairStatus::BudgetExhausted,
            format!("The limit of {budget} was reached."),
        ),
        InvocationStatus::Failed { error } => return Err(failed(result.thread, &error)),
    };
    let mut value = |key: &str| result.values.remove(key).filter(|value| !value.is_null());
    Ok(ExecuteResponse {
        thread: result.thread.to_string(),
        plan_hash: plan_hash.to_owned(),
        status,
        summary,
        execution: value("execution"),
        rollback: value("rollback"),
        verification: value("verification"),
        report: result.files.remove("/final_report.md"),
    })
}
