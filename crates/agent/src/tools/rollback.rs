//! `roll_back_plan`: the inverse operations of what was carried out, under the same approval.

use ecs_agent_ecs::{
    Approved, Plan, StepOutcome, Verification, VerificationState, not_undone, report, undo,
};
use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use serde_json::json;

use super::execute::{approved_plan, attempt, done, operating_clients};
use super::{Intent, NoArguments, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, SessionError, stored, values};

/// Undoes the plan.
pub(crate) struct RollBackPlan;

impl Tool for RollBackPlan {
    fn spec(&self) -> ToolSpec {
        spec_of::<NoArguments>(
            "roll_back_plan",
            "Undoes the carried-out steps of the approved plan by their inverse operations, last first.",
        )
    }

    fn intent(&self, _input: &ToolInput) -> Intent {
        Intent::Writes
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            roll_back(session, &input)
                .await
                .unwrap_or_else(|error| ToolOutcome::error(error.for_person()))
                .into()
        })
    }
}

/// Undoes the steps in effect, the last first, each under credentials for it; stops at the first
/// that fails.
async fn undo_all(
    session: &Session,
    input: &ToolInput,
    plan: &Plan<Approved>,
    carried_out: &[StepOutcome],
) -> Result<Vec<StepOutcome>, SessionError> {
    let mut undone: Vec<StepOutcome> = Vec::new();
    for (part, grant) in plan.rollback_grants(carried_out)? {
        let clients = operating_clients(session, input, grant).await?;
        for step in part.steps {
            match undo(&clients, plan, step, carried_out, attempt(input.attempt)).await {
                Ok(outcome) => undone.extend(outcome),
                Err(error) if undone.is_empty() => return Err(error.into()),
                Err(error) => undone.push(not_undone(&clients, step, &error)),
            }
            let stopped = |outcome: &StepOutcome| !outcome.status.in_effect();
            if undone.last().is_some_and(stopped) {
                return Ok(undone);
            }
        }
    }
    Ok(undone)
}

async fn roll_back(session: &Session, input: &ToolInput) -> Result<ToolOutcome, SessionError> {
    let plan = approved_plan(input)?;
    let carried_out = done(input);
    if !carried_out.iter().any(|outcome| outcome.status.in_effect()) {
        return Ok(ToolOutcome::error(
            json!({"error": "nothing was carried out, so there is nothing to undo"}).to_string(),
        ));
    }
    let before: Vec<StepOutcome> = stored(&input.values, values::ROLLBACK).unwrap_or_default();
    if !before.is_empty() {
        return Ok(ToolOutcome::error(
            json!({"error": "the plan was rolled back already"}).to_string(),
        ));
    }
    let watched: Option<Verification> = stored(&input.values, values::VERIFICATION).ok();
    match watched.map(|watched| watched.state) {
        Some(
            VerificationState::Worse
            | VerificationState::Unchanged
            | VerificationState::Progressing,
        ) => {}
        Some(VerificationState::Healthy) => {
            return Ok(ToolOutcome::error(
                json!({"error": "the service is healthy: there is no reason to undo the repair"})
                    .to_string(),
            ));
        }
        None => {
            return Ok(ToolOutcome::error(
                json!({"error": "call verify_service first: a repair is undone for what was seen"})
                    .to_string(),
            ));
        }
    }
    session.note("verification-specialist", "rolling back");
    let undone = undo_all(session, input, &plan, &carried_out).await?;
    let log = report::execution_log(&plan, &carried_out, &undone);
    let complete = undone.iter().all(|outcome| outcome.status.in_effect());
    let text =
        json!({"undone": undone.len(), "complete": complete, "outcomes": undone}).to_string();
    let outcome = if complete {
        ToolOutcome::success(text)
    } else {
        ToolOutcome::error(text)
    };
    Ok(outcome
        .with_value(values::ROLLBACK, json!(undone))
        .with_file("/execution_log.md", log))
}
