//! `diagnose_observation`: the pure analyses over the last observation.

use ecs_agent_ecs::{Diagnosis, Observation, analyse};
use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use serde_json::json;

use super::{NoArguments, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, stored, values};

/// Runs every analysis of the catalogue.
pub(crate) struct DiagnoseObservation;

impl Tool for DiagnoseObservation {
    fn spec(&self) -> ToolSpec {
        spec_of::<NoArguments>(
            "diagnose_observation",
            "Runs every analysis of the catalogue over the last observation. Returns findings with quoted evidence, \
             the verdict, and what could not be read.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            let observation: Observation = match stored(&input.values, values::OBSERVATION) {
                Ok(observation) => observation,
                Err(error) => return ToolOutcome::error(error.for_person()).into(),
            };
            let diagnosis: Diagnosis = analyse(&observation, &session.catalogue);
            ToolOutcome::success(json!(diagnosis).to_string())
                .with_value(values::FINDINGS, json!(diagnosis.findings))
                .with_value(values::DIAGNOSIS, json!(diagnosis))
                .into()
        })
    }
}
