//! What each invocation says it sent, against what the lab saw.

use std::collections::{BTreeMap, BTreeSet};

use ecs_agent_lab::RequestRecord;
use serde::Serialize;

use super::interleaving::Interleaving;
use super::{Ended, When};

/// One invocation as the lab saw it.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) user: String,
    when: When,
    pub(super) account: String,
    pub(super) region: String,
    /// Calls the invocation says it made.
    calls: usize,
    /// How often it says it sent their requests, retries included.
    sent: usize,
    /// Calls of which it has the id of AWS's answer.
    answered: usize,
    /// Requests the lab saw under its user's key and its own session.
    pub(super) requests: usize,
    /// Requests that fit it only in part.
    pub(super) crossed: usize,
    /// Answers it has that the lab gave to somebody else or to nobody, and requests that the lab
    /// saw and it did not send.
    pub(super) unaccounted: usize,
    pub(super) context_cleared: bool,
}

/// The whole result.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) invocations: usize,
    pub(super) in_sequence: usize,
    pub(super) requests: usize,
    pub(super) crossed: usize,
    pub(super) contexts_left: usize,
    /// Requests that belong to no invocation at all; part of `crossed`.
    unowned: usize,
    /// Where an invocation's own record and the lab's disagree.
    pub(super) unaccounted: usize,
    /// Requests that were sent and never reached the lab: no connection, or a time-out.
    pub(super) lost: usize,
    pub(super) interleaving: Interleaving,
    pub(super) lines: Vec<Line>,
}

impl Summary {
    /// Tells whether nobody acted as somebody else, everything is accounted for, and the lab's
    /// record would have shown it if it were not so.
    pub(super) fn is_isolated(&self) -> bool {
        self.crossed == 0
            && self.contexts_left == 0
            && self.unaccounted == 0
            && self.interleaving.is_as_expected()
    }
}

/// Gives every request to the invocation whose session signed it, and looks for what does not fit.
///
/// The role session is named after the invocation, and account and region are the user's. A request
/// is crossed when these disagree, or when it belongs to no invocation at all. Then both records
/// are compared by AWS's request ids: every answer that an invocation has is one that the lab gave
/// to it, and the lab saw no more of its requests than it says it sent.
pub(super) fn summarise(
    ended: &[Ended],
    requests: &[RequestRecord],
    interleaving: Interleaving,
) -> Summary {
    let owners = Owners::of(ended);
    let mut own: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    let mut crossed: BTreeMap<usize, usize> = BTreeMap::new();
    let mut unowned = 0;
    for record in requests {
        match owners.owner(record) {
            None => unowned += 1,
            Some(owner) if owners.fits(owner, record) => {
                own.entry(owner).or_default().insert(&record.request_id);
            }
            Some(owner) => *crossed.entry(owner).or_default() += 1,
        }
    }
    let lines: Vec<Line> = ended
        .iter()
        .enumerate()
        .map(|(place, one)| {
            let seen = own.remove(&place).unwrap_or_default();
            line(one, &seen, crossed.get(&place).copied().unwrap_or_default())
        })
        .collect();
    let count = |when| lines.iter().filter(|line| line.when == when).count();
    Summary {
        invocations: count(When::AtOnce),
        in_sequence: count(When::InSequence),
        requests: requests.len(),
        crossed: lines.iter().map(|line| line.crossed).sum::<usize>() + unowned,
        contexts_left: lines.iter().filter(|line| !line.context_cleared).count(),
        unowned,
        unaccounted: lines.iter().map(|line| line.unaccounted).sum(),
        lost: lines
            .iter()
            .map(|line| line.sent.saturating_sub(line.requests))
            .sum(),
        interleaving,
        lines,
    }
}

fn line(one: &Ended, seen: &BTreeSet<&str>, crossed: usize) -> Line {
    let Ended {
        user, when, result, ..
    } = one;
    let answers = result.request_ids.iter();
    let foreign = answers.filter(|id| !seen.contains(id.as_str())).count();
    Line {
        user: format!("user-{:03}", user.number + 1),
        when: *when,
        account: user.account.account_id.clone(),
        region: user.region.clone(),
        calls: result.calls,
        sent: result.attempts,
        answered: result.request_ids.len(),
        requests: seen.len(),
        crossed,
        unaccounted: foreign + seen.len().saturating_sub(result.attempts),
        context_cleared: result.context_cleared,
    }
}

/// Which invocation a request belongs to.
struct Owners<'a> {
    ended: &'a [Ended],
    /// Invocations by the name of their role session.
    by_session: BTreeMap<String, usize>,
    /// The keys that users were given, with their invocations in the order they ran.
    by_key: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Owners<'a> {
    fn of(ended: &'a [Ended]) -> Self {
        let mut by_session = BTreeMap::new();
        let mut by_key: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, Ended { user, result, .. }) in ended.iter().enumerate() {
            // The form of the name is the credentials crate's; its end is the invocation's UUID.
            by_session.insert(result.invocation.uuid().to_string(), place);
            by_key
                .entry(&user.account.access_key_id)
                .or_default()
                .push(place);
        }
        Self {
            ended,
            by_session,
            by_key,
        }
    }

    /// The invocation whose role session signed, or, for the user's own key, whose turn it was.
    fn owner(&self, record: &RequestRecord) -> Option<usize> {
        let Some(session) = &record.session_name else {
            // A user's turns follow each other: the first that was not over yet made the request.
            let turns = self.by_key.get(record.access_key_id.as_str())?;
            return turns.iter().copied().find(|place| {
                self.ended
                    .get(*place)
                    .is_some_and(|one| record.sequence <= one.until)
            });
        };
        self.by_session
            .iter()
            .find(|(invocation, _)| session.ends_with(invocation.as_str()))
            .map(|(_, place)| *place)
    }

    fn fits(&self, owner: usize, record: &RequestRecord) -> bool {
        self.ended.get(owner).is_some_and(|Ended { user, .. }| {
            record.account.as_ref() == Some(&user.account.account_id)
                && record.region == user.region
        })
    }
}
