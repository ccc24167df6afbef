//! Container instances and capacity providers.

use serde_json::{Value, json};

use super::super::{Answer, Call, Need, compact, epoch};
use super::{PAGES, cluster, cluster_name, invalid, last, missing, on_cluster, page};
use crate::world::{ContainerInstance, Resources};

fn instance_arn(call: &Call<'_>, reference: &str) -> String {
    call.arn(
        "ecs",
        &format!(
            "container-instance/{}/{}",
            cluster_name(call),
            last(reference)
        ),
    )
}

pub(super) fn list_instances(call: &mut Call<'_>) -> Answer {
    let cluster = cluster(call)?;
    let status = call.input.text("status");
    let arns = call
        .here()
        .container_instances
        .values()
        .filter(|instance| instance.cluster == cluster.name)
        .filter(|instance| status.is_none_or(|status| instance.status == status))
        .map(|instance| instance.arn.clone());
    let (arns, next) = page(arns, call.input, PAGES)?;
    Ok(compact(
        json!({"containerInstanceArns": arns, "nextToken": next}),
    ))
}

pub(super) fn describe_instances_needs(call: &Call<'_>) -> Vec<Need> {
    let instances = call.input.texts("containerInstances").into_iter();
    instances
        .map(|id| {
            on_cluster(
                call,
                "ecs:DescribeContainerInstances",
                &instance_arn(call, id),
            )
        })
        .collect()
}

pub(super) fn describe_instances(call: &mut Call<'_>) -> Answer {
    let name = cluster(call)?.name.clone();
    let references = call.input.texts("containerInstances");
    if references.is_empty() {
        return Err(invalid("Container instances cannot be empty."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        match call.here().container_instances.get(last(reference)) {
            Some(instance) if instance.cluster == name => found.push(describe_instance(instance)),
            Some(_) | None => failures.push(missing(instance_arn(call, reference))),
        }
    }
    Ok(compact(
        json!({"containerInstances": found, "failures": failures}),
    ))
}

fn describe_instance(instance: &ContainerInstance) -> Value {
    let resources = |resources: Resources| {
        let integer = |name: &str, value: u32| {
            json!({
                "name": name, "type": "INTEGER", "integerValue": value,
                "doubleValue": 0.0, "longValue": 0,
            })
        };
        json!([
            integer("CPU", resources.cpu),
            integer("MEMORY", resources.memory_mib)
        ])
    };
    let attribute = |name: &str, value: &str| json!({"name": name, "value": value});
    let mut attributes = vec![
        attribute("ecs.availability-zone", &instance.availability_zone),
        attribute("ecs.instance-type", &instance.instance_type),
        attribute("ecs.subnet-id", &instance.subnet),
        attribute("ecs.os-type", "linux"),
    ];
    attributes.extend(
        instance
            .attributes
            .iter()
            .map(|(name, value)| attribute(name, value)),
    );
    json!({
        "containerInstanceArn": instance.arn,
        "ec2InstanceId": instance.ec2_instance_id,
        "version": 1,
        "versionInfo": {"agentVersion": "1.98.0", "dockerVersion": "DockerVersion: 25.0.8"},
        "remainingResources": resources(instance.remaining),
        "registeredResources": resources(instance.registered),
        "status": instance.status,
        "agentConnected": instance.agent_connected,
        "runningTasksCount": instance.running_tasks,
        "pendingTasksCount": instance.pending_tasks,
        "attributes": attributes,
        "registeredAt": epoch(instance.registered_at),
        "attachments": [],
        "tags": [],
    })
}

pub(super) fn describe_providers(call: &mut Call<'_>) -> Answer {
    let wanted = call.input.texts("capacityProviders");
    let mut list = Vec::new();
    for name in ["FARGATE", "FARGATE_SPOT"] {
        list.push((
            name.to_owned(),
            json!({
                "capacityProviderArn": call.arn("ecs", &format!("capacity-provider/{name}")),
                "name": name,
                "status": "ACTIVE",
                "tags": [],
            }),
        ));
    }
    for provider in call.here().capacity_providers.values() {
        let group = provider.auto_scaling_group_arn.as_ref().map(|arn| {
            json!({
                "autoScalingGroupArn": arn,
                "managedScaling": {
                    "status": "ENABLED", "targetCapacity": 100,
                    "minimumScalingStepSize": 1, "maximumScalingStepSize": 10000,
                    "instanceWarmupPeriod": 300,
                },
                "managedTerminationProtection": "DISABLED",
            })
        });
        list.push((
            provider.name.clone(),
            json!({
                "capacityProviderArn": provider.arn,
                "name": provider.name,
                "status": "ACTIVE",
                "autoScalingGroupProvider": group,
                "tags": [],
            }),
        ));
    }
    let known = |reference: &str| list.iter().any(|(name, _)| name == last(reference));
    let failures: Vec<Value> = wanted
        .iter()
        .filter(|reference| !known(reference))
        .map(|reference| {
            missing(call.arn("ecs", &format!("capacity-provider/{}", last(reference))))
        })
        .collect();
    let chosen: Vec<Value> = list
        .iter()
        .filter(|(name, _)| {
            wanted.is_empty() || wanted.iter().any(|reference| last(reference) == name)
        })
        .map(|(_, provider)| provider.clone())
        .collect();
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    Ok(compact(
        json!({"capacityProviders": chosen, "failures": failures, "nextToken": next}),
    ))
}
