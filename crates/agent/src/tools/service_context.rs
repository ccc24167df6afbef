//! `set_service_context_info` and `get_service_context_info`: which service this thread is about.

use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{NoArguments, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, values};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Cluster name or ARN.
    cluster: String,
    /// Service name or ARN.
    service: String,
    /// Why this service is the one that is meant.
    #[serde(default)]
    reason: Option<String>,
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
            match session
                .fix_service(
                    &input.values,
                    &arguments.cluster,
                    &arguments.service,
                    arguments.reason,
                )
                .await
            {
                Ok(outcome) => outcome.into(),
                Err(error) => ToolOutcome::error(error.for_person()).into(),
            }
        })
    }
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
