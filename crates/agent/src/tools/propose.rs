//! `propose_plan`: a typed plan, shown to a person, with their decision as the tool's answer.

use chrono::TimeDelta;
use ecs_agent_ecs::{
    APPROVAL_MINUTES, Approval, DerivedPlan, Plan, PlanContent, PlanHash, PlanOrigin, Proposed,
    ProposedOperation, propose, report, weigh,
};
use ecs_agent_runtime::{Answer, ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::diagnose::diagnosed;
use super::report::written;
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
                Some(answer) => decide(session, &input, answer).map(ToolReply::Returned),
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
    let Weighed { plan, note } = match make(session, input, arguments.operations)? {
        Ok(weighed) => weighed,
        Err(refusal) => return Ok(refusal.into()),
    };
    let switched_off = !session.settings.permissions.allow_write;
    let decision = if !plan.is_executable() {
        "needs a person: the plan has only advice, see /repair_plan.md"
    } else if switched_off {
        "needs a person: writing is switched off (allow_write = false), see /repair_plan.md"
    } else {
        return Ok(ToolReply::Ask(question(&plan, &note)));
    };
    Ok(decided(
        session,
        input,
        ToolOutcome::success(said(decision)),
        &plan,
        decision,
    )
    .into())
}

fn said(decision: &str) -> String {
    json!({ "decision": decision }).to_string()
}

/// The outcome, keeping the plan, its document and what was decided.
fn decided(
    session: &Session,
    input: &ToolInput,
    outcome: ToolOutcome,
    plan: &Plan<Proposed>,
    decision: &str,
) -> ToolOutcome {
    let file = "/repair_plan.md";
    let made_by = input.made_by(session);
    outcome
        .with_value(values::PLAN, json!(plan.content()))
        .with_value(values::DECISION, json!(decision))
        .with_value(values::VERDICT, written(decision, file, input))
        .with_value(values::MADE_BY, json!(made_by))
        .with_file(
            file,
            format!("{}{}", report::repair_plan(plan), report::made_by(&made_by)),
        )
}

/// A plan to offer, and what is to be said about where it comes from.
struct Weighed {
    plan: Plan<Proposed>,
    note: String,
}

fn make(
    session: &Session,
    input: &ToolInput,
    operations: Option<Vec<ProposedOperation>>,
) -> Result<Result<Weighed, ToolOutcome>, SessionError> {
    let (observation, diagnosis) = diagnosed(session, input)?;
    let last: Option<String> = stored(&input.values, values::DECISION).ok();
    let derived_plan = match last {
        Some(decision) if decision.starts_with("rejected:") => DerivedPlan::Rejected,
        Some(_) | None => DerivedPlan::Open,
    };
    let weighed = match operations {
        None => propose(&observation, &diagnosis).map(|plan| (plan, PlanOrigin::Findings)),
        Some(operations) => weigh(operations, &observation, &diagnosis, derived_plan)
            .map(|weighed| (weighed.plan, weighed.origin)),
    };
    let expires_at = session.settings.timer.now() + TimeDelta::minutes(APPROVAL_MINUTES);
    Ok(weighed
        .map(|(plan, origin)| Weighed {
            plan: plan.bind(session.thread.to_string(), expires_at),
            note: note(origin, &input.takeovers),
        })
        .map_err(|error| ToolOutcome::error(json!({"error": error.to_string()}).to_string())))
}

/// Where the plan comes from.
fn note(origin: PlanOrigin, takeovers: &[String]) -> String {
    let planner = takeovers
        .iter()
        .rfind(|takeover| takeover.starts_with("repair-planner: "));
    match (origin, planner) {
        (PlanOrigin::Model, _) => {
            "The language model's plan: it obeys the rules, and no finding derives it.".to_owned()
        }
        (PlanOrigin::Findings, None) => "Derived from the findings.".to_owned(),
        (PlanOrigin::Findings, Some(why)) => format!(
            "Derived from the findings by the runbook, which took over from the language model ({why})."
        ),
    }
}

/// What the person is shown: rendered by the program from the bytes that the hash covers.
fn question(plan: &Plan<Proposed>, note: &str) -> Value {
    let content = plan.content();
    json!({
        "kind": "approval",
        "plan_hash": plan.hash(),
        "plan": content,
        "note": note,
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
fn decide(
    session: &Session,
    input: &ToolInput,
    given: &Answer,
) -> Result<ToolOutcome, SessionError> {
    let content = given.question.get("plan").cloned().unwrap_or_default();
    let content: PlanContent = serde_json::from_value(content)
        .map_err(|error| SessionError::State(format!("the plan cannot be read: {error}")))?;
    let plan = Plan::restore(content);
    let decision = given
        .answer
        .pointer("/decisions/0")
        .unwrap_or(&given.answer);
    let kind = decision
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let decision = match kind {
        "approve" | "accept" => return Ok(approve(session, input, plan, &given.by)),
        "reject" | "ignore" => {
            let why = decision
                .get("message")
                .and_then(Value::as_str)
                .unwrap_or("no reason given");
            format!("rejected: {why}")
        }
        _ => "rejected: the answer was neither approve nor reject".to_owned(),
    };
    let outcome = ToolOutcome::success(said(&decision));
    Ok(decided(session, input, outcome, &plan, &decision))
}

fn approve(session: &Session, input: &ToolInput, plan: Plan<Proposed>, by: &str) -> ToolOutcome {
    let decided_at = session.settings.timer.now();
    let hash: PlanHash = plan.hash();
    let approval = Approval {
        plan_hash: hash.clone(),
        decided_by: by.to_owned(),
        decided_at,
        expires_at: decided_at + TimeDelta::minutes(APPROVAL_MINUTES),
    };
    let steps = plan.content().steps.len();
    let noun = if steps == 1 {
        "operation"
    } else {
        "operations"
    };
    let decision = format!("approved: plan {hash}, {steps} {noun}, by {by}");
    let outcome = decided(
        session,
        input,
        ToolOutcome::success(said(&decision)),
        &plan,
        &decision,
    );
    if let Err(error) = plan.approve(approval.clone()) {
        return ToolOutcome::error(json!({"error": error.to_string()}).to_string());
    }
    // What an earlier plan of this thread came to is not this one's.
    [
        values::EXECUTION,
        values::ROLLBACK,
        values::VERIFICATION,
        values::LAST_OBSERVATION,
    ]
    .into_iter()
    .fold(outcome, |outcome, key| outcome.with_value(key, Value::Null))
    .with_value(values::APPROVAL, json!(approval))
}
