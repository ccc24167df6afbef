//! Which calls a step made, and when.

use chrono::{DateTime, Utc};

use crate::aws::{AwsClients, Reading, Source};
use crate::plan::{Produced, RequestRecord, StepOutcome, StepStatus};

/// A result together with the calls it took.
#[derive(Debug)]
pub(crate) struct Kept<T, E> {
    pub(crate) requests: Vec<RequestRecord>,
    pub(crate) result: Result<T, E>,
}

/// Collects the calls of one piece of work.
#[derive(Debug, Default)]
pub(crate) struct Calls(Vec<RequestRecord>);

impl Calls {
    /// Notes the call and gives its answer.
    pub(crate) fn note<T>(&mut self, reading: Reading<T>) -> Result<T, crate::aws::AwsError> {
        self.0.push(record(reading.source));
        reading.outcome
    }

    pub(crate) fn with<T, E>(self, result: Result<T, E>) -> Kept<T, E> {
        Kept {
            requests: self.0,
            result,
        }
    }
}

fn record(source: Source) -> RequestRecord {
    RequestRecord {
        call: source.call.to_owned(),
        request_id: source.request_id,
        at: source.read_at.unwrap_or_else(Utc::now),
    }
}

/// The record of one step.
#[derive(Debug)]
pub(crate) struct Ledger {
    requests: Vec<RequestRecord>,
    started_at: Option<DateTime<Utc>>,
}

impl Ledger {
    pub(crate) fn new(clients: &AwsClients) -> Self {
        Self {
            requests: Vec::new(),
            started_at: clients.latest_date(),
        }
    }

    /// Takes over the calls of one piece of work and gives its result.
    pub(crate) fn keep<T, E>(&mut self, kept: Kept<T, E>) -> Result<T, E> {
        self.requests.extend(kept.requests);
        kept.result
    }

    /// Ends the step before anything was written.
    pub(crate) fn stopped(self, step: u32, code: &str, message: String) -> StepOutcome {
        let status = StepStatus::Failed {
            code: code.to_owned(),
            message,
        };
        self.close(step, status, Produced::default())
    }

    /// Ends the step.
    pub(crate) fn close(self, step: u32, status: StepStatus, produced: Produced) -> StepOutcome {
        let first = self.requests.first().map(|request| request.at);
        let last = self.requests.iter().map(|request| request.at).max();
        let started_at = self.started_at.or(first).unwrap_or_else(Utc::now);
        StepOutcome {
            step,
            status,
            produced,
            started_at,
            finished_at: last.unwrap_or(started_at),
            requests: self.requests,
        }
    }
}
