//! The server over streamable HTTP, for one caller.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ecs_agent_credentials::LeakGuard;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use super::decision::NoRandomness;
use super::handler::ToolServer;

/// How long a session may be silent: longer than a person may think about a plan, or a service may
/// take to become healthy.
const SILENCE: Duration = Duration::from_secs(30 * 60);

/// Sessions of one caller.
const MOST_SESSIONS: usize = 64;

/// The protocol's headers.
const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";

/// The tools for one caller, over HTTP.
///
/// A session is found only here, among this caller's: the id of somebody else's session names
/// nothing. Who the caller is, and whether `Host` and `Origin` are right, is known before.
pub struct HttpTools {
    service: StreamableHttpService<ToolServer, LocalSessionManager>,
    sessions: Arc<LocalSessionManager>,
}

impl std::fmt::Debug for HttpTools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpTools").finish_non_exhaustive()
    }
}

impl HttpTools {
    /// Offers what `backend` does, until `shutdown` is cancelled.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn new(
        backend: Arc<dyn Backend>,
        leak_guard: Arc<LeakGuard>,
        body_bytes: usize,
        shutdown: CancellationToken,
    ) -> Result<Self, NoRandomness> {
        let tools = ToolServer::new(backend, leak_guard)?;
        let mut manager = LocalSessionManager::default();
        manager.session_config = {
            let mut config = SessionConfig::default();
            config.keep_alive = Some(SILENCE);
            config
        };
        let sessions = Arc::new(manager);
        let config = StreamableHttpServerConfig::default()
            // Looked at before, with the names that the operator configured.
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_max_request_body_bytes(body_bytes)
            .with_cancellation_token(shutdown);
        let service =
            StreamableHttpService::new(move || Ok(tools.clone()), Arc::clone(&sessions), config);
        Ok(Self { service, sessions })
    }

    /// Answers one request: `POST`, `GET` or `DELETE`.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the sessions as they are.
    pub async fn answer<B>(
        &self,
        request: Request<B>,
    ) -> Response<impl Body<Data = Bytes, Error = Infallible> + Send + 'static>
    where
        B: Body + Send + 'static,
        B::Error: Display,
        B::Data: Send + 'static,
    {
        let begins =
            !request.headers().contains_key(SESSION) && !request.headers().contains_key(VERSION);
        if begins && self.sessions.sessions.read().await.len() >= MOST_SESSIONS {
            return too_many().map(BodyExt::boxed);
        }
        self.service.handle(request).await
    }
}

fn too_many() -> Response<Full<Bytes>> {
    let body = format!(
        "{{\"detail\": \"{MOST_SESSIONS} MCP sessions are open; end one, or try again later\"}}"
    );
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
