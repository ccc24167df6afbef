//! The endpoint itself: an HTTP/1.1 server on the loopback interface, for one child.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::Utc;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::allowed::AllowedOperations;
use super::forward::forward;
use super::gate::Gate;
use super::inspect::{dialect_of, inspect};
use super::limit::Bucket;
use super::peer;
use super::placeholder::PlaceholderKeys;
use super::refusal::Refusal;
use crate::context::{ContextError, CredentialContext};
use crate::sync::{Mutex, lock};

/// Refusals kept; a child that collects more keeps its latest.
const REFUSALS_KEPT: usize = 200;
/// Connections of one child at a time.
const CONNECTIONS: usize = 32;
/// Time for a request's headers, and again for its body.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any AWS client sends.
const LONGEST_HEADERS: usize = 32 * 1024;

/// How much one child may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointLimits {
    /// Largest request body, in bytes.
    pub request_bytes: usize,
    /// Largest response body, in bytes.
    pub response_bytes: usize,
    /// Requests that may come at once.
    pub burst: u32,
    /// Requests a second afterwards.
    pub per_second: u32,
}

impl Default for EndpointLimits {
    fn default() -> Self {
        Self {
            request_bytes: 256 * 1024,
            response_bytes: 8 * 1024 * 1024,
            burst: 60,
            per_second: 20,
        }
    }
}

/// One request that was refused here and did not reach AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedCall {
    /// The child that asked.
    pub child: String,
    /// The service and operation, as far as they were understood.
    pub asked: Option<String>,
    /// Why it was refused, in a sentence.
    pub reason: String,
}

/// A signing endpoint: AWS for one child process of one invocation, without its keys.
///
/// It belongs to the invocation's cell: its tasks run on the runtime that [`SigningEndpoint::start`]
/// was called on, and end when this value is dropped. Rotation of the context's credentials needs no
/// restart, and after [`CredentialContext::clear`] every request is refused at once.
///
/// # Security
/// What a child has to show is that the connection is its own, that the request is signed with its
/// placeholder, and that the operation is one of the reads it was given, in this context's account
/// and region, while the context is there for observing. What is let through is signed by AWS's
/// rules for the service, so AWS decides as for any other request of the context.
#[derive(Debug)]
pub struct SigningEndpoint {
    address: SocketAddrV4,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    context: Arc<CredentialContext>,
    name: String,
    gate: Gate,
    limits: EndpointLimits,
    bucket: Bucket,
    placeholder: PlaceholderKeys,
    /// The child's process, once it is there; nobody is served before.
    child: OnceLock<u32>,
    refused: Mutex<VecDeque<RefusedCall>>,
}

/// Why there is no endpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningEndpointError {
    /// The context has no region.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// It is not known whose the credentials are.
    #[error("the credential context has no credentials yet: resolve a reference first")]
    NoAccount,
    /// No port, or no randomness.
    #[error("failed to open a signing endpoint on the loopback interface")]
    System(#[source] std::io::Error),
}

impl SigningEndpoint {
    /// Opens an endpoint for the child `name`, on a free port of the loopback interface.
    ///
    /// Call it on the invocation's cell, with a context that is filled: the endpoint is for the
    /// account and the region that the context has now. It serves nobody until
    /// [`SigningEndpoint::bind_to`] says which process is the child.
    ///
    /// # Errors
    /// [`SigningEndpointError`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(
        context: Arc<CredentialContext>,
        name: impl Into<String>,
        allowed: AllowedOperations,
        limits: EndpointLimits,
    ) -> Result<Self, SigningEndpointError> {
        let gate = Gate {
            allowed,
            region: context.region()?,
            account: context
                .describe()
                .account
                .ok_or(SigningEndpointError::NoAccount)?,
        };
        let placeholder = PlaceholderKeys::random().map_err(|error| {
            SigningEndpointError::System(std::io::Error::other(error.to_string()))
        })?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(SigningEndpointError::System)?;
        let address = match listener
            .local_addr()
            .map_err(SigningEndpointError::System)?
        {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(address) => SocketAddrV4::new(Ipv4Addr::LOCALHOST, address.port()),
        };
        let shared = Arc::new(Shared {
            context,
            name: name.into(),
            gate,
            bucket: Bucket::new(limits.burst, limits.per_second, Instant::now()),
            limits,
            placeholder,
            child: OnceLock::new(),
            refused: Mutex::new(VecDeque::new()),
        });
        let server = tokio::spawn(accept(listener, address, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            server,
        })
    }

    /// Says which process is the child. The first word stands.
    pub fn bind_to(&self, process: u32) {
        let _already_bound = self.shared.child.set(process);
    }

    /// Returns the port, which is all the network that the child needs.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the variables that point an unmodified AWS client here.
    ///
    /// None of them is a secret of AWS: the keys are this child's placeholder.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let region = self.shared.gate.region.to_string();
        let keys = &self.shared.placeholder;
        vec![
            ("AWS_ACCESS_KEY_ID", keys.access_key_id().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key().to_owned()),
            ("AWS_REGION", region.clone()),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
        ]
    }

    /// Lists what was refused, oldest first.
    #[must_use]
    pub fn refused(&self) -> Vec<RefusedCall> {
        lock(&self.shared.refused).iter().cloned().collect()
    }
}

