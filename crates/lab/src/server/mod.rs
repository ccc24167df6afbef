//! The lab as a server: one port, every account, every service.

mod clock;
mod control;
mod endpoint;
mod faults;
mod journal;
mod lab;
mod page;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::clock::ClockMode;
pub use self::faults::{WireFault, WireFaultKind};
pub use self::journal::{RequestOutcome, RequestRecord};
pub use self::lab::{LabAccount, LabKeys, LabSession};

use self::lab::Lab;
use crate::oracle::HealthReport;
use crate::scenario::{Scenario, ScenarioError, Truth};

/// Connections that wait to be accepted; Linux allows 4,096 unless told otherwise (`somaxconn`).
const BACKLOG: u32 = 4096;

/// What to simulate and how.
#[derive(Debug, Clone)]
pub struct LabConfig {
    scenario: Scenario,
    listen: SocketAddr,
    clock: ClockMode,
    latency: Duration,
}

impl LabConfig {
    /// A lab of this scenario on a free port of the loopback interface, with a clock that only
    /// moves when it is told to.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        Self {
            scenario,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock: ClockMode::Manual,
            latency: Duration::ZERO,
        }
    }

    /// Listens here instead.
    #[must_use]
    pub fn listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    /// Runs the lab's time this way.
    #[must_use]
    pub fn clock(mut self, clock: ClockMode) -> Self {
        self.clock = clock;
        self
    }

    /// Delays every AWS answer by this much.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }
}

/// Why a lab did not start or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The port is taken, or may not be used.
    #[error("failed to listen on `{address}`: choose another port, or 0 for a free one")]
    Listen {
        /// What was to be listened on.
        address: SocketAddr,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The scenario cannot be made into a world.
    #[error("failed to build the scenario's world")]
    Scenario(#[from] ScenarioError),
    /// A clock speed that is not a positive number.
    #[error("clock speed `{0}` is not a positive number")]
    Speed(f64),
    /// The server's task ended by itself.
    #[error("the lab stopped before it was asked to")]
    Stopped,
}

/// Starts labs.
#[derive(Debug)]
pub struct LabServer;

impl LabServer {
    /// Builds the world and serves it on a task of the current tokio runtime.
    ///
    /// # Errors
    /// [`LabError::Listen`] when the address cannot be bound, [`LabError::Scenario`] when the
    /// scenario does not make a world, [`LabError::Speed`] for a nonsensical clock.
    pub async fn start(config: LabConfig) -> Result<LabHandle, LabError> {
        let LabConfig {
            scenario,
            listen,
            clock,
            latency,
        } = config;
        if let ClockMode::Speed(speed) = clock
            && !(speed.is_finite() && speed > 0.0)
        {
            return Err(LabError::Speed(speed));
        }
        let lab = Arc::new(Lab::new(&scenario, clock, latency)?);
        let failed = |source| LabError::Listen {
            address: listen,
            source,
        };
        let listener = bind(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let service =
            endpoint::router(Arc::clone(&lab)).into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move {
            axum::serve(listener, service)
                .with_graceful_shutdown(stopped)
                .await
        });
        Ok(LabHandle {
            lab,
            address,
            stop,
            task: Some(task),
        })
    }
}

/// Listens with room for every connection of a hundred invocations that begin at once. Where the
/// kernel's queue is full, it drops connections without a word, and clients see time-outs.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A running lab; it stops when this is dropped.
#[derive(Debug)]
pub struct LabHandle {
    lab: Arc<Lab>,
    address: SocketAddr,
    stop: CancellationToken,
    task: Option<JoinHandle<std::io::Result<()>>>,
}

impl LabHandle {
    /// The endpoint URL for `AWS_ENDPOINT_URL`, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the lab listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The accounts of the scenario with the keys that open them.
    #[must_use]
    pub fn accounts(&self) -> &[LabAccount] {
        self.lab.accounts()
    }

    /// The temporary credentials that were issued so far, in no order.
    #[must_use]
    pub fn sessions(&self) -> Vec<LabSession> {
        self.lab.sessions()
    }

    /// What is really wrong in the scenario; for whoever judges a diagnosis, not for who makes it.
    #[must_use]
    pub fn truth(&self) -> &Truth {
        self.lab.truth()
    }

    /// Whether the scenario's service is well now, and nothing else was touched.
    #[must_use]
    pub fn health(&self) -> HealthReport {
        self.lab.health()
    }

    /// Lets coming requests fail.
    pub fn inject(&self, fault: WireFault) {
        self.lab.add_fault(fault);
    }

    /// Every AWS request so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.lab.requests(0)
    }

    /// The lab's time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.lab.now()
    }

    /// Moves the lab's time forward; returns the time that it is then.
    pub fn advance(&self, by: Duration) -> DateTime<Utc> {
        self.lab.advance(by)
    }

    /// Ends temporary credentials as if their time had come: one key's, or with `None` all.
    /// Returns how many sessions ended.
    pub fn expire_credentials(&self, access_key_id: Option<&str>) -> usize {
        self.lab.expire_credentials(access_key_id)
    }

    /// Stops listening and waits until running requests are answered.
    ///
    /// # Errors
    /// [`LabError::Stopped`] when the server had failed already.
    pub async fn shutdown(mut self) -> Result<(), LabError> {
        self.stop.cancel();
        match self.task.take() {
            None => Ok(()),
            Some(task) => match task.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(LabError::Stopped),
            },
        }
    }

    /// Waits until the server ends by itself; for a process that is nothing but a lab.
    ///
    /// # Errors
    /// [`LabError::Stopped`] when it ended with an error.
    pub async fn wait(mut self) -> Result<(), LabError> {
        match self.task.take() {
            None => Ok(()),
            Some(task) => match task.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(LabError::Stopped),
            },
        }
    }
}

impl Drop for LabHandle {
    fn drop(&mut self) {
        self.stop.cancel();
        // Idle keep-alive connections would hold a graceful shutdown open.
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}
