//! Undoing what a plan did.

use crate::plan::{Approved, Inverse, Operation, Plan, StepOutcome};

/// The operations that undo what was done, the last first.
///
/// What has no inverse is left as it is: an unused task definition revision, an empty log group.
#[must_use]
pub fn rollback_plan(plan: &Plan<Approved>, done: &[StepOutcome]) -> Vec<Operation> {
    plan.content()
        .steps
        .iter()
        .rev()
        .filter(|step| {
            done.iter()
                .any(|outcome| outcome.step == step.number && outcome.status.in_effect())
        })
        .filter_map(|step| match &step.inverse {
            Inverse::Operation { operation } => Some(operation.clone()),
            Inverse::NothingToUndo { .. } | Inverse::Irreversible { .. } => None,
        })
        .collect()
}
