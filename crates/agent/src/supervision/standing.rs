//! How far the work is, by what the program keeps and never by what a model says.

use std::collections::BTreeMap;

use ecs_agent_ecs::{Diagnosis, StepOutcome, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::session::{stored, values};
use crate::settings::Mode;

/// A verdict as a tool wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WrittenVerdict {
    /// The verdict, one line.
    pub(crate) text: String,
    /// The document that says it in full.
    pub(crate) file: String,
    /// In which of the person's turns.
    pub(crate) turn: usize,
}

/// How far the work of a thread is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    /// How far it may go.
    pub(crate) mode: Mode,
    /// Whether a service was identified.
    pub(crate) identified: bool,
    /// Whether its diagnosis was reported, in this turn or, if nothing was identified since, before.
    pub(crate) reported: bool,
    /// Whether the diagnosis has a root cause.
    pub(crate) has_root: bool,
    /// Whether something was decided about a plan for it.
    pub(crate) decided: bool,
    /// Hash and number of steps of the plan that a person approved.
    pub(crate) approved: Option<(String, usize)>,
    /// Steps in effect.
    pub(crate) executed: usize,
    /// Whether a step was refused or failed.
    pub(crate) stopped: bool,
    /// Whether the final report is written.
    pub(crate) concluded: bool,
    /// The last verdict.
    pub(crate) verdict: Option<WrittenVerdict>,
    /// The person's turn at hand, counted from 1.
    pub(crate) turn: usize,
}

impl Standing {
    /// Reads it from the thread's typed state.
    pub(crate) fn of(state: &BTreeMap<String, Value>, mode: Mode, turn: usize) -> Self {
        let verdict: Option<WrittenVerdict> = stored(state, values::VERDICT).ok();
        let identified_in: usize = stored(state, values::IDENTIFIED_IN).unwrap_or(0);
        let diagnosis: Option<Diagnosis> = stored(state, values::DIAGNOSIS).ok();
        let decision: Option<String> = stored(state, values::DECISION).ok();
        let steps: Vec<StepOutcome> = stored(state, values::EXECUTION).unwrap_or_default();
        let executed = steps.iter().filter(|step| step.status.in_effect()).count();
        let is_approved = decision
            .as_ref()
            .is_some_and(|text| text.starts_with("approved:"));
        let approved = is_approved.then(|| approved_plan(state)).flatten();
        Self {
            mode,
            identified: state.contains_key(values::SERVICE_CONTEXT),
            reported: verdict
                .as_ref()
                .is_some_and(|verdict| verdict.turn >= identified_in),
            has_root: diagnosis
                .is_some_and(|diagnosis| diagnosis.verdict == Verdict::RootCauseFound),
            decided: decision.is_some(),
            approved,
            executed,
            stopped: executed < steps.len(),
            concluded: verdict
                .as_ref()
                .is_some_and(|verdict| verdict.file == "/final_report.md" && verdict.turn == turn),
            verdict,
            turn,
        }
    }
}

fn approved_plan(state: &BTreeMap<String, Value>) -> Option<(String, usize)> {
    let hash = state.get(values::APPROVAL)?.get("plan_hash")?.as_str()?;
    let steps = state.get(values::PLAN)?.get("steps")?.as_array()?;
    Some((hash.to_owned(), steps.len()))
}
