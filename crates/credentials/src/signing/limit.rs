//! How often a child may ask.

use std::time::Instant;

use crate::sync::{Mutex, lock};

/// A bucket of tokens: one a request, refilled steadily.
#[derive(Debug)]
pub(super) struct Bucket {
    capacity: f64,
    per_second: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    pub(super) fn new(burst: u32, per_second: u32, now: Instant) -> Self {
        Self {
            capacity: f64::from(burst),
            per_second: f64::from(per_second),
            state: Mutex::new(State {
                tokens: f64::from(burst),
                at: now,
            }),
        }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&self, now: Instant) -> bool {
        let mut state = lock(&self.state);
        let passed = now.saturating_duration_since(state.at).as_secs_f64();
        state.tokens = (state.tokens + passed * self.per_second).min(self.capacity);
        state.at = now.max(state.at);
        if state.tokens < 1.0 {
            return false;
        }
        state.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_served_and_then_only_what_is_refilled() {
        let start = Instant::now();
        let bucket = Bucket::new(3, 2, start);
        let taken: Vec<bool> = (0..4).map(|_| bucket.take(start)).collect();
        assert_eq!(taken, [true, true, true, false]);
        let later = start + Duration::from_millis(500);
        assert!(bucket.take(later) && !bucket.take(later));
        let much_later = start + Duration::from_secs(3600);
        let served = (0..10).filter(|_| bucket.take(much_later)).count();
        assert_eq!(served, 3, "never more than the burst");
    }
}
