//! From a registered body to the next revision's.

use serde_json::{Map, Value, json};

use super::{Deploy, missing, templates};
use crate::world::Region;

/// Changes a registered body into the next revision's.
pub(super) fn revise(region: &Region, body: &mut Value, deploy: &Deploy) -> Result<(), String> {
    let fields = body
        .as_object_mut()
        .ok_or("the task definition is not an object")?;
    if let Some(cpu) = deploy.cpu {
        fields.insert("cpu".to_owned(), json!(cpu.to_string()));
    }
    if let Some(memory) = deploy.memory {
        fields.insert("memory".to_owned(), json!(memory.to_string()));
    }
    if let Some(architecture) = deploy.architecture {
        fields.insert(
            "runtimePlatform".to_owned(),
            json!({"cpuArchitecture": architecture.as_str(), "operatingSystemFamily": "LINUX"}),
        );
    }
    if let Some(size) = deploy.ephemeral_storage_gib {
        fields.insert("ephemeralStorage".to_owned(), json!({"sizeInGiB": size}));
    }
    if let Some(expression) = &deploy.placement {
        let constraint = json!({"type": "memberOf", "expression": expression});
        fields.insert("placementConstraints".to_owned(), json!([constraint]));
    }
    let containers = fields
        .get_mut("containerDefinitions")
        .and_then(Value::as_array_mut)
        .ok_or("the task definition has no containers")?;
    let container = match &deploy.container {
        Some(name) => containers
            .iter_mut()
            .find(|container| container.get("name").and_then(Value::as_str) == Some(name))
            .ok_or_else(|| missing("container", name))?,
        None => containers
            .first_mut()
            .ok_or("the task definition has no container")?,
    };
    let container = container
        .as_object_mut()
        .ok_or("the container is not an object")?;
    revise_limits(container, deploy);
    if let Some(memory) = deploy.memory {
        container.insert("memory".to_owned(), json!(memory));
    }
    revise_image(region, container, deploy);
    revise_environment(region, container, deploy)?;
    match deploy.container_health_check.as_deref() {
        Some("") => drop(container.shift_remove("healthCheck")),
        Some(command) => {
            container.insert("healthCheck".to_owned(), templates::health_check(command));
        }
        None => {}
    }
    let options = container
        .get_mut("logConfiguration")
        .and_then(|log| log.get_mut("options"))
        .and_then(Value::as_object_mut);
    if let Some(options) = options {
        if let Some(group) = &deploy.log_group {
            options.insert("awslogs-group".to_owned(), json!(group));
        }
        if let Some(create) = deploy.create_log_group {
            options.insert("awslogs-create-group".to_owned(), json!(create.to_string()));
        }
    }
    Ok(())
}

/// What the container's processes may do, and where its variables and ports come from.
fn revise_limits(container: &mut Map<String, Value>, deploy: &Deploy) {
    if let Some(user) = &deploy.user {
        container.insert("user".to_owned(), json!(user));
    }
    if let Some(read_only) = deploy.read_only_root {
        container.insert("readonlyRootFilesystem".to_owned(), json!(read_only));
    }
    if let Some(limit) = deploy.open_files {
        let limit = json!({"name": "nofile", "softLimit": limit, "hardLimit": limit});
        container.insert("ulimits".to_owned(), json!([limit]));
    }
    if let Some(seconds) = deploy.start_timeout {
        container.insert("startTimeout".to_owned(), json!(seconds));
    }
    if let Some(object) = &deploy.environment_file {
        let file = json!({"value": format!("arn:aws:s3:::{object}"), "type": "s3"});
        container.insert("environmentFiles".to_owned(), json!([file]));
    }
    if let (Some(port), Some(Value::Array(mappings))) =
        (deploy.host_port, container.get_mut("portMappings"))
    {
        for mapping in mappings.iter_mut().filter_map(Value::as_object_mut) {
            mapping.insert("hostPort".to_owned(), json!(port));
        }
    }
}

fn revise_image(region: &Region, container: &mut Map<String, Value>, deploy: &Deploy) {
    let image = container
        .get("image")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let path = image
        .rsplit_once('/')
        .map_or(image.as_str(), |(_, path)| path);
    let (name, tag) = path.split_once(':').unwrap_or((path, "latest"));
    if let Some(image) = &deploy.image {
        container.insert("image".to_owned(), json!(image));
        return;
    }
    if deploy.repository.is_none() && deploy.image_tag.is_none() {
        return;
    }
    let name = deploy.repository.as_deref().unwrap_or(name);
    let tag = deploy.image_tag.as_deref().unwrap_or(tag);
    container.insert(
        "image".to_owned(),
        json!(format!("{}/{name}:{tag}", region.registry_host())),
    );
}

fn revise_environment(
    region: &Region,
    container: &mut Map<String, Value>,
    deploy: &Deploy,
) -> Result<(), String> {
    let named = |value: &Value| value.get("name").and_then(Value::as_str).map(str::to_owned);
    if let Some(Value::Array(variables)) = container.get_mut("environment") {
        variables.retain(|variable| {
            named(variable).is_none_or(|name| {
                !deploy.unset_environment.contains(&name)
                    && !deploy.set_environment.contains_key(&name)
            })
        });
        for (name, value) in &deploy.set_environment {
            variables.push(json!({"name": name, "value": value}));
        }
    }
    for (name, source) in &deploy.set_secrets {
        if let Some(parameter) = source.strip_prefix("ssm:") {
            let path = parameter.trim_start_matches('/');
            let value_from = region.arn("ssm", &format!("parameter/{path}"));
            add_secret(container, name, &value_from)?;
            continue;
        }
        let (secret, key) = source.split_once('#').unwrap_or((source, ""));
        let arn = region
            .secrets
            .values()
            .find(|existing| existing.name == secret)
            .map(|existing| existing.arn.clone())
            .unwrap_or_else(|| region.arn("secretsmanager", &format!("secret:{secret}-AbCdEf")));
        let value_from = if key.is_empty() {
            arn
        } else {
            format!("{arn}:{key}::")
        };
        add_secret(container, name, &value_from)?;
    }
    Ok(())
}

fn add_secret(
    container: &mut Map<String, Value>,
    name: &str,
    value_from: &str,
) -> Result<(), String> {
    let list = container
        .entry("secrets")
        .or_insert_with(|| json!([]))
        .as_array_mut()
        .ok_or("`secrets` is not a list")?;
    list.retain(|entry| entry.get("name").and_then(Value::as_str) != Some(name));
    list.push(json!({"name": name, "valueFrom": value_from}));
    Ok(())
}
