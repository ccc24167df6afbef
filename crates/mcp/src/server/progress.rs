//! How far a call is, for a client that asked to be told.

use tokio::sync::mpsc;

/// Steps that wait to be told; a client that reads slowly misses some, and holds up nothing.
const WAITING: usize = 16;

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProgressStep {
    /// How much is done. It only grows.
    pub done: f64,
    /// How much there is, when that is known.
    pub total: Option<f64>,
    /// What a person reads.
    pub words: String,
}

/// Tells how far a call is. Never waits, and says nothing when nobody listens.
#[derive(Debug, Clone)]
pub struct Progress(mpsc::Sender<ProgressStep>);

impl Progress {
    pub(super) fn channel() -> (Self, mpsc::Receiver<ProgressStep>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Tells that `done` of `total` is done. `done` must be larger at each call.
    pub fn tell(&self, done: u32, total: Option<u32>, words: impl Into<String>) {
        let step = ProgressStep {
            done: done.into(),
            total: total.map(Into::into),
            words: words.into(),
        };
        // A full queue, or a client that left: the call goes on.
        let _ = self.0.try_send(step);
    }
}
