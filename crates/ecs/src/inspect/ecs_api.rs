//! The operations of the ECS API: which read, and with what; which write, by name alone.
//!
//! From the service model of API version 2014-11-13, as botocore 1.43 has it.

use super::ecs_read::Kind::{Flag, List, Number, Object, Text};
use super::ecs_read::{EcsRead, Parameter};

const fn required(name: &'static str, kind: super::ecs_read::Kind) -> Parameter {
    Parameter {
        name,
        kind,
        required: true,
    }
}

const fn optional(name: &'static str, kind: super::ecs_read::Kind) -> Parameter {
    Parameter {
        name,
        kind,
        required: false,
    }
}

/// Every operation that only reads.
pub(super) const READS: [EcsRead; 22] = [
    EcsRead {
        operation: "DescribeCapacityProviders",
        action: "ecs:DescribeCapacityProviders",
        parameters: &[
            optional("capacityProviders", List),
            optional("cluster", Text),
            optional("include", List),
            optional("maxResults", Number),
            optional("nextToken", Text),
        ],
    },
    EcsRead {
        operation: "DescribeClusters",
        action: "ecs:DescribeClusters",
        parameters: &[optional("clusters", List), optional("include", List)],
    },
    EcsRead {
        operation: "DescribeContainerInstances",
        action: "ecs:DescribeContainerInstances",
        parameters: &[
            optional("cluster", Text),
            required("containerInstances", List),
            optional("include", List),
        ],
    },
    EcsRead {
        operation: "DescribeExpressGatewayService",
        action: "ecs:DescribeExpressGatewayService",
        parameters: &[required("serviceArn", Text), optional("include", List)],
    },
    EcsRead {
        operation: "DescribeServiceDeployments",
        action: "ecs:DescribeServiceDeployments",
        parameters: &[required("serviceDeploymentArns", List)],
    },
    EcsRead {
        operation: "DescribeServiceRevisions",
        action: "ecs:DescribeServiceRevisions",
        parameters: &[required("serviceRevisionArns", List)],
    },
    EcsRead {
        operation: "DescribeServices",
        action: "ecs:DescribeServices",
        parameters: &[
            optional("cluster", Text),
            required("services", List),
            optional("include", List),
        ],
    },
    EcsRead {
        operation: "DescribeTaskDefinition",
        action: "ecs:DescribeTaskDefinition",
        parameters: &[required("taskDefinition", Text), optional("include", List)],
    },
    EcsRead {
        operation: "DescribeTasks",
        action: "ecs:DescribeTasks",
        parameters: &[
            optional("cluster", Text),
            required("tasks", List),
            optional("include", List),
        ],
    },
    EcsRead {
        operation: "DescribeTaskSets",
        action: "ecs:DescribeTaskSets",
        parameters: &[
            required("cluster", Text),
            required("service", Text),
            optional("taskSets", List),
            optional("include", List),
        ],
    },
    EcsRead {
        operation: "GetTaskProtection",
        action: "ecs:GetTaskProtection",
        parameters: &[required("cluster", Text), optional("tasks", List)],
    },
    EcsRead {
        operation: "ListAccountSettings",
        action: "ecs:ListAccountSettings",
        parameters: &[
            optional("name", Text),
            optional("value", Text),
            optional("principalArn", Text),
            optional("effectiveSettings", Flag),
            optional("nextToken", Text),
            optional("maxResults", Number),
        ],
    },
    EcsRead {
        operation: "ListAttributes",
        action: "ecs:ListAttributes",
        parameters: &[
            optional("cluster", Text),
            required("targetType", Text),
            optional("attributeName", Text),
            optional("attributeValue", Text),
            optional("nextToken", Text),
            optional("maxResults", Number),
        ],
    },
    EcsRead {
        operation: "ListClusters",
        action: "ecs:ListClusters",
        parameters: &[optional("nextToken", Text), optional("maxResults", Number)],
    },
    EcsRead {
        operation: "ListContainerInstances",
        action: "ecs:ListContainerInstances",
        parameters: &[
            optional("cluster", Text),
            optional("filter", Text),
            optional("nextToken", Text),
            optional("maxResults", Number),
            optional("status", Text),
        ],
    },
    EcsRead {
        operation: "ListServiceDeployments",
        action: "ecs:ListServiceDeployments",
        parameters: &[
            required("service", Text),
            optional("cluster", Text),
            optional("status", List),
            optional("createdAt", Object),
            optional("nextToken", Text),
            optional("maxResults", Number),
        ],
    },
    EcsRead {
        operation: "ListServices",
        action: "ecs:ListServices",
        parameters: &[
            optional("cluster", Text),
            optional("nextToken", Text),
            optional("maxResults", Number),
            optional("launchType", Text),
            optional("schedulingStrategy", Text),
            optional("resourceManagementType", Text),
        ],
    },
    EcsRead {
        operation: "ListServicesByNamespace",
        action: "ecs:ListServicesByNamespace",
        parameters: &[
            required("namespace", Text),
            optional("nextToken", Text),
            optional("maxResults", Number),
        ],
    },
    EcsRead {
        operation: "ListTagsForResource",
        action: "ecs:ListTagsForResource",
        parameters: &[required("resourceArn", Text)],
    },
    EcsRead {
        operation: "ListTaskDefinitionFamilies",
        action: "ecs:ListTaskDefinitionFamilies",
        parameters: &[
            optional("familyPrefix", Text),
            optional("status", Text),
            optional("nextToken", Text),
            optional("maxResults", Number),
        ],
    },
    EcsRead {
        operation: "ListTaskDefinitions",
        action: "ecs:ListTaskDefinitions",
        parameters: &[
            optional("familyPrefix", Text),
            optional("status", Text),
            optional("sort", Text),
            optional("nextToken", Text),
            optional("maxResults", Number),
        ],
    },
    EcsRead {
        operation: "ListTasks",
        action: "ecs:ListTasks",
        parameters: &[
            optional("cluster", Text),
            optional("containerInstance", Text),
            optional("family", Text),
            optional("nextToken", Text),
            optional("maxResults", Number),
            optional("startedBy", Text),
            optional("serviceName", Text),
            optional("desiredStatus", Text),
            optional("launchType", Text),
            optional("daemonName", Text),
        ],
    },
];

