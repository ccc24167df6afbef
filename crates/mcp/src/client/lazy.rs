//! Something that is started when it is first needed, once.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Mutex;

/// A value that is started at most once. Whoever asks while it starts waits.
#[derive(Debug)]
pub(super) struct Lazy<S>(Mutex<State<S>>);

#[derive(Debug)]
enum State<S> {
    Unused,
    Running(Arc<S>),
    /// It failed to start, or was ended. It is not started a second time.
    Over,
}

impl<S> Lazy<S> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State::Unused))
    }

    /// Returns the value, started if need be; none if it is over.
    pub(super) async fn get<E>(
        &self,
        start: impl Future<Output = Result<S, E>>,
    ) -> Result<Option<Arc<S>>, E> {
        let mut state = self.0.lock().await;
        match &*state {
            State::Running(running) => Ok(Some(Arc::clone(running))),
            State::Over => Ok(None),
            State::Unused => {
                *state = State::Over;
                let started = Arc::new(start.await?);
                *state = State::Running(Arc::clone(&started));
                Ok(Some(started))
            }
        }
    }

    /// Returns the value if it was started and is not over.
    pub(super) async fn running(&self) -> Option<Arc<S>> {
        match &*self.0.lock().await {
            State::Running(running) => Some(Arc::clone(running)),
            State::Unused | State::Over => None,
        }
    }

    /// Takes the value for its end; it is over from then on.
    pub(super) async fn take(&self) -> Option<Arc<S>> {
        match std::mem::replace(&mut *self.0.lock().await, State::Over) {
            State::Running(running) => Some(running),
            State::Unused | State::Over => None,
        }
    }
}
