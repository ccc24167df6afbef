//! `find_ecs_service`: from a person's words to one service, or to a question.

use ecs_agent_ecs::{Identification, ServiceCandidate, identify};
use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::search::{Candidates, persons_words};
use super::{Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, SessionError, values};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The person's words, or those of them that name the service. Other words are not searched.
    query: String,
}

/// Searches the account and region of the context.
pub(crate) struct FindService;

impl Tool for FindService {
    fn spec(&self) -> ToolSpec {
        spec_of::<Arguments>(
            "find_ecs_service",
            "Searches every cluster of this account and region for the service that is meant. Returns one \
             candidate, several ranked ones, or what was searched.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            match input.parse::<Arguments>() {
                Ok(arguments) => match find(session, &input, &arguments.query).await {
                    Ok(found) => found,
                    Err(error) => ToolOutcome::error(error.for_person()),
                },
                Err(outcome) => outcome,
            }
            .into()
        })
    }
}

async fn find(
    session: &Session,
    input: &ToolInput,
    query: &str,
) -> Result<ToolOutcome, SessionError> {
    let clients = session.reading_clients(&input.values).await?;
    session.note("service-identifier", "searching clusters and services");
    let query = persons_words(input, query);
    let found = identify(&clients, query, &session.settings.hints.for_search()).await?;
    let candidates = Candidates::found(&found, input.turn());
    let said = match found {
        Identification::One(candidate) => {
            json!({"match": "one", "candidate": shown(&candidate)})
        }
        Identification::Several(candidates) => json!({
            "match": "several",
            "candidates": candidates.iter().map(shown).collect::<Vec<_>>(),
        }),
        Identification::None { searched } => json!({
            "match": "none",
            "summary": searched,
        }),
    };
    Ok(ToolOutcome::success(said.to_string())
        .with_value(values::CANDIDATES, json!(candidates))
        .with_value(values::CHOSEN, Value::Null))
}

fn shown(candidate: &ServiceCandidate) -> Value {
    json!({
        "arn": candidate.service_arn,
        "cluster": candidate.cluster,
        "service": candidate.service,
        "label": format!("{} in cluster {}", candidate.service, candidate.cluster),
        "why": candidate.reasons,
    })
}
