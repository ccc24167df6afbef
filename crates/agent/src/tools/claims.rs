//! `submit_findings`: what a language model holds to be wrong, held against the evidence.

use ecs_agent_ecs::{CheckedClaim, Claim, check_claims, claim_table};
use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::diagnose::diagnosed;
use super::{Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, SessionError, stored, values};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Every claim, at most 10.
    claims: Vec<Claim>,
}

/// What was submitted so far.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Submission {
    /// How often.
    pub(super) rounds: u32,
    /// The last claims, checked.
    pub(super) claims: Vec<CheckedClaim>,
}

impl Submission {
    /// The submission about the present diagnosis.
    pub(super) fn of(input: &ToolInput) -> Self {
        stored(&input.values, values::CLAIMS).unwrap_or_default()
    }
}

/// Takes and checks claims.
pub(crate) struct SubmitFindings;

impl Tool for SubmitFindings {
    fn spec(&self) -> ToolSpec {
        spec_of::<Arguments>(
            "submit_findings",
            "Submits what you hold to be wrong. Each claim is checked: its quotes must occur in their evidence.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            match input.parse::<Arguments>() {
                Ok(arguments) => submit(session, &input, arguments.claims)
                    .unwrap_or_else(|error| ToolOutcome::error(error.for_person())),
                Err(outcome) => outcome,
            }
            .into()
        })
    }
}

/// Checks the claims. What fails the first time goes back with the reason; after that it is struck.
fn submit(
    session: &Session,
    input: &ToolInput,
    claims: Vec<Claim>,
) -> Result<ToolOutcome, SessionError> {
    let (observation, diagnosis) = diagnosed(session, input)?;
    let rounds = Submission::of(input).rounds + 1;
    let claims = check_claims(claims, &observation, &diagnosis, &session.catalogue);
    let failing = claims.iter().any(CheckedClaim::is_struck);
    let table = claim_table(&claims);
    let outcome = if failing && rounds == 1 {
        ToolOutcome::error(format!(
            "{table}Correct what fails and submit all claims again, once; what fails then is struck."
        ))
    } else if failing {
        ToolOutcome::success(format!("{table}What fails is struck, and shown as struck."))
    } else {
        ToolOutcome::success(table)
    };
    let submission = Submission { rounds, claims };
    Ok(outcome.with_value(values::CLAIMS, json!(submission)))
}
