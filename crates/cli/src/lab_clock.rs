//! The lab's time: it passes while an invocation waits, and only then.
//!
//! A world that runs on by itself would change while a person thinks about a plan, or while this
//! machine is busy with something else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ecs_agent_core::Timer;
use ecs_agent_credentials::{EndpointUrl, Endpoints};
use ecs_agent_lab::LabHandle;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::CliError;

/// Moves the clock of a lab in this process by as much as an invocation waits.
#[derive(Debug)]
pub(crate) struct OwnLabTimer {
    lab: Arc<LabHandle>,
    speed: f64,
}

impl OwnLabTimer {
    /// Waits `speed` times shorter in real time than the lab's clock is moved.
    pub(crate) const fn new(lab: Arc<LabHandle>, speed: f64) -> Self {
        Self { lab, speed }
    }
}

impl Timer for OwnLabTimer {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            tokio::time::sleep(duration.div_f64(self.speed)).await;
            self.lab.advance(duration);
        })
    }
}

/// Moves the clock of a lab in another process on this machine, and waits no longer than that takes.
#[derive(Debug)]
pub(crate) struct OtherLabTimer {
    lab: SocketAddr,
}

/// Longest answer of the lab to a move of its clock.
const LONGEST_ANSWER: u64 = 16 * 1024;

impl OtherLabTimer {
    /// The lab at that endpoint.
    pub(crate) fn at(endpoints: &Endpoints) -> Result<Self, CliError> {
        let lab = match endpoints {
            Endpoints::Aws => None,
            Endpoints::Override(url) => socket_of(url),
        };
        lab.map(|lab| Self { lab }).ok_or(CliError::NoLabClock)
    }

    async fn advance(&self, by: Duration) -> std::io::Result<()> {
        // The lab counts whole seconds; a shorter wait must not be none at all.
        let seconds = by.as_secs() + u64::from(by.subsec_nanos() > 0);
        let request = format!(
            "POST /lab/clock/advance?seconds={seconds} HTTP/1.1\r\nHost: {}\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n",
            self.lab
        );
        let mut connection = TcpStream::connect(self.lab).await?;
        connection.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        connection
            .take(LONGEST_ANSWER)
            .read_to_end(&mut answer)
            .await?;
        if answer.starts_with(b"HTTP/1.1 200") {
            return Ok(());
        }
        Err(std::io::Error::other("the lab refused to move its clock"))
    }
}

impl Timer for OtherLabTimer {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(error) = self.advance(duration).await {
                tracing::warn!(%error, "the lab's clock cannot be moved");
                // Whoever waits for a lab that is gone must not spin.
                tokio::time::sleep(duration).await;
            }
        })
    }
}

/// The address of a plain endpoint on this machine: the lab's own routes answer nowhere else.
fn socket_of(url: &EndpointUrl) -> Option<SocketAddr> {
    let authority = url.as_str().strip_prefix("http://")?;
    let authority = authority.replace("localhost", "127.0.0.1");
    let address: SocketAddr = authority.parse().ok()?;
    Some(address).filter(|address| address.ip().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_endpoint_of_this_machine_has_a_clock_to_move() {
        let socket = |url: &str| socket_of(&url.parse().unwrap());
        assert_eq!(
            socket("http://127.0.0.1:4566"),
            Some(([127, 0, 0, 1], 4566).into())
        );
        assert_eq!(
            socket("http://localhost:4566"),
            Some(([127, 0, 0, 1], 4566).into())
        );
        assert!(socket("http://[::1]:4566").is_some());
        assert_eq!(socket("https://example.com"), None);
        assert!(matches!(
            OtherLabTimer::at(&Endpoints::Aws),
            Err(CliError::NoLabClock)
        ));
    }
}
