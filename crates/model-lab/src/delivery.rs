//! The bytes of an answer, and how many of them arrive.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};

use crate::answer::{Cut, End};
use crate::figures::Figures;

/// One piece of a body, with what it says of the usage so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) told: Option<Figures>,
}

impl Piece {
    pub(crate) fn new(text: String) -> Self {
        Self { text, told: None }
    }

    pub(crate) fn telling(text: String, told: Figures) -> Self {
        Self {
            text,
            told: Some(told),
        }
    }
}

/// What arrives of a body.
pub(crate) struct Delivered {
    pub(crate) body: Body,
    pub(crate) told: Option<Figures>,
    pub(crate) ends: Vec<usize>,
    pub(crate) is_whole: bool,
}

/// Sends the pieces, one after another.
pub(crate) fn whole(pieces: Vec<Piece>) -> Delivered {
    let told = pieces.iter().rev().find_map(|piece| piece.told);
    let mut end = 0;
    let ends = pieces.iter().map(|piece| {
        end += piece.text.len();
        end
    });
    let ends = ends.collect();
    let texts = pieces
        .into_iter()
        .map(|piece| Ok::<_, Infallible>(Bytes::from(piece.text)));
    Delivered {
        body: Body::from_stream(stream::iter(texts)),
        told,
        ends,
        is_whole: true,
    }
}

/// Sends some bytes and then no more.
pub(crate) fn cut(pieces: Vec<Piece>, cut: Cut) -> Delivered {
    let (mut sent, mut told, mut ends) = (Vec::new(), None, Vec::new());
    let mut is_whole = true;
    for piece in pieces {
        let room = cut.after_bytes.saturating_sub(sent.len());
        let bytes = piece.text.as_bytes();
        sent.extend(bytes.iter().take(room));
        if room < bytes.len() {
            is_whole = false;
            break;
        }
        told = piece.told.or(told);
        ends.push(sent.len());
    }
    let start = stream::once(std::future::ready(Ok(Bytes::from(sent))));
    let rest: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>> = match cut.end {
        End::Closed => Box::pin(stream::empty()),
        End::Stalled => Box::pin(stream::pending()),
        End::Aborted => Box::pin(
            stream::once(let_it_out())
                .map(|()| Err(io::Error::other("the lab breaks the connection"))),
        ),
    };
    Delivered {
        body: Body::from_stream(start.chain(rest)),
        told,
        ends,
        is_whole: is_whole && cut.end == End::Closed,
    }
}

/// Gives the connection turns to write what it has: it is closed at once when a body fails.
async fn let_it_out() {
    for _ in 0..8 {
        let mut waited = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
