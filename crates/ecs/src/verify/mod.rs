//! Judging whether a repair worked, and undoing one that did not.

mod judge;
mod rollback;

pub use judge::{Baseline, Verification, VerificationState, judge};
pub use rollback::rollback_plan;
