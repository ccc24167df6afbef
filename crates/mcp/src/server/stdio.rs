//! The server on a pair of streams.

use std::sync::Arc;
use std::time::Duration;

use ecs_agent_credentials::LeakGuard;
use rmcp::ServiceExt;
use rmcp::service::{QuitReason, ServerInitializeError};
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use super::decision::NoRandomness;
use super::handler::ToolServer;

/// Longest message that is read; a longer one is dropped and answered with an error.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// How long cancelled calls may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Why the server stopped early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum McpError {
    /// The client did not begin as the protocol asks.
    #[error("the MCP client did not begin a session; this command is meant to be started by one")]
    Begin(#[source] Box<ServerInitializeError>),
    /// No session could be made safe.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The server failed inside.
    #[error("the MCP server stopped on an internal error")]
    Stopped,
}

/// Serves on standard input and output until the client closes them or `shutdown` is cancelled.
///
/// Standard output belongs to the protocol: the program must write its log elsewhere. `leak_guard`
/// sees every result before it goes out; it must be the guard of the backend's invocations.
///
/// # Errors
/// [`McpError`], when no session began or the server failed.
///
/// # Cancel safety
/// Dropping the future ends the session; calls in flight are cancelled.
pub async fn serve_stdio(
    backend: Arc<dyn Backend>,
    leak_guard: Arc<LeakGuard>,
    shutdown: CancellationToken,
) -> Result<(), McpError> {
    let (input, output) = rmcp::transport::io::stdio_pipes();
    serve(backend, leak_guard, input, output, shutdown).await
}

/// Serves on a pair of streams; [`serve_stdio`] for any other.
///
/// # Errors
/// As [`serve_stdio`].
///
/// # Cancel safety
/// As [`serve_stdio`].
pub async fn serve<R, W>(
    backend: Arc<dyn Backend>,
    leak_guard: Arc<LeakGuard>,
    input: R,
    output: W,
    shutdown: CancellationToken,
) -> Result<(), McpError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let transport =
        AsyncRwTransport::new_server(input, output).with_max_line_length(MAX_MESSAGE_BYTES);
    let tools = ToolServer::new(backend, leak_guard)?;
    let calls = tools.calls().clone();
    let begun = tools.serve_with_ct(transport, shutdown.clone()).await;
    let session = match begun {
        Ok(session) => session,
        Err(_) if shutdown.is_cancelled() => return Ok(()),
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(McpError::Begin(Box::new(error))),
    };
    let ended = session.waiting().await;
    // Calls that nobody waits for any more were cancelled with the session. They clear their
    // credentials on their way out, so they are given the time for it.
    calls.close();
    let _ = tokio::time::timeout(GRACE, calls.wait()).await;
    match ended {
        Ok(QuitReason::Cancelled | QuitReason::Closed) => Ok(()),
        Ok(QuitReason::JoinError(_)) | Err(_) => Err(McpError::Stopped),
        Ok(_) => Ok(()),
    }
}
