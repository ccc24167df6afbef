//! Tests of the crate from outside: real child processes, most of them hostile.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy exempts only inside `#[test]` functions"
)]

mod suite;
