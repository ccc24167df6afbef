//! How much a child may say.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// What is left of a child's allowance for the call that is under way.
#[derive(Debug, Clone)]
pub(super) struct Allowance(Arc<State>);

#[derive(Debug)]
struct State {
    left: AtomicUsize,
    exceeded: AtomicBool,
}

impl Allowance {
    pub(super) fn of(bytes: usize) -> Self {
        Self(Arc::new(State {
            left: AtomicUsize::new(bytes),
            exceeded: AtomicBool::new(false),
        }))
    }

    /// Begins the next call.
    pub(super) fn renew(&self, bytes: usize) {
        self.0.left.store(bytes, Ordering::Relaxed);
    }

    /// What is left of it.
    pub(super) fn left(&self) -> usize {
        self.0.left.load(Ordering::Relaxed)
    }

    /// Takes off what was said; false, for ever, once that is more than is left.
    pub(super) fn spend(&self, bytes: usize) -> bool {
        let left = self.left().checked_sub(bytes);
        match left.filter(|_| !self.exceeded()) {
            Some(left) => {
                self.0.left.store(left, Ordering::Relaxed);
                true
            }
            None => {
                self.exceed();
                false
            }
        }
    }

    /// Notes that more was said than may be.
    pub(super) fn exceed(&self) {
        self.0.exceeded.store(true, Ordering::Relaxed);
    }

    /// Tells whether the child said more than it may. It stays so.
    pub(super) fn exceeded(&self) -> bool {
        self.0.exceeded.load(Ordering::Relaxed)
    }
}

/// Reads a child's output until its allowance is used up; then there is an error for ever.
#[derive(Debug)]
pub(super) struct Bounded<R> {
    inner: R,
    allowance: Allowance,
}

impl<R> Bounded<R> {
    pub(super) fn new(inner: R, allowance: Allowance) -> Self {
        Self { inner, allowance }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Bounded<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let state = &this.allowance.0;
        let left = state.left.load(Ordering::Relaxed);
        if left == 0 || state.exceeded.load(Ordering::Relaxed) {
            state.exceeded.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(io::Error::other("more output than a call may have")));
        }
        let most = left.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        let polled = Pin::new(&mut this.inner).poll_read(cx, &mut part);
        let read = part.filled().len();
        if let Poll::Ready(Ok(())) = &polled {
            buffer.advance(read);
            state.left.fetch_sub(read, Ordering::Relaxed);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn output_ends_where_the_allowance_does() {
        let allowance = Allowance::of(10);
        let mut reader = Bounded::new(&[b'x'; 64][..], allowance.clone());
        let mut read = Vec::new();
        assert!(reader.read_to_end(&mut read).await.is_err());
        assert_eq!(read.len(), 10);
        assert!(allowance.exceeded());
        allowance.renew(10);
        assert!(reader.read_u8().await.is_err(), "there is no way back");

        let allowance = Allowance::of(10);
        let mut reader = Bounded::new(&[b'x'; 20][..], allowance.clone());
        for _ in 0..2 {
            allowance.renew(10);
            reader.read_exact(&mut [0; 10]).await.unwrap();
        }
        assert!(!allowance.exceeded());
    }
}