impl Drop for SigningEndpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Accepts connections until the task is aborted, and with it every connection.
async fn accept(listener: TcpListener, address: SocketAddrV4, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS {
            connections.join_next().await;
            continue;
        }
        match listener.accept().await {
            Ok((stream, peer)) => {
                connections.spawn(serve(stream, peer, address, Arc::clone(&shared)));
            }
            // Out of descriptors: give the others time to end.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, address: SocketAddrV4, shared: Arc<Shared>) {
    let is_the_childs = match (peer, shared.child.get()) {
        (SocketAddr::V4(peer), Some(child)) => peer::belongs_to(*child, peer, address),
        (SocketAddr::V4(_) | SocketAddr::V6(_), _) => false,
    };
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, is_the_childs, request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(LONGEST_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that breaks off concerns the child alone.
    let _ended = connection.await;
}

async fn answer(
    shared: &Shared,
    is_the_childs: bool,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (request, body) = request.into_parts();
    let dialect = dialect_of(&request);
    let mut understood = None;
    let refusal = match shared
        .pass(is_the_childs, &request, body, &mut understood)
        .await
    {
        Ok(response) => return response,
        Err(refusal) => refusal,
    };
    shared.note(understood, &refusal);
    refusal.response(dialect)
}

impl Shared {
    async fn pass(
        &self,
        is_the_childs: bool,
        request: &http::request::Parts,
        body: Incoming,
        understood: &mut Option<String>,
    ) -> Result<Response<Full<Bytes>>, Refusal> {
        if !is_the_childs {
            return Err(Refusal::ForeignPeer);
        }
        if !self.bucket.take(Instant::now()) {
            return Err(Refusal::TooFast);
        }
        let body = self.body(body).await?;
        let clocks = [Some(Utc::now()), self.context.aws_now()];
        let clocks: Vec<_> = clocks.into_iter().flatten().collect();
        let scope = self.placeholder.verify(request, &body, &clocks)?;
        let asked = inspect(request, &body, &scope.service)?;
        *understood = Some(format!("{}:{}", asked.service.iam_prefix, asked.operation));
        let query = request.uri.query().unwrap_or_default();
        self.gate.check(&scope, &asked, query, &body)?;
        self.gate.check_context(&self.context)?;
        let longest = self.limits.response_bytes;
        let (context, name) = (&self.context, &self.name);
        forward(context, name, &self.gate, &asked, request, body, longest).await
    }

    async fn body(&self, body: Incoming) -> Result<Bytes, Refusal> {
        let longest = self.limits.request_bytes;
        let collected = Limited::new(body, longest).collect();
        match tokio::time::timeout(PATIENCE, collected).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                Err(Refusal::RequestTooLarge(longest))
            }
            Ok(Err(_)) => Err(Refusal::Malformed("its body broke off")),
            Err(_) => Err(Refusal::Malformed("its body took too long")),
        }
    }

    fn note(&self, asked: Option<String>, refusal: &Refusal) {
        let mut refused = lock(&self.refused);
        if refused.len() == REFUSALS_KEPT {
            refused.pop_front();
        }
        refused.push_back(RefusedCall {
            child: self.name.clone(),
            asked,
            reason: refusal.to_string(),
        });
    }
}
