//! `verify_service`: watches until the service is healthy, worse, or time is up.

use chrono::{DateTime, TimeDelta, Utc};
use ecs_agent_ecs::{Baseline, Observation, StepOutcome, Verification, VerificationState, judge};
use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use serde_json::json;

use super::execute::done;
use super::observe::observe_now;
use super::{NoArguments, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, SessionError, stored, values};
use crate::settings::VerificationPace;

/// Watches the service.
pub(crate) struct VerifyService;

impl Tool for VerifyService {
    fn spec(&self) -> ToolSpec {
        spec_of::<NoArguments>(
            "verify_service",
            "Watches the service until it is healthy, worse than before the repair, or time is up.",
        )
    }

    fn call<'a>(&'a self, session: &'a Session, input: ToolInput) -> LocalBoxFuture<'a, ToolReply> {
        Box::pin(async move {
            watch(session, &input)
                .await
                .unwrap_or_else(|error| ToolOutcome::error(error.for_person()))
                .into()
        })
    }
}

async fn watch(session: &Session, input: &ToolInput) -> Result<ToolOutcome, SessionError> {
    let before: Observation = stored(&input.values, values::OBSERVATION)?;
    let baseline = Baseline::of(&before);
    let target = Session::target(&input.values)?;
    // What a plan's credentials may read is not enough for an observation.
    let reference = stored(&input.values, values::CREDENTIAL_REFERENCE)?;
    session.open_for_reading(&reference).await?;
    session.note("verification-specialist", &format!("watching {target}"));

    let pace = session.settings.pace;
    let mut watch = Watch::default();
    loop {
        let observation = observe_now(session, input).await?;
        let judged = judge(&baseline, &observation);
        session.note("verification-specialist", &summary(&judged));
        if watch.is_decided(&pace, judged.state, observation.observed_at) {
            return Ok(conclude(input, &judged, &observation));
        }
        session.settings.timer.sleep(pace.interval).await;
    }
}

/// What earlier looks of one watch said, by AWS's clock.
#[derive(Debug, Default)]
struct Watch {
    began_at: Option<DateTime<Utc>>,
    healthy_since: Option<DateTime<Utc>>,
}

impl Watch {
    /// Whether nothing is to be learnt from another look.
    fn is_decided(
        &mut self,
        pace: &VerificationPace,
        state: VerificationState,
        now: DateTime<Utc>,
    ) -> bool {
        let lasted = |since: DateTime<Utc>, limit| {
            TimeDelta::from_std(limit).is_ok_and(|limit| now.signed_duration_since(since) >= limit)
        };
        let timed_out = lasted(*self.began_at.get_or_insert(now), pace.timeout);
        match state {
            VerificationState::Worse => true,
            VerificationState::Healthy => {
                lasted(*self.healthy_since.get_or_insert(now), pace.settle)
            }
            VerificationState::Progressing | VerificationState::Unchanged => {
                self.healthy_since = None;
                timed_out
            }
        }
    }
}

fn summary(judged: &Verification) -> String {
    judged
        .why
        .first()
        .cloned()
        .unwrap_or_else(|| "still watching".to_owned())
}

fn conclude(input: &ToolInput, judged: &Verification, seen: &Observation) -> ToolOutcome {
    let rolled_back: Vec<StepOutcome> = stored(&input.values, values::ROLLBACK).unwrap_or_default();
    let can_roll_back =
        rolled_back.is_empty() && done(input).iter().any(|outcome| outcome.status.in_effect());
    ToolOutcome::success(
        json!({"state": judged.state, "why": judged.why, "can_roll_back": can_roll_back})
            .to_string(),
    )
    .with_value(values::VERIFICATION, json!(judged))
    .with_value(values::LAST_OBSERVATION, json!(seen))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PACE: VerificationPace = VerificationPace {
        interval: Duration::from_secs(15),
        settle: Duration::from_secs(60),
        timeout: Duration::from_secs(300),
    };

    /// Looks every 30 seconds; says at which second the watch is decided.
    fn decided_at(states: &[VerificationState]) -> Option<usize> {
        let mut watch = Watch::default();
        states.iter().enumerate().find_map(|(index, state)| {
            let second = index * 30;
            let now = DateTime::from_timestamp(i64::try_from(second).unwrap(), 0).unwrap();
            watch.is_decided(&PACE, *state, now).then_some(second)
        })
    }

    #[test]
    fn healthy_counts_only_when_it_lasts() {
        use VerificationState::{Healthy, Progressing};
        assert_eq!(decided_at(&[Healthy, Healthy, Healthy]), Some(60));
        assert_eq!(decided_at(&[Healthy, Progressing, Healthy, Healthy]), None);
        assert_eq!(
            decided_at(&[Healthy, Progressing, Healthy, Healthy, Healthy]),
            Some(120)
        );
    }

    #[test]
    fn worse_is_decided_at_once_and_undecided_by_time() {
        use VerificationState::{Unchanged, Worse};
        assert_eq!(decided_at(&[Worse]), Some(0));
        assert_eq!(decided_at(&[Unchanged; 20]), Some(300));
    }
}
