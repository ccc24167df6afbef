//! `/mcp`: the tools over streamable HTTP, each caller with sessions of their own.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use ecs_agent_mcp::HttpTools;

use super::AgentBackend;
use crate::access::Access;
use crate::authentication::Caller;
use crate::error::ApiError;

/// Callers whose sessions are kept; the one that came first goes first.
const MOST_CALLERS: usize = 256;

/// The tools of every caller that came so far.
#[derive(Default)]
pub(crate) struct McpCallers {
    known: Mutex<Vec<(Caller, Arc<HttpTools>)>>,
}

impl McpCallers {
    /// A caller's own tools. A caller whose rights changed is another one, with new sessions.
    fn of(&self, access: &Access) -> Result<Arc<HttpTools>, ApiError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.iter().find(|(caller, _)| caller == access.caller());
        if let Some((_, tools)) = same {
            return Ok(Arc::clone(tools));
        }
        let app = access.app();
        let backend = AgentBackend::admitted(app, access.caller().clone());
        let tools = HttpTools::new(
            Arc::new(backend),
            Arc::clone(app.leak_guard()),
            app.limits().body_bytes,
            app.runs().stopping(),
        )
        .map_err(|error| ApiError::Run(error.to_string()))?;
        let tools = Arc::new(tools);
        if known.len() >= MOST_CALLERS {
            known.remove(0);
        }
        known.push((access.caller().clone(), Arc::clone(&tools)));
        Ok(tools)
    }
}

/// Answers an MCP client.
pub(crate) async fn answer(access: Access, request: Request) -> Response {
    match access.app().mcp_callers().of(&access) {
        Ok(tools) => tools.answer(request).await.map(Body::new).into_response(),
        Err(error) => error.into_response(),
    }
}
