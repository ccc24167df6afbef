//! The server as its clients meet it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails where an answer is not as it should be"
)]

mod suite;