/// Every operation that writes, starts something, or belongs to the ECS agent.
pub(super) const WRITES: [&str; 42] = [
    "CreateCapacityProvider",
    "CreateCluster",
    "CreateExpressGatewayService",
    "CreateService",
    "CreateTaskSet",
    "DeleteAccountSetting",
    "DeleteAttributes",
    "DeleteCapacityProvider",
    "DeleteCluster",
    "DeleteExpressGatewayService",
    "DeleteService",
    "DeleteTaskDefinitions",
    "DeleteTaskSet",
    "DeregisterContainerInstance",
    "DeregisterTaskDefinition",
    "DiscoverPollEndpoint",
    "ExecuteCommand",
    "PutAccountSetting",
    "PutAccountSettingDefault",
    "PutAttributes",
    "PutClusterCapacityProviders",
    "RegisterContainerInstance",
    "RegisterTaskDefinition",
    "RunTask",
    "StartTask",
    "StopServiceDeployment",
    "StopTask",
    "SubmitAttachmentStateChanges",
    "SubmitContainerStateChange",
    "SubmitTaskStateChange",
    "TagResource",
    "UntagResource",
    "UpdateCapacityProvider",
    "UpdateCluster",
    "UpdateClusterSettings",
    "UpdateContainerAgent",
    "UpdateContainerInstancesState",
    "UpdateExpressGatewayService",
    "UpdateService",
    "UpdateServicePrimaryTaskSet",
    "UpdateTaskProtection",
    "UpdateTaskSet",
];
