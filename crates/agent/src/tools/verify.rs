//! `verify_service`: watches until the service is healthy, worse, or time is up.

use chrono::TimeDelta;
use ecs_agent_ecs::{
    Baseline, Observation, StepOutcome, Verification, VerificationState, judge,
};
use ecs_agent_runtime::{ToolOutcome, ToolSpec};
use futures_util::future::LocalBoxFuture;
use serde_json::json;

use super::execute::done;
use super::observe::observe_now;
use super::{NoArguments, Tool, ToolInput, ToolReply, spec_of};
use crate::session::{Session, SessionError, stored, values};

/// Watches the service.
pub(crate) struct VerifyService;

impl Tool for VerifyService {
    fn spec(&self) -> ToolSpec {
        spec_of::<NoArguments>(
            "verify_service",
            "Watches the service until it is healthy, worse than before the repair, or time is up.",
        )
    }

    fn call<'a>(
        &'a self,
        session: &'a Session,
        input: ToolInput,
    ) -> LocalBoxFuture<'a, ToolReply> {
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
    let mut first_seen = None;
    loop {
        let observation = observe_now(session, input).await?;
        let judged = judge(&baseline, &observation);
        let since = *first_seen.get_or_insert(observation.observed_at);
        let watched = observation.observed_at.signed_duration_since(since);
        let waited_enough = TimeDelta::from_std(pace.timeout).is_ok_and(|limit| watched >= limit);
        session.note("verification-specialist", &summary(&judged));
        match judged.state {
            VerificationState::Healthy | VerificationState::Worse => {
                return Ok(conclude(input, &judged, &observation));
            }
            VerificationState::Progressing | VerificationState::Unchanged if waited_enough => {
                return Ok(conclude(input, &judged, &observation));
            }
            VerificationState::Progressing | VerificationState::Unchanged => {
                session.settings.timer.sleep(pace.interval).await;
            }
        }
    }
}

fn summary(judged: &Verification) -> String {
    judged.why.first().cloned().unwrap_or_else(|| "still watching".to_owned())
}

fn conclude(input: &ToolInput, judged: &Verification, seen: &Observation) -> ToolOutcome {
    let rolled_back: Vec<StepOutcome> = stored(&input.values, values::ROLLBACK).unwrap_or_default();
    let can_roll_back =
        rolled_back.is_empty() && done(input).iter().any(|outcome| outcome.status.in_effect());
    ToolOutcome::success(
        json!({"state": judged.state, "why": judged.why, "can_roll_back": can_roll_back}).to_string(),
    )
    .with_value(values::VERIFICATION, json!(judged))
    .with_value(values::LAST_OBSERVATION, json!(seen))
}
