//! `set_service_context_info` and `get_service_context_info`: which service this thread is about.

use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::search::{Candidates, fixed_in_this_turn};
use super::{NoArguments, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, values};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Cluster name or ARN.
    cluster: String,
    /// Service name or ARN.
    service: String,
    /// Why this service is the one that is meant; the program says it in its own words.
    #[serde(default, rename = "reason")]
    _reason: Option<String>,
}

/// Fixes the service that is meant.
pub(crate) struct SetInfo;

impl Tool for SetInfo {
    fn spec(&self) -> ToolSpec {
        spec_of::<Arguments>(
            "set_service_context_info",
            "Fixes the one service this thread is about, after checking that it exists, and writes service_context.md.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            let arguments = match input.parse::<Arguments>() {
                Ok(arguments) => arguments,
                Err(outcome) => return outcome.into(),
            };
            if let Err(why) = may_be_fixed(&input, &arguments) {
                return ToolOutcome::error(json!({ "error": why }).to_string()).into();
            }
            let reason = reason(&input);
            match session
                .fix_service(
                    &input.values,
                    &arguments.cluster,
                    &arguments.service,
                    Some(reason.to_owned()),
                )
                .await
            {
                Ok(outcome) => outcome
                    .with_value(values::IDENTIFIED_IN, json!(input.turn()))
                    .into(),
                Err(error) => ToolOutcome::error(error.for_person()).into(),
            }
        })
    }
}

/// Whether the service is the one that the person means: the only one that matches their words, the
/// one they chose, or the one they registered. What else is named, by a model or by text that it
/// read, is not.
fn may_be_fixed(input: &ToolInput, arguments: &Arguments) -> Result<(), String> {
    let (cluster, service) = (&arguments.cluster, &arguments.service);
    if let Some(fixed) = fixed_in_this_turn(input) {
        let same = fixed.cluster_name() == name(cluster) && fixed.service_name() == name(service);
        return if same {
            Ok(())
        } else {
            Err(format!(
                "this thread is about {fixed}; only the person can ask for another service"
            ))
        };
    }
    let Some(candidates) = Candidates::of(input) else {
        return Err("search first: call find_ecs_service with the person's words".to_owned());
    };
    let Some(candidate) = candidates
        .services
        .iter()
        .find(|candidate| candidate.is(cluster, service))
    else {
        return Err(format!(
            "the search for the person's words did not find `{}` in cluster `{}`",
            name(service),
            name(cluster)
        ));
    };
    let chosen = input
        .values
        .get(values::CHOSEN)
        .and_then(|chosen| chosen.get("arn"));
    let is_chosen = chosen.is_some() && chosen.and_then(Value::as_str) == candidate.arn.as_deref();
    if candidates.services.len() > 1 && !is_chosen {
        return Err(
            "several services match: call ask_person, and take what the person chooses".to_owned(),
        );
    }
    Ok(())
}

/// Why this service is meant, in the program's words.
fn reason(input: &ToolInput) -> &'static str {
    match Candidates::of(input) {
        Some(candidates) if candidates.services.len() > 1 => "chosen by the person",
        Some(candidates) if candidates.services.iter().all(|one| one.arn.is_none()) => {
            "registered under this name"
        }
        Some(_) | None => "the only clear match",
    }
}

fn name(name_or_arn: &str) -> &str {
    name_or_arn.rsplit('/').next().unwrap_or(name_or_arn)
}

/// Tells which service is meant.
pub(crate) struct GetInfo;

impl Tool for GetInfo {
    fn spec(&self) -> ToolSpec {
        spec_of::<NoArguments>(
            "get_service_context_info",
            "Tells which service this thread is about: account, region, cluster, service.",
        )
    }

    fn call<'a>(
        &'a self,
        _session: &'a Session,
        input: ToolInput,
    ) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            match input.values.get(values::SERVICE_CONTEXT) {
                Some(context) => ToolOutcome::success(context.to_string()),
                None => ToolOutcome::error(
                    json!({"error": "no service is identified yet", "next": "service-identifier"})
                        .to_string(),
                ),
            }
            .into()
        })
    }
}
