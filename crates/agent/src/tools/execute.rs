//! `execute_operation`: one step of the approved plan, and nothing else.

use std::time::Duration;

use ecs_agent_credentials::{CredentialReference, OperateGrant, ScopeRequest};
use ecs_agent_ecs::{
    Approval, Approved, AwsClients, AwsError, AwsErrorKind, Plan, PlanContent, StepOutcome,
    StepStatus, operate, report, unknown,
};
use ecs_agent_runtime::{Attempt, ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Intent, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, SessionError, stored, values};

/// Pauses before a step whose outcome could not be read is looked at again.
const LOOKS_AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(8)];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Hash of the approved plan.
    plan_hash: String,
    /// Number of the step, counted from 1.
    step: u32,
}

/// Carries one approved step out.
pub(crate) struct ExecuteOperation;

impl Tool for ExecuteOperation {
    fn spec(&self) -> ToolSpec {
        spec_of::<Arguments>(
            "execute_operation",
            "Carries out one step of the approved plan. Refused when the plan is not approved, the step is out of \
             order or done, or the service has moved since the approval.",
        )
    }

    fn intent(&self, input: &ToolInput) -> Intent {
        let Ok(arguments) = input.parse::<Arguments>() else {
            return Intent::Reads;
        };
        // What will be refused uses no approval up, and is no write.
        let approval: Option<Approval> = stored(&input.values, values::APPROVAL).ok();
        let Some(approval) = approval.filter(|one| one.plan_hash.as_str() == arguments.plan_hash)
        else {
            return Intent::Reads;
        };
        if arguments.step == 1 && done(input).is_empty() {
            Intent::BeginsPlan {
                plan_hash: arguments.plan_hash,
                approval: json!(approval),
            }
        } else {
            Intent::Writes
        }
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            match input.parse::<Arguments>() {
                Ok(arguments) => execute(session, &input, &arguments)
                    .await
                    .unwrap_or_else(|error| ToolOutcome::error(error.for_person())),
                Err(outcome) => outcome,
            }
            .into()
        })
    }
}

/// The plan that a person approved, from the thread's state: the hash proves that it is the same.
pub(crate) fn approved_plan(input: &ToolInput) -> Result<Plan<Approved>, SessionError> {
    let content: PlanContent = stored(&input.values, values::PLAN)?;
    let approval: Approval = stored(&input.values, values::APPROVAL)?;
    Plan::restore(content)
        .approve(approval)
        .map_err(|error| SessionError::State(error.to_string()))
}

/// Outcomes of the steps so far.
pub(crate) fn done(input: &ToolInput) -> Vec<StepOutcome> {
    stored(&input.values, values::EXECUTION).unwrap_or_default()
}

/// Clients whose credentials can do what the grant says and nothing else.
///
/// Steps that share a session share its credentials: a new one is minted when the plan goes on to
/// steps that need others.
pub(crate) async fn operating_clients(
    session: &Session,
    input: &ToolInput,
    grant: OperateGrant,
) -> Result<AwsClients, SessionError> {
    let reference: CredentialReference = stored(&input.values, values::CREDENTIAL_REFERENCE)?;
    if session.context.describe().scope != Some(grant.scope()) {
        let request = ScopeRequest::operate(grant);
        session
            .sources
            .fill(&session.context, &reference, request)
            .await?;
    }
    Ok(AwsClients::new(&session.context)?)
}

async fn execute(
    session: &Session,
    input: &ToolInput,
    arguments: &Arguments,
) -> Result<ToolOutcome, SessionError> {
    if !session.settings.permissions.allow_write {
        return Ok(refused("writing is switched off (allow_write = false)"));
    }
    if !session.settings.permissions.person_may_execute {
        return Ok(refused("who runs this may not have a plan carried out"));
    }
    let plan = approved_plan(input)?;
    if plan.hash().as_str() != arguments.plan_hash {
        // A model that was handed no hash learns here what there is; the approval stays what it is.
        return Ok(refused(&format!(
            "this is not the plan that was approved; that is {} with {} steps",
            plan.hash(),
            plan.content().steps.len()
        )));
    }
    let mut done = done(input);
    let next = done
        .iter()
        .filter(|outcome| outcome.status.in_effect())
        .count()
        + 1;
    if usize::try_from(arguments.step).ok() != Some(next) {
        return Ok(refused(&format!(
            "step {} is not next; step {next} is",
            arguments.step
        )));
    }
    if input.attempt == Attempt::First
        && arguments.step == 1
        && let Err(error) = plan.check_live(session.settings.timer.now())
    {
        return Ok(refused(&error.to_string()));
    }
    let clients = operating_clients(session, input, plan.grant(arguments.step)?).await?;
    session.note("fix-executor", &format!("step {}", arguments.step));
    let attempt = if done.last().is_some_and(StepOutcome::is_unknown) {
        ecs_agent_ecs::Attempt::OutcomeUnknown
    } else {
        attempt(input.attempt)
    };
    let outcome = settled(session, &clients, &plan, arguments.step, &done, attempt).await?;
    let text =
        json!({"step": outcome.step, "outcome": outcome.status, "produced": outcome.produced});
    let in_effect = outcome.status.in_effect();
    let error = match &outcome.status {
        StepStatus::Applied | StepStatus::AlreadyApplied => String::new(),
        StepStatus::Refused { drift } => format!(
            "the service has moved since the plan was made; nothing was written: {}",
            drift
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; ")
        ),
        StepStatus::Failed { code, message } => format!("{code}: {message}"),
    };
    done.push(outcome);
    let log = report::execution_log(&plan, &done, &[]);
    let result = if in_effect {
        ToolOutcome::success(text.to_string())
    } else {
        ToolOutcome::error(json!({"error": error, "detail": text}).to_string())
    };
    Ok(result
        .with_value(values::EXECUTION, json!(done))
        .with_file("/execution_log.md", log))
}

/// Carries the step out. When AWS cannot be reached or fails, the step is not repeated but looked for
/// again: it may have been made.
async fn settled(
    session: &Session,
    clients: &AwsClients,
    plan: &Plan<Approved>,
    step: u32,
    done: &[StepOutcome],
    attempt: ecs_agent_ecs::Attempt,
) -> Result<StepOutcome, AwsError> {
    let mut result = operate(clients, plan, step, done, attempt).await;
    for pause in LOOKS_AGAIN_AFTER {
        if !result.as_ref().is_err_and(may_pass) {
            return result;
        }
        session.settings.timer.sleep(pause).await;
        let unknown = ecs_agent_ecs::Attempt::OutcomeUnknown;
        result = operate(clients, plan, step, done, unknown).await;
    }
    match result {
        Err(error) if may_pass(&error) => Ok(unknown(clients, step, &error)),
        result => result,
    }
}

/// Whether the same question may be answered in a while.
fn may_pass(error: &AwsError) -> bool {
    matches!(
        error.kind(),
        AwsErrorKind::Throttled { .. }
            | AwsErrorKind::Unreachable { .. }
            | AwsErrorKind::Other { .. }
    )
}

/// The domain's word for what is known about an earlier try.
pub(crate) fn attempt(attempt: Attempt) -> ecs_agent_ecs::Attempt {
    match attempt {
        Attempt::First => ecs_agent_ecs::Attempt::First,
        Attempt::OutcomeUnknown => ecs_agent_ecs::Attempt::OutcomeUnknown,
    }
}

fn refused(why: &str) -> ToolOutcome {
    ToolOutcome::error(json!({"error": format!("refused: {why}")}).to_string())
}
