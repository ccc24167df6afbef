//! From operations to a plan: validation, derivation, permissions, rendering.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Operation, Plan, PlanError, Proposed};
use crate::observation::Observation;

/// One operation as a language model or a person proposes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProposedOperation {
    /// The change.
    pub operation: Operation,
    /// Why, in one sentence that names the finding it repairs.
    pub reason: String,
}

impl Plan<Proposed> {
    /// Checks operations proposed by a model or chosen by a person, by the same rules that this
    /// program's own plans obey.
    ///
    /// # Errors
    /// [`PlanError`] names the operation, the parameter and the rule.
    pub fn from_model(
        operations: Vec<ProposedOperation>,
        _observation: &Observation,
    ) -> Result<Self, PlanError> {
        let _ = operations;
        Err(PlanError::Empty)
    }
}
