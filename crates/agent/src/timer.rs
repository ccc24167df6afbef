//! The invocation's clock: a seam, so that a simulated world can set the pace.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

/// Tells the time and waits.
pub trait Timer: Send + Sync + std::fmt::Debug {
    /// The time that events are stamped with.
    fn now(&self) -> DateTime<Utc>;

    /// Waits for that long, in the world's time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;
}

/// The machine's clock; waits are divided by a factor, for a world that runs faster than ours.
#[derive(Debug, Clone, Copy)]
pub struct TokioTimer {
    speed: f64,
}

impl TokioTimer {
    /// Real time.
    #[must_use]
    pub const fn real() -> Self {
        Self { speed: 1.0 }
    }

    /// Waits `speed` times shorter, for a simulated world that runs that much faster.
    #[must_use]
    pub const fn scaled(speed: f64) -> Self {
        Self {
            speed: if speed < 0.001 { 0.001 } else { speed },
        }
    }
}

impl Timer for TokioTimer {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration.div_f64(self.speed)))
    }
}
