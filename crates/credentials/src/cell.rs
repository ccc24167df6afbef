//! The cell: the OS thread that one invocation lives and dies on.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::context::CredentialContext;

/// An invocation's own OS thread with a current-thread runtime.
///
/// Everything that touches a secret runs on it, so that whatever third-party code leaves behind in
/// thread-local buffers and on the stack goes away with the thread.
#[derive(Debug)]
pub struct Cell;

impl Cell {
    /// Runs the future that `make` returns on a new thread, and joins the thread.
    ///
    /// `make` runs on the new thread, so its future need not be `Send`. The outcome is handed over
    /// after the runtime is gone, with every task and connection that was on it.
    ///
    /// # Errors
    /// [`CellError::Panicked`] if the future panicked, [`CellError::Cancelled`] if `cancel` was
    /// cancelled first, [`CellError::Start`] if there was no thread or runtime to be had. In each
    /// case the future was dropped on its thread, and the thread has ended.
    ///
    /// # Cancel safety
    /// Dropping this future cancels the one on the cell and waits, blocking, until its thread has
    /// ended. That takes as long as the inner future's longest stretch without an await.
    pub async fn run<T, F, Fut>(
        name: &str,
        cancel: CancellationToken,
        make: F,
    ) -> Result<T, CellError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T>,
        T: Send + 'static,
    {
        // A child, so that dropping this future cancels this cell and nothing else.
        let cancel = cancel.child_token();
        let (report, outcome) = oneshot::channel();
        let stop = cancel.clone();
        let thread = Builder::new()
            .name(thread_name(name))
            .spawn(move || {
                let ended = catch_unwind(AssertUnwindSafe(|| run_here(&stop, make)));
                // Fails only if the other side is being dropped, which joins this thread.
                let _ = report.send(ended.unwrap_or(Err(CellError::Panicked)));
            })
            .map_err(|source| CellError::Start { source })?;
        let thread = JoinOnDrop {
            cancel,
            thread: Some(thread),
        };
        let outcome = outcome.await.unwrap_or(Err(CellError::Panicked));
        drop(thread);
        outcome
    }
}

/// Drives the future to its end on the current thread, and takes the runtime down.
fn run_here<T, F, Fut>(stop: &CancellationToken, make: F) -> Result<T, CellError>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| CellError::Start { source })?;
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(CellError::Cancelled),
            value = async { make().await } => Ok(value),
        }
    })
}

/// Linux shows at most 15 bytes of a thread's name; an interior NUL would be an error.
fn thread_name(name: &str) -> String {
    name.chars().filter(|c| *c != '\0').collect()
}

/// Ends the thread before anybody can go on without it.
struct JoinOnDrop {
    cancel: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Drop for JoinOnDrop {
    fn drop(&mut self) {
        self.cancel.cancel();
        if let Some(thread) = self.thread.take() {
            // The thread catches panics of the future; one while reporting has nothing to add.
            let _ = thread.join();
        }
    }
}

/// Why a cell has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CellError {
    /// The invocation panicked. Its payload is dropped unread: it could hold anything.
    #[error("the invocation stopped on an internal error; its credentials are cleared")]
    Panicked,
    /// The invocation was cancelled.
    #[error("the invocation was cancelled; its credentials are cleared")]
    Cancelled,
    /// The system gave no thread or runtime.
    #[error("failed to start the invocation's thread")]
    Start {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Clears a context when it goes out of scope: on return, error, panic, cancel and time-out.
#[derive(Debug)]
#[must_use = "dropping the guard clears the context at once"]
pub struct ClearGuard(Arc<CredentialContext>);

impl ClearGuard {
    /// Guards `context` from here to the end of the scope.
    pub fn new(context: Arc<CredentialContext>) -> Self {
        Self(context)
    }
}

impl Drop for ClearGuard {
    fn drop(&mut self) {
        self.0.clear();
    }
}
