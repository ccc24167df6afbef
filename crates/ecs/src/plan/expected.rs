//! Which facts of the fingerprint an operation depends on, and which it changes.

use super::{Direction, Operation};

/// A set of facts: by exact name or by the part before the last dot.
#[derive(Debug)]
pub(crate) struct Facts {
    service: bool,
    exact: Vec<String>,
}

impl Facts {
    pub(crate) fn covers(&self, fact: &str) -> bool {
        (self.service && fact.starts_with("service."))
            || self.exact.iter().any(|exact| exact == fact)
    }
}

/// The facts that have to hold for an operation: always those of the service, since every plan is
/// made for a service in one state, and those of the thing it changes.
pub(crate) fn facts_of(operation: &Operation) -> Facts {
    let mut exact = changed_by(operation).exact;
    if let Operation::UpdateService(_) = operation {
        exact.push("scaling.limits".to_owned());
    }
    Facts {
        service: true,
        exact,
    }
}

/// The facts that are different after an operation, so that later steps no longer compare them.
pub(crate) fn changed_by(operation: &Operation) -> Facts {
    let exact = match operation {
        Operation::UpdateService(update) => {
            let mut facts = vec!["service.deployments"];
            if update.task_definition.is_some() {
                facts.push("service.task_definition");
            }
            if update.desired_count.is_some() {
                facts.push("service.desired_count");
            }
            if update.network.is_some() {
                facts.extend([
                    "service.subnets",
                    "service.security_groups",
                    "service.assign_public_ip",
                ]);
            }
            if update.health_check_grace_period_seconds.is_some() {
                facts.push("service.grace_period_seconds");
            }
            if update.circuit_breaker.is_some() {
                facts.push("service.circuit_breaker");
            }
            if update.healthy_percents.is_some() {
                facts.push("service.healthy_percents");
            }
            facts.into_iter().map(str::to_owned).collect()
        }
        Operation::AuthorizeSecurityGroup(change) | Operation::RevokeSecurityGroup(change) => {
            let side = match change.direction {
                Direction::Ingress => "ingress",
                Direction::Egress => "egress",
            };
            vec![format!("security_group.{}.{side}", change.group)]
        }
        Operation::ModifyTargetGroupHealthCheck(change) => {
            vec![format!("target_group.{}.health_check", change.target_group)]
        }
        // Scaling may move the count as soon as its limits do.
        Operation::RegisterScalableTarget(_) => {
            vec![
                "scaling.limits".to_owned(),
                "service.desired_count".to_owned(),
            ]
        }
        Operation::RegisterTaskDefinitionRevision(_)
        | Operation::CreateLogGroup(_)
        | Operation::StopTask(_) => Vec::new(),
    };
    Facts {
        service: false,
        exact,
    }
}
