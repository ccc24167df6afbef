//! The permissions that an observation runs under: reads, and nothing else.

use ecs_agent_credentials::{AllowedOperations, NotARead, PolicyError, SessionPolicy, Statement};

/// Every read that identifying, observing and verifying a service may make, by IAM service prefix.
///
/// Wildcards are used where AWS's own naming makes them exact for reads (`Describe*`), so that the
/// policy stays far below the 2,048 characters that STS takes. No action here concerns a
/// secret.
const READS: [&str; 22] = [
    "application-autoscaling:Describe*",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStackResources",
    "cloudformation:DescribeStacks",
    "ec2:DescribeNatGateways",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecs:Describe*",
    "ecs:List*",
    "elasticloadbalancing:Describe*",
    "iam:GetRole",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:SimulatePrincipalPolicy",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:FilterLogEvents",
];

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
        }
        assert!(observe_policy().unwrap().to_json().len() < 1_300);
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
