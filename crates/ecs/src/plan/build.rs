//! From operations to a plan: rules, derivation, permissions, rendering.

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::Rules;
use super::{
    APPROVAL_MINUTES, Advice, Alternative, Fingerprint, Operation, Permission, Plan, PlanContent,
    PlanError, PlanSession, Proposed, Step, StepTooLarge, describe, permissions, render, sessions,
};
use crate::observation::Observation;

/// Most operations that a person can judge at once.
const MOST_OPERATIONS: usize = 8;

/// One operation as a language model or a person proposes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposedOperation {
    /// The change.
    pub operation: Operation,
    /// Why, in one sentence that names the finding it repairs.
    pub reason: String,
}

/// What goes into a plan beside its operations.
#[derive(Debug, Default)]
pub(crate) struct Around {
    pub(crate) repairs: Vec<String>,
    pub(crate) advice: Vec<Advice>,
    pub(crate) alternatives: Vec<Alternative>,
    pub(crate) warnings: Vec<String>,
    /// What every step is marked with as unproven.
    pub(crate) unproven: Vec<String>,
}

impl Plan<Proposed> {
    /// Checks operations proposed by a model or chosen by a person, by the same rules that this
    /// program's own plans obey.
    ///
    /// # Errors
    /// [`PlanError`] names the operation, the parameter and the rule.
    pub fn from_model(
        operations: Vec<ProposedOperation>,
        observation: &Observation,
    ) -> Result<Self, PlanError> {
        if operations.is_empty() {
            return Err(PlanError::Empty);
        }
        assemble(operations, Around::default(), observation)
    }
}

/// Makes a plan of operations that obey the rules; one without operations is advice only.
pub(crate) fn assemble(
    operations: Vec<ProposedOperation>,
    around: Around,
    observation: &Observation,
) -> Result<Plan<Proposed>, PlanError> {
    if operations.len() > MOST_OPERATIONS {
        return Err(PlanError::TooLong {
            count: operations.len(),
            most: MOST_OPERATIONS,
        });
    }
    let all: Vec<Operation> = operations
        .iter()
        .map(|proposed| proposed.operation.clone())
        .collect();
    for (index, operation) in all.iter().enumerate() {
        let earlier = all.get(..index).unwrap_or_default();
        Rules {
            observation,
            earlier,
            position: index + 1,
        }
        .check(operation)?;
    }
    let fingerprint = relevant(Fingerprint::of(observation), &all);
    let steps: Vec<Step> = (1..)
        .zip(operations)
        .map(|(number, proposed)| {
            let reason: String = proposed.reason.chars().take(400).collect();
            let mut step = describe::step(
                number,
                proposed.operation,
                reason,
                observation,
                &fingerprint,
            );
            step.unproven.extend(around.unproven.iter().cloned());
            step
        })
        .collect();
    let too_large = |error: StepTooLarge| PlanError::OperationTooLarge {
        operation: error.step,
        size: error.source,
    };
    let forward = sessions::forward(&steps).map_err(too_large)?;
    let backward = sessions::backward(steps.iter()).map_err(too_large)?;
    let mut warnings = around.warnings;
    warnings.extend(owner(observation));
    let mut content = PlanContent {
        account: observation.account.clone(),
        region: observation.region.clone(),
        thread: None,
        cluster: observation.service.cluster_arn.clone(),
        service: observation.service.arn.clone(),
        observed_at: observation.observed_at,
        expires_at: observation.observed_at + TimeDelta::minutes(APPROVAL_MINUTES),
        repairs: around.repairs,
        steps,
        advice: around.advice,
        alternatives: around.alternatives,
        warnings,
        fingerprint,
        session_policy: union(forward),
        rollback_policy: union(backward),
        rendered: String::new(),
    };
    content.rendered = render::text(&content);
    Ok(Plan::propose(content))
}

/// The service's facts, and those of the things that the plan changes.
fn relevant(fingerprint: Fingerprint, operations: &[Operation]) -> Fingerprint {
    let facts: Vec<_> = operations.iter().map(super::expected::facts_of).collect();
    fingerprint
        .only(|fact| fact.starts_with("service.") || facts.iter().any(|facts| facts.covers(fact)))
}

/// What all of some sessions together may do.
fn union(sessions: Vec<PlanSession>) -> Vec<Permission> {
    permissions::merged(sessions.into_iter().flat_map(|session| session.permissions))
}

/// Whoever owns the service by code will overwrite a direct change.
fn owner(observation: &Observation) -> Option<String> {
    if let Some(stack) = &observation.stack {
        let logical = stack.logical_id.as_deref().unwrap_or("the service");
        return Some(format!(
            "CloudFormation stack `{}` owns {logical}: make the same change in its template, or the next update undoes this.",
            stack.name
        ));
    }
    let tag = observation.service.tags.iter().find(|(key, _)| {
        matches!(
            key.as_str(),
            "aws:cloudformation:stack-name"
                | "copilot-application"
                | "terraform"
                | "managed-by"
                | "ManagedBy"
        )
    })?;
    Some(format!(
        "Tag `{}` says that code owns this service: make the same change there, or it will be undone.",
        tag.0
    ))
}
