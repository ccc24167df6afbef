use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// A stream keeps this many newest events, so that a chatty program cannot fill the memory.
const EVENTS_PER_STREAM: usize = 2_000;

/// A group keeps this many newest streams: each task has its own, and some services start tasks for ever.
const STREAMS_PER_GROUP: usize = 1_000;

/// A CloudWatch Logs group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LogGroup {
    pub(crate) name: String,
    /// Without the trailing `:*`.
    pub(crate) arn: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) retention_days: Option<u32>,
    pub(crate) streams: BTreeMap<String, LogStream>,
}

/// A log stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LogStream {
    pub(crate) name: String,
    pub(crate) created_at: DateTime<Utc>,
    /// Oldest first.
    pub(crate) events: Vec<LogEvent>,
    /// Events ever written: numbers the next one.
    pub(crate) written: u64,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LogEvent {
    /// Unique and ascending within the stream.
    pub(crate) number: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) message: String,
}

impl LogGroup {
    /// Appends a line, creating the stream at its first.
    pub(crate) fn write(&mut self, stream: &str, at: DateTime<Utc>, message: impl Into<String>) {
        if self.streams.len() >= STREAMS_PER_GROUP && !self.streams.contains_key(stream) {
            let oldest = self.streams.values().min_by_key(|one| one.created_at);
            if let Some(oldest) = oldest.map(|one| one.name.clone()) {
                self.streams.remove(&oldest);
            }
        }
        let stream = self
            .streams
            .entry(stream.to_owned())
            .or_insert_with(|| LogStream {
                name: stream.to_owned(),
                created_at: at,
                events: Vec::new(),
                written: 0,
            });
        stream.written += 1;
        let number = stream.written;
        stream.events.push(LogEvent {
            number,
            at,
            message: message.into(),
        });
        if stream.events.len() > EVENTS_PER_STREAM {
            stream.events.remove(0);
        }
    }
}
