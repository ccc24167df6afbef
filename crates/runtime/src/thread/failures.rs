//! Model calls that failed: tried again, handed to another model, or told to whoever waits.

use chrono::{DateTime, TimeDelta, Utc};

use super::Thread;
use crate::ids::FramePath;
use crate::message::ToolStatus;

impl Thread {
    pub(super) fn take_model_failure(&mut self, path: &FramePath, reason: &str, retryable: bool) {
        let attempts = self
            .state
            .run
            .as_ref()
            .map_or(1, |run| run.budgets.max_model_attempts);
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        frame.model_failures = frame.model_failures.saturating_add(1);
        if retryable && frame.model_failures < attempts {
            return;
        }
        let tries = frame.model_failures;
        let text = format!(
            "the model of `{}` failed after {tries} tries: {reason}",
            frame.agent
        );
        // A subagent's failure is its caller's to judge; its siblings go on.
        if path.is_main() {
            self.state.failure = Some(text);
        } else {
            self.return_to_caller(path, ToolStatus::Error, text);
        }
    }

    /// Holds a frame's next try back for as long as its provider asked.
    pub(super) fn wait_before_retry(
        &mut self,
        path: &FramePath,
        at: DateTime<Utc>,
        millis: Option<u64>,
    ) {
        let until = millis
            .and_then(|millis| i64::try_from(millis).ok())
            .and_then(TimeDelta::try_milliseconds)
            .and_then(|wait| at.checked_add_signed(wait));
        if let Some(frame) = self.state.frames.get_mut(path) {
            frame.retry_at = until;
        }
    }

    /// Hands a frame to its agent's next model.
    pub(super) fn fall_back(&mut self, path: &FramePath) {
        if let Some(frame) = self.state.frames.get_mut(path) {
            frame.forget_failures();
            frame.fallback = frame.fallback.saturating_add(1);
        }
    }
}
