//! Exactly what each question needs to be allowed: one session policy a question.

use std::collections::{BTreeMap, BTreeSet};

use ecs_agent_credentials::{PolicyError, SessionPolicy, Statement};

use super::ecs_api::READS;
use super::ecs_read::EcsRead;
use crate::observe_policy::observe_actions;

const TARGETS: &[&str] = &[
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
];
const STACK: &[&str] = &[
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:ListStackResources",
];

/// A question that can be asked of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inspection {
    /// [`guidance`](super::guidance).
    Guidance,
    /// [`stack_status`](super::stack_status).
    StackStatus,
    /// [`service_events`](super::service_events).
    ServiceEvents,
    /// [`task_failures`](super::task_failures).
    TaskFailures,
    /// [`task_logs`](super::task_logs).
    TaskLogs,
    /// [`image_failures`](super::image_failures).
    ImageFailures,
    /// [`network_configuration`](super::network_configuration).
    NetworkConfiguration,
    /// [`prerequisites`](super::prerequisites).
    Prerequisites,
    /// [`readiness`](super::readiness).
    Readiness,
    /// [`deployment_status`](super::deployment_status).
    DeploymentStatus,
    /// [`scan`](super::scan).
    Scan,
    /// [`ecs_read`](super::ecs_read).
    EcsRead(EcsRead),
}

impl Inspection {
    /// The IAM actions that it uses: these, and no other.
    #[must_use]
    pub fn actions(self) -> BTreeSet<&'static str> {
        let lists: &[&[&'static str]] = match self {
            Self::Guidance => {
                let beside = ["ecs:DescribeClusters", "ecs:ListServices"];
                return observe_actions()
                    .filter(|action| !UNUSED_BY_OBSERVE.contains(action))
                    .chain(beside)
                    .collect();
            }
            Self::Scan => {
                return observe_actions().collect();
            }
            Self::EcsRead(read) => return BTreeSet::from([read.action()]),
            Self::StackStatus => &[STACK],
            Self::ServiceEvents => &[
                &["ecs:DescribeServices", "ecs:DescribeTaskDefinition"],
                TARGETS,
            ],
            Self::TaskFailures => {
                &[&["ecs:DescribeClusters", "ecs:DescribeTasks", "ecs:ListTasks"]]
            }
            Self::TaskLogs => &[
                &[
                    "ecs:DescribeServices",
                    "ecs:DescribeTaskDefinition",
                    "ecs:DescribeTasks",
                    "ecs:ListServices",
                    "ecs:ListTasks",
                ],
                &["logs:FilterLogEvents"],
            ],
            Self::ImageFailures => &[&[
                "cloudformation:ListStackResources",
                "ecr:DescribeImages",
                "ecs:DescribeServices",
                "ecs:DescribeTaskDefinition",
                "ecs:DescribeTasks",
                "ecs:ListTaskDefinitionFamilies",
                "ecs:ListTaskDefinitions",
                "ecs:ListTasks",
            ]],
            Self::NetworkConfiguration => &[
                &[
                    "ec2:DescribeInternetGateways",
                    "ec2:DescribeNatGateways",
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeRouteTables",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcEndpoints",
                    "ec2:DescribeVpcs",
                    "ecs:DescribeServices",
                    "ecs:DescribeTasks",
                    "ecs:ListServices",
                    "ecs:ListTasks",
                    "elasticloadbalancing:DescribeLoadBalancers",
                ],
                TARGETS,
            ],
            Self::Prerequisites => &[&[
                "ecr:DescribeImages",
                "iam:GetRole",
                "iam:ListAttachedRolePolicies",
            ]],
            Self::Readiness => &[&["ecs:DescribeServices"]],
            Self::DeploymentStatus => &[
                STACK,
                &["ecs:DescribeServices", "ecs:DescribeTasks", "ecs:ListTasks"],
            ],
        };
        lists.iter().flat_map(|list| list.iter().copied()).collect()
    }

    /// The session policy under which it is asked.
    ///
    /// # Errors
    /// [`PolicyError`], if the list ever outgrows what STS takes.
    pub fn policy(self) -> Result<SessionPolicy, PolicyError> {
        SessionPolicy::new(vec![Statement {
            sid: Some("Inspect".to_owned()),
            actions: self.actions().into_iter().map(str::to_owned).collect(),
            resources: vec!["*".to_owned()],
            conditions: BTreeMap::new(),
        }])
    }

    /// Every question, each once.
    pub fn all() -> impl Iterator<Item = Self> {
        [
            Self::Guidance,
            Self::StackStatus,
            Self::ServiceEvents,
            Self::TaskFailures,
            Self::TaskLogs,
            Self::ImageFailures,
            Self::NetworkConfiguration,
            Self::Prerequisites,
            Self::Readiness,
            Self::DeploymentStatus,
            Self::Scan,
        ]
        .into_iter()
        .chain(READS.into_iter().map(Self::EcsRead))
    }
}

/// Reads that identifying a service makes and observing one does not.
const UNUSED_BY_OBSERVE: [&str; 1] = ["ecs:ListClusters"];

/// Every read that a question makes beyond those of an observation, in order.
pub fn inspect_actions() -> impl Iterator<Item = &'static str> {
    let observed: BTreeSet<&str> = observe_actions().collect();
    let beyond: BTreeSet<&'static str> = Inspection::all()
        .flat_map(Inspection::actions)
        .filter(|action| !observed.contains(action))
        .collect();
    beyond.into_iter()
}

#[cfg(test)]
mod tests {
    use ecs_agent_credentials::AllowedOperations;

    use super::*;

    #[test]
    fn every_question_is_asked_with_reads_alone_and_fits_one_session() {
        for inspection in Inspection::all() {
            let actions = inspection.actions();
            assert!(!actions.is_empty(), "{inspection:?}");
            AllowedOperations::reads(actions.iter().copied())
                .unwrap_or_else(|error| panic!("{inspection:?}: {error}"));
            inspection
                .policy()
                .unwrap_or_else(|error| panic!("{inspection:?}: {error}"));
        }
    }

    #[test]
    fn what_goes_beyond_an_observation_is_listed_once() {
        let beyond: Vec<&str> = inspect_actions().collect();
        assert!(beyond.contains(&"ec2:DescribeVpcs"));
        assert!(!beyond.contains(&"ecs:DescribeServices"));
        assert!(beyond.is_sorted());
    }
}
