//! The credential tools. They take references and return masked descriptions; a secret never
//! passes through a model's hands, nor through a tool's result.

use ecs_agent_credentials::CredentialReference;
use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::registry::{self, Registered};
use super::search::{Candidate, Candidates, persons_words, words_are_the_persons};
use super::{NoArguments, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, values};

/// Opens the invocation's own reference for reading.
pub(crate) struct SetContext;

impl Tool for SetContext {
    fn spec(&self) -> ToolSpec {
        spec_of::<NoArguments>(
            "set_aws_credentials_context",
            "Resolves this invocation's credential reference and opens the credential context for reading. \
             Returns a masked description; secrets are never shown.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            if let Err(outcome) = input.parse::<NoArguments>() {
                return outcome.into();
            }
            open(session, &session.settings.reference).await.into()
        })
    }
}

/// Describes the context, masked.
pub(crate) struct GetContext;

impl Tool for GetContext {
    fn spec(&self) -> ToolSpec {
        spec_of::<NoArguments>(
            "get_aws_credentials_context",
            "Describes the credential context: account, region, scope, expiry. Never a secret.",
        )
    }

    fn call<'a>(
        &'a self,
        session: &'a Session,
        _input: ToolInput,
    ) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            ToolOutcome::success(json!(session.context.describe()).to_string()).into()
        })
    }
}

/// Wipes the context before the invocation's end does.
pub(crate) struct Clear;

impl Tool for Clear {
    fn spec(&self) -> ToolSpec {
        spec_of::<NoArguments>(
            "clear_credential_context",
            "Wipes the credential context. Nothing can be read or changed in AWS afterwards.",
        )
    }

    fn call<'a>(
        &'a self,
        session: &'a Session,
        _input: ToolInput,
    ) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            session.context.clear();
            ToolOutcome::success(json!({"cleared": true}).to_string()).into()
        })
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StackJobArguments {
    /// Name of the registered service, or words that contain it.
    pub(super) service: String,
    /// Organisation, if the person named one.
    #[serde(default)]
    pub(super) organization: Option<String>,
    /// Environment, if the person named one.
    #[serde(default)]
    pub(super) environment: Option<String>,
}

/// Opens the credentials that the operator registered for a service.
pub(crate) struct FromStackJob;

impl Tool for FromStackJob {
    fn spec(&self) -> ToolSpec {
        spec_of::<StackJobArguments>(
            "extract_and_set_credentials_from_stack_job",
            "Looks a service up in the registry and opens the credentials registered for it. \
             Returns the service's cluster and name, and a masked description.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            let mut arguments = match input.parse::<StackJobArguments>() {
                Ok(arguments) => arguments,
                Err(outcome) => return outcome.into(),
            };
            // Which account is opened is the person's to say, and nobody else's.
            arguments.service = persons_words(&input, &arguments.service).to_owned();
            let said = |words: &String| words_are_the_persons(&input, words);
            arguments.organization = arguments.organization.filter(said);
            arguments.environment = arguments.environment.filter(said);
            match registry::find(session, &arguments).await {
                Registered::No { gap } => {
                    let mut said = json!({
                        "registered": false,
                        "next": "use set_aws_credentials_context and find_ecs_service",
                    });
                    if let Some((object, gap)) = said.as_object_mut().zip(gap) {
                        object.insert("gap".to_owned(), json!(gap));
                    }
                    ToolOutcome::success(said.to_string()).into()
                }
                Registered::One(service) => {
                    let mut outcome = open(session, &service.credentials).await;
                    if let Ok(mut described) =
                        serde_json::from_str::<serde_json::Value>(&outcome.text)
                        && let Some(object) = described.as_object_mut()
                    {
                        object.insert("cluster".to_owned(), json!(service.cluster));
                        object.insert("service".to_owned(), json!(service.service));
                        outcome.text = described.to_string();
                        let only = Candidate {
                            arn: None,
                            cluster: service.cluster.clone(),
                            service: service.service.clone(),
                        };
                        let candidates = Candidates {
                            turn: input.turn(),
                            services: vec![only],
                        };
                        outcome = outcome.with_value(values::CANDIDATES, json!(candidates));
                    }
                    outcome.into()
                }
                Registered::Several(candidates) => ToolOutcome::error(
                    json!({
                        "error": format!(
                            "{} registered services match `{}`",
                            candidates.len(),
                            arguments.service
                        ),
                        "candidates": candidates,
                        "next": "name organization or environment, or ask the person",
                    })
                    .to_string(),
                )
                .into(),
                Registered::Unusable(why) => {
                    ToolOutcome::error(json!({ "error": why }).to_string()).into()
                }
            }
        })
    }
}

/// Fills the context for reading and remembers the reference, so that whoever continues the thread
/// can resolve it again.
async fn open(session: &Session, reference: &CredentialReference) -> ToolOutcome {
    match session.open_for_reading(reference).await {
        Ok(description) => ToolOutcome::success(json!(description).to_string())
            .with_value(values::CREDENTIAL_REFERENCE, json!(reference)),
        Err(error) => ToolOutcome::error(error.for_person()),
    }
}
