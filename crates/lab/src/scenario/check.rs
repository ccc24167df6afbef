//! Whether the parts of a scenario fit together.

use std::collections::BTreeSet;

use super::definition::{RegionDefinition, ServiceDefinition, Template};
use super::review::Flaw;
use super::{Scenario, ScenarioError};

impl Scenario {
    /// Refuses a scenario whose parts do not fit together, for the first reason there is.
    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        match self.flaws().into_iter().next() {
            None => Ok(()),
            Some(flaw) => Err(self.wrong(&flaw.field, flaw.problem)),
        }
    }

    /// Everything that does not fit together, without making the world.
    pub(super) fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if !is_name(&self.name) {
            flaws.push(Flaw::new("name", "must be lower-case words with hyphens"));
        }
        if self.accounts.is_empty() {
            flaws.push(Flaw::new("accounts", "is empty; name at least one account"));
        }
        let mut ids = BTreeSet::new();
        for (index, account) in self.accounts.iter().enumerate() {
            let at = format!("accounts[{index}]");
            if account.id.len() != 12 || !account.id.bytes().all(|b| b.is_ascii_digit()) {
                flaws.push(Flaw::new(
                    format!("{at}.id"),
                    "must be twelve digits in quotes",
                ));
            }
            if !ids.insert(&account.id) {
                flaws.push(Flaw::new(
                    format!("{at}.id"),
                    "is used by another account already",
                ));
            }
            if account.regions.is_empty() {
                flaws.push(Flaw::new(
                    format!("{at}.regions"),
                    "is empty; name at least one",
                ));
            }
            let mut names = BTreeSet::new();
            for (index, region) in account.regions.iter().enumerate() {
                let at = format!("{at}.regions[{index}]");
                if !names.insert(&region.name) {
                    flaws.push(Flaw::new(
                        format!("{at}.name"),
                        "is there already in this account",
                    ));
                }
                region_flaws(region, &at, &mut flaws);
            }
        }
        self.event_flaws(&mut flaws);
        self.truth_flaws(&mut flaws);
        flaws.extend(self.repair_flaws());
        flaws
    }

    fn event_flaws(&self, flaws: &mut Vec<Flaw>) {
        let mut before = u32::MAX;
        for (index, event) in self.events.iter().enumerate() {
            let at = format!("events[{index}].minutes_ago");
            if event.minutes_ago > self.warm_up_minutes {
                let most = self.warm_up_minutes;
                let problem = format!("must be at most `warm_up_minutes` ({most})");
                flaws.push(Flaw::new(at, problem));
            } else if event.minutes_ago > before {
                let problem =
                    format!("is earlier than the event before it ({before}): oldest first");
                flaws.push(Flaw::new(at, problem));
            }
            before = event.minutes_ago;
        }
    }

    fn truth_flaws(&self, flaws: &mut Vec<Flaw>) {
        let truth = &self.truth;
        if self.target_definition().is_none() {
            let (account, region) = self.target_place();
            let known: Vec<String> = self
                .services()
                .map(|(account, region, cluster, service)| {
                    format!("`{cluster}`/`{}` in {account} {region}", service.name)
                })
                .collect();
            let problem = format!(
                "there is no service `{}` in a cluster `{}` of account {account} and region {region}; \
                 there are {}",
                truth.target.service,
                truth.target.cluster,
                known.join(", "),
            );
            flaws.push(Flaw::new("truth.target", problem));
        }
        if truth.causes.is_empty() && truth.repairable {
            let problem = "is true, and `causes` is empty: there is nothing to repair";
            flaws.push(Flaw::new("truth.repairable", problem));
        }
        if truth.needs_person && !truth.repairable {
            let problem = "is true, and `repairable` is false: say which of them holds";
            flaws.push(Flaw::new("truth.needs_person", problem));
        }
    }

    /// Every service with its account, region and cluster.
    pub(super) fn services(
        &self,
    ) -> impl Iterator<Item = (&str, &str, &str, &ServiceDefinition)> + '_ {
        self.accounts.iter().flat_map(|account| {
            account.regions.iter().flat_map(move |region| {
                region.clusters.iter().flat_map(move |cluster| {
                    cluster
                        .services
                        .iter()
                        .map(move |service| (&*account.id, &*region.name, &*cluster.name, service))
                })
            })
        })
    }
}

fn region_flaws(region: &RegionDefinition, at: &str, flaws: &mut Vec<Flaw>) {
    let mut clusters = BTreeSet::new();
    for (index, cluster) in region.clusters.iter().enumerate() {
        let at = format!("{at}.clusters[{index}]");
        if !clusters.insert(&cluster.name) {
            flaws.push(Flaw::new(
                format!("{at}.name"),
                "is there already in this region",
            ));
        }
        let ec2 = cluster
            .services
            .iter()
            .any(|service| service.template == Template::Ec2Web);
        if ec2 && cluster.instances == 0 {
            let problem = format!(
                "cluster `{}` runs an `ec2-web` service and needs `instances` of 1 or more",
                cluster.name
            );
            flaws.push(Flaw::new(format!("{at}.instances"), problem));
        }
        let mut services = BTreeSet::new();
        for (index, service) in cluster.services.iter().enumerate() {
            let at = format!("{at}.services[{index}]");
            if !services.insert(&service.name) {
                flaws.push(Flaw::new(
                    format!("{at}.name"),
                    "is there already in this cluster",
                ));
            }
            service_flaws(service, &at, flaws);
        }
    }
}

fn service_flaws(service: &ServiceDefinition, at: &str, flaws: &mut Vec<Flaw>) {
    if service.template != Template::Ec2Web {
        let sizes = fargate_memory(service.cpu);
        match sizes {
            None => {
                let problem = format!(
                    "{} is not a Fargate size: 256, 512, 1024, 2048, 4096, 8192 or 16384",
                    service.cpu
                );
                flaws.push(Flaw::new(format!("{at}.cpu"), problem));
            }
            Some((least, most, step)) => {
                let fits = (least..=most).contains(&service.memory)
                    && (service.memory.is_multiple_of(step) || service.memory == 512);
                if !fits {
                    let problem = format!(
                        "{} MiB does not go with {} CPU units on Fargate: {least} to {most} in steps of {step}",
                        service.memory, service.cpu
                    );
                    flaws.push(Flaw::new(format!("{at}.memory"), problem));
                }
            }
        }
    }
    for (index, line) in service.app.periodic_lines.iter().enumerate() {
        if line.every_seconds < 5 {
            let field = format!("{at}.app.periodic_lines[{index}].every_seconds");
            flaws.push(Flaw::new(field, "must be 5 or more"));
        }
    }
    if let Some(scaling) = service.scaling
        && scaling.min > scaling.max
    {
        let problem = format!("must not be greater than `max` ({})", scaling.max);
        flaws.push(Flaw::new(format!("{at}.scaling.min"), problem));
    }
}

/// Least and most memory in MiB, and the step between, for CPU units of Fargate (Amazon ECS
/// Developer Guide, "Task size").
const fn fargate_memory(cpu: u32) -> Option<(u32, u32, u32)> {
    match cpu {
        256 => Some((512, 2_048, 1_024)),
        512 => Some((1_024, 4_096, 1_024)),
        1_024 => Some((2_048, 8_192, 1_024)),
        2_048 => Some((4_096, 16_384, 1_024)),
        4_096 => Some((8_192, 30_720, 1_024)),
        8_192 => Some((16_384, 61_440, 4_096)),
        16_384 => Some((32_768, 122_880, 8_192)),
        _ => None,
    }
}

fn is_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.split('-').all(word)
}
