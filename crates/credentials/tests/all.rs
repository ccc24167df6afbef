//! Tests of the crate from outside: over the wire, by process, and by what must not compile.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests, which clippy exempts only inside `#[test]` functions"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test process tells its child process by the environment"
)]

mod suite;

use ecs_agent_credentials::{WIPING_ALLOCATOR, WipingAllocator};

#[global_allocator]
static ALLOCATOR: WipingAllocator = WIPING_ALLOCATOR;
