use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::UpdateServiceInput;
use super::registration::{check_registration, complete_body};
use crate::world::{
    AwsError, Deployment, DeploymentConfiguration, DeploymentStatus, LoadBalancerBinding,
    NetworkConfiguration, Region, RolloutState, Service, ServiceDeployment,
    ServiceDeploymentStatus, ServiceStatus, StopCode, Task, TaskDefinition, TaskDefinitionStatus,
    TaskSpec, TaskStatus, World,
};

impl World {
    /// The region, made at first use as AWS's are: empty, but there.
    fn region_for_write(&mut self, account: &str, region: &str) -> Result<&mut Region, AwsError> {
        self.region_mut(account, region)
            .ok_or_else(|| AwsError::new("ClusterNotFoundException", "Cluster not found."))
    }

    /// `RegisterTaskDefinition`: `input` is the request's JSON; the revision is the family's next.
    pub(crate) fn register_task_definition(
        &mut self,
        account: &str,
        region: &str,
        registered_by: &str,
        input: &Value,
    ) -> Result<TaskDefinition, AwsError> {
        let now = self.now;
        let region = self.region_for_write(account, region)?;
        let spec: TaskSpec = serde_json::from_value(input.clone())
            .map_err(|error| AwsError::client(format!("Invalid task definition: {error}")))?;
        check_registration(&spec)?;
        let family = spec.family.clone();
        let revision = region
            .task_definitions
            .get(&family)
            .and_then(|revisions| revisions.last())
            .map_or(1, |newest| newest.revision + 1);
        let arn = region.arn("ecs", &format!("task-definition/{family}:{revision}"));
        let body = complete_body(input, &spec, &arn, revision, now, registered_by);
        // The completed body is read again, so that defaults hold for the scheduler too.
        let spec: TaskSpec = serde_json::from_value(body.clone())
            .map_err(|error| AwsError::client(format!("Invalid task definition: {error}")))?;
        let definition = TaskDefinition {
            arn,
            family: family.clone(),
            revision,
            status: TaskDefinitionStatus::Active,
            registered_at: now,
            registered_by: registered_by.to_owned(),
            deregistered_at: None,
            body,
            spec: Arc::new(spec),
        };
        region
            .task_definitions
            .entry(family)
            .or_default()
            .push(definition.clone());
        Ok(definition)
    }

    /// `DeregisterTaskDefinition`: `family:revision` or ARN; running tasks are left alone.
    pub(crate) fn deregister_task_definition(
        &mut self,
        account: &str,
        region: &str,
        reference: &str,
    ) -> Result<TaskDefinition, AwsError> {
        let now = self.now;
        let region = self.region_for_write(account, region)?;
        let name = reference
            .rsplit_once("task-definition/")
            .map_or(reference, |(_, name)| name);
        let Some((family, revision)) = name.split_once(':') else {
            return Err(AwsError::invalid_parameter("Revision is required."));
        };
        let revision: u32 = revision.parse().map_err(|_| {
            AwsError::invalid_parameter(format!("Invalid revision number. Number: {revision}"))
        })?;
        let definition = region
            .task_definitions
            .get_mut(family)
            .and_then(|revisions| revisions.iter_mut().find(|td| td.revision == revision))
            .ok_or_else(|| AwsError::client("The specified task definition does not exist."))?;
        definition.status = TaskDefinitionStatus::Inactive;
        definition.deregistered_at = Some(now);
        if let Value::Object(body) = &mut definition.body {
            body.insert("status".to_owned(), json!("INACTIVE"));
            body.insert("deregisteredAt".to_owned(), json!(now.timestamp()));
        }
        Ok(definition.clone())
    }

    /// `UpdateService`.
    pub(crate) fn update_service(
        &mut self,
        account: &str,
        region: &str,
        input: &UpdateServiceInput,
    ) -> Result<Service, AwsError> {
        let now = self.now;
        let region = self.region_for_write(account, region)?;
        let (cluster, name) = service_reference(region, input)?;
        let service = region
            .service(&cluster, &name)
            .ok_or_else(service_not_found)?;
        check_active(service)?;
        let definition = match &input.task_definition {
            Some(reference) => usable_definition(region, reference)?,
            None => region
                .task_definition(&service.task_definition)
                .ok_or_else(|| AwsError::client("Unable to describe task definition."))?,
        };
        let bindings = input
            .load_balancers
            .as_ref()
            .unwrap_or(&service.load_balancers);
        check_bindings(region, definition, bindings)?;
        let network = input
            .network_configuration
            .as_ref()
            .map(|n| &n.awsvpc_configuration);
        if let Some(network) = network {
            check_network(region, definition, network)?;
        }
        if input.health_check_grace_period_seconds.is_some() && bindings.is_empty() {
            return Err(AwsError::invalid_parameter(
                "Health check grace period is only valid for services configured to use load balancers",
            ));
        }
        if let Some(change) = input.deployment_configuration {
            check_percentages(&change.over(service.deployment_configuration))?;
        }
        let definition_arn = definition.arn.clone();
        let network = network.cloned();
        let service = region
            .service_mut(&cluster, &name)
            .ok_or_else(service_not_found)?;
        apply_update(service, input, definition_arn, network, now);
        let updated = service.clone();
        region.wake(now);
        Ok(updated)
    }

