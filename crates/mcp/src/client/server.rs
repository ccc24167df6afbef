//! One server: its process, its session, and the calls that are made over it.

use std::sync::Arc;
use std::time::Duration;

use ecs_agent_credentials::{RefusedCall, SigningEndpoint, SigningEndpointError};
use rmcp::model::{CallToolRequestParams, CallToolResult, ClientConfig, Implementation};
use rmcp::service::{RunningService, ServiceError};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{RoleClient, ServiceExt as _};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, MutexGuard};

use super::child::{ChildProcess, Ending};
use super::level::RoomLevel;
use super::output::{Allowance, Bounded};
use super::settings::{ChildAws, ChildCredentials, ServerSettings};
use super::untrusted::Untrusted;

/// Time that a session may take to close before its process is ended.
const CLOSING: Duration = Duration::from_millis(300);

/// Why a server did not do what was asked. Nothing of what it said is in here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// Its program did not start.
    #[error("failed to start the MCP server `{server}`: check `command` and what it may read")]
    Start {
        /// The server.
        server: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is to have AWS, and the invocation gives none.
    #[error("the MCP server `{server}` needs an invocation's credentials, and there are none here")]
    NoAws {
        /// The server.
        server: String,
    },
    /// There is no signing endpoint for it.
    #[error("the MCP server `{server}` gets no signing endpoint")]
    Endpoint {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: SigningEndpointError,
    },
    /// It did not begin a session.
    #[error("the MCP server `{server}` did not begin a session")]
    NoSession {
        /// The server.
        server: String,
    },
    /// It took too long.
    #[error("the MCP server `{server}` did not answer in {} s and was ended", .after.as_secs())]
    TimedOut {
        /// The server.
        server: String,
        /// How long was waited.
        after: Duration,
    },
    /// It said more than it may.
    #[error("the MCP server `{server}` wrote more than {bytes} bytes and was ended")]
    TooMuch {
        /// The server.
        server: String,
        /// How much it may write.
        bytes: usize,
    },
    /// It went away.
    #[error("the MCP server `{server}` is gone")]
    Gone {
        /// The server.
        server: String,
    },
    /// It refused, or asked for something in return.
    #[error(
        "the MCP server `{server}` refused `{tool}` or asked for something that it does not get"
    )]
    Refused {
        /// The server.
        server: String,
        /// The tool.
        tool: String,
    },
    /// The tool failed.
    #[error("`{tool}` of the MCP server `{server}` failed")]
    Failed {
        /// The server.
        server: String,
        /// The tool.
        tool: String,
        /// What it said.
        said: Untrusted,
    },
}

/// A running server, in its room. Dropping it kills it; [`ChildServer::end`] is kinder.
#[derive(Debug)]
pub struct ChildServer {
    settings: ServerSettings,
    /// One call at a time, so that an allowance belongs to one call. None once it was ended.
    session: Mutex<Option<Session>>,
    allowance: Allowance,
    level: RoomLevel,
    number: u32,
    endpoint: Option<Arc<SigningEndpoint>>,
}

#[derive(Debug)]
struct Session {
    // First: closing the session closes the child's input.
    service: RunningService<RoleClient, ClientConfig>,
    process: ChildProcess,
}

impl Session {
    async fn end(mut self) -> Ending {
        let _closed = self.service.close_with_timeout(CLOSING).await;
        drop(self.service);
        self.process.end().await
    }
}

