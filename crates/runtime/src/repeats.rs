//! Notices an agent that makes the same call again and again and gets the same answer each time.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::message::ToolCall;

/// Calls of one frame with how often each got its last answer.
///
/// Only hashes are kept: a wrong match would take two calls of one frame with the same 64 bits.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Repeats {
    seen: BTreeMap<u64, Seen>,
    refused: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    answer: u64,
    times: u32,
}

/// What is to be done with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Carry it out.
    New,
    /// Tell the model that it has had this answer so often.
    Repeated(u32),
    /// End the frame: it was told, and goes on all the same.
    Hopeless,
}

impl Repeats {
    /// Judges a call before it is carried out, by what its last answers were.
    pub(crate) fn judge(&mut self, call: &ToolCall, limit: u32) -> Verdict {
        let times = self.seen.get(&key(call)).map_or(0, |seen| seen.times);
        if limit == 0 || times < limit {
            return Verdict::New;
        }
        self.refused = self.refused.saturating_add(1);
        if self.refused > limit {
            Verdict::Hopeless
        } else {
            Verdict::Repeated(times)
        }
    }

    /// Takes note of a call's answer. Another answer than before begins anew.
    pub(crate) fn note(&mut self, call: &ToolCall, answer: &str) {
        let answer = hash(answer);
        let seen = self
            .seen
            .entry(key(call))
            .or_insert(Seen { answer, times: 0 });
        if seen.answer == answer {
            seen.times = seen.times.saturating_add(1);
        } else {
            *seen = Seen { answer, times: 1 };
        }
    }
}

fn key(call: &ToolCall) -> u64 {
    hash(&(call.name.as_str(), call.arguments.to_string()))
}

/// `DefaultHasher::new` has fixed keys, so a state is the same in every process.
fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(n: u32) -> ToolCall {
        ToolCall::new("id", "lookup", json!({ "n": n }))
    }

    #[test]
    fn the_same_call_with_the_same_answer_is_noticed() {
        let mut repeats = Repeats::default();
        for _ in 0..3 {
            assert_eq!(repeats.judge(&call(1), 3), Verdict::New);
            repeats.note(&call(1), "nothing");
        }
        assert_eq!(repeats.judge(&call(2), 3), Verdict::New);
        for _ in 0..3 {
            assert_eq!(repeats.judge(&call(1), 3), Verdict::Repeated(3));
        }
        assert_eq!(repeats.judge(&call(1), 3), Verdict::Hopeless);
    }

    #[test]
    fn a_call_that_gets_new_answers_is_no_loop() {
        let mut repeats = Repeats::default();
        for n in 0..20 {
            assert_eq!(repeats.judge(&call(1), 2), Verdict::New);
            repeats.note(&call(1), &format!("{n} tasks are running"));
        }
    }
}
