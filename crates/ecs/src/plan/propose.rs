//! From a diagnosis to a plan.

use super::{Plan, PlanError, Proposed};
use crate::analyse::Diagnosis;
use crate::observation::Observation;

/// Makes the smallest plan that repairs the diagnosis's root causes.
///
/// # Errors
/// [`PlanError::NothingToRepair`] when there is no root cause.
pub fn propose(
    _observation: &Observation,
    diagnosis: &Diagnosis,
) -> Result<Plan<Proposed>, PlanError> {
    Err(PlanError::NothingToRepair {
        verdict: diagnosis.summary.clone(),
    })
}
