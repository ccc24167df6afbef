//! `propose_plan`: a typed plan, shown to a person, with their decision as the tool's answer.

use chrono::TimeDelta;
use ecs_agent_ecs::{
    APPROVAL_MINUTES, Approval, Diagnosis, Observation, Plan, PlanContent, PlanHash, Proposed,
    ProposedOperation, propose, report,
};
use ecs_agent_runtime::{Answer, ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, SessionError, stored, values};
use crate::settings::Mode;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The operations of the plan, in order. Without it the program derives the plan itself.
    #[serde(default)]
    operations: Option<Vec<ProposedOperation>>,
}

/// Proposes and asks.
pub(crate) struct ProposePlan;

impl Tool for ProposePlan {
    fn spec(&self) -> ToolSpec {
        spec_of::<Arguments>(
            "propose_plan",
            "Makes a repair plan, checks it, shows it to a person and returns their decision. Without \
             `operations` the program derives the smallest plan from the findings.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            let reply = match &input.answer {
                None => ask(session, &input),
                Some(answer) => decide(session, answer).map(ToolReply::Returned),
            };
            reply.unwrap_or_else(|error| ToolOutcome::error(error.for_person()).into())
        })
    }
}

/// Makes the plan and, when there is something to approve, asks.
fn ask(session: &Session, input: &ToolInput) -> Result<ToolReply, SessionError> {
    if session.settings.mode == Mode::Diagnose {
        return Ok(ToolOutcome::success(
            json!({"decision": "no plan: only a diagnosis was asked for"}).to_string(),
        )
        .into());
    }
    let arguments = match input.parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(outcome) => return Ok(outcome.into()),
    };
    let plan = match make(session, input, arguments.operations)? {
        Ok(plan) => plan,
        Err(refusal) => return Ok(refusal.into()),
    };
    let written = |outcome: ToolOutcome| {
        outcome
            .with_value(values::PLAN, json!(plan.content()))
            .with_file("/repair_plan.md", report::repair_plan(&plan))
    };
    if !plan.is_executable() {
        let decision = "needs a person: the plan has only advice, see /repair_plan.md";
        return Ok(written(ToolOutcome::success(
            json!({"decision": decision}).to_string(),
        ))
        .into());
    }
    if !session.settings.permissions.allow_write {
        let decision =
            "needs a person: writing is switched off (allow_write = false), see /repair_plan.md";
        return Ok(written(ToolOutcome::success(
            json!({"decision": decision}).to_string(),
        ))
        .into());
    }
    Ok(ToolReply::Ask(question(&plan)))
}

fn make(
    session: &Session,
    input: &ToolInput,
    operations: Option<Vec<ProposedOperation>>,
) -> Result<Result<Plan<Proposed>, ToolOutcome>, SessionError> {
    let observation: Observation = stored(&input.values, values::OBSERVATION)?;
    let diagnosis: Diagnosis = stored(&input.values, values::DIAGNOSIS)?;
    let plan = match operations {
        None => propose(&observation, &diagnosis),
        Some(operations) => Plan::from_model(operations, &observation),
    };
    let expires_at = session.settings.timer.now() + TimeDelta::minutes(APPROVAL_MINUTES);
    Ok(plan
        .map(|plan| plan.bind(session.thread.to_string(), expires_at))
        .map_err(|error| ToolOutcome::error(json!({"error": error.to_string()}).to_string())))
}

/// What the person is shown: rendered by the program from the bytes that the hash covers.
fn question(plan: &Plan<Proposed>) -> Value {
    let content = plan.content();
    json!({
        "kind": "approval",
        "plan_hash": plan.hash(),
        "plan": content,
        "action_requests": [{
            "name": "execute_plan",
            "args": {"plan_hash": plan.hash(), "steps": content.steps.len()},
            "description": content.rendered,
        }],
        "review_configs": [{
            "action_name": "execute_plan",
            "allowed_decisions": ["approve", "reject"],
        }],
    })
}

/// Takes the decision. The question's own payload names the plan, so nothing that was said since
/// can change what is approved.
fn decide(session: &Session, given: &Answer) -> Result<ToolOutcome, SessionError> {
    let content = given.question.get("plan").cloned().unwrap_or_default();
    let content: PlanContent = serde_json::from_value(content)
        .map_err(|error| SessionError::State(format!("the plan cannot be read: {error}")))?;
    let plan = Plan::restore(content);
    let decision = given
        .answer
        .pointer("/decisions/0")
        .unwrap_or(&given.answer);
    let said = decision
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let outcome = match said {
        "approve" | "accept" => return Ok(approve(session, plan, &given.by)),
        "reject" | "ignore" => {
            let why = decision
                .get("message")
                .and_then(Value::as_str)
                .unwrap_or("no reason given");
            ToolOutcome::success(json!({"decision": format!("rejected: {why}")}).to_string())
        }
        _ => ToolOutcome::success(
            json!({"decision": "rejected: the answer was neither approve nor reject"}).to_string(),
        ),
    };
    Ok(outcome
        .with_value(values::PLAN, json!(plan.content()))
        .with_file("/repair_plan.md", report::repair_plan(&plan)))
}

fn approve(session: &Session, plan: Plan<Proposed>, by: &str) -> ToolOutcome {
    let decided_at = session.settings.timer.now();
    let hash: PlanHash = plan.hash();
    let approval = Approval {
        plan_hash: hash.clone(),
        decided_by: by.to_owned(),
        decided_at,
        expires_at: decided_at + TimeDelta::minutes(APPROVAL_MINUTES),
    };
    let steps = plan.content().steps.len();
    let content = json!(plan.content());
    let file = report::repair_plan(&plan);
    if let Err(error) = plan.approve(approval.clone()) {
        return ToolOutcome::error(json!({"error": error.to_string()}).to_string());
    }
    let noun = if steps == 1 {
        "operation"
    } else {
        "operations"
    };
    ToolOutcome::success(
        json!({"decision": format!("approved: plan {hash}, {steps} {noun}, by {by}")}).to_string(),
    )
    .with_value(values::PLAN, content)
    .with_value(values::APPROVAL, json!(approval))
    .with_file("/repair_plan.md", file)
}
