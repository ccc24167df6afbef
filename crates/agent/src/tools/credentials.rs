//! The credential tools. They take references and return masked descriptions; a secret never
//! passes through a model's hands, nor through a tool's result.

use ecs_agent_credentials::CredentialReference;
use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{NoArguments, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, values};
use crate::settings::RegisteredService;

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
struct StackJobArguments {
    /// Name of the registered service, or words that contain it.
    service: String,
    /// Organisation, if the person named one.
    #[serde(default)]
    organization: Option<String>,
    /// Environment, if the person named one.
    #[serde(default)]
    environment: Option<String>,
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
            let arguments = match input.parse::<StackJobArguments>() {
                Ok(arguments) => arguments,
                Err(outcome) => return outcome.into(),
            };
            match registered(session, &arguments).as_slice() {
                [] => ToolOutcome::success(
                    json!({
                        "registered": false,
                        "next": "use set_aws_credentials_context and find_ecs_service",
                    })
                    .to_string(),
                )
                .into(),
                [service] => {
                    let mut outcome = open(session, &service.credentials).await;
                    if let Ok(mut described) = serde_json::from_str::<serde_json::Value>(&outcome.text)
                        && let Some(object) = described.as_object_mut()
                    {
                        object.insert("cluster".to_owned(), json!(service.cluster));
                        object.insert("service".to_owned(), json!(service.service));
                        outcome.text = described.to_string();
                    }
                    outcome.into()
                }
                several => ToolOutcome::error(
                    json!({
                        "error": format!("{} registered services match `{}`", several.len(), arguments.service),
                        "candidates": several.iter().map(|service| json!({
                            "name": service.name, "organization": service.organization,
                            "environment": service.environment,
                        })).collect::<Vec<_>>(),
                        "next": "name organization or environment, or ask the person",
                    })
                    .to_string(),
                )
                .into(),
            }
        })
    }
}

fn registered<'a>(session: &'a Session, wanted: &StackJobArguments) -> Vec<&'a RegisteredService> {
    let organization = wanted.organization.as_ref().or(session
        .settings
        .hints
        .organization
        .as_ref());
    let environment = wanted
        .environment
        .as_ref()
        .or(session.settings.hints.environment.as_ref());
    let words: Vec<String> = wanted
        .service
        .split(|character: char| {
            !character.is_alphanumeric() && character != '-' && character != '_'
        })
        .map(str::to_lowercase)
        .collect();
    session
        .settings
        .registry
        .iter()
        .filter(|service| {
            words
                .iter()
                .any(|word| *word == service.name.to_lowercase())
        })
        .filter(|service| organization.is_none() || service.organization.as_ref() == organization)
        .filter(|service| environment.is_none() || service.environment.as_ref() == environment)
        .collect()
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
