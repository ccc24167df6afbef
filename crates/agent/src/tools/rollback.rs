//! `roll_back_plan`: the inverse operations of what was carried out, under the same approval.

use ecs_agent_ecs::{StepOutcome, report, roll_back};
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
            undo(session, &input)
                .await
                .unwrap_or_else(|error| ToolOutcome::error(error.for_person()))
                .into()
        })
    }
}

async fn undo(session: &Session, input: &ToolInput) -> Result<ToolOutcome, SessionError> {
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
    let clients = operating_clients(session, input, &plan).await?;
    session.note("verification-specialist", "rolling back");
    let undone = roll_back(&clients, &plan, &carried_out, attempt(input.attempt)).await?;
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
