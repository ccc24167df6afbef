//! Carrying out one step of an approved plan: look, write once, look again.
//!
//! Nothing is written before the state that the plan was made for has been read again, and a write
//! whose outcome is unknown is settled by reading, never by repeating it. Values of environment
//! variables, commands and health checks pass from the base revision into the new one in memory
//! and are kept nowhere.

mod definition;
mod effect;
mod ledger;
mod state;
mod write;

use crate::aws::{AwsClients, AwsError, AwsErrorKind};
use crate::plan::{
    Approved, Inverse, Operation, Plan, Precondition, Produced, StepOutcome, StepStatus,
};
use ledger::Ledger;

/// Whether an operation may have been sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It was never sent.
    First,
    /// It was about to be sent when the program ended: whether AWS applied it is not known.
    OutcomeUnknown,
}

/// Carries out one step of an approved plan.
///
/// `done` are the outcomes of the steps before; the step refuses when the state is not what the
/// plan and those outcomes lead to expect. With [`Attempt::OutcomeUnknown`] it first looks whether
/// an earlier attempt has taken effect, and then reports that instead of writing again. A new task
/// definition revision is looked for on every attempt: it carries its plan's hash and step.
///
/// What stands in the way before anything is written (drift, an operation that does not fit, an
/// approval that is too old) is an outcome that says so.
///
/// # Errors
/// [`AwsError`] when the state could not be read, before the write (nothing was written) or after
/// it (the outcome is unknown: ask again with [`Attempt::OutcomeUnknown`]).
///
/// # Cancel safety
/// Dropping the future while the write is in flight leaves its outcome unknown, as above.
pub async fn operate(
    clients: &AwsClients,
    plan: &Plan<Approved>,
    step: u32,
    done: &[StepOutcome],
    attempt: Attempt,
) -> Result<StepOutcome, AwsError> {
    // Reads at once make a large future: the caller's stays small.
    Box::pin(carry_out(clients, plan, step, done, attempt)).await
}

async fn carry_out(
    clients: &AwsClients,
    plan: &Plan<Approved>,
    step: u32,
    done: &[StepOutcome],
    attempt: Attempt,
) -> Result<StepOutcome, AwsError> {
    let mut ledger = Ledger::new(clients);
    let Some(planned) = plan.step(step) else {
        return Ok(ledger.stopped(step, "NoSuchStep", format!("the plan has no step {step}")));
    };
    for precondition in &planned.preconditions {
        if let Precondition::StepApplied { step: needs } = precondition
            && !done
                .iter()
                .any(|outcome| outcome.step == *needs && outcome.status.in_effect())
        {
            let why = format!("step {step} needs step {needs} to be applied first");
            return Ok(ledger.stopped(step, "OutOfOrder", why));
        }
    }
    let job = Job {
        clients,
        plan,
        step,
        done,
        operation: &planned.operation,
    };
    let may_be_applied = attempt == Attempt::OutcomeUnknown
        || matches!(
            planned.operation,
            Operation::RegisterTaskDefinitionRevision(_) | Operation::CreateLogGroup(_)
        );

    // One look: what the plan depends on, what the operation builds on, and its own traces.
    let facts = plan.facts_of_step(step);
    let (now, prepared, effect) =
        tokio::join!(state::read(clients, plan, &facts), job.prepare(), async {
            if may_be_applied {
                Some(job.find_effect().await)
            } else {
                None
            }
        });
    let now = ledger.keep(now)?;
    let prepared = ledger.keep(prepared);
    if let Some(effect) = effect
        && let Some(produced) = ledger.keep(effect)?
    {
        return Ok(ledger.close(step, StepStatus::AlreadyApplied, produced));
    }
    let drift = plan.drift(step, done, &now);
    if !drift.is_empty() {
        return Ok(ledger.close(step, StepStatus::Refused { drift }, Produced::default()));
    }
    match prepared {
        Ok(prepared) => job.write_and_check(prepared, ledger).await,
        Err(Problem::Inapplicable(why)) => Ok(ledger.stopped(step, "Inapplicable", why)),
        Err(Problem::Aws(error)) => Err(error),
    }
}

/// Undoes the steps that are in effect by their inverse operations, the last first.
///
/// It changes only what those steps changed, back to what the plan says it was before, and stops
/// at the first inverse that fails. What is found undone already is reported as such and not
/// written again, whatever the attempt. A step without inverse is left as it is.
///
/// # Errors
/// [`AwsError`] when nothing could be read for the first inverse; nothing was written then.
///
/// # Cancel safety
/// Dropping the future leaves the inverse in flight with unknown outcome; asking again settles it.
pub async fn roll_back(
    clients: &AwsClients,
    plan: &Plan<Approved>,
    done: &[StepOutcome],
    attempt: Attempt,
) -> Result<Vec<StepOutcome>, AwsError> {
    let mut undone: Vec<StepOutcome> = Vec::new();
    for step in plan.content().steps.iter().rev() {
        match undo(clients, plan, step.number, done, attempt).await {
            Ok(None) => {}
            Ok(Some(outcome)) => undone.push(outcome),
            Err(error) if undone.is_empty() => return Err(error),
            Err(error) => undone.push(not_undone(clients, step.number, &error)),
        }
        if undone
            .last()
            .is_some_and(|outcome| !outcome.status.in_effect())
        {
            break;
        }
    }
    Ok(undone)
}

