//! What a search for a service came to, as the program keeps it: the tools that ask and that fix
//! the service go by this and not by what a model says was found.

use ecs_agent_ecs::{Identification, ServiceCandidate, ServiceTarget};
use serde::{Deserialize, Serialize};

use super::ToolInput;
use crate::session::{stored, values};

/// The services that may be meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Candidates {
    /// In which of the person's turns they were searched.
    pub(super) turn: usize,
    /// One: it is clear. Several: the person chooses.
    pub(super) services: Vec<Candidate>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Candidate {
    /// Service ARN; a registered service has none.
    pub(super) arn: Option<String>,
    /// Cluster name or ARN.
    pub(super) cluster: String,
    /// Service name.
    pub(super) service: String,
}

impl Candidates {
    pub(super) fn found(found: &Identification, turn: usize) -> Self {
        let of = |candidate: &ServiceCandidate| Candidate {
            arn: Some(candidate.service_arn.clone()),
            cluster: candidate.cluster.clone(),
            service: candidate.service.clone(),
        };
        let services = match found {
            Identification::One(candidate) => vec![of(candidate)],
            Identification::Several(candidates) => candidates.iter().map(of).collect(),
            Identification::None { .. } => Vec::new(),
        };
        Self { turn, services }
    }

    /// The last search of this turn.
    pub(super) fn of(input: &ToolInput) -> Option<Self> {
        let kept: Self = stored(&input.values, values::CANDIDATES).ok()?;
        (kept.turn == input.turn()).then_some(kept)
    }
}

impl Candidate {
    /// Whether cluster and service, as names or ARNs, mean this one.
    pub(super) fn is(&self, cluster: &str, service: &str) -> bool {
        let last = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
        let whole = service.starts_with("arn:");
        if whole && self.arn.as_deref().is_some_and(|arn| arn != service) {
            return false;
        }
        last(cluster) == last(&self.cluster) && last(service) == last(&self.service)
    }

    /// What a person reads.
    pub(super) fn label(&self) -> String {
        let name = self.cluster.rsplit('/').next().unwrap_or_default();
        format!("{} in cluster {name}", self.service)
    }
}

/// The words to search with: the model's, if each of them was the person's, else the person's.
pub(super) fn persons_words<'i>(input: &'i ToolInput, models: &'i str) -> &'i str {
    let last = input.said.last().map(String::as_str);
    if words_are_the_persons(input, models) {
        models
    } else {
        last.unwrap_or(models)
    }
}

/// Whether the person said every word.
pub(super) fn words_are_the_persons(input: &ToolInput, words: &str) -> bool {
    let said: Vec<String> = input.said.iter().map(|text| text.to_lowercase()).collect();
    words
        .to_lowercase()
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .all(|word| said.iter().any(|said| said.contains(word)))
}

/// The service that this thread is about, if it was fixed in this turn of the person.
pub(super) fn fixed_in_this_turn(input: &ToolInput) -> Option<ServiceTarget> {
    let turn: usize = stored(&input.values, values::IDENTIFIED_IN).ok()?;
    if turn != input.turn() {
        return None;
    }
    stored(&input.values, values::SERVICE_CONTEXT).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ecs_agent_runtime::Attempt;
    use serde_json::json;

    use super::*;

    fn input(said: &[&str]) -> ToolInput {
        ToolInput {
            arguments: json!({}),
            answer: None,
            attempt: Attempt::First,
            values: BTreeMap::new(),
            said: said.iter().map(|text| (*text).to_owned()).collect(),
            takeovers: Vec::new(),
        }
    }

    #[test]
    fn a_search_uses_the_persons_words() {
        let input = input(&["my API service keeps restarting", "the one in prod"]);
        for (models, used) in [
            ("api", "api"),
            ("API service prod", "API service prod"),
            ("", ""),
            // Nobody said that.
            ("billing", "the one in prod"),
            ("api, and billing as well", "the one in prod"),
        ] {
            assert_eq!(persons_words(&input, models), used, "{models}");
        }
    }

    #[test]
    fn names_and_arns_mean_the_same_candidate() {
        let arn = "arn:aws:ecs:us-east-1:111122223333:service/prod/api";
        let candidate = Candidate {
            arn: Some(arn.to_owned()),
            cluster: "prod".to_owned(),
            service: "api".to_owned(),
        };
        let cluster = "arn:aws:ecs:us-east-1:111122223333:cluster/prod";
        assert!(candidate.is("prod", "api") && candidate.is(cluster, arn));
        assert!(!candidate.is("test", "api") && !candidate.is("prod", "billing"));
        let elsewhere = "arn:aws:ecs:us-east-1:999999999999:service/prod/api";
        assert!(!candidate.is("prod", elsewhere));
        assert_eq!(candidate.label(), "api in cluster prod");
    }
}
