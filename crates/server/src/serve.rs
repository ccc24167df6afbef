//! Listening, the routes, and the way down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, extract::Request, middleware::Next};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::authentication;
use crate::config::{InvocationFactory, Limits, ServerConfig};
use crate::exits;
use crate::gate;
use crate::state::App;

/// How long a client may take to read the last of its stream once every run is over.
const LINGER: Duration = Duration::from_secs(3);

/// Why a server did not start or stopped early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address can be reached from elsewhere, and nobody is asked who they are.
    #[error(
        "refused to listen on `{address}` without authentication: ask for API keys (`--auth keys`), or use \
         127.0.0.1 or [::1]"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The port is taken or may not be used.
    #[error("failed to listen on `{address}`; choose another port, or 0 for a free one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Connections can no longer be accepted.
    #[error("the server stopped accepting connections")]
    Accept(#[source] std::io::Error),
}

/// A server that has its port and does not answer yet.
pub struct BoundServer {
    listener: TcpListener,
    address: SocketAddr,
    app: App,
}

impl std::fmt::Debug for BoundServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Takes the port.
///
/// # Errors
/// [`ServeError::NotLoopback`], [`ServeError::Listen`].
///
/// # Cancel safety
/// Dropping the future leaves nothing behind.
pub async fn bind(
    config: ServerConfig,
    factory: InvocationFactory,
) -> Result<BoundServer, ServeError> {
    let address = config.listen;
    if !address.ip().is_loopback() && !config.authentication.is_required() {
        return Err(ServeError::NotLoopback { address });
    }
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(BoundServer {
        listener,
        address,
        app: App::new(&config, factory),
    })
}

impl BoundServer {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What whoever starts it must be told.
    #[must_use]
    pub fn notice(&self) -> String {
        if self.is_open() {
            format!(
                "single-user development mode on http://{}: NO AUTHENTICATION; every program of this \
                 machine can read the threads, start runs and approve plans",
                self.address
            )
        } else {
            format!(
                "http://{}: asks for an {}; put TLS in front of what is reached over a network",
                self.address,
                self.app.authentication().describe()
            )
        }
    }

    /// Whether nobody is asked who they are.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.app.authentication().is_required()
    }

    /// Answers until `shutdown` is cancelled; then ends the runs and the open streams.
    ///
    /// # Errors
    /// [`ServeError::Accept`].
    ///
    /// # Cancel safety
    /// Dropping the future closes every connection; runs at work end when their runtime does, and
    /// their threads can be continued.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ServeError> {
        if self.is_open() {
            tracing::warn!(address = %self.address, "{}", self.notice());
        }
        let within = self.app.limits().shutdown_within;
        let routes = routes(self.app.clone());
        let ending = {
            let (app, shutdown) = (self.app.clone(), shutdown.clone());
            async move {
                shutdown.cancelled().await;
                // Streams end with their runs, and connections with their streams.
                app.runs().shut_down(within).await;
            }
        };
        let stop = shutdown.clone();
        let serving = axum::serve(self.listener, routes)
            .with_graceful_shutdown(async move { stop.cancelled().await });
        let lingered = async {
            ending.await;
            tokio::time::sleep(LINGER).await;
        };
        let served = tokio::select! {
            served = serving.into_future() => served,
            () = lingered => Ok(()),
        };
        // Whichever came first: no run outlives this.
        self.app.runs().shut_down(within).await;
        served.map_err(ServeError::Accept)
    }
}

/// Listens and answers until `shutdown` is cancelled.
///
/// # Errors
/// [`ServeError`].
///
/// # Cancel safety
/// As [`BoundServer::run`].
pub async fn serve(
    config: ServerConfig,
    factory: InvocationFactory,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    bind(config, factory).await?.run(shutdown).await
}

/// The routes without a listener, for tests and for embedding. Runs end with their runtime.
pub fn router(config: &ServerConfig, factory: InvocationFactory) -> Router {
    routes(App::new(config, factory))
}

fn routes(app: App) -> Router {
    let Limits {
        body_bytes,
        requests,
        ..
    } = *app.limits();
    let slots = Arc::new(Semaphore::new(requests));
    let guard = Arc::clone(app.leak_guard());
    api::routes()
        .fallback(|| async { (StatusCode::NOT_FOUND, Json(json!({"detail": "Not Found"}))) })
        // What is added above is behind authentication; what is open is named below.
        .layer(from_fn_with_state(app.clone(), authentication::require))
        .merge(api::open_routes())
        .with_state(app.clone())
        .layer(DefaultBodyLimit::max(body_bytes))
        .layer(from_fn(method_not_allowed))
        .layer(from_fn_with_state((app.clone(), slots), gate::limit))
        .layer(from_fn_with_state(app, gate::check_origin))
        // Outermost: whatever answers, this sees it.
        .layer(from_fn_with_state(guard, exits::inspect))
}

/// Gives the one answer that the router makes by itself the form of all the others.
async fn method_not_allowed(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let (parts, _) = response.into_parts();
    let body = Json(json!({"detail": "Method Not Allowed"}));
    let mut answer = (StatusCode::METHOD_NOT_ALLOWED, body).into_response();
    if let Some(allow) = parts.headers.get(axum::http::header::ALLOW) {
        answer
            .headers_mut()
            .insert(axum::http::header::ALLOW, allow.clone());
    }
    answer
}
