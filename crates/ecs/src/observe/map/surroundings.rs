//! Log events, scaling activities and stack events.

use aws_sdk_applicationautoscaling::types::{NotScaledReason, ScalingActivity};
use aws_sdk_cloudformation::types::StackEvent;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use chrono::{DateTime, Utc};

use crate::aws::{TextCleaner, moment};
use crate::observation::LogLine;

pub(crate) fn log_line(from: &FilteredLogEvent, cleaner: &TextCleaner) -> Option<LogLine> {
    Some(LogLine {
        at: DateTime::from_timestamp_millis(from.timestamp()?)?,
        stream: from.log_stream_name().unwrap_or_default().to_owned(),
        text: cleaner.log_line(from.message().unwrap_or_default()),
    })
}

/// What scaling did, or why it did nothing: the status then names the reasons.
pub(crate) fn activity(
    from: &ScalingActivity,
    cleaner: &TextCleaner,
) -> Option<(DateTime<Utc>, String, String)> {
    let at = moment(Some(from.start_time()))?;
    let reasons: Vec<&str> = from
        .not_scaled_reasons()
        .iter()
        .map(NotScaledReason::code)
        .collect();
    let status = from.status_code().as_str();
    let status = if reasons.is_empty() {
        status.to_owned()
    } else {
        format!("{status}: {}", cleaner.words(&reasons.join(", ")))
    };
    Some((at, cleaner.words(from.cause()), status))
}

/// A stack event that says something failed.
pub(crate) fn stack_failure(
    from: &StackEvent,
    cleaner: &TextCleaner,
) -> Option<(DateTime<Utc>, String, String)> {
    let failed = from
        .resource_status()
        .is_some_and(|status| status.as_str().ends_with("FAILED"));
    let at = moment(from.timestamp())?;
    failed.then(|| {
        (
            at,
            from.logical_resource_id().unwrap_or_default().to_owned(),
            cleaner.words(from.resource_status_reason().unwrap_or_default()),
        )
    })
}
