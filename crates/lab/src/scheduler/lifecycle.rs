//! One task's life, from PROVISIONING to STOPPED.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::Tick;
use super::placement::fixed_ports;
use super::program::{listens_on, write_log};
use super::reachability::Place;
use crate::world::{
    ContainerHealth, ContainerStatus, NetworkAttachment, Service, StopCode, Target, TargetReason,
    TargetState, TargetType, Task, TaskSpec, TaskStatus, uuid_shaped,
};

/// How long ECS takes over the phases that nothing in the world decides. Chosen, not measured: of the
/// order that Fargate shows.
const ACTIVATION: TimeDelta = TimeDelta::seconds(2);
const GRACEFUL_STOP: TimeDelta = TimeDelta::seconds(2);
const DEPROVISIONING: TimeDelta = TimeDelta::seconds(5);
const CONNECTION_TIME_OUT: i64 = 60;

impl Tick<'_> {
    /// Lets a task live up to now.
    pub(super) fn live(&mut self, service: &mut Service, task: &mut Task) {
        let Some(definition) = self.region.task_definition(&task.task_definition) else {
            return;
        };
        let spec = Arc::clone(&definition.spec);
        // There are eight states, so more than eight steps at one time would be a loop.
        for _ in 0..8 {
            let before = task.last_status;
            self.step(service, &spec, task);
            if task.last_status == before {
                break;
            }
            task.version += 1;
        }
    }

    fn step(&mut self, service: &mut Service, spec: &TaskSpec, task: &mut Task) {
        let phase_over = task.phase_ends_at <= self.now;
        match task.last_status {
            TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating
                if !task.is_wanted() =>
            {
                self.deregister(service, task);
                self.deprovision(task);
            }
            TaskStatus::Provisioning if phase_over => self.provision(service, spec, task),
            TaskStatus::Pending if phase_over => self.pull_and_activate(service, spec, task),
            TaskStatus::Activating if phase_over => self.run(service, spec, task),
            TaskStatus::Running => self.keep_running(service, spec, task),
            TaskStatus::Deactivating if phase_over => self.terminate(task),
            TaskStatus::Stopping if phase_over => self.kill(spec, task),
            TaskStatus::Deprovisioning if phase_over => self.finish(task),
            TaskStatus::Provisioning
            | TaskStatus::Pending
            | TaskStatus::Activating
            | TaskStatus::Deactivating
            | TaskStatus::Stopping
            | TaskStatus::Deprovisioning
            | TaskStatus::Stopped => {}
        }
    }

    fn provision(&mut self, service: &mut Service, spec: &TaskSpec, task: &mut Task) {
        if spec.is_awsvpc() && self.region.troubles.interfaces_late {
            let reason =
                "Timeout waiting for network interface provisioning to complete.".to_owned();
            self.fail_to_start(service, task, reason);
            return;
        }
        if spec.is_awsvpc() {
            match self.attach_interface(service, task) {
                Ok(attachment) => task.attachment = Some(attachment),
                Err(reason) => {
                    self.fail_to_start(service, task, reason);
                    return;
                }
            }
        }
        task.connectivity = Some("CONNECTED".to_owned());
        task.connectivity_at = Some(self.now);
        task.pull_started_at = Some(self.now + TimeDelta::seconds(1));
        task.last_status = TaskStatus::Pending;
        let timed_out = match self.place_of(task) {
            Some(place) => self
                .start(
                    spec,
                    task.launch_type,
                    &task.id,
                    place,
                    &pins(service, task),
                )
                .is_err_and(|failure| failure.timed_out),
            None => false,
        };
        let fixed = if timed_out { CONNECTION_TIME_OUT } else { 6 };
        task.phase_ends_at = self.now + TimeDelta::seconds(fixed + i64::from(service.ids.below(5)));
    }

    /// Takes an address in one of the service's subnets, the one with most room first among equals.
    fn attach_interface(
        &mut self,
        service: &mut Service,
        task: &mut Task,
    ) -> Result<NetworkAttachment, String> {
        let network = service.network.clone();
        let wanted = network
            .as_ref()
            .map(|n| n.subnets.clone())
            .unwrap_or_default();
        let wanted = match task.launch_type {
            crate::world::LaunchType::Fargate => self.with_capacity(&wanted),
            crate::world::LaunchType::Ec2 => wanted,
        };
        let mut chosen = task.subnet_choice(&wanted);
        // Spread over the subnets in turn, but prefer one that has room over one that has none.
        if let Some(with_room) = (0..wanted.len())
            .filter_map(|step| wanted.get((chosen + step) % wanted.len().max(1)))
            .position(|id| {
                self.region
                    .subnets
                    .get(id)
                    .is_some_and(|s| s.available_ips > 0)
            })
        {
            chosen += with_room;
        }
        let id = wanted
            .get(chosen % wanted.len().max(1))
            .cloned()
            .unwrap_or_default();
        let public = network
            .as_ref()
            .is_some_and(|n| n.assign_public_ip == crate::world::AssignPublicIp::Enabled);
        let Some(subnet) = self.region.subnets.get_mut(&id) else {
            return Err(format!(
                "Unexpected EC2 error while attempting to Create Network Interface in subnet '{id}': InvalidSubnetID.NotFound"
            ));
        };
        let Some(host) = subnet.take_host() else {
            let with = if public {
                " with public IP assignment enabled"
            } else {
                ""
            };
            return Err(format!(
                "Unexpected EC2 error while attempting to Create Network Interface{with} in subnet '{id}': InsufficientFreeAddressesInSubnet"
            ));
        };
        task.availability_zone.clone_from(&subnet.availability_zone);
        let base = subnet
            .cidr
            .rsplit_once('.')
            .map_or("10.0.0", |(base, _)| base);
        let hex = service.ids.hex(64);
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
        Ok(NetworkAttachment {
            id: uuid_shaped(&part(0, 32)),
            status: "ATTACHED".to_owned(),
            subnet: id,
            network_interface: format!("eni-{}", part(32, 49)),
            mac_address: format!(
                "0a:{}:{}:{}:{}:{}",
                part(49, 51),
                part(51, 53),
                part(53, 55),
                part(55, 57),
                part(57, 59)
            ),
            private_ip: format!("{base}.{host}"),
            public_ip: public.then(|| format!("203.0.113.{host}")),
            security_groups: network.map(|n| n.security_groups).unwrap_or_default(),
        })
    }

    fn pull_and_activate(&mut self, service: &mut Service, spec: &TaskSpec, task: &mut Task) {
        let result = match self.place_of(task) {
            Some(place) => self.start(
                spec,
                task.launch_type,
                &task.id,
                place,
                &pins(service, task),
            ),
            None => {
                self.fail_to_start(service, task, "Host EC2 instance terminated.".to_owned());
                return;
            }
        };
        match result {
            Ok(_) if self.port_conflict(spec, task).is_some() => {
                let reason = self.port_conflict(spec, task).unwrap_or_default();
                if let Some(container) = task.containers.first_mut() {
                    container.reason = Some(reason.clone());
                }
                self.fail_to_start(service, task, reason);
            }
            Ok(images) => {
                task.pull_stopped_at = Some(self.now);
                for (container, image) in task.containers.iter_mut().zip(images) {
                    container.image_digest = image.digest;
                    container.app = Some(image.app);
                }
                pin(service, task);
                self.create_log_groups(spec);
                task.last_status = TaskStatus::Activating;
                task.phase_ends_at = self.now + ACTIVATION + self.order(spec, task);
                if task.ordering_failure.is_none() {
                    self.register(service, task);
                }
            }
            Err(failure) => {
                if let Some((name, reason)) = failure.container {
                    for container in task.containers.iter_mut().filter(|c| c.name == name) {
                        container.reason = Some(reason.clone());
                    }
                }
                self.fail_to_start(service, task, failure.reason);
            }
        }
    }

    /// Docker's words when a fixed host port is held by something that ECS does not know.
    fn port_conflict(&self, spec: &TaskSpec, task: &Task) -> Option<String> {
        let instance = self.instance_of(task)?;
        let port = fixed_ports(spec)
            .into_iter()
            .find(|port| instance.foreign_ports.contains(port))?;
        Some(format!(
            "CannotStartContainerError: Error response from daemon: driver failed programming external connectivity on endpoint ecs-{}: Bind for 0.0.0.0:{port} failed: port is already allocated",
            spec.family
        ))
    }

    fn run(&mut self, service: &mut Service, spec: &TaskSpec, task: &mut Task) {
        if let Some(failure) = task.ordering_failure.take() {
            self.fail_to_order(service, spec, task, &failure);
            return;
        }
        task.last_status = TaskStatus::Running;
        task.started_at = Some(self.now);
        let mut said = Vec::new();
        for (definition, container) in spec.container_definitions.iter().zip(&mut task.containers) {
            container.status = ContainerStatus::Running;
            container.runtime_id = Some(format!("{}-{}", task.id, service.ids.digits(10)));
            if let Some(check) = &definition.health_check {
                container.next_health_check_at =
                    Some(self.now + TimeDelta::seconds(i64::from(check.interval.max(5))));
            }
            let Some(app) = container.app.clone() else {
                continue;
            };
            container.announced = listens_on(&app, definition).is_none();
            container.next_lines_at = app
                .periodic_lines
                .iter()
                .map(|line| self.now + TimeDelta::seconds(i64::from(line.every_seconds.max(5))))
                .collect();
            said.extend(
                app.start_lines
                    .iter()
                    .map(|line| (definition, line.clone())),
            );
        }
        task.ending = self
            .place_of(task)
            .and_then(|place| self.ending(spec, task, place, self.now));
        let never_runs = task.ending.as_ref().is_some_and(|ending| {
            ending
                .lines
                .iter()
                .any(|line| line.ends_with("exec format error"))
        });
        if !never_runs {
            for (definition, line) in said {
                write_log(self.region, definition, &task.id, self.now, line);
            }
        }
        service.launch_failures = 0;
    }

    fn keep_running(&mut self, service: &mut Service, spec: &TaskSpec, task: &mut Task) {
        if let Some(ending) = task.ending.clone().filter(|ending| ending.at <= self.now) {
            self.end(service, spec, task, &ending);
        } else if task.is_wanted() {
            self.end_optional(spec, task);
            self.talk(spec, task);
            self.check_containers(service, spec, task);
        } else if self.deregister(service, task) {
            let delay = self.longest_delay(service);
            task.last_status = TaskStatus::Deactivating;
            task.phase_ends_at = self.now + TimeDelta::seconds(i64::from(delay));
        } else {
            self.terminate(task);
        }
    }

    /// A program came to its own end.
    fn end(
        &mut self,
        service: &mut Service,
        spec: &TaskSpec,
        task: &mut Task,
        ending: &crate::world::Ending,
    ) {
        for (definition, container) in spec.container_definitions.iter().zip(&mut task.containers) {
            container.status = ContainerStatus::Stopped;
            if container.name == ending.container {
                container.exit_code = Some(ending.exit_code);
                container.reason.clone_from(&ending.container_reason);
                for line in &ending.lines {
                    write_log(self.region, definition, &task.id, ending.at, line.clone());
                }
            } else {
                container.exit_code = Some(143);
            }
        }
        if task.is_wanted() {
            task.desired_status = TaskStatus::Stopped;
            task.stop_code = Some(StopCode::EssentialContainerExited);
            task.stopped_reason = Some(ending.task_reason.clone());
        }
        task.stopping_at = Some(self.now);
        self.deregister(service, task);
        self.deprovision(task);
    }

    fn terminate(&mut self, task: &mut Task) {
        task.last_status = TaskStatus::Stopping;
        task.stopping_at = Some(self.now);
        task.phase_ends_at = self.now + GRACEFUL_STOP;
    }

    fn kill(&mut self, spec: &TaskSpec, task: &mut Task) {
        for (definition, container) in spec.container_definitions.iter().zip(&mut task.containers) {
            container.status = ContainerStatus::Stopped;
            if container
                .app
                .as_deref()
                .is_some_and(|app| app.ignores_sigterm)
            {
                container.exit_code = Some(137);
                continue;
            }
            container.exit_code = Some(143);
            write_log(
                self.region,
                definition,
                &task.id,
                self.now,
                "received SIGTERM, shutting down",
            );
        }
        self.deprovision(task);
    }

    pub(super) fn fail_to_start(&mut self, service: &mut Service, task: &mut Task, reason: String) {
        task.desired_status = TaskStatus::Stopped;
        task.stop_code = Some(StopCode::TaskFailedToStart);
        task.stopped_reason = Some(reason);
        task.stopping_at = Some(self.now);
        self.deregister(service, task);
        self.deprovision(task);
    }

    fn deprovision(&mut self, task: &mut Task) {
        task.execution_stopped_at = task.started_at.map(|_| self.now);
        for container in &mut task.containers {
            container.status = ContainerStatus::Stopped;
            container.next_health_check_at = None;
        }
        task.stopping_at.get_or_insert(self.now);
        task.last_status = TaskStatus::Deprovisioning;
        task.phase_ends_at = self.now + DEPROVISIONING;
    }

    fn finish(&mut self, task: &mut Task) {
        task.last_status = TaskStatus::Stopped;
        task.stopped_at = Some(self.now);
        if let Some(attachment) = &mut task.attachment {
            attachment.status = "DELETED".to_owned();
            if let Some(subnet) = self.region.subnets.get_mut(&attachment.subnet) {
                subnet.free(&attachment.private_ip);
            }
        }
        self.release(task);
    }

    /// Where the task stands: its own interface, or its instance.
    pub(super) fn place_of<'t>(&'t self, task: &'t Task) -> Option<Place<'t>> {
        if let Some(attachment) = &task.attachment {
            return Some(Place {
                subnet: &attachment.subnet,
                security_groups: &attachment.security_groups,
                private_ip: &attachment.private_ip,
                has_public_ip: attachment.public_ip.is_some(),
            });
        }
        let instance = self.instance_of(task)?;
        Some(Place {
            subnet: &instance.subnet,
            security_groups: &instance.security_groups,
            private_ip: &instance.private_ip,
            has_public_ip: false,
        })
    }

    /// How long the last of the task's targets drains.
    fn longest_delay(&self, service: &Service) -> u32 {
        super::health::target_groups_of(service)
            .iter()
            .filter_map(|arn| self.region.target_groups.get(arn))
            .map(|group| group.deregistration_delay_seconds)
            .max()
            .unwrap_or(0)
    }

    /// Puts the task behind the service's target groups.
    fn register(&mut self, service: &mut Service, task: &Task) {
        for binding in service.load_balancers.clone() {
            let instance = self
                .instance_of(task)
                .map(|instance| instance.ec2_instance_id.clone());
            let Some(group) = self.region.target_groups.get_mut(&binding.target_group_arn) else {
                continue;
            };
            let host_port = task
                .containers
                .iter()
                .find(|container| container.name == binding.container_name)
                .and_then(|c| {
                    c.host_ports
                        .iter()
                        .find(|(port, _)| *port == binding.container_port)
                })
                .map(|(_, host)| *host);
            let id = match group.target_type {
                TargetType::Ip => task.attachment.as_ref().map(|a| a.private_ip.clone()),
                TargetType::Instance => instance,
            };
            let Some(id) = id else { continue };
            let first_check = i64::from(group.health_check.interval_seconds.min(10));
            group.targets.push(Target {
                id,
                port: host_port.unwrap_or(binding.container_port),
                availability_zone: task.availability_zone.clone(),
                task: task.id.clone(),
                state: TargetState::Initial,
                reason: Some(TargetReason::RegistrationInProgress),
                description: Some("Target registration is in progress".to_owned()),
                registered_at: self.now,
                next_check_at: self.now + TimeDelta::seconds(first_check),
                drained_at: None,
                successes: 0,
                failures: 0,
            });
            service.say(
                self.now,
                &format!(
                    "registered 1 targets in (target-group {})",
                    binding.target_group_arn
                ),
            );
        }
    }

    /// Takes the task out of every target group; whether it was in one.
    fn deregister(&mut self, service: &mut Service, task: &Task) -> bool {
        let now = self.now;
        let mut groups = Vec::new();
        for arn in super::health::target_groups_of(service) {
            let Some(group) = self.region.target_groups.get_mut(&arn) else {
                continue;
            };
            let delay = TimeDelta::seconds(i64::from(group.deregistration_delay_seconds));
            for target in &mut group.targets {
                if target.task == task.id && target.state != TargetState::Draining {
                    target.state = TargetState::Draining;
                    target.reason = Some(TargetReason::DeregistrationInProgress);
                    target.description = Some("Target deregistration is in progress".to_owned());
                    target.drained_at = Some(now + delay);
                    groups.push(group.arn.clone());
                }
            }
        }
        for arn in &groups {
            if !service.draining.contains(arn) {
                service.draining.push(arn.clone());
            }
            service.say(
                now,
                &format!("deregistered 1 targets in (target-group {arn})"),
            );
        }
        if !groups.is_empty() && task.is_running() && !task.is_wanted() {
            service.say(now, "has begun draining connections on 1 tasks.");
        }
        !groups.is_empty()
    }

    /// Stops a task on the scheduler's own account, and says so.
    pub(super) fn stop(service: &mut Service, task: &mut Task, reason: String, now: DateTime<Utc>) {
        task.desired_status = TaskStatus::Stopped;
        task.stop_code = Some(StopCode::ServiceSchedulerInitiated);
        task.stopped_reason = Some(reason);
        task.phase_ends_at = now;
        service.say(
            now,
            &format!("has stopped 1 running tasks: (task {}).", task.id),
        );
    }

    fn check_containers(&mut self, service: &mut Service, spec: &TaskSpec, task: &mut Task) {
        let Some(started) = task.started_at else {
            return;
        };
        let now = self.now;
        for (definition, container) in spec.container_definitions.iter().zip(&mut task.containers) {
            let Some(check) = &definition.health_check else {
                continue;
            };
            if container.next_health_check_at.is_none_or(|due| due > now) {
                continue;
            }
            container.next_health_check_at =
                Some(now + TimeDelta::seconds(i64::from(check.interval.max(5))));
            if super::health::container_check_passes(check, definition, container, started, now) {
                container.health_failures = 0;
                container.health = ContainerHealth::Healthy;
                // The command asks nothing that changes later: what passes once passes always.
                container.next_health_check_at = Some(now + super::LONGEST_SLEEP);
                continue;
            }
            let start_period = TimeDelta::seconds(i64::from(check.start_period.unwrap_or(0)));
            let excused =
                now < started + start_period && container.health != ContainerHealth::Healthy;
            if !excused {
                container.health_failures += 1;
                if container.health_failures >= check.retries.max(1) {
                    container.health = ContainerHealth::Unhealthy;
                }
            }
        }
        let checked = |task: &Task, health| {
            spec.container_definitions
                .iter()
                .zip(&task.containers)
                .any(|(d, c)| d.essential && d.health_check.is_some() && c.health == health)
        };
        task.health = if checked(task, ContainerHealth::Unhealthy) {
            ContainerHealth::Unhealthy
        } else if checked(task, ContainerHealth::Unknown)
            || !checked(task, ContainerHealth::Healthy)
        {
            ContainerHealth::Unknown
        } else {
            ContainerHealth::Healthy
        };
        let grace = i64::from(service.health_check_grace_period_seconds.unwrap_or(0));
        if task.health == ContainerHealth::Unhealthy && now >= started + TimeDelta::seconds(grace) {
            service.say(
                now,
                &format!("(task {}) failed container health checks.", task.id),
            );
            Self::stop(
                service,
                task,
                "Task failed container health checks".to_owned(),
                now,
            );
            service.say(
                now,
                "Amazon ECS replaced 1 tasks due to an unhealthy status.",
            );
            self.deregister(service, task);
        }
    }
}

/// The digests that the task's deployment has settled on.
fn pins(service: &Service, task: &Task) -> BTreeMap<String, String> {
    service
        .deployments
        .iter()
        .find(|deployment| deployment.id == task.started_by)
        .map(|deployment| deployment.pinned.clone())
        .unwrap_or_default()
}

/// The first task that a deployment pulls settles its digests (ECS Developer Guide, "Container image
/// resolution").
fn pin(service: &mut Service, task: &Task) {
    let deployment = service
        .deployments
        .iter_mut()
        .find(|deployment| deployment.id == task.started_by);
    let Some(deployment) = deployment else { return };
    for container in &task.containers {
        if let Some(digest) = &container.image_digest {
            deployment
                .pinned
                .entry(container.name.clone())
                .or_insert_with(|| digest.clone());
        }
    }
}

impl Task {
    /// Where in the list of subnets this task's turn begins: a number that its id decides.
    fn subnet_choice(&self, subnets: &[String]) -> usize {
        let turn = self.id.bytes().map(usize::from).sum::<usize>();
        turn.checked_rem(subnets.len()).unwrap_or(0)
    }
}
