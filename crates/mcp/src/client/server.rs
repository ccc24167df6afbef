//! One child: its process, its session, and the calls that are made over it.

use std::sync::Arc;

use ecs_agent_credentials::{RefusedCall, SigningEndpoint};
use rmcp::ClientLifecycleMode;
use rmcp::transport::async_rw::AsyncRwTransport;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::child::{ChildProcess, Ending};
use super::definition::Offer;
use super::error::ChildError;
use super::guest::Guest;
use super::level::RoomLevel;
use super::output::{Allowance, Bounded};
use super::settings::{ChildAws, ChildCredentials, ServerSettings};
use super::talk::{Call, Talk, ends_session};
use super::untrusted::Untrusted;

/// A running server, in its room. Dropping it kills it; [`ChildServer::end`] is kinder.
#[derive(Debug)]
pub struct ChildServer {
    name: String,
    /// One call at a time, so that an allowance belongs to one call. None once it was ended.
    session: Mutex<Option<Session>>,
    calls_itself: (String, String),
    level: RoomLevel,
    number: u32,
    endpoint: Option<Arc<SigningEndpoint>>,
}

#[derive(Debug)]
struct Session {
    // First: closing the session closes the child's input.
    talk: Talk,
    process: ChildProcess,
}

impl Session {
    async fn end(self) -> Ending {
        self.talk.close().await;
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
        Self::start_as(Guest::of(&settings.name, false), settings, aws).await
    }

    /// The same, with what it may ask in return.
    pub(super) async fn start_as(
        guest: Guest,
        settings: ServerSettings,
        aws: Option<&ChildAws>,
    ) -> Result<Self, ChildError> {
        let endpoint = endpoint_of(&settings, aws).await?;
        let mut variables = endpoint
            .as_ref()
            .map(|endpoint| endpoint.environment())
            .unwrap_or_default();
        if let (ChildCredentials::Masked, Some(aws)) = (settings.credentials, aws) {
            variables.extend(described(aws));
        }
        let port = endpoint.as_ref().map(|endpoint| endpoint.port());
        let (process, pipes) =
            ChildProcess::start(&settings, &variables, port).map_err(|source| {
                ChildError::Start {
                    server: settings.name.clone(),
                    source,
                }
            })?;
        if let Some(endpoint) = &endpoint {
            endpoint.bind_to(process.number());
        }
        let allowance = Allowance::of(settings.output_bytes);
        let output = Bounded::new(pipes.output, allowance.clone());
        let transport = AsyncRwTransport::new_client(output, pipes.input)
            .with_max_line_length(settings.output_bytes);
        let talk = Talk::begin(
            &settings.name,
            guest,
            transport,
            ClientLifecycleMode::Initialize,
            allowance,
            settings.bounds(),
        )
        .await?;
        Ok(Self {
            calls_itself: talk.calls_itself(),
            level: process.level(),
            number: process.number(),
            session: Mutex::new(Some(Session { talk, process })),
            endpoint,
            name: settings.name,
        })
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
        let answer = None;
        self.call_with(Call {
            tool,
            arguments,
            answer,
        })
        .await
    }

    pub(super) async fn call_with(&self, call: Call<'_>) -> Result<Untrusted, ChildError> {
        let mut session = self.session.lock().await;
        let running = session.as_ref().ok_or_else(|| self.gone())?;
        let called = running.talk.call(call).await;
        Self::settle(&mut session, called).await
    }

    /// Lists the tools that it offers now.
    ///
    /// # Errors
    /// As for a call.
    pub async fn list(&self) -> Result<Offer, ChildError> {
        let mut session = self.session.lock().await;
        let running = session.as_ref().ok_or_else(|| self.gone())?;
        let listed = running.talk.list().await;
        Self::settle(&mut session, listed).await
    }

    async fn settle<T>(
        session: &mut Option<Session>,
        done: Result<T, ChildError>,
    ) -> Result<T, ChildError> {
        if done.as_ref().is_err_and(ends_session)
            && let Some(session) = session.take()
        {
            session.end().await;
        }
        done
    }

    fn gone(&self) -> ChildError {
        ChildError::Gone {
            server: self.name.clone(),
        }
    }

    /// Ends the server: closes its input, asks it to go, kills what is left of it.
    ///
    /// Returns how it ended, or nothing if it was ended before.
    pub async fn end(&self) -> Option<Ending> {
        let session = self.session.lock().await.take();
        Some(session?.end().await)
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

    /// Returns the name and the version that it gives itself.
    #[must_use]
    pub fn calls_itself(&self) -> (&str, &str) {
        (&self.calls_itself.0, &self.calls_itself.1)
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

async fn endpoint_of(
    settings: &ServerSettings,
    aws: Option<&ChildAws>,
) -> Result<Option<Arc<SigningEndpoint>>, ChildError> {
    let server = || settings.name.clone();
    match (settings.credentials, aws) {
        (ChildCredentials::None | ChildCredentials::Masked, _) => Ok(None),
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

/// Where and as whom the invocation works: names, no keys.
fn described(aws: &ChildAws) -> Vec<(&'static str, String)> {
    let mut variables = Vec::new();
    if let Ok(region) = aws.context.region() {
        variables.push(("AWS_REGION", region.to_string()));
        variables.push(("AWS_DEFAULT_REGION", region.to_string()));
    }
    if let Some(account) = aws.context.describe().account {
        variables.push(("ECS_DEEP_AGENT_ACCOUNT", account.to_string()));
    }
    variables
}