/// Undoes one step by its inverse operation; `None` if it is not in effect or has no inverse.
///
/// # Errors
/// [`AwsError`] when nothing could be read; nothing was written then.
///
/// # Cancel safety
/// As for [`roll_back`].
pub async fn undo(
    clients: &AwsClients,
    plan: &Plan<Approved>,
    step: u32,
    done: &[StepOutcome],
    attempt: Attempt,
) -> Result<Option<StepOutcome>, AwsError> {
    let in_effect = done
        .iter()
        .any(|outcome| outcome.step == step && outcome.status.in_effect());
    let Some(Inverse::Operation { operation }) = plan.step(step).map(|step| &step.inverse) else {
        return Ok(None);
    };
    if !in_effect {
        return Ok(None);
    }
    let job = Job {
        clients,
        plan,
        step,
        done,
        operation,
    };
    Box::pin(job.undo(attempt)).await.map(Some)
}

/// The outcome of an inverse that could not be begun.
pub fn not_undone(clients: &AwsClients, step: u32, error: &AwsError) -> StepOutcome {
    Ledger::new(clients).close(step, failed(error), Produced::default())
}

/// The outcome of a step about which nothing could be learnt: it may be in effect.
///
/// Carry it out again with [`Attempt::OutcomeUnknown`]: see [`StepOutcome::is_unknown`].
pub fn unknown(clients: &AwsClients, step: u32, error: &AwsError) -> StepOutcome {
    let message = format!("it is not known whether the change was made: {error}");
    Ledger::new(clients).stopped(step, StepOutcome::UNKNOWN, message)
}

/// One operation on its way: the same for a step and for its inverse.
#[derive(Debug, Clone, Copy)]
struct Job<'a> {
    clients: &'a AwsClients,
    plan: &'a Plan<Approved>,
    step: u32,
    done: &'a [StepOutcome],
    operation: &'a Operation,
}

/// Why an operation could not be prepared.
#[derive(Debug)]
enum Problem {
    Aws(AwsError),
    Inapplicable(String),
}

impl Job<'_> {
    /// Carries out an inverse. The state has moved by design, so only its own trace is compared.
    async fn undo(self, attempt: Attempt) -> Result<StepOutcome, AwsError> {
        let mut ledger = Ledger::new(self.clients);
        let (effect, prepared) = tokio::join!(self.find_effect(), self.prepare());
        let effect = ledger.keep(effect)?;
        let prepared = ledger.keep(prepared);
        // A forced deployment leaves no trace of its own: only a second try takes the present one
        // for its effect.
        let leaves_a_trace = !matches!(
            self.operation,
            Operation::UpdateService(update) if update.force_new_deployment
        );
        if let Some(produced) = effect
            && (leaves_a_trace || attempt == Attempt::OutcomeUnknown)
        {
            return Ok(ledger.close(self.step, StepStatus::AlreadyApplied, produced));
        }
        match prepared {
            Ok(prepared) => self.write_and_check(prepared, ledger).await,
            Err(Problem::Inapplicable(why)) => Ok(ledger.stopped(self.step, "Inapplicable", why)),
            Err(Problem::Aws(error)) => Err(error),
        }
    }

    /// Writes once, then reads the effect back.
    async fn write_and_check(
        self,
        prepared: write::Prepared,
        mut ledger: Ledger,
    ) -> Result<StepOutcome, AwsError> {
        let step = self.step;
        let written = ledger.keep(self.write(prepared).await);
        let (status, produced) = match written {
            Ok(produced) => {
                let found = ledger.keep(self.check_effect(&produced).await)?;
                if found {
                    (StepStatus::Applied, produced)
                } else {
                    let code = "EffectNotSeen".to_owned();
                    let message = "AWS accepted the change and does not show it".to_owned();
                    (StepStatus::Failed { code, message }, produced)
                }
            }
            Err(error) => match error.kind() {
                // It exists already, no answer came, or AWS itself failed after it took the request:
                // what AWS shows now decides.
                AwsErrorKind::Conflict { .. }
                | AwsErrorKind::Unreachable { .. }
                | AwsErrorKind::NotFound { .. }
                | AwsErrorKind::Other { .. } => match ledger.keep(self.find_effect().await)? {
                    Some(produced) => (StepStatus::AlreadyApplied, produced),
                    None => (failed(&error), Produced::default()),
                },
                AwsErrorKind::Denied { .. }
                | AwsErrorKind::Throttled { .. }
                | AwsErrorKind::CredentialsRejected { .. }
                | AwsErrorKind::NotSupported { .. } => (failed(&error), Produced::default()),
            },
        };
        Ok(ledger.close(step, status, produced))
    }
}

fn failed(error: &AwsError) -> StepStatus {
    StepStatus::Failed {
        code: error.code().to_owned(),
        message: error.to_string(),
    }
}
