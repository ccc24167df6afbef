//! Fingerprints of everything in a world that only somebody's operation changes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::world::{Region, Service, World};

/// What each thing is called, with a digest of its settings.
pub(super) fn of_world(world: &World) -> BTreeMap<String, String> {
    let mut prints = BTreeMap::new();
    for account in world.accounts.values() {
        for role in account.roles.values() {
            let settings = (&role.trust, &role.inline_policies, &role.attached_policies);
            prints.insert(role.arn.clone(), digest(&settings));
        }
        for region in account.regions.values() {
            of_region(region, &mut prints);
        }
    }
    prints
}

fn of_region(region: &Region, prints: &mut BTreeMap<String, String>) {
    for service in region.services.values() {
        prints.insert(service.arn.clone(), digest(&settings(service)));
    }
    for definition in region.task_definitions.values().flatten() {
        prints.insert(definition.arn.clone(), digest(&definition.body));
    }
    for group in region.target_groups.values() {
        let settings = (&group.health_check, group.deregistration_delay_seconds);
        prints.insert(group.arn.clone(), digest(&settings));
    }
    for group in region.security_groups.values() {
        prints.insert(key(region, &group.id), digest(group));
    }
    for table in region.route_tables.values() {
        prints.insert(key(region, &table.id), digest(table));
    }
    for acl in region.network_acls.values() {
        prints.insert(key(region, &acl.id), digest(acl));
    }
    for group in region.log_groups.values() {
        prints.insert(group.arn.clone(), digest(&group.retention_days));
    }
    for target in region.scalable_targets.values() {
        let settings = (target.min_capacity, target.max_capacity);
        prints.insert(key(region, &target.resource_id), digest(&settings));
    }
    for repository in region.repositories.values() {
        let tags: Vec<_> = repository
            .images
            .values()
            .map(|image| (&image.digest, &image.tags))
            .collect();
        prints.insert(repository.arn.clone(), digest(&tags));
    }
    for secret in region.secrets.values() {
        prints.insert(
            secret.arn.clone(),
            digest(&(&secret.json_keys, secret.deleted_at)),
        );
    }
}

fn key(region: &Region, id: &str) -> String {
    format!("{}/{}/{id}", region.account, region.name)
}

fn digest(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    hex::encode(Sha256::digest(text))
}

/// What a person sets of a service. A deployment's id is part of it: restarting a service that is
/// none of one's business counts. The desired count is not when autoscaling decides it.
fn settings(service: &Service) -> serde_json::Value {
    json!({
        "taskDefinition": service.task_definition,
        "desired": service.desired_count,
        "deployment": service.primary().map(|primary| &primary.id),
        "configuration": service.deployment_configuration,
        "network": service.network,
        "loadBalancers": service.load_balancers,
        "grace": service.health_check_grace_period_seconds,
        "exec": service.enable_execute_command,
        "stopped by people": service
            .tasks
            .iter()
            .filter(|task| task.stop_code == Some(crate::world::StopCode::UserInitiated))
            .map(|task| &task.id)
            .collect::<Vec<_>>(),
    })
}

/// The keys of everything that a service uses; what it shares with others is included.
pub(super) fn belonging_to(region: &Region, service: &Service) -> BTreeSet<String> {
    let mut own = BTreeSet::from([service.arn.clone()]);
    let family = region
        .task_definition(&service.task_definition)
        .map(|td| td.family.clone());
    for definition in family
        .iter()
        .filter_map(|f| region.task_definitions.get(f))
        .flatten()
    {
        own.insert(definition.arn.clone());
        own.extend(definition.spec.execution_role_arn.clone());
        own.extend(definition.spec.task_role_arn.clone());
        for container in &definition.spec.container_definitions {
            let group = container
                .log_configuration
                .as_ref()
                .and_then(|log| log.options.get("awslogs-group"))
                .map(|name| region.arn("logs", &format!("log-group:{name}")));
            own.extend(group);
        }
    }
    own.extend(
        service
            .load_balancers
            .iter()
            .map(|binding| binding.target_group_arn.clone()),
    );
    let resource = format!("service/{}/{}", service.cluster, service.name);
    own.insert(key(region, &resource));
    if let Some(network) = &service.network {
        own.extend(network.security_groups.iter().map(|id| key(region, id)));
        let tables = network
            .subnets
            .iter()
            .filter_map(|id| region.subnets.get(id));
        own.extend(tables.map(|subnet| key(region, &subnet.route_table)));
    }
    own
}
