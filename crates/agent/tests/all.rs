//! The agent against the fault lab, over the wire.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails, and says where"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test may be told which scenario to look at"
)]

mod suite;

use ecs_agent_credentials::{WIPING_ALLOCATOR, WipingAllocator};

/// As the program has it: `suite::canaries` searches the memory of a child that runs this binary.
#[global_allocator]
static ALLOCATOR: WipingAllocator = WIPING_ALLOCATOR;
