//! Services and their deployments.

use serde_json::{Value, json};

use super::super::{Answer, Call, Need, compact, epoch};
use super::{
    PAGES, cluster, cluster_name, includes, invalid, last, missing, on_cluster, page, tag_list,
};
use crate::handlers::page::Paging;
use crate::wire::ApiError;
use crate::world::{
    Deployment, DeploymentConfiguration, LaunchType, LoadBalancerBinding, NetworkConfiguration,
    Service, ServiceDeployment, ServiceDeploymentStatus, ServiceStatus, UpdateServiceInput,
};

fn service_arn(call: &Call<'_>, reference: &str) -> String {
    call.arn(
        "ecs",
        &format!("service/{}/{}", cluster_name(call), last(reference)),
    )
}

/// The need of an operation on the one service that the input's `member` names.
pub(super) fn one(call: &Call<'_>, action: &'static str, member: &str) -> Vec<Need> {
    let reference = call.input.text(member).unwrap_or("*");
    vec![on_cluster(call, action, &service_arn(call, reference))]
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let cluster = cluster(call)?;
    let launch_type = call.input.text("launchType");
    let arns = call
        .here()
        .services_of(&cluster.name)
        .filter(|service| service.status != ServiceStatus::Inactive)
        .filter(|service| launch_type.is_none_or(|wanted| service.launch_type.as_str() == wanted))
        .map(|service| service.arn.clone());
    let (arns, next) = page(
        arns,
        call.input,
        Paging {
            default: 10,
            ..PAGES
        },
    )?;
    Ok(compact(json!({"serviceArns": arns, "nextToken": next})))
}

pub(super) fn describe_needs(call: &Call<'_>) -> Vec<Need> {
    let services = call.input.texts("services").into_iter();
    services
        .map(|service| on_cluster(call, "ecs:DescribeServices", &service_arn(call, service)))
        .collect()
}

