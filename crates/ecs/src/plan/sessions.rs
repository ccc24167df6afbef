//! The STS sessions that a plan runs under: one if its permissions fit, several if they do not.

use ecs_agent_credentials::{PolicyError, SessionPolicy};

use super::{Permission, Step, permissions};

/// Steps that follow one another, and the one session policy they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanSession {
    /// Numbers of the steps, in the order they are carried out or undone.
    pub steps: Vec<u32>,
    /// What those steps need, and nothing else.
    pub permissions: Vec<Permission>,
    policy: SessionPolicy,
}

/// One step's permissions do not fit a session of their own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step {step} alone needs more permissions than one session takes")]
pub struct StepTooLarge {
    /// Number of the step.
    pub step: u32,
    /// How much too much.
    pub source: PolicyError,
}

impl PlanSession {
    /// The session policy.
    #[must_use]
    pub fn policy(&self) -> &SessionPolicy {
        &self.policy
    }

    /// Which steps it is for: `step 2`, `steps 1-3`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.steps.as_slice() {
            [one] => format!("step {one}"),
            [first, .., last] => format!("steps {first}-{last}"),
            [] => "no step".to_owned(),
        }
    }
}

/// Groups steps into as few sessions as hold them, in order, each step with all it needs.
///
/// # Errors
/// [`StepTooLarge`] when a single step does not fit: it is never widened, and cannot be split.
pub(crate) fn split<'a>(
    steps: impl IntoIterator<Item = (u32, &'a [Permission])>,
) -> Result<Vec<PlanSession>, StepTooLarge> {
    let mut sessions: Vec<PlanSession> = Vec::new();
    for (number, needed) in steps {
        if needed.is_empty() {
            continue;
        }
        if let Some(last) = sessions.last_mut() {
            let both = last.permissions.iter().chain(needed).cloned();
            if let Ok(both) = session(Vec::new(), both) {
                last.steps.push(number);
                last.permissions = both.permissions;
                last.policy = both.policy;
                continue;
            }
        }
        let alone =
            session(vec![number], needed.iter().cloned()).map_err(|source| StepTooLarge {
                step: number,
                source,
            })?;
        sessions.push(alone);
    }
    Ok(sessions)
}

/// The sessions of carrying a plan out.
pub(crate) fn forward(steps: &[Step]) -> Result<Vec<PlanSession>, StepTooLarge> {
    split(
        steps
            .iter()
            .map(|step| (step.number, step.permissions.as_slice())),
    )
}

/// The sessions of undoing these steps of it, the last first.
pub(crate) fn backward<'a>(
    steps: impl DoubleEndedIterator<Item = &'a Step>,
) -> Result<Vec<PlanSession>, StepTooLarge> {
    split(
        steps
            .rev()
            .map(|step| (step.number, step.undo_permissions.as_slice())),
    )
}

fn session(
    steps: Vec<u32>,
    needed: impl IntoIterator<Item = Permission>,
) -> Result<PlanSession, PolicyError> {
    let permissions = permissions::merged(needed);
    let statements = permissions.iter().map(Permission::to_statement).collect();
    Ok(PlanSession {
        steps,
        policy: SessionPolicy::new(statements)?,
        permissions,
    })
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
