//! From a diagnosis to the smallest plan that repairs its root causes.

use super::build::{Around, ProposedOperation, assemble};
use super::{Plan, PlanError, Proposed, advise, remedy};
use crate::analyse::Diagnosis;
use crate::observation::Observation;

/// Makes the smallest plan that repairs the diagnosis's root causes.
///
/// Deterministic: the same observation and diagnosis give the same plan. What the program must not
/// or cannot do becomes advice; a plan may consist of advice alone.
///
/// # Errors
/// [`PlanError::NothingToRepair`] when there is no root cause; other variants when what would have
/// to be written cannot be derived from the observation.
pub fn propose(
    observation: &Observation,
    diagnosis: &Diagnosis,
) -> Result<Plan<Proposed>, PlanError> {
    derive(observation, diagnosis)?.assemble(observation)
}

/// What the root causes ask for, before the rules have seen it.
#[derive(Debug)]
pub(crate) struct Derived {
    pub(crate) operations: Vec<ProposedOperation>,
    pub(crate) around: Around,
}

impl Derived {
    /// The plan, if it obeys the rules.
    pub(crate) fn assemble(self, observation: &Observation) -> Result<Plan<Proposed>, PlanError> {
        assemble(self.operations, self.around, observation)
    }
}

/// Collects the remedies of the root causes.
pub(crate) fn derive(
    observation: &Observation,
    diagnosis: &Diagnosis,
) -> Result<Derived, PlanError> {
    let mut around = Around::default();
    let mut operations: Vec<ProposedOperation> = Vec::new();
    for finding in diagnosis.roots() {
        around.repairs.push(finding.mode.clone());
        let remedy = remedy::of(observation, diagnosis, finding);
        if remedy.operations.is_empty() {
            around.advice.extend(advise::of(observation, finding));
        }
        around.alternatives.extend(remedy.alternatives);
        around.warnings.extend(remedy.warnings);
        let base = u32::try_from(operations.len()).unwrap_or(u32::MAX);
        let reason = format!("{}: {}", finding.mode, finding.root_cause);
        for operation in remedy.operations {
            let operation = remedy::renumbered(operation, base);
            // Two causes may have the same cure.
            if operations.iter().any(|known| known.operation == operation) {
                continue;
            }
            operations.push(ProposedOperation {
                operation,
                reason: reason.clone(),
            });
        }
    }
    if around.repairs.is_empty() {
        return Err(PlanError::NothingToRepair {
            verdict: diagnosis.summary.clone(),
        });
    }
    operations.extend(remedy::wake(observation, diagnosis, &operations));
    Ok(Derived { operations, around })
}

#[cfg(test)]
#[path = "propose_tests.rs"]
mod tests;
