//! The stretch of time that a question is about.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use crate::aws::AwsClients;

/// How far back is looked unless told, in seconds.
const DEFAULT_SECONDS: u64 = 3_600;

/// How far back can be looked: ECS and CloudWatch Logs keep more, and nobody reads it at once.
const MOST_SECONDS: u64 = 90 * 86_400;

/// A stretch of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeWindow {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// No end was given: it is whatever time it is.
    ends_now: bool,
    /// No start was given: it goes along with the end.
    has_length: bool,
}

/// The words do not make a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// Not a time.
    #[error("`{field}` is `{given}`: write a time as 2026-01-31T12:00:00Z")]
    NotATime {
        /// The argument.
        field: &'static str,
        /// What it held.
        given: String,
    },
    /// The length is out of range.
    #[error("`time_window` is {given}: give seconds from 1 to {MOST_SECONDS}")]
    Length {
        /// What was given.
        given: u64,
    },
    /// The end is not after the start.
    #[error("`end_time` is not after `start_time`")]
    Backwards,
}

impl TimeWindow {
    /// The last `seconds` before `end` (or now), or from `start`, which takes precedence.
    ///
    /// # Errors
    /// [`WindowError`] names the argument.
    pub fn new(
        now: DateTime<Utc>,
        seconds: Option<u64>,
        start: Option<&str>,
        end: Option<&str>,
    ) -> Result<Self, WindowError> {
        let moment = |field, text: Option<&str>| {
            text.map(|text| {
                parse(text).ok_or_else(|| WindowError::NotATime {
                    field,
                    given: text.chars().take(40).collect(),
                })
            })
            .transpose()
        };
        let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
        if !(1..=MOST_SECONDS).contains(&seconds) {
            return Err(WindowError::Length { given: seconds });
        }
        let (given_start, given_end) = (moment("start_time", start)?, moment("end_time", end)?);
        let to = given_end.unwrap_or(now);
        let length = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
        let from = given_start.unwrap_or_else(|| to - length);
        if from >= to {
            return Err(WindowError::Backwards);
        }
        Ok(Self {
            from,
            to,
            ends_now: given_end.is_none(),
            has_length: given_start.is_none(),
        })
    }

    /// The same by AWS's clock, where an answer has told it: this machine's may be wrong. AWS tells
    /// whole seconds, so the second that has begun belongs to it.
    pub(super) fn by_clock_of(self, clients: &AwsClients) -> Self {
        self.by_clock(
            clients
                .latest_date()
                .map(|second| second + TimeDelta::seconds(1)),
        )
    }

    fn by_clock(mut self, now: Option<DateTime<Utc>>) -> Self {
        let Some(now) = now.filter(|_| self.ends_now) else {
            return self;
        };
        if self.has_length {
            self.from += now - self.to;
        }
        self.to = now;
        self
    }

    /// Its beginning.
    #[must_use]
    pub const fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// Its end.
    #[must_use]
    pub const fn to(&self) -> DateTime<Utc> {
        self.to
    }

    /// Whether a moment lies in it.
    #[must_use]
    pub fn holds(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at <= self.to
    }
}

/// RFC 3339, or the same without a zone (then UTC), or a date.
fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc));
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()?
                .and_hms_opt(0, 0, 0)
        })
        .map(|at| at.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        parse("2026-01-31T12:00:00Z").unwrap()
    }

    #[test]
    fn the_last_hour_unless_told_and_a_start_takes_precedence() {
        for (seconds, start, end, from, to) in [
            (
                None,
                None,
                None,
                "2026-01-31T11:00:00Z",
                "2026-01-31T12:00:00Z",
            ),
            (
                Some(60),
                None,
                None,
                "2026-01-31T11:59:00Z",
                "2026-01-31T12:00:00Z",
            ),
            (
                Some(60),
                Some("2026-01-30"),
                None,
                "2026-01-30T00:00:00Z",
                "2026-01-31T12:00:00Z",
            ),
            (
                None,
                Some("2026-01-30T10:00:00"),
                Some("2026-01-30 11:00:00"),
                "2026-01-30T10:00:00Z",
                "2026-01-30T11:00:00Z",
            ),
            (
                Some(60),
                None,
                Some("2026-01-30T12:00:00+01:00"),
                "2026-01-30T10:59:00Z",
                "2026-01-30T11:00:00Z",
            ),
        ] {
            let window = TimeWindow::new(now(), seconds, start, end).unwrap();
            assert_eq!(window.from(), parse(from).unwrap());
            assert_eq!(window.to(), parse(to).unwrap());
            assert!(window.holds(window.from()) && window.holds(window.to()));
        }
    }

    #[test]
    fn what_was_left_open_follows_the_clock_of_aws() {
        let other = parse("2026-03-01T00:00:00Z");
        let window = |start, end| {
            let window = TimeWindow::new(now(), Some(60), start, end).unwrap();
            let moved = window.by_clock(other);
            assert_eq!(window.by_clock(None), window);
            (moved.from(), moved.to())
        };
        let at = |text| parse(text).unwrap();
        let day = "2026-01-30";
        assert_eq!(
            window(None, None),
            (at("2026-02-28T23:59:00Z"), at("2026-03-01"))
        );
        assert_eq!(window(Some(day), None), (at(day), at("2026-03-01")));
        let fixed = (at("2026-01-29T23:59:00Z"), at(day));
        assert_eq!(window(None, Some(day)), fixed);
    }

    #[test]
    fn what_is_no_stretch_of_time_is_named() {
        for (seconds, start, end, word) in [
            (Some(0), None, None, "time_window"),
            (Some(u64::MAX), None, None, "time_window"),
            (None, Some("yesterday"), None, "start_time"),
            (None, None, Some("12:00"), "end_time"),
            (None, Some("2026-02-01"), None, "not after"),
        ] {
            let error = TimeWindow::new(now(), seconds, start, end).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
