//! What happens to a context, in order, for whoever keeps the audit.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::Notify;

use crate::arn::Arn;
use crate::calls::CallRecord;
use crate::identity::AccountId;
use crate::scope::Scope;
use crate::sync::{Mutex, lock};

/// Events that wait to be taken; whoever does not take them loses the oldest, and is told.
const EVENTS_KEPT: usize = 20_000;

/// Something that happened to a credential context. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContextEvent {
    /// Credentials arrived.
    Minted(MintRecord),
    /// A request was answered, or given up; one event an attempt.
    Called(CallRecord),
    /// The credentials were wiped, for ever.
    Cleared,
}

/// Credentials that a context was filled with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MintRecord {
    /// What that changed.
    pub change: MintChange,
    /// The name of the context, if it is not the invocation's main one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Where they came from, without secrets.
    pub reference: String,
    /// Whose they are, as STS said.
    pub account: AccountId,
    /// Which principal, as STS said.
    pub principal: Arn,
    /// What they may be used for.
    pub scope: Scope,
    /// Whether AWS itself holds them to that by a session policy.
    pub narrowed: bool,
    /// The last four characters of the access key id.
    pub access_key_id_last4: String,
    /// When they end, if they do.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What new credentials change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MintChange {
    /// The context was empty.
    Resolved,
    /// The context had credentials of another scope.
    ScopeChanged,
    /// The context had credentials of the same scope.
    Renewed,
}

/// Some events, in the order they happened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContextEvents {
    /// The events.
    pub events: Vec<ContextEvent>,
    /// How many before them were lost because nobody took them in time. Never, if they are taken.
    pub lost: u64,
}

/// A queue with a bound.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: Mutex<Queue>,
    recorded: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<ContextEvent>,
    lost: u64,
}

impl Events {
    pub(crate) fn add(&self, event: ContextEvent) {
        let mut queue = lock(&self.queue);
        if queue.events.len() == EVENTS_KEPT {
            queue.events.pop_front();
            queue.lost += 1;
        }
        queue.events.push_back(event);
        drop(queue);
        self.recorded.notify_one();
    }

    pub(crate) fn take(&self, most: usize) -> ContextEvents {
        let mut queue = lock(&self.queue);
        let count = most.min(queue.events.len());
        ContextEvents {
            events: queue.events.drain(..count).collect(),
            lost: std::mem::take(&mut queue.lost),
        }
    }

    /// Returns at once if something waits; a permit of the notification outlasts whoever waited.
    pub(crate) async fn recorded(&self) {
        while lock(&self.queue).events.is_empty() {
            self.recorded.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_handed_out_once_and_in_order() {
        let events = Events::default();
        for _ in 0..3 {
            events.add(ContextEvent::Cleared);
        }
        assert_eq!(events.take(2).events.len(), 2);
        assert_eq!(events.take(9).events.len(), 1);
        assert_eq!(events.take(9), ContextEvents::default());
    }

    #[test]
    fn what_nobody_takes_is_lost_and_counted() {
        let events = Events::default();
        for _ in 0..EVENTS_KEPT + 7 {
            events.add(ContextEvent::Cleared);
        }
        let taken = events.take(usize::MAX);
        assert_eq!((taken.events.len(), taken.lost), (EVENTS_KEPT, 7));
        assert_eq!(events.take(1).lost, 0);
    }
}
