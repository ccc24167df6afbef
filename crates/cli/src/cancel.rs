//! Ctrl-C: the first ends the invocation in order, the second ends the program.

use std::future::Future;

use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::output::Output;

/// Listens for Ctrl-C until it is dropped.
#[derive(Debug)]
pub(crate) struct Interrupts {
    token: CancellationToken,
    listener: tokio::task::JoinHandle<()>,
}

impl Interrupts {
    /// Starts to listen.
    pub(crate) fn listen(output: &Output) -> Self {
        let output = output.clone();
        Self::listen_and(move || {
            output.remark("cancelling: the step at hand ends first (Ctrl-C again ends at once)");
        })
    }

    /// Starts to listen where many runs may be at work.
    pub(crate) fn listen_to_stop(output: &Output) -> Self {
        let output = output.clone();
        Self::listen_and(move || {
            output.remark("stopping: runs at work are cancelled first (Ctrl-C again ends at once)");
        })
    }

    /// Starts to listen where there is nothing to tell.
    pub(crate) fn listen_quietly() -> Self {
        Self::listen_and(|| {})
    }

    fn listen_and(tell: impl Fn() + Send + 'static) -> Self {
        let token = CancellationToken::new();
        let first = token.clone();
        let listener = tokio::spawn(async move {
            if asked_to_end().await.is_err() {
                return;
            }
            tell();
            first.cancel();
            if asked_to_end().await.is_ok() {
                // SECURITY: the process's memory is gone with it: nothing is dumped, and what AWS
                // was told stays in the thread's log for `resume`.
                std::process::exit(i32::from(Exit::Cancelled.code()));
            }
        });
        Self { token, listener }
    }

    /// Cancelled by the first Ctrl-C.
    pub(crate) fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Runs something that has no way of its own to be cancelled; `None` when Ctrl-C came first.
    pub(crate) async fn or_cancelled<F: Future>(&self, work: F) -> Option<F::Output> {
        self.token.run_until_cancelled(work).await
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Waits for Ctrl-C, or for the signal that a supervisor sends.
async fn asked_to_end() -> std::io::Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminated.recv() => Ok(()),
    }
}
