//! `observe_service` and `read_evidence`: reading AWS, and looking closer at what was read.

use ecs_agent_ecs::{
    EvidenceId, Observation, ObserveOptions, evidence_lines, observation_table, observe,
};
use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{NoArguments, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, SessionError, stored, values};

/// What a line of the overview begins with that names a call which the configuration wants made. No
/// text of AWS begins a line there: a cell stays on its own.
pub(crate) const ASK_OTHER_SERVER: &str = "ask with call_mcp_tool\t";

/// Reads everything that matters about the identified service.
pub(crate) struct ObserveService;

impl Tool for ObserveService {
    fn spec(&self) -> ToolSpec {
        spec_of::<NoArguments>(
            "observe_service",
            "Reads everything that matters about the identified service. Returns the list of evidence, and \
             what could not be read.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            match observe_now(session, &input).await {
                Ok(observation) => {
                    let mut table = observation_table(&observation);
                    for call in super::mcp::diagnose_calls(session, &input) {
                        table.push_str(&format!("{ASK_OTHER_SERVER}{call}\n"));
                    }
                    anew(
                        ToolOutcome::success(table)
                            .with_value(values::OBSERVATION, json!(observation)),
                    )
                }
                Err(error) => ToolOutcome::error(error.for_person()),
            }
            .into()
        })
    }
}

/// A fresh observation of the identified service.
pub(crate) async fn observe_now(
    session: &Session,
    input: &ToolInput,
) -> Result<Observation, SessionError> {
    let target = Session::target(&input.values)?;
    let clients = session.reading_clients(&input.values).await?;
    session.note("triage-specialist", &format!("observing {target}"));
    let options = ObserveOptions {
        read_logs: session.settings.permissions.allow_sensitive_data,
        ..ObserveOptions::default()
    };
    Ok(observe(&clients, &target, options).await?)
}

/// What rested on the observation before is gone with it.
fn anew(outcome: ToolOutcome) -> ToolOutcome {
    [
        values::DIAGNOSIS,
        values::FINDINGS,
        values::CLAIMS,
        values::DECISION,
    ]
    .into_iter()
    .fold(outcome, |outcome, key| outcome.with_value(key, Value::Null))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EvidenceArguments {
    /// Name of the evidence, such as `E12`.
    id: String,
    /// Line to begin with, counted from 1.
    #[serde(default)]
    from_line: Option<usize>,
}

/// Shows one piece of evidence in full.
pub(crate) struct ReadEvidence;

impl Tool for ReadEvidence {
    fn spec(&self) -> ToolSpec {
        spec_of::<EvidenceArguments>(
            "read_evidence",
            "Shows one piece of evidence of the last observation, masked, 200 lines at a time.",
        )
    }

    fn call<'a>(
        &'a self,
        _session: &'a Session,
        input: ToolInput,
    ) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            match input.parse::<EvidenceArguments>() {
                Ok(arguments) => read(&input, &arguments),
                Err(outcome) => outcome,
            }
            .into()
        })
    }
}

fn read(input: &ToolInput, arguments: &EvidenceArguments) -> ToolOutcome {
    let observation: Observation = match stored(&input.values, values::OBSERVATION) {
        Ok(observation) => observation,
        Err(error) => return ToolOutcome::error(error.for_person()),
    };
    let id = &arguments.id;
    match id.parse::<EvidenceId>().ok().and_then(|id| observation.evidence.find(id)) {
        Some(evidence) => {
            ToolOutcome::success(evidence_lines(evidence, arguments.from_line.unwrap_or(1)))
        }
        None => ToolOutcome::error(
            json!({"error": format!("there is no evidence `{id}`"), "count": observation.evidence.len()})
                .to_string(),
        ),
    }
}
