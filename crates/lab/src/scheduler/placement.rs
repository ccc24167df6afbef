//! Where a new task goes: Fargate takes it, an instance needs room for it.

use super::Tick;
use crate::world::{
    Container, ContainerHealth, ContainerInstance, ContainerStatus, Deployment, LaunchType,
    Service, Task, TaskSpec, TaskStatus,
};

/// The end of every placement message.
const SEE: &str =
    "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";

impl Tick<'_> {
    /// Makes a task of a deployment, or says why there is no place for it.
    pub(super) fn place(
        &mut self,
        service: &mut Service,
        deployment: &Deployment,
    ) -> Result<Task, String> {
        let definition = self
            .region
            .task_definition(&deployment.task_definition)
            .ok_or_else(|| {
                "failed to launch a task with (error TaskDefinition not found.).".to_owned()
            })?;
        let spec = std::sync::Arc::clone(&definition.spec);
        if self.region.troubles.ecs_throttled {
            return Err("operations are being throttled. Will try again later.".to_owned());
        }
        for role in spec.execution_role_arn.iter().chain(&spec.task_role_arn) {
            let trusted = self
                .account
                .role(role)
                .is_some_and(|role| role.trust.to_string().contains("ecs-tasks.amazonaws.com"));
            if !trusted {
                return Err(format!(
                    "failed to launch a task with (error ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.)."
                ));
            }
        }
        let instance = match deployment.launch_type {
            LaunchType::Fargate => {
                self.fargate_takes(service, &spec)?;
                None
            }
            LaunchType::Ec2 => Some(self.reserve(service, &spec)?),
        };
        let id = service.ids.hex(32);
        let arn = self
            .region
            .arn("ecs", &format!("task/{}/{id}", service.cluster));
        let mut host_ports = Vec::new();
        for definition in &spec.container_definitions {
            host_ports.push(self.host_ports(instance.as_deref(), &spec, definition));
        }
        let cluster = service.cluster.clone();
        let containers = spec
            .container_definitions
            .iter()
            .zip(host_ports)
            .map(|(definition, host_ports)| Container {
                name: definition.name.clone(),
                arn: self.region.arn(
                    "ecs",
                    &format!("container/{}/{id}/{}", cluster, uuid(service)),
                ),
                image: definition.image.clone(),
                image_digest: None,
                runtime_id: None,
                status: ContainerStatus::Pending,
                health: ContainerHealth::Unknown,
                exit_code: None,
                reason: None,
                cpu: definition.cpu,
                memory: definition.memory,
                memory_reservation: definition.memory_reservation,
                host_ports,
                health_failures: 0,
                next_health_check_at: None,
                app: None,
                announced: false,
                next_lines_at: Vec::new(),
            })
            .collect();
        let zone = instance
            .as_deref()
            .and_then(|id| self.region.container_instances.get(id))
            .map(|instance| instance.availability_zone.clone())
            .or_else(|| {
                let subnet = service.network.as_ref()?.subnets.first()?;
                Some(self.region.subnets.get(subnet)?.availability_zone.clone())
            })
            .unwrap_or_default();
        let provisioning = 4 + i64::from(service.ids.below(4));
        Ok(Task {
            arn,
            cluster: service.cluster.clone(),
            group: format!("service:{}", service.name),
            started_by: deployment.id.clone(),
            task_definition: deployment.task_definition.clone(),
            launch_type: deployment.launch_type,
            platform_version: (deployment.launch_type == LaunchType::Fargate)
                .then(|| "1.4.0".to_owned()),
            availability_zone: zone,
            cpu: spec.reserved_cpu().to_string(),
            memory: spec.reserved_memory_mib().to_string(),
            last_status: TaskStatus::Provisioning,
            desired_status: TaskStatus::Running,
            health: ContainerHealth::Unknown,
            connectivity: None,
            containers,
            attachment: None,
            container_instance: instance
                .as_deref()
                .and_then(|id| Some(self.region.container_instances.get(id)?.arn.clone())),
            version: 1,
            created_at: self.now,
            connectivity_at: None,
            pull_started_at: None,
            pull_stopped_at: None,
            started_at: None,
            stopping_at: None,
            stopped_at: None,
            execution_stopped_at: None,
            stop_code: None,
            stopped_reason: None,
            phase_ends_at: self.now + chrono::TimeDelta::seconds(provisioning),
            ending: None,
            ordering_failure: None,
            protected: false,
            was_ready: false,
            failure_counted: false,
            id,
        })
    }

    /// Whether Fargate has room for one more task in a zone of the service's, and lets the account
    /// have it.
    fn fargate_takes(&self, service: &Service, spec: &TaskSpec) -> Result<(), String> {
        let subnets = service
            .network
            .as_ref()
            .map(|network| network.subnets.clone())
            .unwrap_or_default();
        if !subnets.is_empty() && self.with_capacity(&subnets).is_empty() {
            return Err(format!(
                "was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone. {SEE}"
            ));
        }
        let Some(quota) = self.region.troubles.fargate_vcpu_quota else {
            return Ok(());
        };
        // The service itself is not in the region while it is looked at.
        let others = self.region.services.values();
        let used: u32 = others
            .chain(std::iter::once(service))
            .flat_map(|service| &service.tasks)
            .filter(|task| task.launch_type == LaunchType::Fargate && task.stopped_at.is_none())
            .filter_map(|task| task.cpu.parse::<u32>().ok())
            .sum();
        if used + spec.reserved_cpu() > quota * 1_024 {
            return Err(format!(
                "was unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run concurrently. {SEE}"
            ));
        }
        Ok(())
    }

    /// The subnets whose zones have Fargate capacity.
    pub(super) fn with_capacity(&self, subnets: &[String]) -> Vec<String> {
        let without = &self.region.troubles.zones_without_fargate;
        let has = |id: &&String| {
            self.region
                .subnets
                .get(*id)
                .is_none_or(|subnet| !without.contains(&subnet.availability_zone))
        };
        subnets.iter().filter(has).cloned().collect()
    }

    /// Takes room on the instance with the fewest tasks among those that have it.
    fn reserve(&mut self, service: &Service, spec: &TaskSpec) -> Result<String, String> {
        let (cpu, memory) = (spec.reserved_cpu(), spec.reserved_memory_mib());
        let none = "was unable to place a task because no container instance met all of its requirements. Reason: ";
        let candidates: Vec<&ContainerInstance> = self
            .region
            .container_instances
            .values()
            .filter(|i| i.cluster == service.cluster && i.status == "ACTIVE")
            .collect();
        let Some(closest) = candidates
            .iter()
            .max_by_key(|i| (i.remaining.memory_mib, i.remaining.cpu))
        else {
            return Err(format!(
                "{none}No Container Instances were found in your cluster. {SEE}"
            ));
        };
        let fits = |instance: &ContainerInstance| {
            spec.placement_constraints
                .iter()
                .filter(|constraint| constraint.kind == "memberOf")
                .all(|constraint| is_member(instance, &constraint.expression))
        };
        let taken = |instance: &ContainerInstance| self.has_port_of(service, instance, spec);
        let short_of = if !closest.agent_connected {
            "encountered error \"AGENT\""
        } else if !candidates.iter().any(|instance| fits(instance)) {
            "encountered error \"MemberOf placement constraint unsatisfied.\""
        } else if candidates.iter().all(|instance| taken(instance)) {
            "is already using a port required by your task"
        } else if closest.remaining.memory_mib < memory {
            "has insufficient memory available"
        } else {
            "has insufficient CPU units available"
        };
        let refusal = format!(
            "{none}The closest matching container-instance {} {short_of}. {SEE}",
            closest.id
        );
        let chosen = candidates
            .iter()
            .filter(|i| {
                i.agent_connected
                    && i.remaining.memory_mib >= memory
                    && i.remaining.cpu >= cpu
                    && fits(i)
                    && !taken(i)
            })
            .min_by_key(|i| (i.running_tasks + i.pending_tasks, i.id.clone()))
            .map(|i| i.id.clone())
            .ok_or(refusal)?;
        if let Some(instance) = self.region.container_instances.get_mut(&chosen) {
            instance.remaining.memory_mib -= memory;
            instance.remaining.cpu -= cpu;
            instance.running_tasks += 1;
        }
        Ok(chosen)
    }

    /// Whether a task on the instance holds a fixed host port that the new one asks for.
    fn has_port_of(
        &self,
        service: &Service,
        instance: &ContainerInstance,
        spec: &TaskSpec,
    ) -> bool {
        let wanted: Vec<u16> = fixed_ports(spec);
        let others = self.region.services.values();
        others
            .chain(std::iter::once(service))
            .flat_map(|service| &service.tasks)
            .filter(|task| task.stopped_at.is_none())
            .filter(|task| task.container_instance.as_ref() == Some(&instance.arn))
            .flat_map(|task| &task.containers)
            .flat_map(|container| &container.host_ports)
            .any(|(_, host)| wanted.contains(host))
    }

    fn host_ports(
        &mut self,
        instance: Option<&str>,
        spec: &TaskSpec,
        definition: &crate::world::ContainerDefinition,
    ) -> Vec<(u16, u16)> {
        let instance = instance.and_then(|id| self.region.container_instances.get_mut(id));
        let Some(instance) = instance.filter(|_| !spec.is_awsvpc()) else {
            return Vec::new();
        };
        definition
            .port_mappings
            .iter()
            .map(|mapping| {
                let host = mapping
                    .host_port
                    .filter(|port| *port != 0)
                    .unwrap_or_else(|| {
                        // The ephemeral range of the ECS-optimised image.
                        instance.next_host_port = if instance.next_host_port >= 60_999 {
                            32_768
                        } else {
                            instance.next_host_port + 1
                        };
                        instance.next_host_port
                    });
                (mapping.container_port, host)
            })
            .collect()
    }

    /// Gives back what a stopped task held of its instance.
    pub(super) fn release(&mut self, task: &Task) {
        let Some(definition) = self.region.task_definition(&task.task_definition) else {
            return;
        };
        let spec = std::sync::Arc::clone(&definition.spec);
        let Some(arn) = &task.container_instance else {
            return;
        };
        let instance = self
            .region
            .container_instances
            .values_mut()
            .find(|i| i.arn == *arn);
        if let Some(instance) = instance {
            instance.remaining.cpu += spec.reserved_cpu();
            instance.remaining.memory_mib += spec.reserved_memory_mib();
            instance.running_tasks = instance.running_tasks.saturating_sub(1);
        }
    }

    pub(super) fn instance_of(&self, task: &Task) -> Option<&ContainerInstance> {
        let arn = task.container_instance.as_ref()?;
        self.region
            .container_instances
            .values()
            .find(|instance| instance.arn == *arn)
    }
}

/// Host ports that a task asks for by number.
pub(super) fn fixed_ports(spec: &TaskSpec) -> Vec<u16> {
    if spec.is_awsvpc() {
        return Vec::new();
    }
    spec.container_definitions
        .iter()
        .flat_map(|container| &container.port_mappings)
        .filter_map(|mapping| mapping.host_port.filter(|port| *port != 0))
        .collect()
}

/// Whether an instance satisfies `attribute:<name> == <value>`, the one form of the cluster query
/// language that the lab understands; any other form lets everything pass.
fn is_member(instance: &ContainerInstance, expression: &str) -> bool {
    let Some((name, value)) = expression
        .strip_prefix("attribute:")
        .and_then(|rest| rest.split_once("=="))
    else {
        return true;
    };
    instance.attribute(name.trim()) == Some(value.trim())
}

fn uuid(service: &mut Service) -> String {
    crate::world::uuid_shaped(&service.ids.hex(32))
}
