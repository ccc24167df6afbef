//! AWS's times, as chrono knows them.

use aws_smithy_types::DateTime as SdkTime;
use chrono::{DateTime, Utc};

/// Converts a time of the SDK; times outside chrono's range are dropped.
pub(crate) fn moment(at: Option<&SdkTime>) -> Option<DateTime<Utc>> {
    let at = at?;
    DateTime::from_timestamp(at.secs(), at.subsec_nanos())
}

/// Converts an HTTP `Date` header.
pub(crate) fn http_date(value: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(value)
        .ok()
        .map(|at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_header_is_read() {
        let at = http_date("Tue, 15 Nov 1994 08:12:31 GMT").unwrap();
        assert_eq!(at.to_rfc3339(), "1994-11-15T08:12:31+00:00");
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn times_of_the_sdk_keep_their_fraction() {
        let at = moment(Some(&SdkTime::from_millis(1_500))).unwrap();
        assert_eq!(at.timestamp_millis(), 1_500);
        assert_eq!(moment(None), None);
        assert_eq!(moment(Some(&SdkTime::from_secs(i64::MAX))), None);
    }
}
