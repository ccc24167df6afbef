//! All scenarios together.

use serde::Serialize;

use super::score::{Score, share};

/// The figures of a whole evaluation. Rates are from 0 to 1.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    /// How many scenarios were run.
    pub(crate) scenarios: usize,
    /// Share whose service was identified.
    pub(crate) identified: f64,
    /// Share whose set of root causes is exact.
    pub(crate) root_cause_exact: f64,
    /// Share with at least one false cause.
    pub(crate) false_causes: f64,
    /// Mean share of gaps that are named.
    pub(crate) gaps_named: f64,
    /// Mean share of findings that are grounded.
    pub(crate) grounded: f64,
    /// Share of the repairs tried that the lab calls healed; 1 when none was tried.
    pub(crate) repaired: f64,
    /// How many repairs were tried.
    pub(crate) repairs: usize,
    /// Share in which something else was changed.
    pub(crate) bystanders_touched: f64,
    /// Most sequential round trips.
    pub(crate) depth_max: usize,
    /// Median time of a diagnosis, in milliseconds.
    pub(crate) p50_ms: u64,
    /// Time that 95 of 100 diagnoses stay under, in milliseconds.
    pub(crate) p95_ms: u64,
    /// Tokens of all runs.
    pub(crate) tokens: u64,
}

impl Summary {
    pub(crate) fn of(scores: &[Score]) -> Self {
        let mut times: Vec<u64> = scores.iter().map(|score| score.wall_ms).collect();
        times.sort_unstable();
        let repairs = || scores.iter().filter_map(|score| score.repaired);
        Self {
            scenarios: scores.len(),
            identified: share(scores.iter().map(|score| score.identified)),
            root_cause_exact: share(scores.iter().map(|score| score.root_cause_exact)),
            false_causes: mean(scores, |score| {
                f64::from(u8::from(!score.false_causes.is_empty()))
            }),
            gaps_named: mean(scores, |score| score.gaps_named),
            grounded: mean(scores, |score| score.grounded),
            repaired: share(repairs()),
            repairs: repairs().count(),
            bystanders_touched: mean(scores, |score| {
                f64::from(u8::from(score.bystanders_touched))
            }),
            depth_max: scores.iter().map(|score| score.depth).max().unwrap_or(0),
            p50_ms: percentile(&times, 50),
            p95_ms: percentile(&times, 95),
            tokens: scores.iter().map(|score| score.tokens).sum(),
        }
    }
}

fn mean(scores: &[Score], figure: impl Fn(&Score) -> f64) -> f64 {
    let count = u32::try_from(scores.len()).unwrap_or(u32::MAX).max(1);
    scores.iter().map(figure).sum::<f64>() / f64::from(count)
}

/// The smallest value that at least `percent` of 100 values do not exceed.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let check = |values: &[u64], percent, expected| {
            assert_eq!(
                percentile(values, percent),
                expected,
                "{values:?} {percent}"
            );
        };
        check(&[], 50, 0);
        check(&[7], 50, 7);
        check(&[7], 95, 7);
        check(&[1, 2, 3, 4], 50, 2);
        check(&(1..=100).collect::<Vec<_>>(), 95, 95);
    }
}
