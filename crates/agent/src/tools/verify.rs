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
    let undone: Vec<StepOutcome> = stored(&input.values, values::ROLLBACK).unwrap_or_default();
    let mut watch = Watch::after(if undone.is_empty() {
        Change::Repair
    } else {
        Change::Undoing
    });
    loop {
        let observation = observe_now(session, input).await?;
        let judged = judge(&baseline, &observation);
        session.note("verification-specialist", &summary(&judged));
        let look = Look {
            state: judged.state,
            serves_less: Baseline::of(&observation).serves_less_than(&baseline),
            at: observation.observed_at,
        };
        if watch.is_decided(&pace, look) {
            return Ok(conclude(input, &judged, &observation));
        }
        session.settings.timer.sleep(pace.interval).await;
    }
}

/// What is watched for its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Steps of the plan: looked at until they helped or harmed.
    Repair,
    /// Their inverses: the service takes time to come back, and was not healthy before either.
    Undoing,
}

/// What one look at the service said.
#[derive(Debug, Clone, Copy)]
struct Look {
    state: VerificationState,
    /// Less than before the repair.
    serves_less: bool,
    /// By AWS's clock.
    at: DateTime<Utc>,
}

/// What earlier looks of one watch said.
#[derive(Debug)]
struct Watch {
    change: Change,
    began_at: Option<DateTime<Utc>>,
    /// Since when each look was a good one.
    good_since: Option<DateTime<Utc>>,
}

impl Watch {
    fn after(change: Change) -> Self {
        Self {
            change,
            began_at: None,
            good_since: None,
        }
    }

    /// Whether nothing is to be learnt from another look.
    fn is_decided(&mut self, pace: &VerificationPace, look: Look) -> bool {
        let lasted = |since: DateTime<Utc>, limit| {
            TimeDelta::from_std(limit).is_ok_and(|limit| look.at - since >= limit)
        };
        let timed_out = lasted(*self.began_at.get_or_insert(look.at), pace.timeout);
        let good = match self.change {
            Change::Repair => look.state == VerificationState::Healthy,
            Change::Undoing => !look.serves_less,
        };
        if !good {
            self.good_since = None;
        }
        let settled = good && lasted(*self.good_since.get_or_insert(look.at), pace.settle);
        let harmed = self.change == Change::Repair && look.state == VerificationState::Worse;
        settled || harmed || timed_out
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
    fn decided_at(change: Change, looks: &[(VerificationState, bool)]) -> Option<usize> {
        let mut watch = Watch::after(change);
        looks
            .iter()
            .enumerate()
            .find_map(|(index, (state, serves_less))| {
                let second = index * 30;
                let look = Look {
                    state: *state,
                    serves_less: *serves_less,
                    at: DateTime::from_timestamp(i64::try_from(second).unwrap(), 0).unwrap(),
                };
                watch.is_decided(&PACE, look).then_some(second)
            })
    }

    fn repaired(states: &[VerificationState]) -> Option<usize> {
        let looks: Vec<_> = states.iter().map(|state| (*state, false)).collect();
        decided_at(Change::Repair, &looks)
    }

    #[test]
    fn healthy_counts_only_when_it_lasts() {
        use VerificationState::{Healthy, Progressing};
        assert_eq!(repaired(&[Healthy, Healthy, Healthy]), Some(60));
        assert_eq!(repaired(&[Healthy, Progressing, Healthy, Healthy]), None);
        assert_eq!(
            repaired(&[Healthy, Progressing, Healthy, Healthy, Healthy]),
            Some(120)
        );
    }

    #[test]
    fn worse_is_decided_at_once_and_undecided_by_time() {
        use VerificationState::{Unchanged, Worse};
        assert_eq!(repaired(&[Worse]), Some(0));
        assert_eq!(repaired(&[Unchanged; 20]), Some(300));
    }

    #[test]
    fn what_was_undone_is_watched_until_it_serves_as_before() {
        use VerificationState::{Progressing, Unchanged, Worse};
        let undoing = |looks: &[_]| decided_at(Change::Undoing, looks);
        let back = (Progressing, false);
        assert_eq!(undoing(&[(Worse, true), back, back, back]), Some(90));
        assert_eq!(
            undoing(&[back, (Worse, true), back, (Unchanged, false), back]),
            Some(120)
        );
        assert_eq!(undoing(&[(Worse, true); 20]), Some(300));
    }
}
