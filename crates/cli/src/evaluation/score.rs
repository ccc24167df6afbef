//! What one scenario's run was worth.

use std::collections::BTreeSet;

use ecs_agent_core::InvocationResult;
use ecs_agent_ecs::{Diagnosis, GapReason, Observation, Role, ServiceTarget, ground};
use ecs_agent_lab::{RequestOutcome, RequestRecord, Target, Truth};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One scenario's figures. Shares are from 0 to 1.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Score {
    /// The scenario.
    pub(crate) scenario: String,
    /// Root causes that the lab knows of.
    pub(crate) expected: Vec<String>,
    /// Root causes that were reported.
    pub(crate) found: Vec<String>,
    /// Whether the right service was found, and a person was asked exactly when the words fit several.
    pub(crate) identified: bool,
    /// Whether the reported root causes are the real ones, no more and no less.
    pub(crate) root_cause_exact: bool,
    /// Reported root causes that are none.
    pub(crate) false_causes: Vec<String>,
    /// Share of the refused and failed reads that the report names as gaps; none were: 1.
    pub(crate) gaps_named: f64,
    /// Share of the findings whose every quote is in the evidence it cites; no finding: 1.
    pub(crate) grounded: f64,
    /// Whether the lab calls the service healthy after the repair; none where none was tried.
    pub(crate) repaired: Option<bool>,
    /// Whether anything that is not the service's own was changed.
    pub(crate) bystanders_touched: bool,
    /// Requests of the diagnosis, as the lab counted them.
    pub(crate) api_calls: usize,
    /// Round trips of the diagnosis that waited for each other, credentials and identification
    /// included.
    pub(crate) depth: usize,
    /// Time of the diagnosis, in milliseconds.
    pub(crate) wall_ms: u64,
    /// Tokens that the model used; the runbook uses none.
    pub(crate) tokens: u64,
    /// Why the run has no result, if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Score {
    /// The score of a run that broke off: nothing was right.
    pub(crate) fn broken(scenario: &str, truth: &Truth, error: String) -> Self {
        Self {
            scenario: scenario.to_owned(),
            expected: sorted(&truth.causes),
            found: Vec::new(),
            identified: false,
            root_cause_exact: false,
            false_causes: Vec::new(),
            gaps_named: 0.0,
            grounded: 0.0,
            repaired: truth.repairable.then_some(false),
            bystanders_touched: false,
            api_calls: 0,
            depth: 0,
            wall_ms: 0,
            tokens: 0,
            error: Some(error),
        }
    }

    /// The wrong answers among the right ones, for the confusion matrix.
    pub(crate) fn missed(&self) -> impl Iterator<Item = &String> {
        self.expected
            .iter()
            .filter(|cause| !self.found.contains(cause))
    }
}

/// What was said about a service, read back from the thread's state.
#[derive(Debug)]
pub(crate) struct Said {
    observation: Option<Observation>,
    diagnosis: Option<Diagnosis>,
    target: Option<ServiceTarget>,
    place: Option<(String, String)>,
}

impl Said {
    pub(crate) fn by(result: &InvocationResult) -> Self {
        let service = result.values.get("service_context");
        let text = |key: &str| Some(service?.get(key)?.as_str()?.to_owned());
        Self {
            observation: read(result, "observation"),
            diagnosis: read(result, "diagnosis"),
            target: read(result, "service_context"),
            place: text("account").zip(text("region")),
        }
    }

    /// Whether this is the service that was meant.
    pub(crate) fn is_about(&self, meant: &Target) -> bool {
        let named = self.target.as_ref().is_some_and(|target| {
            target.cluster_name() == meant.cluster && target.service_name() == meant.service
        });
        let fits = |meant: &Option<String>, found: &str| {
            meant.as_deref().is_none_or(|meant| meant == found)
        };
        named
            && self.place.as_ref().is_some_and(|(account, region)| {
                fits(&meant.account, account) && fits(&meant.region, region)
            })
    }

    /// Root causes, in alphabetical order.
    pub(crate) fn roots(&self) -> Vec<String> {
        let findings = self.diagnosis.iter().flat_map(|said| &said.findings);
        let roots: BTreeSet<String> = findings
            .filter(|finding| finding.role == Role::Root)
            .map(|finding| finding.mode.clone())
            .collect();
        roots.into_iter().collect()
    }

    /// Share of the findings that the evidence bears out.
    pub(crate) fn grounded(&self) -> f64 {
        let (Some(observation), Some(diagnosis)) = (&self.observation, &self.diagnosis) else {
            return 0.0;
        };
        share(
            diagnosis
                .findings
                .iter()
                .map(|finding| ground(observation, finding).is_ok()),
        )
    }

    /// Share of the reads without an answer that are named as gaps.
    ///
    /// A refusal for which the agent has another way, and which it asked again with success, is no gap.
    pub(crate) fn gaps_named(&self, requests: &[RequestRecord]) -> f64 {
        let Some(diagnosis) = &self.diagnosis else {
            return 0.0;
        };
        let denied: BTreeSet<String> = requests
            .iter()
            .filter(|request| !request.mutating && request.service != "sts")
            .filter(|request| matches!(request.outcome, RequestOutcome::Denied(_)))
            .map(|request| format!("{}:{}", iam_prefix(&request.service), request.operation))
            .collect();
        share(denied.iter().map(|call| {
            diagnosis.gaps.iter().any(|gap| {
                let is_action =
                    matches!(&gap.reason, GapReason::Denied { iam_action } if iam_action == call);
                gap.call == *call || is_action
            })
        }))
    }
}

/// How IAM writes a service that the wire calls differently.
fn iam_prefix(service: &str) -> &str {
    match service {
        "monitoring" => "cloudwatch",
        service => service,
    }
}

fn read<T: DeserializeOwned>(result: &InvocationResult, key: &str) -> Option<T> {
    serde_json::from_value(result.values.get(key)?.clone()).ok()
}

/// The share that is true; of nothing, all.
pub(crate) fn share(facts: impl Iterator<Item = bool>) -> f64 {
    let (mut all, mut right) = (0_u32, 0_u32);
    for fact in facts {
        all += 1;
        right += u32::from(fact);
    }
    if all == 0 {
        return 1.0;
    }
    f64::from(right) / f64::from(all)
}

pub(crate) fn sorted(causes: &[String]) -> Vec<String> {
    let mut causes = causes.to_vec();
    causes.sort();
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_is_all() {
        assert!((share([].into_iter()) - 1.0).abs() < f64::EPSILON);
        assert!((share([true, false, true, false].into_iter()) - 0.5).abs() < f64::EPSILON);
    }
}
