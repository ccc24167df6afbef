//! A language model's plan, weighed against the one that the findings derive.
//!
//! The rules for operations are the same for both. What differs is what they rest on: a derived
//! plan repairs root causes that evidence proves, a model's plan rests on the model. So the derived
//! plan comes first, and the model's is offered when there is none, or when a person has rejected
//! it; then every step says that nothing proves it.

use super::build::{Around, assemble};
use super::propose::derive;
use super::{Alternative, Operation, Plan, PlanError, Proposed, ProposedOperation};
use crate::analyse::{Diagnosis, Verdict};
use crate::observation::Observation;

/// What every step of a model's plan is marked with.
const UNPROVEN: &str = "the language model chose this step; no finding derives it";

/// Whether a person has rejected the derived plan on this diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DerivedPlan {
    /// Nobody has decided about it.
    Open,
    /// A person wants another one.
    Rejected,
}

/// The plan to offer, and whose it is.
#[derive(Debug)]
pub struct WeighedPlan {
    /// The plan.
    pub plan: Plan<Proposed>,
    /// Whose it is.
    pub origin: PlanOrigin,
}

/// Whose plan is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanOrigin {
    /// Derived from the findings.
    Findings,
    /// The language model's.
    Model,
}

/// Decides which plan is offered when a language model proposes operations.
///
/// # Errors
/// [`PlanError::NothingToRepair`] when nothing is wrong; otherwise which rule an operation of the
/// model breaks.
pub fn weigh(
    operations: Vec<ProposedOperation>,
    observation: &Observation,
    diagnosis: &Diagnosis,
    derived_plan: DerivedPlan,
) -> Result<WeighedPlan, PlanError> {
    match diagnosis.verdict {
        Verdict::Healthy | Verdict::InProgress => {
            return Err(PlanError::NothingToRepair {
                verdict: diagnosis.summary.clone(),
            });
        }
        Verdict::RootCauseFound | Verdict::Inconclusive => {}
    }
    if operations.is_empty() {
        return Err(PlanError::Empty);
    }
    // Checked whether or not it is offered, so that the model learns what is wrong with it.
    let chosen: Vec<Operation> = operations
        .iter()
        .map(|proposed| proposed.operation.clone())
        .collect();
    let derived = derive(observation, diagnosis);
    let advice = derived
        .as_ref()
        .map(|derived| derived.around.advice.clone())
        .unwrap_or_default();
    let around = Around {
        advice,
        unproven: vec![UNPROVEN.to_owned()],
        ..Around::default()
    };
    let models = assemble(marked(operations), around, observation)?;
    let Ok(mut derived) = derived else {
        return Ok(of_model(models));
    };
    let same = derived
        .operations
        .iter()
        .map(|proposed| &proposed.operation)
        .eq(chosen.iter());
    let executable = !derived.operations.is_empty();
    if !executable || (derived_plan == DerivedPlan::Rejected && !same) {
        return Ok(of_model(models));
    }
    if !same {
        derived
            .around
            .alternatives
            .push(alternative(&models, chosen));
    }
    match derived.assemble(observation) {
        Ok(plan) => Ok(WeighedPlan {
            plan,
            origin: PlanOrigin::Findings,
        }),
        Err(_cannot_be_written) => Ok(of_model(models)),
    }
}

fn of_model(plan: Plan<Proposed>) -> WeighedPlan {
    WeighedPlan {
        plan,
        origin: PlanOrigin::Model,
    }
}

/// The operations with reasons that say whose they are.
fn marked(operations: Vec<ProposedOperation>) -> Vec<ProposedOperation> {
    operations
        .into_iter()
        .map(|proposed| ProposedOperation {
            reason: format!("the language model says, unchecked: {}", proposed.reason),
            ..proposed
        })
        .collect()
}

fn alternative(models: &Plan<Proposed>, operations: Vec<Operation>) -> Alternative {
    let effects: Vec<&str> = models
        .content()
        .steps
        .iter()
        .map(|step| step.effect.as_str())
        .collect();
    Alternative {
        title: format!("The language model's plan: {}", effects.join(" ")),
        trade_off: "it obeys the rules, and no finding derives it; it can be asked for after this \
                    plan is rejected"
            .to_owned(),
        operations,
    }
}

#[cfg(test)]
#[path = "weigh_tests.rs"]
mod tests;
