//! Whether what a scenario says about itself is so.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::TimeDelta;
use serde_json::Value;

use super::{Flaw, suggestions};
use crate::scenario::Scenario;

impl Scenario {
    pub(super) fn misnamed(&self, file: &str) -> Option<Flaw> {
        let stem = Path::new(file).file_stem()?.to_str()?;
        (stem != self.name).then(|| {
            let problem = format!(
                "is `{}`, and the file is `{stem}.yaml`: name both alike",
                self.name
            );
            Flaw::new("name", problem)
        })
    }

    pub(super) fn unknown_causes(&self, modes: Option<&BTreeSet<&str>>) -> Vec<Flaw> {
        let Some(modes) = modes else {
            return Vec::new();
        };
        let causes = self.truth.causes.iter().enumerate();
        causes
            .filter(|(_, cause)| !modes.contains(cause.as_str()))
            .map(|(index, cause)| {
                let close = modes
                    .iter()
                    .max_by(|one, other| likeness(cause, one).total_cmp(&likeness(cause, other)));
                let close = close.map(|mode| format!("; the nearest is `{mode}`"));
                let close = close.unwrap_or_default();
                let problem = format!("`{cause}` is not in the catalogue of failure modes{close}");
                Flaw::new(format!("truth.causes[{index}]"), problem)
            })
            .collect()
    }

    /// Changes that name a service or cluster which the target's region does not have.
    pub(super) fn misdirected(&self, document: &Value) -> Vec<Flaw> {
        let (account, region) = self.target_place();
        let accounts = self.accounts.iter().filter(|one| one.id == account);
        let regions = accounts.flat_map(|one| &one.regions);
        let clusters: Vec<_> = regions
            .filter(|one| one.name == region)
            .flat_map(|one| &one.clusters)
            .collect();
        let services: Vec<String> = clusters
            .iter()
            .flat_map(|cluster| {
                let services = cluster.services.iter();
                services.map(|service| format!("{}/{}", cluster.name, service.name))
            })
            .collect();
        let mut flaws = Vec::new();
        let events = document.get("events").and_then(Value::as_array);
        for (index, event) in events.into_iter().flatten().enumerate() {
            let Some(change) = event.get("change").and_then(Value::as_object) else {
                continue;
            };
            for (kind, fields) in change {
                let at = format!("events[{index}].change.{kind}");
                let named = |field: &str| fields.get(field).and_then(Value::as_str);
                if let Some(service) = named("service")
                    && !services.iter().any(|known| known == service)
                {
                    let known = suggestions(service, services.iter().map(String::as_str));
                    let problem =
                        format!("`{service}` is not a service of {region}; there are {known}");
                    flaws.push(Flaw::new(format!("{at}.service"), problem));
                }
                if let Some(cluster) = named("cluster")
                    && !clusters.iter().any(|known| known.name == cluster)
                {
                    let known = suggestions(cluster, clusters.iter().map(|one| one.name.as_str()));
                    let problem =
                        format!("`{cluster}` is not a cluster of {region}; there are {known}");
                    flaws.push(Flaw::new(format!("{at}.cluster"), problem));
                }
            }
        }
        flaws
    }

    /// Makes the world and compares it with what the scenario says about it.
    pub(super) fn telling(&self) -> Vec<Flaw> {
        let (simulation, mut flaws) = self.rehearse();
        let Some(simulation) = simulation.filter(|_| flaws.is_empty()) else {
            return flaws;
        };
        for (index, symptom) in self.symptoms.iter().enumerate() {
            let shown = symptom.field.shown(self, &simulation.world);
            if shown.iter().any(|text| text.contains(&symptom.contains)) {
                continue;
            }
            let mut seen: Vec<&str> = shown.iter().map(String::as_str).collect();
            seen.retain(|text| !text.is_empty());
            seen.sort_unstable();
            seen.dedup();
            let more = seen.len().saturating_sub(5);
            let mut list: Vec<String> = seen
                .iter()
                .take(5)
                .map(|text| format!("`{text}`"))
                .collect();
            if more > 0 {
                list.push(format!("and {more} more"));
            }
            let shown = if list.is_empty() {
                "nothing is shown there".to_owned()
            } else {
                format!("shown there: {}", list.join(", "))
            };
            let problem = format!("`{}` is not shown at the start; {shown}", symptom.contains);
            flaws.push(Flaw::new(format!("symptoms[{index}].contains"), problem));
        }
        let report = simulation.baseline.judge(&simulation.world);
        if self.truth.causes.is_empty() && !report.healthy {
            let problem = format!(
                "is empty, and the service is not healthy at the start: {}",
                report.problems.join("; ")
            );
            flaws.push(Flaw::new("truth.causes", problem));
        }
        if self.truth.repairable && report.healthy {
            // What was rolled back, or gives way later, is well at the start; a minute decides nothing.
            let mut later = simulation.world.clone();
            later.advance(later.now + TimeDelta::minutes(30));
            if simulation.baseline.judge(&later).healthy {
                let problem = "is true, and nothing about the service is wrong at the start or half an \
                               hour later: is an event missing that starts new tasks?";
                flaws.push(Flaw::new("truth.repairable", problem));
            }
        }
        flaws.extend(self.played(&simulation));
        for arn in self.unsteady_bystanders(&simulation.world) {
            let problem = format!("the bystander `{arn}` is not in a steady state at the start");
            flaws.push(Flaw::new("accounts", problem));
        }
        flaws
    }
}

fn likeness(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(one, other)
}
