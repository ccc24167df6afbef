//! Tasks.

use serde_json::{Value, json};

use super::super::{Answer, Call, Need, compact, epoch};
use super::{PAGES, cluster, cluster_name, invalid, last, missing, on_cluster, page};
use crate::wire::ApiError;
use crate::world::{Container, NetworkAttachment, Task};

fn task_arn(call: &Call<'_>, reference: &str) -> String {
    call.arn(
        "ecs",
        &format!("task/{}/{}", cluster_name(call), last(reference)),
    )
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let cluster = cluster(call)?;
    let input = call.input;
    let service = input.text("serviceName").map(last);
    if let Some(name) = service
        && call.here().service(&cluster.name, name).is_none()
    {
        return Err(ApiError::invalid(
            "ServiceNotFoundException",
            "Service not found.",
        ));
    }
    let status = input.text("desiredStatus").unwrap_or("RUNNING");
    let (family, started_by) = (input.text("family"), input.text("startedBy"));
    let instance = input.text("containerInstance").map(last);
    let arns = call
        .here()
        .tasks_of(&cluster.name)
        .filter(|task| {
            task.desired_status.as_str() == status
                && service.is_none_or(|name| task.group.strip_prefix("service:") == Some(name))
                && family.is_none_or(|family| family_of(task) == family)
                && started_by.is_none_or(|id| task.started_by == id)
                && instance.is_none_or(|id| {
                    task.container_instance
                        .as_deref()
                        .is_some_and(|arn| last(arn) == id)
                })
                && input
                    .text("launchType")
                    .is_none_or(|wanted| task.launch_type.as_str() == wanted)
        })
        .map(|task| task.arn.clone());
    let (arns, next) = page(arns, input, PAGES)?;
    Ok(compact(json!({"taskArns": arns, "nextToken": next})))
}

fn family_of(task: &Task) -> &str {
    let name = last(&task.task_definition);
    name.split_once(':').map_or(name, |(family, _)| family)
}

pub(super) fn describe_needs(call: &Call<'_>) -> Vec<Need> {
    let tasks = call.input.texts("tasks").into_iter();
    tasks
        .map(|task| on_cluster(call, "ecs:DescribeTasks", &task_arn(call, task)))
        .collect()
}

pub(super) fn describe(call: &mut Call<'_>) -> Answer {
    let name = cluster(call)?.name.clone();
    let references = call.input.texts("tasks");
    if references.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    if references.len() > 100 {
        return Err(invalid("Tasks list cannot contain more than 100 items."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        let id = last(reference);
        match call.here().tasks_of(&name).find(|task| task.id == id) {
            Some(task) => found.push(describe_one(call, task)),
            None => failures.push(missing(task_arn(call, reference))),
        }
    }
    Ok(compact(json!({"tasks": found, "failures": failures})))
}

fn describe_one(call: &Call<'_>, task: &Task) -> Value {
    let definition = call.here().task_definition(&task.task_definition);
    let architecture = definition.map(|definition| definition.spec.architecture().as_str());
    let containers = task
        .containers
        .iter()
        .map(|container| describe_container(task, container));
    let overrides = task
        .containers
        .iter()
        .map(|container| json!({"name": container.name}));
    json!({
        "attachments": task.attachment.iter().map(attachment).collect::<Vec<_>>(),
        "attributes": architecture.map(|name| json!([
            {"name": "ecs.cpu-architecture", "value": name.to_ascii_lowercase()},
        ])),
        "availabilityZone": task.availability_zone,
        "clusterArn": call.arn("ecs", &format!("cluster/{}", task.cluster)),
        "connectivity": task.connectivity,
        "connectivityAt": task.connectivity_at.map(epoch),
        "containerInstanceArn": task.container_instance,
        "containers": containers.collect::<Vec<_>>(),
        "cpu": task.cpu,
        "createdAt": epoch(task.created_at),
        "desiredStatus": task.desired_status.as_str(),
        "enableExecuteCommand": false,
        "executionStoppedAt": task.execution_stopped_at.map(epoch),
        "group": task.group,
        "healthStatus": task.health.as_str(),
        "lastStatus": task.last_status.as_str(),
        "launchType": task.launch_type.as_str(),
        "memory": task.memory,
        "overrides": {"containerOverrides": overrides.collect::<Vec<_>>(), "inferenceAcceleratorOverrides": []},
        "platformVersion": task.platform_version,
        "platformFamily": task.platform_version.as_ref().map(|_| "Linux"),
        "pullStartedAt": task.pull_started_at.map(epoch),
        "pullStoppedAt": task.pull_stopped_at.map(epoch),
        "startedAt": task.started_at.map(epoch),
        "startedBy": task.started_by,
        "stopCode": task.stop_code.map(|code| code.as_str()),
        "stoppedAt": task.stopped_at.map(epoch),
        "stoppedReason": task.stopped_reason,
        "stoppingAt": task.stopping_at.map(epoch),
        "tags": [],
        "taskArn": task.arn,
        "taskDefinitionArn": task.task_definition,
        "version": task.version,
        "ephemeralStorage": task.platform_version.as_ref().map(|_| json!({"sizeInGiB": 20})),
    })
}

fn describe_container(task: &Task, container: &Container) -> Value {
    let bindings = container
        .host_ports
        .iter()
        .map(|(container_port, host_port)| {
            json!({
                "bindIP": "0.0.0.0",
                "containerPort": container_port,
                "hostPort": host_port,
                "protocol": "tcp",
            })
        });
    let interfaces = task.attachment.iter().map(|attachment| {
        json!({"attachmentId": attachment.id, "privateIpv4Address": attachment.private_ip})
    });
    json!({
        "containerArn": container.arn,
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "imageDigest": container.image_digest,
        "runtimeId": container.runtime_id,
        "lastStatus": container.status.as_str(),
        "exitCode": container.exit_code,
        "reason": container.reason,
        "networkBindings": bindings.collect::<Vec<_>>(),
        "networkInterfaces": interfaces.collect::<Vec<_>>(),
        "healthStatus": container.health.as_str(),
        "cpu": container.cpu.to_string(),
        "memory": container.memory.map(|mib| mib.to_string()),
        "memoryReservation": container.memory_reservation.map(|mib| mib.to_string()),
    })
}

fn attachment(attachment: &NetworkAttachment) -> Value {
    let detail = |name: &str, value: &str| json!({"name": name, "value": value});
    json!({
        "id": attachment.id,
        "type": "ElasticNetworkInterface",
        "status": attachment.status,
        "details": [
            detail("subnetId", &attachment.subnet),
            detail("networkInterfaceId", &attachment.network_interface),
            detail("macAddress", &attachment.mac_address),
            detail("privateIPv4Address", &attachment.private_ip),
        ],
    })
}

pub(super) fn stop_needs(call: &Call<'_>) -> Vec<Need> {
    let task = call.input.text("task").unwrap_or("*");
    vec![on_cluster(call, "ecs:StopTask", &task_arn(call, task))]
}

pub(super) fn stop(call: &mut Call<'_>) -> Answer {
    let name = cluster(call)?.name.clone();
    let task = call.input.required("task", "InvalidParameterException")?;
    if task.starts_with("arn:") && task != task_arn(call, task) {
        return Err(invalid("The referenced task was not found."));
    }
    let (account, region) = (call.caller.account.as_str(), call.region);
    let reason = call.input.text("reason");
    let task = call
        .world
        .stop_task(account, region, &name, last(task), reason)?;
    Ok(compact(json!({"task": describe_one(call, &task)})))
}
