//! `diagnose_observation`: the pure analyses over the last observation.

use ecs_agent_ecs::{Diagnosis, Observation, analyse, diagnosis_table};
use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use serde_json::json;

use super::{NoArguments, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, SessionError, stored, values};

/// Runs every analysis of the catalogue.
pub(crate) struct DiagnoseObservation;

impl Tool for DiagnoseObservation {
    fn spec(&self) -> ToolSpec {
        spec_of::<NoArguments>(
            "diagnose_observation",
            "Runs every analysis of the catalogue over the last observation. Returns the verdict, findings with \
             quoted evidence, and what could not be read.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            let observation: Observation = match stored(&input.values, values::OBSERVATION) {
                Ok(observation) => observation,
                Err(error) => return ToolOutcome::error(error.for_person()).into(),
            };
            let diagnosis = analyse(&observation, &session.catalogue);
            kept(
                ToolOutcome::success(diagnosis_table(&diagnosis)),
                &diagnosis,
            )
            .into()
        })
    }
}

/// The same, keeping the diagnosis.
pub(super) fn kept(outcome: ToolOutcome, diagnosis: &Diagnosis) -> ToolOutcome {
    outcome
        .with_value(values::FINDINGS, json!(diagnosis.findings))
        .with_value(values::DIAGNOSIS, json!(diagnosis))
}

/// What the analyses say about the last observation. They are pure, so that a model which skips
/// them, or one that looks at an older diagnosis, changes nothing.
pub(super) fn diagnosed(
    session: &Session,
    input: &ToolInput,
) -> Result<(Observation, Diagnosis), SessionError> {
    let observation: Observation = stored(&input.values, values::OBSERVATION)?;
    let diagnosis = analyse(&observation, &session.catalogue);
    Ok((observation, diagnosis))
}
