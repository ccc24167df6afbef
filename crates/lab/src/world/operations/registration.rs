//! What ECS checks and fills in when a task definition is registered.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::world::{AwsError, TaskSpec};

/// Fargate's CPU sizes with their smallest and largest memory in MiB, and the step between sizes
/// (ECS Developer Guide, "Fargate task definition differences").
const FARGATE_SIZES: [(u32, u32, u32, u32); 7] = [
    (256, 512, 2_048, 1_024),
    (512, 1_024, 4_096, 1_024),
    (1_024, 2_048, 8_192, 1_024),
    (2_048, 4_096, 16_384, 1_024),
    (4_096, 8_192, 30_720, 1_024),
    (8_192, 16_384, 61_440, 4_096),
    (16_384, 32_768, 122_880, 8_192),
];

pub(super) fn check_registration(spec: &TaskSpec) -> Result<(), AwsError> {
    let valid_family = !spec.family.is_empty()
        && spec.family.len() <= 255
        && spec
            .family
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !valid_family {
        return Err(AwsError::client(
            "Family contains invalid characters or is empty. It may have letters, digits, hyphens and underscores.",
        ));
    }
    if spec.container_definitions.is_empty() {
        return Err(AwsError::client("Container list cannot be empty."));
    }
    for container in &spec.container_definitions {
        if container.name.is_empty() {
            return Err(AwsError::client(
                "Container.name should not be null or empty.",
            ));
        }
        if container.image.is_empty() {
            return Err(AwsError::client(
                "Container.image should not be null or empty.",
            ));
        }
    }
    if !spec.container_definitions.iter().any(|c| c.essential) {
        return Err(AwsError::client(
            "A task definition must have at least one essential container.",
        ));
    }
    if spec.requires_compatibilities.iter().any(|c| c == "FARGATE") {
        check_fargate(spec)
    } else {
        match spec
            .container_definitions
            .iter()
            .find(|c| c.memory.is_none() && c.memory_reservation.is_none() && spec.memory.is_none())
        {
            Some(container) => Err(AwsError::client(format!(
                "Invalid setting for container '{}'. At least one of 'memory' or 'memoryReservation' must be specified.",
                container.name
            ))),
            None => Ok(()),
        }
    }
}

fn check_fargate(spec: &TaskSpec) -> Result<(), AwsError> {
    if !spec.is_awsvpc() {
        return Err(AwsError::client(
            "Fargate only supports network mode ‘awsvpc’.",
        ));
    }
    let (Some(cpu), Some(memory)) = (&spec.cpu, &spec.memory) else {
        return Err(AwsError::client(
            "Fargate requires that 'cpu' and 'memory' be defined at the task level.",
        ));
    };
    let known =
        cpu.parse()
            .ok()
            .zip(memory.parse().ok())
            .is_some_and(|(cpu, memory): (u32, u32)| {
                FARGATE_SIZES
                    .iter()
                    .any(|&(size, smallest, largest, step)| {
                        let on_step = memory % step == 0 || (size == 256 && memory == 512);
                        size == cpu && (smallest..=largest).contains(&memory) && on_step
                    })
            });
    if !known {
        return Err(AwsError::client(
            "No Fargate configuration exists for given values. See the Amazon ECS documentation for the valid values.",
        ));
    }
    let limit: u32 = memory.parse().unwrap_or(0);
    if let Some(container) = spec
        .container_definitions
        .iter()
        .find(|c| c.memory > Some(limit))
    {
        return Err(AwsError::client(format!(
            "Invalid setting for container '{}'. The memory of the container is above the memory of the task.",
            container.name
        )));
    }
    if spec.execution_role_arn.is_none() {
        if spec
            .container_definitions
            .iter()
            .any(|c| c.image.contains(".dkr.ecr."))
        {
            return Err(AwsError::client(
                "Fargate requires task definition to have execution role ARN to support ECR images.",
            ));
        }
        let awslogs = spec.container_definitions.iter().any(|c| {
            c.log_configuration
                .as_ref()
                .is_some_and(|l| l.log_driver == "awslogs")
        });
        if awslogs {
            return Err(AwsError::client(
                "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
            ));
        }
    }
    Ok(())
}

/// The description of a registered revision: what was asked for, and what ECS adds.
pub(super) fn complete_body(
    input: &Value,
    spec: &TaskSpec,
    arn: &str,
    revision: u32,
    now: DateTime<Utc>,
    registered_by: &str,
) -> Value {
    let mut body: Map<String, Value> = input.as_object().cloned().unwrap_or_default();
    body.remove("deregisteredAt");
    if let Some(Value::Array(containers)) = body.get_mut("containerDefinitions") {
        for container in containers.iter_mut().filter_map(Value::as_object_mut) {
            complete_container(container, spec.is_awsvpc());
        }
    }
    for list in ["volumes", "placementConstraints"] {
        body.entry(list).or_insert_with(|| json!([]));
    }
    let compatibilities: &[&str] =
        if spec.is_awsvpc() && spec.cpu.is_some() && spec.memory.is_some() {
            &["EC2", "FARGATE"]
        } else {
            &["EC2"]
        };
    body.insert("compatibilities".to_owned(), json!(compatibilities));
    body.insert("taskDefinitionArn".to_owned(), json!(arn));
    body.insert("revision".to_owned(), json!(revision));
    body.insert("status".to_owned(), json!("ACTIVE"));
    body.insert("registeredAt".to_owned(), json!(now.timestamp()));
    body.insert("registeredBy".to_owned(), json!(registered_by));
    Value::Object(body)
}

fn complete_container(container: &mut Map<String, Value>, awsvpc: bool) {
    container.entry("cpu").or_insert_with(|| json!(0));
    container.entry("essential").or_insert_with(|| json!(true));
    for list in ["portMappings", "environment", "mountPoints", "volumesFrom"] {
        container.entry(list).or_insert_with(|| json!([]));
    }
    if let Some(Value::Array(mappings)) = container.get_mut("portMappings") {
        for mapping in mappings.iter_mut().filter_map(Value::as_object_mut) {
            mapping.entry("protocol").or_insert_with(|| json!("tcp"));
            let port = mapping
                .get("containerPort")
                .cloned()
                .unwrap_or_else(|| json!(0));
            let host = if awsvpc { port } else { json!(0) };
            mapping.entry("hostPort").or_insert(host);
        }
    }
    if let Some(Value::Object(check)) = container.get_mut("healthCheck") {
        for (name, value) in [("interval", 30), ("timeout", 5), ("retries", 3)] {
            check.entry(name).or_insert_with(|| json!(value));
        }
    }
}