impl ChildServer {
    /// Starts a server and begins a session with it. Call it on the invocation's cell.
    ///
    /// # Errors
    /// [`ChildError`]; the process and everything it started are gone then.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(
        settings: ServerSettings,
        aws: Option<&ChildAws>,
    ) -> Result<Self, ChildError> {
        let endpoint = Self::endpoint(&settings, aws).await?;
        let variables = endpoint.as_ref().map(|endpoint| endpoint.environment());
        let given = variables
            .as_deref()
            .zip(endpoint.as_ref().map(|endpoint| endpoint.port()));
        let (process, pipes) =
            ChildProcess::start(&settings, given).map_err(|source| ChildError::Start {
                server: settings.name.clone(),
                source,
            })?;
        if let Some(endpoint) = &endpoint {
            endpoint.bind_to(process.number());
        }
        let allowance = Allowance::of(settings.output_bytes);
        let output = Bounded::new(pipes.output, allowance.clone());
        let transport = AsyncRwTransport::new_client(output, pipes.input)
            .with_max_line_length(settings.output_bytes);
        // No capability is offered: nothing may be asked of the person or the model in return.
        let us = Implementation::new("ecs-deep-agent", env!("CARGO_PKG_VERSION"));
        let beginning = ClientConfig::new(Default::default(), us).serve(transport);
        let begun = tokio::time::timeout(settings.start_timeout, beginning).await;
        let service = match begun {
            Ok(Ok(service)) => service,
            Ok(Err(_)) if allowance.exceeded() => return Err(too_much(&settings)),
            Ok(Err(_)) => {
                return Err(ChildError::NoSession {
                    server: settings.name.clone(),
                });
            }
            Err(_) => return Err(timed_out(&settings, settings.start_timeout)),
        };
        Ok(Self {
            level: process.level(),
            number: process.number(),
            session: Mutex::new(Some(Session { service, process })),
            allowance,
            endpoint,
            settings,
        })
    }

    async fn endpoint(
        settings: &ServerSettings,
        aws: Option<&ChildAws>,
    ) -> Result<Option<Arc<SigningEndpoint>>, ChildError> {
        let server = || settings.name.clone();
        match (settings.credentials, aws) {
            (ChildCredentials::None, _) => Ok(None),
            (ChildCredentials::SignedReads, None) => Err(ChildError::NoAws { server: server() }),
            (ChildCredentials::SignedReads, Some(aws)) => SigningEndpoint::start(
                Arc::clone(&aws.context),
                server(),
                aws.allowed.clone(),
                aws.limits,
            )
            .await
            .map(|endpoint| Some(Arc::new(endpoint)))
            .map_err(|source| ChildError::Endpoint {
                server: server(),
                source,
            }),
        }
    }

    /// Calls a tool and returns its text.
    ///
    /// # Errors
    /// [`ChildError`]. After [`ChildError::TimedOut`] and [`ChildError::TooMuch`] the server is
    /// ended, and later calls find it gone.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; the server stays.
    pub async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<Untrusted, ChildError> {
        let result = self.call_raw(tool, arguments).await?;
        let said = text_of(result.content, result.structured_content);
        let said = Untrusted::new(self.settings.name.clone(), said);
        if result.is_error == Some(true) {
            return Err(ChildError::Failed {
                server: self.settings.name.clone(),
                tool: tool.to_owned(),
                said,
            });
        }
        Ok(said)
    }

    async fn call_raw(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, ChildError> {
        let mut session = self.session.lock().await;
        let Some(running) = session.as_ref() else {
            return Err(self.gone());
        };
        self.allowance.renew(self.settings.output_bytes);
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let call = running.service.call_tool(request);
        let called = tokio::time::timeout(self.settings.call_timeout, call).await;
        let error = match called {
            Ok(Ok(result)) => return Ok(result),
            Err(_) => timed_out(&self.settings, self.settings.call_timeout),
            Ok(Err(_)) if self.allowance.exceeded() => too_much(&self.settings),
            Ok(Err(ServiceError::McpError(_) | ServiceError::UnexpectedResponse)) => {
                return Err(ChildError::Refused {
                    server: self.settings.name.clone(),
                    tool: tool.to_owned(),
                });
            }
            Ok(Err(_)) => self.gone(),
        };
        Self::end_session(&mut session).await;
        Err(error)
    }

    async fn end_session(session: &mut MutexGuard<'_, Option<Session>>) -> Option<Ending> {
        match session.take() {
            Some(session) => Some(session.end().await),
            None => None,
        }
    }

    fn gone(&self) -> ChildError {
        ChildError::Gone {
            server: self.settings.name.clone(),
        }
    }

    /// Ends the server: closes its input, asks it to go, kills what is left of it.
    ///
    /// Returns how it ended, or nothing if it was ended before.
    pub async fn end(&self) -> Option<Ending> {
        Self::end_session(&mut self.session.lock().await).await
    }

    /// Returns the server's process number.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.number
    }

    /// Returns how clean its room is.
    #[must_use]
    pub fn level(&self) -> RoomLevel {
        self.level
    }

    /// Returns the last lines that it wrote to standard error, scrubbed.
    pub async fn diagnostics(&self) -> Vec<String> {
        let session = self.session.lock().await;
        session
            .as_ref()
            .map(|s| s.process.stderr())
            .unwrap_or_default()
    }

    /// Lists what its signing endpoint refused.
    #[must_use]
    pub fn refused(&self) -> Vec<RefusedCall> {
        self.endpoint
            .as_ref()
            .map(|e| e.refused())
            .unwrap_or_default()
    }
}

fn timed_out(settings: &ServerSettings, after: Duration) -> ChildError {
    ChildError::TimedOut {
        server: settings.name.clone(),
        after,
    }
}

fn too_much(settings: &ServerSettings) -> ChildError {
    ChildError::TooMuch {
        server: settings.name.clone(),
        bytes: settings.output_bytes,
    }
}

/// The text of a result; its structured form where there is one, which servers repeat as text.
fn text_of(content: Vec<rmcp::model::ContentBlock>, structured: Option<Value>) -> String {
    if let Some(structured) = structured {
        return structured.to_string();
    }
    let mut text = String::new();
    for block in content {
        if let rmcp::model::ContentBlock::Text(block) = block {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&block.text);
        }
    }
    text
}
