//! A session with a server, however it is reached: calls and listings, bounded in time and size.

use std::future::Future;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ContentBlock, PaginatedRequestParams, Tool,
};
use rmcp::service::{RunningService, ServiceError};
use rmcp::transport::IntoTransport;
use rmcp::{ClientCacheConfig, ClientLifecycleMode, ClientServiceExt as _, RoleClient};
use serde_json::{Map, Value};

use super::definition::Offer;
use super::digest::Digest;
use super::error::ChildError;
use super::guest::{Asked, ChoiceAnswer, Guest};
use super::output::Allowance;
use super::untrusted::Untrusted;

/// Time that a session may take to close.
const CLOSING: Duration = Duration::from_millis(300);
/// Most pages of a list of tools.
const MOST_PAGES: usize = 20;
/// Most tools of one server.
const MOST_TOOLS: usize = 256;

/// What bounds a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) start_timeout: Duration,
    pub(super) call_timeout: Duration,
    pub(super) output_bytes: usize,
}

/// A session. After an error that says so, it is to be ended.
#[derive(Debug)]
pub(super) struct Talk {
    server: String,
    service: RunningService<RoleClient, Guest>,
    guest: Guest,
    allowance: Allowance,
    bounds: Bounds,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) tool: &'a str,
    pub(super) arguments: Map<String, Value>,
    /// What a person answered when this call was made before.
    pub(super) answer: Option<(Digest, ChoiceAnswer)>,
}

impl Talk {
    /// Begins a session.
    pub(super) async fn begin<T, E, A>(
        server: &str,
        guest: Guest,
        transport: T,
        lifecycle: ClientLifecycleMode,
        allowance: Allowance,
        bounds: Bounds,
    ) -> Result<Self, ChildError>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let beginning = guest.clone().serve_with_lifecycle(transport, lifecycle);
        let begun = tokio::time::timeout(bounds.start_timeout, beginning).await;
        let service = match begun {
            Ok(Ok(service)) => service,
            Ok(Err(_)) if allowance.exceeded() => return Err(too_much(server, bounds)),
            Ok(Err(_)) => {
                return Err(ChildError::NoSession {
                    server: server.to_owned(),
                });
            }
            Err(_) => return Err(timed_out(server, bounds.start_timeout)),
        };
        // What a server says about how long its answers hold is no reason not to ask it again.
        service
            .set_response_cache_config(ClientCacheConfig::disabled())
            .await;
        Ok(Self {
            server: server.to_owned(),
            service,
            guest,
            allowance,
            bounds,
        })
    }

    /// The name and the version that the server gives itself.
    pub(super) fn calls_itself(&self) -> (String, String) {
        let info = self.service.peer_info();
        let server = info.and_then(|info| info.server_info.clone());
        server
            .map(|server| (server.name, server.version))
            .unwrap_or_default()
    }

    /// Lists the server's tools.
    pub(super) async fn list(&self) -> Result<Offer, ChildError> {
        self.allowance.renew(self.bounds.output_bytes);
        let listed = self.bounded(self.pages()).await?;
        Ok(Offer::of(listed))
    }

    async fn pages(&self) -> Result<Vec<Tool>, ServiceError> {
        let mut tools = Vec::new();
        let mut cursor = None;
        for _page in 0..MOST_PAGES {
            let mut asked = PaginatedRequestParams::default();
            asked.cursor = cursor.take();
            let page = self.service.list_tools(Some(asked)).await?;
            tools.extend(page.tools);
            cursor = page.next_cursor;
            if cursor.is_none() && tools.len() <= MOST_TOOLS {
                return Ok(tools);
            }
            if tools.len() > MOST_TOOLS {
                break;
            }
        }
        Err(ServiceError::UnexpectedResponse)
    }

    /// Calls a tool and returns its text.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; the session stays.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<Untrusted, ChildError> {
        self.guest.begin(call.answer);
        self.allowance.renew(self.bounds.output_bytes);
        let request =
            CallToolRequestParams::new(call.tool.to_owned()).with_arguments(call.arguments);
        let called = self.bounded(self.service.call_tool(request)).await;
        let server = || self.server.clone();
        let asked = self.guest.asked();
        if let Some(Asked::Choice(choice)) = asked {
            return Err(ChildError::Asks {
                server: server(),
                choice,
            });
        }
        match (called, asked) {
            (Ok(result), asked) => {
                let failed = result.is_error == Some(true);
                let said = Untrusted::new(server(), text_of(result));
                match (failed, asked) {
                    (true, Some(Asked::Refused(why))) => Err(ChildError::AskedInVain {
                        server: server(),
                        why,
                    }),
                    (true, _) => Err(ChildError::Failed {
                        server: server(),
                        tool: call.tool.to_owned(),
                        said,
                    }),
                    (false, _) => Ok(said),
                }
            }
            (Err(ChildError::Refused { .. }), Some(Asked::Refused(why))) => {
                Err(ChildError::AskedInVain {
                    server: server(),
                    why,
                })
            }
            (Err(ChildError::Refused { server, .. }), _) => Err(ChildError::Refused {
                server,
                tool: call.tool.to_owned(),
            }),
            (Err(error), _) => Err(error),
        }
    }

    async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ChildError> {
        let server = || self.server.clone();
        match tokio::time::timeout(self.bounds.call_timeout, work).await {
            Ok(Ok(done)) => Ok(done),
            Err(_) => Err(timed_out(&self.server, self.bounds.call_timeout)),
            Ok(Err(_)) if self.allowance.exceeded() => Err(too_much(&self.server, self.bounds)),
            Ok(Err(
                ServiceError::McpError(_)
                | ServiceError::UnexpectedResponse
                | ServiceError::InputRequiredRoundsExceeded { .. },
            )) => Err(ChildError::Refused {
                server: server(),
                tool: "tools/list".to_owned(),
            }),
            Ok(Err(_)) => Err(ChildError::Gone { server: server() }),
        }
    }

    /// Closes the session.
    pub(super) async fn close(mut self) {
        // What it says about it does not matter any more.
        let _closed = self.service.close_with_timeout(CLOSING).await;
    }
}

/// Whether a session cannot be used after this.
pub(super) fn ends_session(error: &ChildError) -> bool {
    matches!(
        error,
        ChildError::TimedOut { .. } | ChildError::TooMuch { .. } | ChildError::Gone { .. }
    )
}

fn timed_out(server: &str, after: Duration) -> ChildError {
    ChildError::TimedOut {
        server: server.to_owned(),
        after,
    }
}

fn too_much(server: &str, bounds: Bounds) -> ChildError {
    ChildError::TooMuch {
        server: server.to_owned(),
        bytes: bounds.output_bytes,
    }
}

/// The text of a result; its structured form where there is one, which servers repeat as text.
fn text_of(result: CallToolResult) -> String {
    if let Some(structured) = result.structured_content {
        return structured.to_string();
    }
    let mut text = String::new();
    for block in result.content {
        if let ContentBlock::Text(block) = block {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&block.text);
        }
    }
    text
}