    /// `DeleteService`, by names: it drains its tasks and is inactive when the last is gone.
    pub(crate) fn delete_service(
        &mut self,
        account: &str,
        region: &str,
        cluster: &str,
        name: &str,
        force: bool,
    ) -> Result<Service, AwsError> {
        let now = self.now;
        let region = self.region_for_write(account, region)?;
        let service = region
            .service_mut(cluster, name)
            .ok_or_else(service_not_found)?;
        check_active(service)?;
        if service.desired_count > 0 && !force {
            return Err(AwsError::invalid_parameter(
                "The service cannot be stopped while it is scaled above 0.",
            ));
        }
        service.status = ServiceStatus::Draining;
        service.desired_count = 0;
        if let Some(primary) = service.primary_mut() {
            primary.desired_count = 0;
        }
        let deleted = service.clone();
        region.wake(now);
        Ok(deleted)
    }

    /// `StopTask`: cluster and task by name, id or ARN.
    pub(crate) fn stop_task(
        &mut self,
        account: &str,
        region: &str,
        cluster: &str,
        task: &str,
        reason: Option<&str>,
    ) -> Result<Task, AwsError> {
        let now = self.now;
        let region = self.region_for_write(account, region)?;
        let cluster = cluster.rsplit_once('/').map_or(cluster, |(_, name)| name);
        if !region.clusters.contains_key(cluster) {
            return Err(AwsError::new(
                "ClusterNotFoundException",
                "Cluster not found.",
            ));
        }
        let id = task.rsplit_once('/').map_or(task, |(_, id)| id);
        let found = region
            .services
            .values_mut()
            .filter(|service| service.cluster == cluster)
            .flat_map(|service| service.tasks.iter_mut())
            .find(|candidate| candidate.id == id)
            .ok_or_else(|| AwsError::invalid_parameter("The referenced task was not found."))?;
        if found.is_wanted() {
            found.desired_status = TaskStatus::Stopped;
            found.stop_code = Some(StopCode::UserInitiated);
            found.stopped_reason = Some(reason.unwrap_or("Task stopped by user").to_owned());
        }
        let stopped = found.clone();
        region.wake(now);
        Ok(stopped)
    }
}

fn check_active(service: &Service) -> Result<(), AwsError> {
    if service.status == ServiceStatus::Active {
        return Ok(());
    }
    Err(AwsError::new(
        "ServiceNotActiveException",
        "Service was not ACTIVE.",
    ))
}

fn service_not_found() -> AwsError {
    AwsError::new("ServiceNotFoundException", "Service not found.")
}

/// The cluster's and the service's name out of names or ARNs.
fn service_reference(
    region: &Region,
    input: &UpdateServiceInput,
) -> Result<(String, String), AwsError> {
    let name = input
        .service
        .rsplit_once('/')
        .map_or(input.service.as_str(), |(_, name)| name);
    let cluster = match (&input.cluster, input.service.rsplit_once('/')) {
        (Some(cluster), _) => cluster
            .rsplit_once('/')
            .map_or(cluster.as_str(), |(_, name)| name),
        (None, Some((arn, _))) => arn
            .rsplit_once('/')
            .map_or("default", |(_, cluster)| cluster),
        (None, None) => "default",
    };
    if region.clusters.contains_key(cluster) {
        Ok((cluster.to_owned(), name.to_owned()))
    } else {
        Err(AwsError::new(
            "ClusterNotFoundException",
            "Cluster not found.",
        ))
    }
}

fn usable_definition<'a>(
    region: &'a Region,
    reference: &str,
) -> Result<&'a TaskDefinition, AwsError> {
    let definition = region
        .task_definition(reference)
        .ok_or_else(|| AwsError::client("Unable to describe task definition."))?;
    match definition.status {
        TaskDefinitionStatus::Active => Ok(definition),
        TaskDefinitionStatus::Inactive => Err(AwsError::client("TaskDefinition is inactive")),
    }
}

fn check_percentages(configuration: &DeploymentConfiguration) -> Result<(), AwsError> {
    let (most, least) = (
        configuration.maximum_percent,
        configuration.minimum_healthy_percent,
    );
    if most == 100 && least == 100 {
        return Err(AwsError::invalid_parameter(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ));
    }
    if !(100..=200).contains(&most) || least > most {
        return Err(AwsError::invalid_parameter(
            "maximumPercent must be between 100 and 200 and not below minimumHealthyPercent.",
        ));
    }
    Ok(())
}

