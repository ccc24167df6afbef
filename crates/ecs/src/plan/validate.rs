//! The rules every operation obeys, whoever proposed it.
//!
//! INVARIANT: every ARN, id and name of an operation was read as part of the service's
//! observation; no text of a log, tag or model can name anything else.

use super::{
    AwsvpcNetwork, Direction, ModifyTargetGroupHealthCheck, Operation, Peer, PlanError,
    RegisterTaskDefinitionRevision, RevisionRef, SecurityGroupRuleChange, TaskDefinitionChange,
    UpdateService, proof,
};
use crate::observation::{Observation, TaskDefinitionSnapshot};

/// Most tasks that an operation may ask for beyond what the service already ran.
const MOST_TASKS: i32 = 100;

/// The rules for one operation at a position of the plan.
pub(crate) struct Rules<'a> {
    pub(crate) observation: &'a Observation,
    pub(crate) earlier: &'a [Operation],
    /// Counted from 1.
    pub(crate) position: usize,
}

impl Rules<'_> {
    pub(crate) fn check(&self, operation: &Operation) -> Result<(), PlanError> {
        match operation {
            Operation::RegisterTaskDefinitionRevision(register) => self.register(register),
            Operation::UpdateService(update) => self.update(update),
            Operation::AuthorizeSecurityGroup(change) => self.rule(change, true),
            Operation::RevokeSecurityGroup(change) => self.rule(change, false),
            Operation::ModifyTargetGroupHealthCheck(change) => self.health_check(change),
            Operation::CreateLogGroup(create) => {
                let named = self.definitions().any(|definition| {
                    definition.containers.iter().any(|container| {
                        container
                            .log_configuration
                            .as_ref()
                            .is_some_and(|log| log.group.as_ref() == Some(&create.name))
                    })
                });
                self.member(named, "a log group of the task definition", &create.name)
            }
            Operation::RegisterScalableTarget(change) => {
                self.own_service(&change.service)?;
                if self.observation.scaling.is_none() {
                    return Err(self.unknown("the service's scaling limits"));
                }
                let limits = change.min_capacity..=change.max_capacity;
                let sane = change.min_capacity >= 0
                    && change.max_capacity <= MOST_TASKS
                    && limits.contains(&change.max_capacity);
                self.value(
                    sane,
                    "max_capacity",
                    &change.max_capacity,
                    "0 <= min <= max <= 100",
                )
            }
            Operation::StopTask(stop) => {
                self.own_cluster(&stop.cluster)?;
                let own = self
                    .observation
                    .tasks
                    .iter()
                    .any(|task| task.arn == stop.task && task.last_status != "STOPPED");
                self.member(own, "a running task", &stop.task)
            }
        }
    }

    fn register(&self, register: &RegisterTaskDefinitionRevision) -> Result<(), PlanError> {
        let base = self.definition(&register.base)?;
        if register.changes.is_empty() && base.status != "INACTIVE" {
            return Err(PlanError::NoChange {
                operation: self.position,
            });
        }
        register
            .changes
            .iter()
            .try_for_each(|change| self.change(base, change))
    }

    fn change(
        &self,
        base: &TaskDefinitionSnapshot,
        change: &TaskDefinitionChange,
    ) -> Result<(), PlanError> {
        let container = match change.container() {
            Some(name) => {
                let found = base
                    .containers
                    .iter()
                    .find(|container| container.name == name);
                self.member(found.is_some(), "a container of the task definition", name)?;
                found
            }
            None => None,
        };
        if let Some(from) = change.copies_from() {
            let from = self.definition(from)?;
            self.member(
                from.family == base.family,
                "a revision of the same family",
                &from.arn,
            )?;
        }
        match change {
            TaskDefinitionChange::SetImage { image, .. } => self.member(
                proof::image_is_known(self.observation, image),
                "an image",
                image,
            ),
            TaskDefinitionChange::SetTaskSize { cpu, memory_mib } => {
                let fargate = base
                    .requires_compatibilities
                    .iter()
                    .any(|kind| kind == "FARGATE");
                let valid = if fargate {
                    is_fargate_size(*cpu, *memory_mib)
                } else {
                    *cpu >= 128 && *memory_mib >= 4
                };
                self.value(
                    valid,
                    "memory_mib",
                    memory_mib,
                    "CPU and memory have to be a size that Fargate offers",
                )
            }
            TaskDefinitionChange::SetContainerMemory { memory_mib, .. }
            | TaskDefinitionChange::SetContainerMemoryReservation { memory_mib, .. } => self.value(
                (4..=122_880).contains(memory_mib),
                "memory_mib",
                memory_mib,
                "between 4 and 122880 MiB",
            ),
            TaskDefinitionChange::SetContainerPort { from, to, .. } => {
                let mapped = container.is_some_and(|c| {
                    c.port_mappings
                        .iter()
                        .any(|port| port.container_port == *from)
                });
                self.member(mapped, "a port of the container", &from.to_string())?;
                self.value((1..=65_535).contains(to), "to", to, "a TCP port")
            }
            TaskDefinitionChange::SetHealthCheckTiming {
                interval_seconds,
                timeout_seconds,
                retries,
                start_period_seconds,
                ..
            } => {
                self.has_health_check(container.is_some_and(|c| c.health_check.is_some()))?;
                for (field, value, range) in [
                    ("interval_seconds", interval_seconds, 5..=300),
                    ("timeout_seconds", timeout_seconds, 2..=120),
                    ("retries", retries, 1..=10),
                    ("start_period_seconds", start_period_seconds, 0..=300),
                ] {
                    let fits = value.is_none_or(|value| range.contains(&value));
                    self.value(
                        fits,
                        field,
                        &value.unwrap_or_default(),
                        "outside what ECS takes",
                    )?;
                }
                Ok(())
            }
            TaskDefinitionChange::RemoveHealthCheck { .. } => {
                self.has_health_check(container.is_some_and(|c| c.health_check.is_some()))
            }
            TaskDefinitionChange::CopyEnvironmentVariable {
                name,
                from,
                container,
            } => {
                let known = self.definition(from)?.containers.iter().any(|other| {
                    &other.name == container && other.environment_names.contains(name)
                });
                self.member(known, "an environment variable of that revision", name)
            }
            TaskDefinitionChange::AddSecretReference { value_from, .. } => {
                let known = self
                    .definitions()
                    .filter(|other| other.family == base.family)
                    .any(|other| {
                        other
                            .containers
                            .iter()
                            .flat_map(|c| &c.secrets)
                            .any(|secret| &secret.value_from == value_from)
                    });
                self.member(
                    known,
                    "a secret that a revision of the family refers to",
                    value_from,
                )
            }
            TaskDefinitionChange::RemoveSecretReference { name, .. } => {
                let known =
                    container.is_some_and(|c| c.secrets.iter().any(|secret| &secret.name == name));
                self.member(known, "a secret of the container", name)
            }
            TaskDefinitionChange::SetEssential {
                essential,
                container,
            } => {
                let others = base
                    .containers
                    .iter()
                    .any(|c| &c.name != container && c.essential);
                self.value(
                    *essential || others,
                    "essential",
                    essential,
                    "one container has to stay essential",
                )
            }
            TaskDefinitionChange::CopyHealthCheck { .. }
            | TaskDefinitionChange::CopyCommand { .. }
            | TaskDefinitionChange::SetLogGroupCreation { .. }
            | TaskDefinitionChange::SetCpuArchitecture { .. } => Ok(()),
        }
    }

    fn update(&self, update: &UpdateService) -> Result<(), PlanError> {
        self.own_cluster(&update.cluster)?;
        self.own_service(&update.service)?;
        let nothing = UpdateService {
            cluster: update.cluster.clone(),
            service: update.service.clone(),
            ..UpdateService::default()
        };
        if *update == nothing {
            return Err(PlanError::NoChange {
                operation: self.position,
            });
        }
        match &update.task_definition {
            Some(RevisionRef::Existing { arn }) => {
                let definition = self.definition(arn)?;
                self.value(
                    definition.status == "ACTIVE",
                    "task_definition",
                    arn,
                    "the revision has to be active",
                )?;
            }
            Some(RevisionRef::Step { step }) => {
                let registered = usize::try_from(*step)
                    .ok()
                    .and_then(|step| self.earlier.get(step.checked_sub(1)?))
                    .is_some_and(|earlier| {
                        matches!(earlier, Operation::RegisterTaskDefinitionRevision(_))
                    });
                self.value(
                    registered,
                    "task_definition",
                    step,
                    "an earlier step has to register it",
                )?;
            }
            None => {}
        }
        if let Some(count) = update.desired_count {
            self.value(
                (0..=MOST_TASKS).contains(&count),
                "desired_count",
                &count,
                "between 0 and 100",
            )?;
        }
        if let Some(seconds) = update.health_check_grace_period_seconds {
            let balanced = !self.observation.service.load_balancers.is_empty();
            self.value(
                balanced,
                "health_check_grace_period_seconds",
                &seconds,
                "the service has no load balancer",
            )?;
            self.value(
                (0..=86_400).contains(&seconds),
                "health_check_grace_period_seconds",
                &seconds,
                "between 0 and a day",
            )?;
        }
        if let Some(percents) = update.healthy_percents {
            self.value(
                (0..=100).contains(&percents.minimum),
                "healthy_percents.minimum",
                &percents.minimum,
                "between 0 and 100",
            )?;
            self.value(
                (100..=200).contains(&percents.maximum),
                "healthy_percents.maximum",
                &percents.maximum,
                "between 100 and 200",
            )?;
            let desired = update.desired_count;
            self.value(
                percents.leave_room(desired.unwrap_or(self.observation.service.desired_count)),
                "healthy_percents",
                &format!("{} to {}", percents.minimum, percents.maximum),
                "no task could be stopped or started during a deployment",
            )?;
        }
        update
            .network
            .as_ref()
            .map_or(Ok(()), |network| self.network(network))
    }

    fn network(&self, network: &AwsvpcNetwork) -> Result<(), PlanError> {
        self.value(
            !network.subnets.is_empty(),
            "subnets",
            &"[]",
            "at least one",
        )?;
        self.value(
            !network.security_groups.is_empty(),
            "security_groups",
            &"[]",
            "at least one",
        )?;
        for subnet in &network.subnets {
            let known = proof::subnet_is_known(self.observation, subnet);
            self.member(known, "a subnet around the service", subnet)?;
        }
        for group in &network.security_groups {
            let own = self.observation.service.security_groups.contains(group);
            self.member(own, "a security group of the service", group)?;
        }
        Ok(())
    }

    fn rule(&self, change: &SecurityGroupRuleChange, adding: bool) -> Result<(), PlanError> {
        let own = self
            .observation
            .service
            .security_groups
            .contains(&change.group)
            && self
                .observation
                .network
                .security_groups
                .iter()
                .any(|group| group.id == change.group);
        self.member(
            own,
            "a security group of the service's tasks",
            &change.group,
        )?;
        let rule = &change.rule;
        let ports = (1..=65_535).contains(&rule.from_port)
            && rule.from_port <= rule.to_port
            && rule.to_port <= 65_535;
        self.value(ports, "to_port", &rule.to_port, "a range of TCP ports")?;
        match &rule.peer {
            Peer::Group { id } => {
                let known = self
                    .observation
                    .network
                    .security_groups
                    .iter()
                    .any(|group| &group.id == id)
                    || self
                        .observation
                        .load_balancers
                        .iter()
                        .any(|lb| lb.security_groups.contains(id));
                self.member(known, "a security group around the service", id)
            }
            Peer::PrefixList { id } => {
                let known = self
                    .observation
                    .network
                    .route_tables
                    .iter()
                    .any(|table| table.routes.iter().any(|route| &route.destination == id));
                self.member(known, "a prefix list of the route tables", id)
            }
            Peer::Cidr { cidr } => {
                let world = !is_narrow(cidr);
                let only_https = change.direction == Direction::Egress
                    && rule.from_port == 443
                    && rule.to_port == 443;
                let known = self
                    .observation
                    .network
                    .subnets
                    .iter()
                    .any(|subnet| &subnet.cidr == cidr);
                if world {
                    let allowed = cidr == "0.0.0.0/0"
                        && (only_https || !adding && change.direction == Direction::Egress);
                    return self.value(
                        allowed,
                        "cidr",
                        cidr,
                        "nothing is opened to the world but outbound 443",
                    );
                }
                self.member(known, "the address block of a subnet of the service", cidr)
            }
        }
    }

    fn health_check(&self, change: &ModifyTargetGroupHealthCheck) -> Result<(), PlanError> {
        let group = self
            .observation
            .target_groups
            .iter()
            .find(|group| group.arn == change.target_group);
        self.member(group.is_some(), "a target group", &change.target_group)?;
        let nothing = ModifyTargetGroupHealthCheck {
            target_group: change.target_group.clone(),
            ..ModifyTargetGroupHealthCheck::default()
        };
        if *change == nothing {
            return Err(PlanError::NoChange {
                operation: self.position,
            });
        }
        if let Some(path) = &change.path {
            let plain = path.starts_with('/')
                && path.len() <= 1024
                && path
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"/-._~?=&%".contains(&b));
            self.value(plain, "path", path, "a plain path that begins with `/`")?;
        }
        if let Some(port) = &change.port {
            let known = port == "traffic-port" || port.parse::<u16>().is_ok_and(|port| port > 0);
            self.value(known, "port", port, "`traffic-port` or a port")?;
        }
        if let Some(matcher) = &change.matcher {
            let success = matcher.split([',', '-']).all(|code| {
                code.parse::<u16>()
                    .is_ok_and(|code| (200..400).contains(&code))
            });
            self.value(
                success,
                "matcher",
                matcher,
                "codes that mean success, 200 to 399",
            )?;
        }
        for (field, value, range) in [
            ("interval_seconds", change.interval_seconds, 5..=300),
            ("timeout_seconds", change.timeout_seconds, 2..=120),
            ("healthy_threshold", change.healthy_threshold, 2..=10),
            ("unhealthy_threshold", change.unhealthy_threshold, 2..=10),
        ] {
            let fits = value.is_none_or(|value| range.contains(&value));
            self.value(
                fits,
                field,
                &value.unwrap_or_default(),
                "outside what ELB takes",
            )?;
        }
        Ok(())
    }

    fn definitions(&self) -> impl Iterator<Item = &TaskDefinitionSnapshot> {
        proof::definitions(self.observation)
    }

    fn definition(&self, arn: &str) -> Result<&TaskDefinitionSnapshot, PlanError> {
        let found = self.definitions().find(|definition| definition.arn == arn);
        found.ok_or_else(|| self.outside("a task definition revision", arn))
    }

    fn own_service(&self, arn: &str) -> Result<(), PlanError> {
        self.member(
            self.observation.service.arn == arn,
            "the service itself",
            arn,
        )
    }

    fn own_cluster(&self, arn: &str) -> Result<(), PlanError> {
        self.member(
            self.observation.service.cluster_arn == arn,
            "the cluster",
            arn,
        )
    }

    fn has_health_check(&self, has: bool) -> Result<(), PlanError> {
        if has {
            Ok(())
        } else {
            Err(PlanError::NoChange {
                operation: self.position,
            })
        }
    }

    fn member(&self, is: bool, kind: &'static str, target: &str) -> Result<(), PlanError> {
        if is {
            Ok(())
        } else {
            Err(self.outside(kind, target))
        }
    }

    fn outside(&self, kind: &'static str, target: &str) -> PlanError {
        PlanError::NotInInventory {
            operation: self.position,
            kind,
            target: target.to_owned(),
        }
    }

    fn value(
        &self,
        allowed: bool,
        field: &'static str,
        value: &impl ToString,
        rule: &'static str,
    ) -> Result<(), PlanError> {
        if allowed {
            return Ok(());
        }
        Err(PlanError::ValueRefused {
            operation: self.position,
            field,
            value: value.to_string(),
            rule,
        })
    }

    fn unknown(&self, what: &'static str) -> PlanError {
        PlanError::Unknown {
            operation: self.position,
            what,
        }
    }
}

