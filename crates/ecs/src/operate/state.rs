//! Reading again what a plan depends on: only the facts its step names.

use std::collections::BTreeSet;

use super::ledger::{Calls, Kept};
use crate::aws::{AwsClients, AwsError, AwsErrorKind};
use crate::observe::{
    ServiceTarget, describe_service, describe_target_groups, read_scalable_target,
};
use crate::plan::{Approved, Fingerprint, Plan};

/// What the names of facts say has to be read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Needed {
    scaling: bool,
    security_groups: Vec<String>,
    target_groups: Vec<String>,
}

impl Needed {
    fn by(facts: &[String]) -> Self {
        let named = |prefix: &str| -> Vec<String> {
            let names: BTreeSet<&str> = facts
                .iter()
                .filter_map(|fact| fact.strip_prefix(prefix)?.rsplit_once('.'))
                .map(|(name, _)| name)
                .collect();
            names.into_iter().map(ToOwned::to_owned).collect()
        };
        Self {
            scaling: facts.iter().any(|fact| fact.starts_with("scaling.")),
            security_groups: named("security_group."),
            target_groups: named("target_group."),
        }
    }
}

/// Reads the facts as they are now, all at once.
pub(crate) async fn read(
    clients: &AwsClients,
    plan: &Plan<Approved>,
    facts: &[String],
) -> Kept<Fingerprint, AwsError> {
    let content = plan.content();
    let target = ServiceTarget::new(&content.cluster, &content.service);
    let needed = Needed::by(facts);
    let (service, groups, balancing, scaling) = tokio::join!(
        describe_service(clients, &target),
        async {
            let ids = &needed.security_groups;
            if ids.is_empty() {
                None
            } else {
                Some(clients.describe_security_groups(ids).await)
            }
        },
        async {
            let arns = &needed.target_groups;
            if arns.is_empty() {
                None
            } else {
                Some(describe_target_groups(clients, arns).await)
            }
        },
        async {
            if needed.scaling {
                Some(read_scalable_target(clients, &target).await)
            } else {
                None
            }
        },
    );
    let mut calls = Calls::default();
    let fingerprint = (|| {
        let service = calls.note(service)?.ok_or_else(|| {
            let kind = AwsErrorKind::NotFound {
                code: "ServiceNotFound".to_owned(),
            };
            let message = format!("service {target} is gone");
            AwsError::of_kind("ecs:DescribeServices", kind, message)
        })?;
        let mut now = Fingerprint::of_service(&service);
        if let Some(groups) = groups {
            for group in &calls.note(groups)?.items {
                now = now.with_security_group(group);
            }
        }
        if let Some(groups) = balancing {
            for group in &calls.note(groups)? {
                now = now.with_target_group(group);
            }
        }
        if let Some(scaling) = scaling {
            now = now.with_scaling(calls.note(scaling)?.as_ref());
        }
        Ok(now)
    })();
    calls.with(fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_facts_name_is_read() {
        let facts: Vec<String> = [
            "service.status",
            "security_group.sg-1.ingress",
            "security_group.sg-1.egress",
            "target_group.arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/b.health_check",
        ]
        .map(ToOwned::to_owned)
        .to_vec();
        assert_eq!(
            Needed::by(&facts),
            Needed {
                scaling: false,
                security_groups: vec!["sg-1".to_owned()],
                target_groups: vec![
                    "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/b".to_owned()
                ],
            }
        );
        assert!(Needed::by(&["scaling.limits".to_owned()]).scaling);
    }
}