fn check_bindings(
    region: &Region,
    definition: &TaskDefinition,
    bindings: &[LoadBalancerBinding],
) -> Result<(), AwsError> {
    for binding in bindings {
        let container = definition
            .spec
            .container_definitions
            .iter()
            .find(|c| c.name == binding.container_name)
            .ok_or_else(|| {
                AwsError::invalid_parameter(format!(
                    "The container {} does not exist in the task definition.",
                    binding.container_name
                ))
            })?;
        if !container
            .port_mappings
            .iter()
            .any(|p| p.container_port == binding.container_port)
        {
            return Err(AwsError::invalid_parameter(format!(
                "The container {} did not have a container port {} defined.",
                binding.container_name, binding.container_port
            )));
        }
        if !region.target_groups.contains_key(&binding.target_group_arn) {
            return Err(AwsError::invalid_parameter(format!(
                "The target group {} does not exist.",
                binding.target_group_arn
            )));
        }
    }
    Ok(())
}

fn check_network(
    region: &Region,
    definition: &TaskDefinition,
    network: &NetworkConfiguration,
) -> Result<(), AwsError> {
    if !definition.spec.is_awsvpc() {
        return Err(AwsError::invalid_parameter(
            "Network Configuration is not valid for the given networkMode of this task definition.",
        ));
    }
    if network.subnets.is_empty() {
        return Err(AwsError::invalid_parameter("subnets can not be empty."));
    }
    for subnet in &network.subnets {
        if !region.subnets.contains_key(subnet) {
            return Err(AwsError::invalid_parameter(format!(
                "Error retrieving subnet information for [{subnet}]: The subnet ID '{subnet}' does not exist (ErrorCode: InvalidSubnetID.NotFound)"
            )));
        }
    }
    for group in &network.security_groups {
        if !region.security_groups.contains_key(group) {
            return Err(AwsError::invalid_parameter(format!(
                "Error retrieving security group information for [{group}]: The security group '{group}' does not exist (ErrorCode: InvalidGroup.NotFound)"
            )));
        }
    }
    Ok(())
}

fn apply_update(
    service: &mut Service,
    input: &UpdateServiceInput,
    definition: String,
    network: Option<NetworkConfiguration>,
    now: DateTime<Utc>,
) {
    let replaces = input.force_new_deployment
        || definition != service.task_definition
        || network
            .as_ref()
            .is_some_and(|network| Some(network) != service.network.as_ref())
        || input
            .load_balancers
            .as_ref()
            .is_some_and(|lb| *lb != service.load_balancers)
        || input
            .platform_version
            .as_ref()
            .is_some_and(|version| Some(version) != service.platform_version.as_ref());
    if let Some(count) = input.desired_count {
        service.desired_count = count;
        if let Some(primary) = service.primary_mut() {
            primary.desired_count = count;
            primary.updated_at = now;
        }
        service.steady = false;
    }
    if let Some(network) = network {
        service.network = Some(network);
    }
    if let Some(bindings) = &input.load_balancers {
        service.load_balancers.clone_from(bindings);
    }
    if let Some(version) = &input.platform_version {
        service.platform_version = Some(version.clone());
    }
    if let Some(seconds) = input.health_check_grace_period_seconds {
        service.health_check_grace_period_seconds = Some(seconds);
    }
    if let Some(change) = input.deployment_configuration {
        service.deployment_configuration = change.over(service.deployment_configuration);
    }
    if let Some(enabled) = input.enable_execute_command {
        service.enable_execute_command = enabled;
    }
    if replaces {
        service.task_definition = definition;
        begin_deployment(service, now);
    }
}

/// Puts a new primary deployment in front of what the service has, from the service's settings.
pub(crate) fn begin_deployment(service: &mut Service, now: DateTime<Utc>) {
    let source = service
        .primary()
        .map(|primary| primary.task_definition.clone());
    for record in &mut service.service_deployments {
        if record.status == ServiceDeploymentStatus::InProgress {
            record.status = ServiceDeploymentStatus::Stopped;
            record.status_reason =
                Some("Service deployment stopped due to a newer service deployment.".to_owned());
            record.finished_at = Some(now);
        }
    }
    for deployment in &mut service.deployments {
        deployment.status = DeploymentStatus::Active;
    }
    let id = format!("ecs-svc/{}", service.ids.digits(19));
    service.deployments.insert(
        0,
        Deployment {
            rollout_state_reason: format!("ECS deployment {id} in progress."),
            id: id.clone(),
            status: DeploymentStatus::Primary,
            task_definition: service.task_definition.clone(),
            desired_count: service.desired_count,
            running_count: 0,
            pending_count: 0,
            failed_tasks: 0,
            created_at: now,
            updated_at: now,
            rollout_state: RolloutState::InProgress,
            launch_type: service.launch_type,
            platform_version: service.platform_version.clone(),
            network: service.network.clone(),
            load_balancers: service.load_balancers.clone(),
            pinned: std::collections::BTreeMap::new(),
        },
    );
    let arn = format!(
        "{}/{}",
        service.arn.replacen(":service/", ":service-deployment/", 1),
        service.ids.base32(21)
    );
    service.service_deployments.insert(
        0,
        ServiceDeployment {
            arn,
            deployment: id,
            task_definition: service.task_definition.clone(),
            source_task_definition: source,
            status: ServiceDeploymentStatus::InProgress,
            status_reason: None,
            created_at: now,
            finished_at: None,
        },
    );
    service.launch_failures = 0;
    service.next_launch_at = now;
    service.steady = false;
    service.wakes_at = now;
}
