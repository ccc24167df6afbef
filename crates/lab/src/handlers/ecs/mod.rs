//! Amazon ECS.

mod capacity;
mod definitions;
mod services;
mod tasks;

use serde_json::{Value, json};

use super::page::{Paging, page};
use super::{Answer, Call, Effect, Need, Operation, compact, everything};
use crate::wire::ApiError;
use crate::world::Cluster;

const fn reads(
    name: &'static str,
    needs: fn(&Call<'_>) -> Vec<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Operation {
    Operation {
        service: "ecs",
        name,
        effect: Effect::Reads,
        needs,
        run,
    }
}

const fn mutates(
    name: &'static str,
    needs: fn(&Call<'_>) -> Vec<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Operation {
    Operation {
        service: "ecs",
        name,
        effect: Effect::Mutates,
        needs,
        run,
    }
}

pub(super) const OPERATIONS: &[Operation] = &[
    reads(
        "ListClusters",
        |_| everything("ecs:ListClusters"),
        list_clusters,
    ),
    reads(
        "DescribeClusters",
        describe_clusters_needs,
        describe_clusters,
    ),
    reads(
        "ListServices",
        |call| vec![on_cluster(call, "ecs:ListServices", "*")],
        services::list,
    ),
    reads(
        "DescribeServices",
        services::describe_needs,
        services::describe,
    ),
    reads(
        "ListServiceDeployments",
        |call| services::one(call, "ecs:ListServiceDeployments", "service"),
        services::list_deployments,
    ),
    reads(
        "DescribeServiceDeployments",
        |_| everything("ecs:DescribeServiceDeployments"),
        services::describe_deployments,
    ),
    mutates(
        "UpdateService",
        |call| services::one(call, "ecs:UpdateService", "service"),
        services::update,
    ),
    mutates(
        "DeleteService",
        |call| services::one(call, "ecs:DeleteService", "service"),
        services::delete,
    ),
    reads(
        "ListTasks",
        |call| vec![on_cluster(call, "ecs:ListTasks", "*")],
        tasks::list,
    ),
    reads("DescribeTasks", tasks::describe_needs, tasks::describe),
    mutates("StopTask", tasks::stop_needs, tasks::stop),
    reads(
        "ListTaskDefinitions",
        |_| everything("ecs:ListTaskDefinitions"),
        definitions::list,
    ),
    reads(
        "ListTaskDefinitionFamilies",
        |_| everything("ecs:ListTaskDefinitionFamilies"),
        definitions::families,
    ),
    reads(
        "DescribeTaskDefinition",
        |_| everything("ecs:DescribeTaskDefinition"),
        definitions::describe,
    ),
    mutates(
        "RegisterTaskDefinition",
        definitions::register_needs,
        definitions::register,
    ),
    mutates(
        "DeregisterTaskDefinition",
        |_| everything("ecs:DeregisterTaskDefinition"),
        definitions::deregister,
    ),
    reads(
        "ListContainerInstances",
        |call| {
            vec![on_cluster(
                call,
                "ecs:ListContainerInstances",
                &cluster_arn(call),
            )]
        },
        capacity::list_instances,
    ),
    reads(
        "DescribeContainerInstances",
        capacity::describe_instances_needs,
        capacity::describe_instances,
    ),
    reads(
        "DescribeCapacityProviders",
        |_| everything("ecs:DescribeCapacityProviders"),
        capacity::describe_providers,
    ),
    reads(
        "ListTagsForResource",
        |call| {
            vec![Need::on(
                "ecs:ListTagsForResource",
                call.input.text("resourceArn").unwrap_or("*"),
            )]
        },
        tags_for_resource,
    ),
    reads(
        "ListAccountSettings",
        |_| everything("ecs:ListAccountSettings"),
        account_settings,
    ),
];

const PAGES: Paging = Paging {
    size: "maxResults",
    token: "nextToken",
    default: 100,
    most: 100,
    bad_token: "InvalidParameterException",
};

/// The name at the end of a name or an ARN.
fn last(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// The cluster that a request names, `default` unless it says otherwise.
fn cluster_name<'a>(call: &Call<'a>) -> &'a str {
    call.input.text("cluster").map_or("default", last)
}

fn cluster_arn(call: &Call<'_>) -> String {
    call.arn("ecs", &format!("cluster/{}", cluster_name(call)))
}

/// A need with the condition key `ecs:cluster`.
fn on_cluster(call: &Call<'_>, action: &'static str, resource: &str) -> Need {
    Need::on(action, resource).with("ecs:cluster", cluster_arn(call))
}

/// The cluster of the request, or AWS's error.
fn cluster<'a>(call: &'a Call<'_>) -> Result<&'a Cluster, ApiError> {
    // An ARN of another account is another account's cluster, even under the same name.
    let foreign = call
        .input
        .text("cluster")
        .filter(|reference| reference.starts_with("arn:"))
        .is_some_and(|arn| arn != cluster_arn(call));
    match call.here().clusters.get(cluster_name(call)) {
        Some(cluster) if !foreign => Ok(cluster),
        Some(_) | None => Err(ApiError::invalid(
            "ClusterNotFoundException",
            "Cluster not found.",
        )),
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::invalid("InvalidParameterException", message)
}

fn missing(arn: impl Into<String>) -> Value {
    json!({"arn": arn.into(), "reason": "MISSING"})
}

fn tag_list(tags: &[(String, String)]) -> Value {
    tags.iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect()
}

fn includes(call: &Call<'_>, what: &str) -> bool {
    call.input.texts("include").contains(&what)
}

fn list_clusters(call: &mut Call<'_>) -> Answer {
    let arns = call
        .here()
        .clusters
        .values()
        .map(|cluster| cluster.arn.clone());
    let (arns, next) = page(arns, call.input, PAGES)?;
    Ok(compact(json!({"clusterArns": arns, "nextToken": next})))
}

fn describe_clusters_needs(call: &Call<'_>) -> Vec<Need> {
    let names = call.input.texts("clusters");
    let names = if names.is_empty() {
        vec!["default"]
    } else {
        names
    };
    names
        .into_iter()
        .map(|name| {
            let arn = call.arn("ecs", &format!("cluster/{}", last(name)));
            Need::on("ecs:DescribeClusters", arn.clone()).with("ecs:cluster", arn)
        })
        .collect()
}

fn describe_clusters(call: &mut Call<'_>) -> Answer {
    let names = call.input.texts("clusters");
    let names = if names.is_empty() {
        vec!["default"]
    } else {
        names
    };
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match call.here().clusters.get(last(name)) {
            Some(cluster) => found.push(describe_cluster(call, cluster)),
            None => failures.push(missing(call.arn("ecs", &format!("cluster/{}", last(name))))),
        }
    }
    Ok(compact(json!({"clusters": found, "failures": failures})))
}

fn describe_cluster(call: &Call<'_>, cluster: &Cluster) -> Value {
    let here = call.here();
    let (mut running, mut pending, mut active) = (0, 0, 0);
    for service in here.services_of(&cluster.name) {
        running += service.running_count;
        pending += service.pending_count;
        active += u32::from(service.status == crate::world::ServiceStatus::Active);
    }
    let instances = here
        .container_instances
        .values()
        .filter(|instance| instance.cluster == cluster.name);
    let insights = if cluster.container_insights {
        "enabled"
    } else {
        "disabled"
    };
    let statistics: Value = if includes(call, "STATISTICS") {
        [
            ("runningTasksCount", running),
            ("pendingTasksCount", pending),
            ("activeServiceCount", active),
        ]
        .into_iter()
        .map(|(name, value)| json!({"name": name, "value": value.to_string()}))
        .collect()
    } else {
        json!([])
    };
    json!({
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": instances.count(),
        "runningTasksCount": running,
        "pendingTasksCount": pending,
        "activeServicesCount": active,
        "statistics": statistics,
        "tags": if includes(call, "TAGS") { tag_list(&cluster.tags) } else { json!([]) },
        "settings": if includes(call, "SETTINGS") {
            json!([{"name": "containerInsights", "value": insights}])
        } else {
            json!([])
        },
        "capacityProviders": cluster.capacity_providers,
        "defaultCapacityProviderStrategy": [],
    })
}

fn tags_for_resource(call: &mut Call<'_>) -> Answer {
    let arn = call
        .input
        .required("resourceArn", "InvalidParameterException")?;
    let here = call.here();
    let tags = here
        .clusters
        .values()
        .find(|cluster| cluster.arn == arn)
        .map(|cluster| &cluster.tags)
        .or_else(|| {
            here.services
                .values()
                .find(|service| service.arn == arn)
                .map(|service| &service.tags)
        });
    let known = || {
        let task = || {
            here.services
                .values()
                .flat_map(|service| &service.tasks)
                .any(|task| task.arn == arn)
        };
        here.task_definition(arn).is_some() || task()
    };
    match tags {
        Some(tags) => Ok(json!({"tags": tag_list(tags)})),
        None if known() => Ok(json!({"tags": []})),
        None => Err(invalid("The specified resource was not found.")),
    }
}

fn account_settings(call: &mut Call<'_>) -> Answer {
    let wanted = call.input.text("name");
    let root = format!("arn:aws:iam::{}:root", call.caller.account);
    let settings = [
        "serviceLongArnFormat",
        "taskLongArnFormat",
        "containerInstanceLongArnFormat",
    ];
    let settings = settings
        .into_iter()
        .filter(|name| wanted.is_none_or(|wanted| wanted == *name))
        .map(
            |name| json!({"name": name, "value": "enabled", "principalArn": root, "type": "user"}),
        );
    // AWS gives ten a page at most.
    let (settings, next) = page(settings, call.input, Paging { most: 10, ..PAGES })?;
    Ok(compact(json!({"settings": settings, "nextToken": next})))
}
