//! A length of time as people write it: `45s`, `30m`, `2h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time of at least one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Span(Duration);

/// Refusal of a text that is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time; write a whole number and `s`, `m` or `h`, such as `30m`")]
pub(crate) struct SpanError(String);

impl Span {
    pub(crate) const fn minutes(minutes: u64) -> Self {
        Self(Duration::from_secs(minutes * 60))
    }

    pub(crate) const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || SpanError(text.chars().take(40).collect());
        let (number, unit) =
            text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
        let seconds_each = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(refused()),
        };
        let number: u64 = number.parse().map_err(|_| refused())?;
        match number.checked_mul(seconds_each) {
            // A year is beyond any deadline that makes sense, and keeps sums from overflowing.
            Some(seconds @ 1..=31_536_000) => Ok(Self(Duration::from_secs(seconds))),
            Some(_) | None => Err(refused()),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            hours if hours % 3600 == 0 => write!(f, "{}h", hours / 3600),
            minutes if minutes % 60 == 0 => write!(f, "{}m", minutes / 60),
            seconds => write!(f, "{seconds}s"),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_and_print_alike() {
        for text in ["1s", "59s", "30m", "2h", "90s"] {
            assert_eq!(
                text.parse::<Span>().unwrap().to_string().parse::<Span>(),
                text.parse()
            );
        }
        assert_eq!("60s".parse::<Span>().unwrap().to_string(), "1m");
    }

    #[test]
    fn what_is_not_a_length_of_time_is_refused() {
        for text in [
            "",
            "s",
            "30",
            "0s",
            "-1s",
            "1.5h",
            "1d",
            "30 m",
            "99999999999999999999h",
            "9é",
        ] {
            assert!(text.parse::<Span>().is_err(), "`{text}` was accepted");
        }
    }
}
