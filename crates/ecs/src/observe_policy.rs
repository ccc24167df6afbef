//! The permissions that an observation runs under: reads, and nothing else.

use ecs_agent_credentials::{AllowedOperations, NotARead, PolicyError, SessionPolicy, Statement};

/// Every read that identifying, observing and verifying a service makes, as IAM names it.
///
/// No wildcard and none that is not made: `tests/suite/observe_policy.rs` sees each of them in the
/// lab, and none refused. No action here concerns the value of a secret.
const READS: [&str; 32] = [
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingActivities",
    "application-autoscaling:DescribeScalingPolicies",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "ec2:DescribeNatGateways",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "ecr:DescribeImages",
    "ecs:DescribeContainerInstances",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:DescribeTasks",
    "ecs:ListClusters",
    "ecs:ListContainerInstances",
    "ecs:ListServices",
    "ecs:ListTaskDefinitions",
    "ecs:ListTasks",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "iam:GetRole",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:SimulatePrincipalPolicy",
    "logs:DescribeLogGroups",
    "logs:FilterLogEvents",
];

/// The reads of the `Observe` scope, as IAM names them.
pub fn observe_actions() -> impl Iterator<Item = &'static str> {
    READS.into_iter()
}

/// The session policy of the `Observe` scope.
///
/// # Errors
/// [`PolicyError`], if the list above ever outgrows what STS takes.
pub fn observe_policy() -> Result<SessionPolicy, PolicyError> {
    SessionPolicy::new(vec![Statement {
        sid: Some("Observe".to_owned()),
        actions: READS.iter().map(|action| (*action).to_owned()).collect(),
        resources: vec!["*".to_owned()],
        conditions: std::collections::BTreeMap::new(),
    }])
}

/// The operations that a child process may ask an invocation's signing endpoint for: the same reads.
///
/// # Errors
/// [`NotARead`], if the list above ever holds anything else.
pub fn observe_operations() -> Result<AllowedOperations, NotARead> {
    AllowedOperations::reads(READS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_reads_is_allowed_and_it_fits_one_session() {
        for action in READS {
            let (_, operation) = action.split_once(':').unwrap();
            assert!(
                ["Describe", "List", "Get", "Filter", "Simulate"]
                    .iter()
                    .any(|verb| operation.starts_with(verb)),
                "{action}"
            );
            assert!(!action.ends_with('*'), "{action}");
        }
        let policy = observe_policy().unwrap();
        assert!(policy.to_json().len() < 1_500, "{}", policy.to_json().len());
        assert!(policy.packed_bytes() < 700, "{}", policy.packed_bytes());
    }

    #[test]
    fn a_child_may_ask_for_these_reads_and_for_nothing_else() {
        let allowed = observe_operations().unwrap();
        for (service, operation) in [("ecs", "DescribeServices"), ("logs", "FilterLogEvents")] {
            assert!(allowed.allows(service, operation), "{service}:{operation}");
        }
        for (service, operation) in [
            ("ecs", "UpdateService"),
            ("ecs", "ExecuteCommand"),
            ("ecr", "GetAuthorizationToken"),
            ("secretsmanager", "GetSecretValue"),
            ("sts", "AssumeRole"),
        ] {
            assert!(!allowed.allows(service, operation), "{service}:{operation}");
        }
    }
}
