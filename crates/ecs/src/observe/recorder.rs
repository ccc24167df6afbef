//! Turns readings into evidence and gaps, in program order.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::aws::{AwsError, Pages, Reading, Source};
use crate::observation::{Cited, EvidenceId, EvidenceLog, Gap, GapReason};

/// Collects the evidence and the gaps of one observation.
#[derive(Debug)]
pub(crate) struct Recorder {
    evidence: EvidenceLog,
    gaps: Vec<Gap>,
    observed_at: DateTime<Utc>,
}

impl Recorder {
    /// Starts at the time of AWS's first answer.
    pub(crate) fn new(observed_at: DateTime<Utc>) -> Self {
        Self {
            evidence: EvidenceLog::default(),
            gaps: Vec::new(),
            observed_at,
        }
    }

    /// Records a value under the call that answered it.
    pub(crate) fn record<T: Serialize>(&mut self, source: &Source, value: &T) -> EvidenceId {
        let read_at = source.read_at.unwrap_or(self.observed_at);
        self.observed_at = self.observed_at.max(read_at);
        // Snapshots are plain data: they always serialise.
        let content = serde_json::to_value(value).unwrap_or_default();
        self.evidence.record(
            source.call,
            source.subject.clone(),
            source.request_id.clone(),
            read_at,
            content,
        )
    }

    /// Records a value and cites it.
    pub(crate) fn cite<T: Serialize>(&mut self, source: &Source, value: T) -> Cited<T> {
        let evidence = self.record(source, &value);
        Cited { value, evidence }
    }

    /// The answer with its source; without one, a gap.
    pub(crate) fn take<T>(&mut self, reading: Reading<T>) -> Option<(Source, T)> {
        match reading.outcome {
            Ok(value) => Some((reading.source, value)),
            Err(error) => {
                self.failed(&reading.source, &error);
                None
            }
        }
    }

    /// Every item of a listing, with its source; a listing cut short is a gap too.
    pub(crate) fn take_all<T>(&mut self, reading: Reading<Pages<T>>) -> Vec<(Source, T)> {
        let Some((source, pages)) = self.take(reading) else {
            return Vec::new();
        };
        if pages.truncated {
            let read = u64::try_from(pages.items.len()).unwrap_or(u64::MAX);
            self.gap(&source, GapReason::Truncated { read });
        }
        pages
            .items
            .into_iter()
            .map(|item| (source.clone(), item))
            .collect()
    }

    /// Every item of a listing, each cited.
    pub(crate) fn cite_all<T: Serialize>(&mut self, reading: Reading<Pages<T>>) -> Vec<Cited<T>> {
        self.take_all(reading)
            .into_iter()
            .map(|(source, item)| self.cite(&source, item))
            .collect()
    }

    /// Notes a failed read.
    pub(crate) fn failed(&mut self, source: &Source, error: &AwsError) {
        self.gap(source, error.gap_reason());
    }

    /// Notes that something could not be read, once for each call and subject.
    pub(crate) fn gap(&mut self, source: &Source, reason: GapReason) {
        self.missing(source.call, &source.subject, reason);
    }

    /// Notes that something was not read at all.
    pub(crate) fn missing(&mut self, call: &str, subject: &str, reason: GapReason) {
        let known = self
            .gaps
            .iter()
            .any(|gap| gap.call == call && gap.subject == subject);
        if !known {
            self.gaps.push(Gap {
                call: call.to_owned(),
                subject: subject.to_owned(),
                reason,
            });
        }
    }

    /// AWS's latest time, all evidence and all gaps.
    pub(crate) fn finish(self) -> (DateTime<Utc>, EvidenceLog, Vec<Gap>) {
        (self.observed_at, self.evidence, self.gaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::AwsErrorKind;

    fn source(call: &'static str) -> Source {
        Source {
            call,
            subject: "x".to_owned(),
            request_id: None,
            read_at: None,
        }
    }

    #[test]
    fn a_failure_is_one_gap_however_often_it_is_met() {
        let mut recorder = Recorder::new(DateTime::UNIX_EPOCH);
        let kind = AwsErrorKind::Denied {
            iam_action: "ecs:ListTasks".to_owned(),
        };
        let error = AwsError::of_kind("ecs:ListTasks", kind, String::new());
        for _ in 0..2 {
            let reading: Reading<()> = Reading {
                source: source("ecs:ListTasks"),
                outcome: Err(error.clone()),
            };
            assert!(recorder.take(reading).is_none());
        }
        let (_, _, gaps) = recorder.finish();
        let reason = GapReason::Denied {
            iam_action: "ecs:ListTasks".to_owned(),
        };
        assert_eq!(
            gaps,
            [Gap {
                call: "ecs:ListTasks".to_owned(),
                subject: "x".to_owned(),
                reason
            }]
        );
    }

    #[test]
    fn a_listing_cut_short_says_so_and_keeps_what_it_has() {
        let mut recorder = Recorder::new(DateTime::UNIX_EPOCH);
        let pages = Pages {
            items: vec![1, 2],
            truncated: true,
        };
        let cited = recorder.cite_all(Reading {
            source: source("c"),
            outcome: Ok(pages),
        });
        assert_eq!(cited.len(), 2);
        let (_, evidence, gaps) = recorder.finish();
        assert_eq!(evidence.len(), 2);
        assert_eq!(gaps[0].reason, GapReason::Truncated { read: 2 });
    }
}