/// Whether a block is IPv4 and at most a /16.
fn is_narrow(cidr: &str) -> bool {
    cidr.split_once('/').is_some_and(|(address, bits)| {
        address.parse::<std::net::Ipv4Addr>().is_ok()
            && bits
                .parse::<u8>()
                .is_ok_and(|bits| (16..=32).contains(&bits))
    })
}

/// Whether Fargate offers this size.
///
/// Source: task size table in the Amazon ECS Developer Guide.
pub(crate) fn is_fargate_size(cpu: i32, memory_mib: i32) -> bool {
    let gib = |from: i32, to: i32, step: i32| {
        memory_mib % (step * 1024) == 0 && (from * 1024..=to * 1024).contains(&memory_mib)
    };
    match cpu {
        256 => memory_mib == 512 || gib(1, 2, 1),
        512 => gib(1, 4, 1),
        1024 => gib(2, 8, 1),
        2048 => gib(4, 16, 1),
        4096 => gib(8, 30, 1),
        8192 => gib(16, 60, 4),
        16384 => gib(32, 120, 8),
        _ => false,
    }
}

/// The smallest Fargate size with at least this CPU and memory.
pub(crate) fn fargate_size(cpu: i32, memory_mib: i32) -> Option<(i32, i32)> {
    [256, 512, 1024, 2048, 4096, 8192, 16384]
        .into_iter()
        .filter(|offered| *offered >= cpu)
        .flat_map(|cpu| (1..=240).map(move |half_gib| (cpu, half_gib * 512)))
        .find(|(cpu, memory)| *memory >= memory_mib && is_fargate_size(*cpu, *memory))
}
