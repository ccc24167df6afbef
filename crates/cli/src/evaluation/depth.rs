//! How many round trips of a diagnosis waited for each other.

use std::time::Instant;

/// When a request arrived and when it was answered, on the monotonic clock.
pub(crate) type Span = (Instant, Instant);

/// The longest chain of requests in which each arrived after the one before it was answered.
///
/// With a delay on every answer that is longer than what a machine takes to send a burst, requests
/// that do not depend on each other overlap, so the chain is as long as the dependencies make it.
pub(crate) fn longest_chain(mut spans: Vec<Span>) -> usize {
    // Taking the request that ends first, then the first to arrive after it, gives the most.
    spans.sort_by_key(|(_, answered)| *answered);
    let mut free_from = None;
    let mut chain = 0;
    for (arrived, answered) in spans {
        if free_from.is_none_or(|free| arrived >= free) {
            chain += 1;
            free_from = Some(answered);
        }
    }
    chain
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_at_once_count_as_one() {
        let start = Instant::now();
        let at = |from: u64, to: u64| {
            (
                start + Duration::from_millis(from),
                start + Duration::from_millis(to),
            )
        };
        assert_eq!(longest_chain(Vec::new()), 0);
        assert_eq!(longest_chain(vec![at(0, 20), at(1, 21), at(2, 23)]), 1);
        assert_eq!(longest_chain(vec![at(24, 45), at(0, 20), at(1, 21)]), 2);
        assert_eq!(longest_chain(vec![at(0, 20), at(20, 40), at(40, 60)]), 3);
    }
}
