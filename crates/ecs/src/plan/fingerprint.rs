//! The state that a plan was made for, and how to see that it has moved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::observation::{
    Observation, ScalingSnapshot, SecurityGroupSnapshot, SecurityRule, ServiceSnapshot,
    TargetGroupSnapshot,
};

/// The parts of AWS's state that a plan depends on, as named facts.
///
/// Counts of running and pending tasks and events are left out on purpose: they move all the time
/// and no operation depends on them.
///
/// Build one from an observation with [`Fingerprint::of`], or, to re-read cheaply before a write,
/// from the few snapshots the plan names with [`Fingerprint::of_service`] and the `with_` methods;
/// both give the same facts for the same state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint {
    facts: BTreeMap<String, String>,
}

/// One fact that is not as it was when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// Name of the fact, such as `service.desired_count`.
    pub fact: String,
    /// What the plan was made for.
    pub planned: Option<String>,
    /// What AWS says now.
    pub now: Option<String>,
}

impl Fingerprint {
    /// The facts of everything in the observation that an operation could depend on.
    #[must_use]
    pub fn of(observation: &Observation) -> Self {
        let mut fingerprint = Self::of_service(&observation.service)
            .with_scaling(observation.scaling.as_ref().map(|scaling| &scaling.value));
        for group in &observation.network.security_groups {
            fingerprint = fingerprint.with_security_group(group);
        }
        for group in &observation.target_groups {
            fingerprint = fingerprint.with_target_group(group);
        }
        fingerprint
    }

    /// The facts of the service alone.
    #[must_use]
    pub fn of_service(service: &ServiceSnapshot) -> Self {
        let mut fingerprint = Self::default();
        let mut deployments: Vec<String> = service
            .deployments
            .iter()
            .map(|deployment| {
                format!(
                    "{} {} {} {}",
                    deployment.id,
                    deployment.status,
                    deployment.rollout_state.as_deref().unwrap_or("-"),
                    deployment.task_definition,
                )
            })
            .collect();
        deployments.sort();
        let mut balancers: Vec<String> = service
            .load_balancers
            .iter()
            .map(|(group, container, port)| format!("{group} {container}:{port}"))
            .collect();
        balancers.sort();
        fingerprint.set("service.status", service.status.clone());
        fingerprint.set("service.task_definition", service.task_definition.clone());
        fingerprint.set("service.desired_count", service.desired_count.to_string());
        fingerprint.set("service.deployments", deployments.join("; "));
        fingerprint.set("service.load_balancers", balancers.join("; "));
        fingerprint.set("service.subnets", sorted(&service.subnets));
        fingerprint.set("service.security_groups", sorted(&service.security_groups));
        fingerprint.set("service.assign_public_ip", shown(service.assign_public_ip));
        fingerprint.set(
            "service.grace_period_seconds",
            shown(service.health_check_grace_period_seconds),
        );
        fingerprint.set(
            "service.healthy_percents",
            format!(
                "minimum={} maximum={}",
                shown(service.minimum_healthy_percent),
                shown(service.maximum_percent),
            ),
        );
        fingerprint.set(
            "service.circuit_breaker",
            service.circuit_breaker.map_or_else(
                || "-".to_owned(),
                |(enable, rollback)| format!("enable={enable} rollback={rollback}"),
            ),
        );
        fingerprint
    }

    /// Adds the scaling limits.
    #[must_use]
    pub fn with_scaling(mut self, scaling: Option<&ScalingSnapshot>) -> Self {
        if let Some(scaling) = scaling {
            self.set(
                "scaling.limits",
                format!("min={} max={}", scaling.min_capacity, scaling.max_capacity),
            );
        }
        self
    }

    /// Adds a security group's rules.
    #[must_use]
    pub fn with_security_group(mut self, group: &SecurityGroupSnapshot) -> Self {
        self.set(
            &format!("security_group.{}.ingress", group.id),
            rules(&group.ingress),
        );
        self.set(
            &format!("security_group.{}.egress", group.id),
            rules(&group.egress),
        );
        self
    }

    /// Adds a target group's health check.
    #[must_use]
    pub fn with_target_group(mut self, group: &TargetGroupSnapshot) -> Self {
        let check = &group.health_check;
        self.set(
            &format!("target_group.{}.health_check", group.arn),
            format!(
                "protocol={} port={} path={} interval={} timeout={} healthy={} unhealthy={} matcher={}",
                shown(check.protocol.as_deref()),
                shown(check.port.as_deref()),
                shown(check.path.as_deref()),
                shown(check.interval_seconds),
                shown(check.timeout_seconds),
                shown(check.healthy_threshold),
                shown(check.unhealthy_threshold),
                shown(check.matcher.as_deref()),
            ),
        );
        self
    }

    /// Only the facts whose name satisfies the condition.
    #[must_use]
    pub fn only(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.facts.retain(|name, _| keep(name));
        self
    }

    /// The facts by name.
    pub fn facts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.facts
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// One fact.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(String::as_str)
    }

    /// SHA-256 over the facts, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for (name, value) in &self.facts {
            for part in [name, value] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part.as_bytes());
            }
        }
        hex::encode(hasher.finalize())
    }

    /// What differs in the facts that *this* fingerprint has.
    #[must_use]
    pub fn drift_to(&self, now: &Self) -> Vec<Drift> {
        self.facts
            .iter()
            .filter(|(name, planned)| now.facts.get(*name) != Some(planned))
            .map(|(name, planned)| Drift {
                fact: name.clone(),
                planned: Some(planned.clone()),
                now: now.facts.get(name).cloned(),
            })
            .collect()
    }

    fn set(&mut self, name: &str, value: String) {
        self.facts.insert(name.to_owned(), value);
    }
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: planned for `{}`, is now `{}`",
            self.fact,
            self.planned.as_deref().unwrap_or("-"),
            self.now.as_deref().unwrap_or("-"),
        )
    }
}

fn shown(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn sorted(values: &[String]) -> String {
    let mut values: Vec<&str> = values.iter().map(String::as_str).collect();
    values.sort_unstable();
    values.join(" ")
}

fn rules(rules: &[SecurityRule]) -> String {
    let mut lines: Vec<String> = rules
        .iter()
        .map(|rule| {
            format!(
                "{} {}-{} {} {} {}",
                rule.protocol,
                shown(rule.from_port),
                shown(rule.to_port),
                sorted(&rule.cidrs),
                sorted(&rule.groups),
                sorted(&rule.prefix_lists),
            )
        })
        .collect();
    lines.sort();
    lines.join("; ")
}
