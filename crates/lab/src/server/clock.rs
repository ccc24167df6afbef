//! The lab's time.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// How the lab's time runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClockMode {
    /// This many seconds of the lab a real second.
    Speed(f64),
    /// Only when it is advanced: deterministic, as fast as the machine.
    Manual,
}

/// Virtual time as a function of real time and of what was added by hand.
#[derive(Debug)]
pub(super) struct LabClock {
    mode: ClockMode,
    origin: DateTime<Utc>,
    started: Instant,
    added: TimeDelta,
}

impl LabClock {
    pub(super) fn new(mode: ClockMode, origin: DateTime<Utc>) -> Self {
        Self {
            mode,
            origin,
            started: Instant::now(),
            added: TimeDelta::zero(),
        }
    }

    pub(super) fn add(&mut self, by: Duration) {
        let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
        self.added = self.added.checked_add(&by).unwrap_or(self.added);
    }

    /// Takes time back that the world could not be computed for.
    pub(super) fn slip(&mut self, by: TimeDelta) {
        self.added = self.added.checked_sub(&by).unwrap_or(self.added);
    }

    pub(super) fn runs(&self) -> bool {
        matches!(self.mode, ClockMode::Speed(_))
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.at(self.started.elapsed())
    }

    fn at(&self, elapsed: Duration) -> DateTime<Utc> {
        let run = match self.mode {
            ClockMode::Speed(speed) => {
                let elapsed = Duration::try_from_secs_f64(elapsed.as_secs_f64() * speed);
                elapsed
                    .ok()
                    .and_then(|elapsed| TimeDelta::from_std(elapsed).ok())
                    .unwrap_or_default()
            }
            ClockMode::Manual => TimeDelta::zero(),
        };
        let moved = self.origin.checked_add_signed(self.added);
        moved
            .and_then(|at| at.checked_add_signed(run))
            .unwrap_or(self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(mode: ClockMode) -> LabClock {
        LabClock::new(mode, "2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn speed_multiplies_and_manual_stands_still() {
        let ten = Duration::from_secs(10);
        assert_eq!(
            clock(ClockMode::Manual).at(ten).to_rfc3339(),
            "2026-01-01T00:00:00+00:00"
        );
        let mut clock = clock(ClockMode::Speed(6.0));
        assert_eq!(clock.at(ten).to_rfc3339(), "2026-01-01T00:01:00+00:00");
        clock.add(Duration::from_secs(60));
        assert_eq!(clock.at(ten).to_rfc3339(), "2026-01-01T00:02:00+00:00");
    }
}
