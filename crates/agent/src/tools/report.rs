//! `write_diagnostic_report` and `write_final_report`: documents in which every claim is checked.

use ecs_agent_ecs::{
    Citation, Diagnosis, EvidenceId, Observation, StepOutcome, Verdict, ground_quote, report,
};
use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::execute::{approved_plan, done};
use super::{NoArguments, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, SessionError, stored, values};
use crate::settings::Mode;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Suspicions beyond the findings; each must quote evidence word for word.
    #[serde(default)]
    hypotheses: Vec<Hypothesis>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Hypothesis {
    /// The suspicion, one sentence.
    claim: String,
    /// What it rests on.
    quotes: Vec<Quote>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Quote {
    /// Name of the evidence, such as `E12`.
    evidence: String,
    /// Text that occurs in it, word for word.
    quote: String,
}

/// Writes `diagnostic_report.md`.
pub(crate) struct WriteDiagnosticReport;

impl Tool for WriteDiagnosticReport {
    fn spec(&self) -> ToolSpec {
        spec_of::<Arguments>(
            "write_diagnostic_report",
            "Writes diagnostic_report.md from the diagnosis. Hypotheses are added as such; a quote that its evidence \
             does not hold is refused.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            match input.parse::<Arguments>() {
                Ok(arguments) => diagnostic(session, &input, arguments)
                    .unwrap_or_else(|error| ToolOutcome::error(error.for_person())),
                Err(outcome) => outcome,
            }
            .into()
        })
    }
}

fn diagnostic(
    session: &Session,
    input: &ToolInput,
    arguments: Arguments,
) -> Result<ToolOutcome, SessionError> {
    let observation: Observation = stored(&input.values, values::OBSERVATION)?;
    let diagnosis: Diagnosis = stored(&input.values, values::DIAGNOSIS)?;
    let mut hypotheses = Vec::new();
    for hypothesis in arguments.hypotheses {
        match grounded(&observation, hypothesis) {
            Ok(hypothesis) => hypotheses.push(hypothesis),
            Err(why) => return Ok(ToolOutcome::error(json!({ "error": why }).to_string())),
        }
    }
    let text = report::diagnostic_report(&observation, &diagnosis, &hypotheses)
        + &report::credentials_section(&session.context.describe())
        + &super::mcp::section(session, input);
    Ok(ToolOutcome::success(
        json!({"verdict": verdict(&diagnosis, session.settings.mode), "file": "/diagnostic_report.md"})
            .to_string(),
    )
    .with_file("/diagnostic_report.md", text))
}

/// A hypothesis whose quotes its evidence holds.
fn grounded(
    observation: &Observation,
    hypothesis: Hypothesis,
) -> Result<report::Hypothesis, String> {
    if hypothesis.quotes.is_empty() {
        return Err(format!(
            "the hypothesis `{}` quotes nothing",
            hypothesis.claim
        ));
    }
    let mut citations = Vec::new();
    for quote in hypothesis.quotes {
        let id: EvidenceId = quote.evidence.parse().map_err(|_| {
            format!(
                "`{}` is not the name of evidence, such as `E12`",
                quote.evidence
            )
        })?;
        let citation = Citation {
            evidence: id,
            quote: quote.quote,
        };
        ground_quote(observation, &citation).map_err(|error| error.to_string())?;
        citations.push(citation);
    }
    Ok(report::Hypothesis {
        claim: hypothesis.claim,
        evidence: citations,
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
    let written = report::final_report(&report::FinalReport {
        observation: &observation,
        diagnosis: &diagnosis,
        plan: &plan,
        carried_out: &carried_out,
        rolled_back: &rolled_back,
        verification: verification.as_ref(),
        last_observation: last.as_ref(),
    });
    Ok(ToolOutcome::success(
        json!({"verdict": written.verdict, "file": "/final_report.md"}).to_string(),
    )
    .with_file(
        "/final_report.md",
        written.text + &report::credentials_section(&session.context.describe()),
    ))
}
