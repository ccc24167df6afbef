//! The scanner against everything that it must find, and against noise.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says where"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test process tells its child process by the environment"
)]

mod suite;