pub(super) fn describe(call: &mut Call<'_>) -> Answer {
    let name = cluster(call)?.name.clone();
    let references = call.input.texts("services");
    if references.is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    if references.len() > 10 {
        return Err(invalid("Services list cannot contain more than 10 items."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        match call.here().service(&name, last(reference)) {
            Some(service) if !reference.starts_with("arn:") || service.arn == reference => {
                found.push(describe_one(service, includes(call, "TAGS")));
            }
            Some(_) | None => failures.push(missing(service_arn(call, reference))),
        }
    }
    Ok(compact(json!({"services": found, "failures": failures})))
}

fn describe_one(service: &Service, with_tags: bool) -> Value {
    let events = service.events.iter().map(
        |event| json!({"id": event.id, "createdAt": epoch(event.at), "message": event.message}),
    );
    let fargate = service.launch_type == LaunchType::Fargate;
    json!({
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "loadBalancers": bindings(&service.load_balancers),
        "serviceRegistries": [],
        "status": service.status.as_str(),
        "desiredCount": service.desired_count,
        "runningCount": service.running_count,
        "pendingCount": service.pending_count,
        "launchType": service.launch_type.as_str(),
        "platformVersion": service.platform_version,
        "platformFamily": fargate.then_some("Linux"),
        "taskDefinition": service.task_definition,
        "deploymentConfiguration": deployment_configuration(service.deployment_configuration),
        "deployments": service.deployments.iter().map(deployment).collect::<Vec<_>>(),
        "roleArn": service.role_arn,
        "events": events.collect::<Vec<_>>(),
        "createdAt": epoch(service.created_at),
        "placementConstraints": [],
        "placementStrategy": [],
        "networkConfiguration": service.network.as_ref().map(network),
        "healthCheckGracePeriodSeconds": service.health_check_grace_period_seconds,
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "createdBy": service.created_by,
        "enableECSManagedTags": service.enable_ecs_managed_tags,
        "propagateTags": service.propagate_tags,
        "enableExecuteCommand": service.enable_execute_command,
        "availabilityZoneRebalancing": "DISABLED",
        "tags": with_tags.then(|| tag_list(&service.tags)),
    })
}

fn deployment_configuration(configuration: DeploymentConfiguration) -> Value {
    let DeploymentConfiguration {
        maximum_percent,
        minimum_healthy_percent,
        deployment_circuit_breaker,
    } = configuration;
    json!({
        "deploymentCircuitBreaker": {
            "enable": deployment_circuit_breaker.enable,
            "rollback": deployment_circuit_breaker.rollback,
        },
        "maximumPercent": maximum_percent,
        "minimumHealthyPercent": minimum_healthy_percent,
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
    })
}

fn deployment(deployment: &Deployment) -> Value {
    let fargate = deployment.launch_type == LaunchType::Fargate;
    json!({
        "id": deployment.id,
        "status": deployment.status.as_str(),
        "taskDefinition": deployment.task_definition,
        "desiredCount": deployment.desired_count,
        "pendingCount": deployment.pending_count,
        "runningCount": deployment.running_count,
        "failedTasks": deployment.failed_tasks,
        "createdAt": epoch(deployment.created_at),
        "updatedAt": epoch(deployment.updated_at),
        "launchType": deployment.launch_type.as_str(),
        "platformVersion": deployment.platform_version,
        "platformFamily": fargate.then_some("Linux"),
        "networkConfiguration": deployment.network.as_ref().map(network),
        "rolloutState": deployment.rollout_state.as_str(),
        "rolloutStateReason": deployment.rollout_state_reason,
    })
}

fn network(network: &NetworkConfiguration) -> Value {
    json!({"awsvpcConfiguration": {
        "subnets": network.subnets,
        "securityGroups": network.security_groups,
        "assignPublicIp": network.assign_public_ip.as_str(),
    }})
}

fn bindings(bindings: &[LoadBalancerBinding]) -> Value {
    bindings
        .iter()
        .map(|binding| {
            json!({
                "targetGroupArn": binding.target_group_arn,
                "containerName": binding.container_name,
                "containerPort": binding.container_port,
            })
        })
        .collect()
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let name = cluster(call)?.name.clone();
    let input: UpdateServiceInput = serde_json::from_value(call.input.value().clone())
        .map_err(|problem| invalid(format!("Invalid request: {problem}")))?;
    // An ARN must be this account's and region's; the name alone says too little.
    if input.service.starts_with("arn:") && input.service != service_arn(call, &input.service) {
        return Err(ApiError::invalid(
            "ServiceNotFoundException",
            "Service not found.",
        ));
    }
    let input = UpdateServiceInput {
        cluster: Some(name),
        service: last(&input.service).to_owned(),
        ..input
    };
    let (account, region) = (call.caller.account.as_str(), call.region);
    let service = call.world.update_service(account, region, &input)?;
    Ok(compact(json!({"service": describe_one(&service, true)})))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let service = find(call)?;
    let (cluster, name) = (service.cluster.clone(), service.name.clone());
    let force = call.input.flag("force").unwrap_or_default();
    let (account, region) = (call.caller.account.as_str(), call.region);
    let world = &mut call.world;
    let service = world.delete_service(account, region, &cluster, &name, force)?;
    Ok(compact(json!({"service": describe_one(&service, true)})))
}

pub(super) fn list_deployments(call: &mut Call<'_>) -> Answer {
    let service = find(call)?;
    let statuses = call.input.texts("status");
    let chosen = service
        .service_deployments
        .iter()
        .filter(|record| statuses.is_empty() || statuses.contains(&record.status.as_str()));
    let (chosen, next) = page(
        chosen,
        call.input,
        Paging {
            default: 20,
            ..PAGES
        },
    )?;
    let briefs: Vec<Value> = chosen
        .into_iter()
        .map(|record| {
            json!({
                "serviceDeploymentArn": record.arn,
                "serviceArn": service.arn,
                "clusterArn": service.cluster_arn,
                "startedAt": epoch(record.created_at),
                "createdAt": epoch(record.created_at),
                "finishedAt": record.finished_at.map(epoch),
                "targetServiceRevisionArn": revision_arn(service, &record.task_definition),
                "status": record.status.as_str(),
                "statusReason": record.status_reason,
            })
        })
        .collect();
    Ok(compact(
        json!({"serviceDeployments": briefs, "nextToken": next}),
    ))
}

fn find<'a>(call: &'a Call<'_>) -> Result<&'a Service, ApiError> {
    let name = &cluster(call)?.name;
    let reference = call
        .input
        .required("service", "InvalidParameterException")?;
    call.here()
        .service(name, last(reference))
        .ok_or_else(|| ApiError::invalid("ServiceNotFoundException", "Service not found."))
}

/// The lab keeps no service revisions of its own: one a task definition revision.
fn revision_arn(service: &Service, task_definition: &str) -> String {
    let revision = task_definition.rsplit(':').next().unwrap_or_default();
    format!(
        "{}/{revision:0>19}",
        service.arn.replace(":service/", ":service-revision/")
    )
}

pub(super) fn describe_deployments(call: &mut Call<'_>) -> Answer {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in call.input.texts("serviceDeploymentArns") {
        let services = call.here().services.values();
        let hit = services.flat_map(|service| {
            service
                .service_deployments
                .iter()
                .map(move |record| (service, record))
        });
        match hit.into_iter().find(|(_, record)| record.arn == arn) {
            Some((service, record)) => found.push(describe_deployment(service, record)),
            None => failures.push(missing(arn)),
        }
    }
    Ok(compact(
        json!({"serviceDeployments": found, "failures": failures}),
    ))
}

fn describe_deployment(service: &Service, record: &ServiceDeployment) -> Value {
    let live = service
        .deployments
        .iter()
        .find(|deployment| deployment.id == record.deployment);
    let revision = |task_definition: &str, live: Option<&Deployment>| {
        json!({
            "arn": revision_arn(service, task_definition),
            "requestedTaskCount": live.map_or(0, |deployment| deployment.desired_count),
            "runningTaskCount": live.map_or(0, |deployment| deployment.running_count),
            "pendingTaskCount": live.map_or(0, |deployment| deployment.pending_count),
        })
    };
    let breaker = service.deployment_configuration.deployment_circuit_breaker;
    let failures = live.map_or(0, |deployment| deployment.failed_tasks);
    // AWS's default threshold: half the desired count, between 3 and 200.
    let threshold = service.desired_count.div_ceil(2).clamp(3, 200);
    let rolled_back = match record.status {
        ServiceDeploymentStatus::RollbackInProgress
        | ServiceDeploymentStatus::RollbackSuccessful
        | ServiceDeploymentStatus::RollbackFailed => true,
        ServiceDeploymentStatus::InProgress
        | ServiceDeploymentStatus::Successful
        | ServiceDeploymentStatus::Stopped => false,
    };
    let breaker_status = match (breaker.enable, rolled_back) {
        (false, _) => "MONITORING_COMPLETE",
        (true, true) => "TRIGGERED",
        (true, false) if record.finished_at.is_some() => "MONITORING_COMPLETE",
        (true, false) => "MONITORING",
    };
    json!({
        "serviceDeploymentArn": record.arn,
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "createdAt": epoch(record.created_at),
        "startedAt": epoch(record.created_at),
        "finishedAt": record.finished_at.map(epoch),
        "updatedAt": live.map(|deployment| epoch(deployment.updated_at)),
        "sourceServiceRevisions": record
            .source_task_definition
            .iter()
            .map(|source| revision(source, None))
            .collect::<Vec<_>>(),
        "targetServiceRevision": revision(&record.task_definition, live),
        "status": record.status.as_str(),
        "statusReason": record.status_reason,
        "deploymentConfiguration": deployment_configuration(service.deployment_configuration),
        "rollback": rolled_back.then(|| json!({
            "reason": record.status_reason,
            "serviceRevisionArn": record
                .source_task_definition
                .as_ref()
                .map(|source| revision_arn(service, source)),
        })),
        "deploymentCircuitBreaker": {
            "status": breaker_status,
            "failureCount": failures,
            "threshold": threshold,
        },
    })
}
