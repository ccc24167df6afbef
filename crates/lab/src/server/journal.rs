//! Who asked what: the evidence for isolation and least privilege.

use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::VecDeque;
use std::time::Instant;

/// The journal keeps this many newest requests.
const KEPT: usize = 200_000;

/// One AWS request, as the lab saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    /// Counts from 1.
    pub sequence: u64,
    /// Virtual time.
    pub at: DateTime<Utc>,
    /// The id that the answer carried.
    pub request_id: String,
    /// The key that signed; empty for an unsigned request.
    pub access_key_id: String,
    /// The ARN behind the key, once the signature was accepted.
    pub principal: Option<String>,
    /// The role session's name.
    pub session_name: Option<String>,
    /// The source identity that the session was made with.
    pub source_identity: Option<String>,
    /// Whether a session policy narrows the session.
    pub narrowed: bool,
    /// The account behind the key.
    pub account: Option<String>,
    /// The region in the signature.
    pub region: String,
    /// The service, as IAM names it.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// Whether it would change anything in the account.
    pub mutating: bool,
    /// How it ended.
    pub outcome: RequestOutcome,
    /// The ARNs that it touches.
    pub resources: Vec<String>,
    /// The client's port: one connection, one caller.
    pub source_port: u16,
    /// When it arrived and when it was answered, by the machine's own clock. Not a part of the
    /// record that others read: it differs from run to run.
    #[serde(skip)]
    pub span: (Instant, Instant),
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "code")]
#[non_exhaustive]
pub enum RequestOutcome {
    /// Answered.
    Allowed,
    /// Refused by a policy or for its signature; the error code.
    Denied(String),
    /// Permitted, and failed with this error code.
    Failed(String),
}

/// The newest requests.
#[derive(Debug, Default)]
pub(super) struct Journal {
    records: VecDeque<RequestRecord>,
    last: u64,
}

impl Journal {
    pub(super) fn add(&mut self, mut record: RequestRecord) {
        self.last += 1;
        record.sequence = self.last;
        if self.records.len() == KEPT {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    /// Those after a sequence number, oldest first.
    pub(super) fn after(&self, sequence: u64) -> Vec<RequestRecord> {
        self.records
            .iter()
            .filter(|record| record.sequence > sequence)
            .cloned()
            .collect()
    }
}
