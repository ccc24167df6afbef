//! An invocation's own way to AWS: HTTP client, endpoint, retries, call log.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::IdentityCache;
use aws_sdk_sts::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

use crate::calls::{Attempt, CallLog};
use crate::endpoint::Endpoints;
use crate::error_code;
use crate::identity::{InvocationId, Region};
use crate::sync::{Mutex, lock};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the last byte sent to the first byte received.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(25);
/// One call with all its retries.
pub(crate) const OPERATION_TIMEOUT: Duration = Duration::from_secs(75);
/// How often a failed request is tried again, unless told.
const RETRIES: u32 = 4;
pub(crate) const INITIAL_BACKOFF: Duration = Duration::from_millis(200);
pub(crate) const MAX_BACKOFF: Duration = Duration::from_secs(8);
/// An idle connection still holds the last request's token in its write buffer.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Retries one invocation may have in its bucket; each costs 5 to 14.
const RETRY_TOKENS: usize = 500;

/// What every request of one invocation goes through, and no other invocation's.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) endpoints: Endpoints,
    pub(crate) calls: Arc<CallLog>,
    http: Arc<InvocationHttp>,
    retry_partition: RetryPartition,
    retries: AtomicU32,
}

impl Wire {
    pub(crate) fn new(invocation: InvocationId, endpoints: Endpoints) -> Self {
        let calls = Arc::new(CallLog::default());
        let http = Arc::new(InvocationHttp {
            plain: endpoints.is_plain_http(),
            state: Mutex::new(Connection::Unused),
            calls: Arc::clone(&calls),
        });
        // A custom partition owns its bucket. The default ones live in a process-wide table, where
        // one tenant's throttling would use up another's retries.
        let bucket = TokenBucket::builder().capacity(RETRY_TOKENS).build();
        let retry_partition = RetryPartition::custom(invocation.to_string())
            .token_bucket(bucket)
            .build();
        Self {
            endpoints,
            calls,
            http,
            retry_partition,
            retries: AtomicU32::new(RETRIES),
        }
    }

    /// Makes the SDK's configuration: nothing in it comes from the process's environment.
    pub(crate) fn sdk_config(
        &self,
        region: &Region,
        credentials: SharedCredentialsProvider,
    ) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(self.max_attempts())
            .with_initial_backoff(INITIAL_BACKOFF)
            .with_max_backoff(MAX_BACKOFF);
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_types::region::Region::new(region.as_str().to_owned()))
            .credentials_provider(credentials)
            .identity_cache(IdentityCache::no_cache())
            .http_client(self.http_client())
            .sleep_impl(sleep())
            .timeout_config(timeouts)
            .retry_config(retries);
        if let Endpoints::Override(url) = &self.endpoints {
            // A stand-in for AWS may tell a virtual time, which must not shift our signatures.
            config = config
                .endpoint_url(url.as_str())
                .disable_clock_skew_correction(true);
        }
        config.build()
    }

    pub(crate) fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(RecordingClient(Arc::clone(&self.http)))
    }

    /// Sends one request; its call is recorded as the SDK's are.
    pub(crate) fn send(&self, request: HttpRequest) -> HttpConnectorFuture {
        RecordingClient(Arc::clone(&self.http)).call(request)
    }

    /// Sets how often a failed request is tried again, for clients that are made from now on.
    pub(crate) fn set_retries(&self, retries: u32) {
        self.retries.store(retries, Ordering::Relaxed);
    }

    /// How often a request is sent at most: once, and again as often as it may be.
    pub(crate) fn max_attempts(&self) -> u32 {
        self.retries.load(Ordering::Relaxed).saturating_add(1)
    }

    pub(crate) fn retry_partition(&self) -> RetryPartition {
        self.retry_partition.clone()
    }

    /// Closes every idle connection and refuses to make new ones.
    pub(crate) fn close(&self) {
        *lock(&self.http.state) = Connection::Closed;
    }
}

pub(crate) fn sleep() -> SharedAsyncSleep {
    SharedAsyncSleep::new(TokioSleep::new())
}

/// The connector of one invocation, made when it is first used.
struct InvocationHttp {
    /// Whether TLS is left out, because every request stays on this machine.
    plain: bool,
    state: Mutex<Connection>,
    calls: Arc<CallLog>,
}

enum Connection {
    Unused,
    Open(SharedHttpConnector),
    Closed,
}

impl InvocationHttp {
    fn connector(&self) -> Option<SharedHttpConnector> {
        let mut state = lock(&self.state);
        match &*state {
            Connection::Open(connector) => Some(connector.clone()),
            Connection::Closed => None,
            Connection::Unused => {
                let connector = connect(self.plain);
                *state = Connection::Open(connector.clone());
                Some(connector)
            }
        }
    }
}

/// Makes a connector of its own: no proxy, no redirects, idle connections closed soon.
fn connect(plain: bool) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build();
    let builder = Connector::builder()
        .connector_settings(settings)
        .sleep_impl(sleep())
        .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT);
    SharedHttpConnector::new(if plain {
        builder.build_http()
    } else {
        builder
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build()
    })
}

impl fmt::Debug for InvocationHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvocationHttp").finish_non_exhaustive()
    }
}

/// Hands each request to the invocation's connector and records the call.
#[derive(Debug, Clone)]
struct RecordingClient(Arc<InvocationHttp>);

impl HttpConnector for RecordingClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(connector) = self.0.connector() else {
            return HttpConnectorFuture::ready(Err(ConnectorError::user(Closed.into())));
        };
        let in_flight = InFlight::send(&self.0.calls, &request);
        HttpConnectorFuture::new(async move {
            let response = match connector.call(request).await {
                Ok(response) => error_code::read(response).await,
                Err(error) => Err(error),
            };
            match response {
                Ok((response, code)) => {
                    in_flight.answered(&response, code);
                    Ok(response)
                }
                // Recorded as unanswered when `in_flight` is dropped.
                Err(error) => Err(error),
            }
        })
    }
}

/// An attempt that is recorded however it ends: answered, failed, or dropped by whoever waited.
struct InFlight {
    calls: Arc<CallLog>,
    attempt: Option<Attempt>,
}

impl InFlight {
    fn send(calls: &Arc<CallLog>, request: &HttpRequest) -> Self {
        Self {
            attempt: Some(calls.sent(request)),
            calls: Arc::clone(calls),
        }
    }

    fn answered(mut self, response: &HttpResponse, code: Option<String>) {
        if let Some(attempt) = self.attempt.take() {
            self.calls.answered(&attempt, Some(response), code);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            self.calls.answered(&attempt, None, None);
        }
    }
}

impl HttpClient for RecordingClient {
    /// Time-outs are fixed when the connector is made, so that there is one connector and not one
    /// for each client's settings.
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the credential context is cleared: its connections are closed")]
struct Closed;
