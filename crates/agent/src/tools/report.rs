//! `write_diagnostic_report` and `write_final_report`: documents in which every claim is checked.

use ecs_agent_ecs::{Diagnosis, Observation, StepOutcome, Verdict, report};
use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};

use super::claims::Submission;
use super::diagnose::{diagnosed, kept};
use super::execute::{approved_plan, done};
use super::{NoArguments, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, SessionError, stored, values};
use crate::settings::Mode;
use crate::supervision::WrittenVerdict;

/// Writes `diagnostic_report.md`.
pub(crate) struct WriteDiagnosticReport;

impl Tool for WriteDiagnosticReport {
    fn spec(&self) -> ToolSpec {
        spec_of::<NoArguments>(
            "write_diagnostic_report",
            "Writes diagnostic_report.md from the analyses and the submitted findings.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            diagnostic(session, &input)
                .unwrap_or_else(|error| ToolOutcome::error(error.for_person()))
                .into()
        })
    }
}

fn diagnostic(session: &Session, input: &ToolInput) -> Result<ToolOutcome, SessionError> {
    let (observation, diagnosis) = diagnosed(session, input)?;
    let made_by = input.made_by(session);
    let text = report::diagnostic_report(&report::DiagnosticReport {
        observation: &observation,
        diagnosis: &diagnosis,
        claims: &Submission::of(input).claims,
        made_by: &made_by,
    }) + &report::credentials_section(&session.context.describe())
        + &super::mcp::section(session, input);
    let file = "/diagnostic_report.md";
    let verdict = verdict(&diagnosis, session.settings.mode);
    let outcome = ToolOutcome::success(json!({"verdict": verdict, "file": file}).to_string())
        .with_file(file, text)
        .with_value(values::MADE_BY, json!(made_by))
        .with_value(values::VERDICT, written(verdict, file, input));
    Ok(kept(outcome, &diagnosis))
}

/// The verdict as it is kept.
pub(super) fn written(text: impl Into<String>, file: &str, input: &ToolInput) -> Value {
    json!(WrittenVerdict {
        text: text.into(),
        file: file.to_owned(),
        turn: input.turn(),
    })
}

/// The first line of the specialist's answer.
fn verdict(diagnosis: &Diagnosis, mode: Mode) -> String {
    let word = match diagnosis.verdict {
        Verdict::Healthy => "healthy",
        Verdict::InProgress => "in progress",
        Verdict::RootCauseFound => "unwell",
        Verdict::Inconclusive => "inconclusive",
    };
    match mode {
        Mode::Diagnose => format!("{word}: {} (diagnosis only)", diagnosis.summary),
        Mode::Repair => format!("{word}: {}", diagnosis.summary),
    }
}

/// Writes `final_report.md`.
pub(crate) struct WriteFinalReport;

impl Tool for WriteFinalReport {
    fn spec(&self) -> ToolSpec {
        spec_of::<NoArguments>(
            "write_final_report",
            "Writes final_report.md: what was wrong, what was changed, by whose approval, and what the last watch saw.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            conclusion(session, &input)
                .unwrap_or_else(|error| ToolOutcome::error(error.for_person()))
                .into()
        })
    }
}

fn conclusion(session: &Session, input: &ToolInput) -> Result<ToolOutcome, SessionError> {
    let observation: Observation = stored(&input.values, values::OBSERVATION)?;
    let diagnosis: Diagnosis = stored(&input.values, values::DIAGNOSIS)?;
    let plan = approved_plan(input)?;
    let carried_out = done(input);
    let rolled_back: Vec<StepOutcome> = stored(&input.values, values::ROLLBACK).unwrap_or_default();
    let verification = stored(&input.values, values::VERIFICATION).ok();
    let last: Option<Observation> = stored(&input.values, values::LAST_OBSERVATION).ok();
    let made_by = input.made_by(session);
    let written_report = report::final_report(&report::FinalReport {
        observation: &observation,
        diagnosis: &diagnosis,
        plan: &plan,
        carried_out: &carried_out,
        rolled_back: &rolled_back,
        verification: verification.as_ref(),
        last_observation: last.as_ref(),
        claims: &Submission::of(input).claims,
        made_by: &made_by,
    });
    let file = "/final_report.md";
    Ok(
        ToolOutcome::success(json!({"verdict": written_report.verdict, "file": file}).to_string())
            .with_value(values::MADE_BY, json!(made_by))
            .with_value(
                values::VERDICT,
                written(written_report.verdict, file, input),
            )
            .with_file(
                file,
                written_report.text + &report::credentials_section(&session.context.describe()),
            ),
    )
}
