//! The agent against the fault lab, over the wire.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails, and says where"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test may be told which scenario to look at"
)]

mod suite;
