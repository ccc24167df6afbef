//! `permissions`: what an administrator has to allow, and what a plan will run under.

use ecs_agent_ecs::{Plan, PlanContent, RoleTemplate, role_template};
use ecs_agent_runtime::EventBody;
use ecs_agent_store::{Seq, Store, TenantScope};
use serde_json::{Value, json};

use super::Workbench;
use crate::args::{PermissionsArguments, TemplateForm};
use crate::database;
use crate::error::CliError;
use crate::exit::Exit;

pub(super) async fn run(
    bench: &Workbench<'_>,
    arguments: &PermissionsArguments,
) -> Result<Exit, CliError> {
    let Some(given) = &arguments.plan else {
        let form = match arguments.template {
            TemplateForm::Json => RoleTemplate::Json,
            TemplateForm::Cloudformation => RoleTemplate::CloudFormation,
            TemplateForm::Terraform => RoleTemplate::Terraform,
        };
        bench.output.text(&role_template(form));
        return Ok(Exit::Success);
    };
    let store = database::open(bench.configuration, bench.output.leak_guard()).await?;
    let thread = crate::thread_name::find(&store, given).await?;
    let no_plan = || CliError::NoPlan {
        thread: thread.id.to_string(),
    };
    let content = newest_plan(&store, thread.id).await?.ok_or_else(no_plan)?;
    let plan = Plan::restore(content);
    let sessions = plan.sessions().map_err(|_| no_plan())?;
    let written: Vec<Value> = sessions
        .iter()
        .map(|session| {
            let policy: Value =
                serde_json::from_str(session.policy().to_json()).unwrap_or_default();
            json!({
                "steps": session.steps,
                "characters": session.policy().to_json().len(),
                "policy": policy,
            })
        })
        .collect();
    bench
        .output
        .json(&json!({"plan": plan.hash(), "sessions": written}));
    Ok(Exit::Success)
}

/// The plan that was proposed last.
async fn newest_plan(
    store: &Store,
    thread: ecs_agent_runtime::ThreadId,
) -> Result<Option<PlanContent>, CliError> {
    let events = store
        .events(&TenantScope::local(), thread, Seq::START)
        .await?;
    let plan = events.iter().rev().find_map(|stored| {
        let EventBody::ToolReturned { outcome, .. } = &stored.event.body else {
            return None;
        };
        outcome.values.get("plan").cloned()
    });
    Ok(plan.and_then(|plan| serde_json::from_value(plan).ok()))
}
