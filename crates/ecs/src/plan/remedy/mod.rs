//! The smallest repair of each failure mode.

mod balancer;
mod network;

use super::build::ProposedOperation;
use super::validate::fargate_size;
use super::{
    Alternative, CpuArchitecture, CreateLogGroup, HealthyPercents, Operation,
    RegisterScalableTarget, RegisterTaskDefinitionRevision, RevisionRef, TaskDefinitionChange,
    UpdateService, proof,
};
use crate::analyse::{Diagnosis, Finding, secret_arn};
use crate::observation::{ContainerDefinition, ImageSnapshot, Observation, TaskDefinitionSnapshot};

/// Operations for one finding, with other ways to repair it.
#[derive(Debug, Default)]
pub(crate) struct Remedy {
    pub(crate) operations: Vec<Operation>,
    pub(crate) alternatives: Vec<Alternative>,
    pub(crate) warnings: Vec<String>,
}

impl Remedy {
    fn of(operations: Vec<Operation>) -> Self {
        Self {
            operations,
            ..Self::default()
        }
    }

    fn or(mut self, title: &str, trade_off: &str, operations: Vec<Operation>) -> Self {
        if !operations.is_empty() && operations != self.operations {
            self.alternatives.push(Alternative {
                title: title.to_owned(),
                trade_off: trade_off.to_owned(),
                operations,
            });
        }
        self
    }
}

/// The repair of a finding; none when only a person can repair it.
pub(crate) fn of(observation: &Observation, diagnosis: &Diagnosis, finding: &Finding) -> Remedy {
    // The circuit breaker has put back what ran before: users are served, and deploying the same
    // again would fail again.
    if diagnosis.finding("circuit-breaker-rolled-back").is_some() {
        return Remedy::default();
    }
    match finding.mode.as_str() {
        "image-tag-not-found" | "image-repo-not-found" => image(observation, finding),
        "ecr-pull-denied-execution-role" | "ecr-auth-token-denied" => {
            back_if(observation, |good, bad| {
                good.execution_role_arn != bad.execution_role_arn
            })
        }
        "secret-access-denied-execution-role"
        | "secret-not-found"
        | "secret-scheduled-for-deletion"
        | "secret-json-key-missing" => secret(observation, finding),
        "log-group-missing" => log_group(observation, finding),
        "required-env-var-missing" => variable(observation, finding),
        "app-crash-exit-nonzero"
        | "app-dependency-unreachable"
        | "elb-hc-auth-or-redirect"
        | "elb-hc-dependency-503"
        | "elb-hc-protocol-mismatch"
        | "dependency-condition-timeout"
        | "entrypoint-script-bad-shebang"
        | "ephemeral-storage-full-runtime"
        | "exit-0-essential-container"
        | "exit-134-abort"
        | "exit-139-segfault"
        | "memory-leak"
        | "placement-constraint-unsatisfied"
        | "privileged-port-permission-denied"
        | "readonly-filesystem-write"
        | "ulimit-nofile-exhausted"
        | "exit-126-not-executable"
        | "firelens-config-or-router-crash"
        | "jvm-heap-misconfigured"
        | "log-group-create-denied"
        | "private-registry-credentials-bad"
        | "secret-kms-decrypt-denied"
        | "task-role-permission-missing-app"
        | "elb-hc-app-bound-to-localhost" => back_if(observation, differs),
        "docker-hub-rate-limit" => back_if(observation, |good, bad| images(good) != images(bad)),
        "host-port-conflict" | "resource-ports" => {
            back_if(observation, |good, bad| host_ports(good) != host_ports(bad))
        }
        "image-digest-gone-version-consistency" => resolve_again(observation, finding),
        "fargate-capacity-unavailable" => network::more_subnets(observation),
        "oom-kill-137" => memory(observation, finding),
        "exec-format-error" | "image-platform-mismatch-manifest" => architecture(observation),
        "exit-127-command-not-found" => command(observation, finding),
        "container-hc-command-broken" => container_check(observation, finding),
        "container-hc-start-period-short" => start_period(observation, finding),
        "elb-hc-path-mismatch" => balancer::path(observation, finding),
        "elb-hc-port-mismatch" => balancer::port(observation, finding),
        "elb-hc-timeout-sg-ingress" => network::ingress(observation, finding),
        "elb-hc-grace-period-short" => balancer::grace(observation),
        "elb-hc-timeout-slow-app" => balancer::slow_app(observation, finding),
        "sg-egress-blocked" => network::egress(observation, finding),
        "private-subnet-no-nat-or-endpoint" | "route-blackhole-nat-deleted" => {
            network::other_subnets(observation)
        }
        "fargate-public-subnet-no-public-ip" => network::public_ip(observation),
        "subnet-ip-exhaustion" => network::more_subnets(observation),
        "insufficient-memory-instances"
        | "insufficient-cpu-instances"
        | "task-larger-than-instance" => back_if(observation, |good, bad| {
            good.memory_mib < bad.memory_mib || good.cpu < bad.cpu || reserved(good) < reserved(bad)
        }),
        "service-desired-count-zero" => desired_count(observation),
        "task-definition-inactive" => register_again(observation),
        "scaling-at-max-capacity" => scaling(observation),
        "essential-sidecar-exited" => sidecar(observation, finding),
        "deployment-config-impossible" => room_to_deploy(observation),
        _ => Remedy::default(),
    }
}

/// Deployments that ECS gave up on, or that wait out a long back-off, are started anew.
pub(crate) fn wake(
    observation: &Observation,
    diagnosis: &Diagnosis,
    operations: &[ProposedOperation],
) -> Option<ProposedOperation> {
    let deploys = operations.iter().any(|proposed| {
        matches!(&proposed.operation, Operation::UpdateService(update)
            if update.task_definition.is_some() || update.network.is_some() || update.force_new_deployment)
    });
    let gave_up = diagnosis.finding("circuit-breaker-no-rollback").is_some()
        || observation.service.events.iter().take(10).any(|event| {
            event
                .message
                .contains("unable to consistently start tasks successfully")
        });
    if operations.is_empty() || deploys || !gave_up {
        return None;
    }
    let mut update = update(observation);
    update.force_new_deployment = true;
    Some(ProposedOperation {
        operation: Operation::UpdateService(update),
        reason: "ECS waits before it tries again: a new deployment starts tasks at once".to_owned(),
    })
}

/// The operation with references to earlier steps moved by this many steps.
pub(crate) fn renumbered(mut operation: Operation, by: u32) -> Operation {
    if let Operation::UpdateService(update) = &mut operation
        && let Some(RevisionRef::Step { step }) = &mut update.task_definition
    {
        *step += by;
    }
    operation
}

fn update(observation: &Observation) -> UpdateService {
    UpdateService {
        cluster: observation.service.cluster_arn.clone(),
        service: observation.service.arn.clone(),
        ..UpdateService::default()
    }
}

/// Deploys a revision that exists.
fn deploy(observation: &Observation, arn: &str) -> Vec<Operation> {
    let mut update = update(observation);
    update.task_definition = Some(RevisionRef::Existing {
        arn: arn.to_owned(),
    });
    vec![Operation::UpdateService(update)]
}

/// Registers the present revision with changes, and deploys it.
fn revise(observation: &Observation, changes: Vec<TaskDefinitionChange>) -> Vec<Operation> {
    let Some(base) = &observation.task_definition else {
        return Vec::new();
    };
    let mut update = update(observation);
    update.task_definition = Some(RevisionRef::Step { step: 1 });
    vec![
        Operation::RegisterTaskDefinitionRevision(RegisterTaskDefinitionRevision {
            base: base.arn.clone(),
            changes,
        }),
        Operation::UpdateService(update),
    ]
}

/// Back to the newest revision that ran healthy, if it lacks what is wrong with the present one.
fn back(
    observation: &Observation,
    cured: impl Fn(&TaskDefinitionSnapshot, &TaskDefinitionSnapshot) -> bool,
) -> Vec<Operation> {
    let Some(present) = &observation.task_definition else {
        return Vec::new();
    };
    match proof::good_revision(observation) {
        Some((good, ..)) if cured(good, present) => deploy(observation, &good.arn),
        _ => Vec::new(),
    }
}

fn back_if(
    observation: &Observation,
    cured: impl Fn(&TaskDefinitionSnapshot, &TaskDefinitionSnapshot) -> bool,
) -> Remedy {
    Remedy::of(back(observation, cured))
}

fn differs(good: &TaskDefinitionSnapshot, bad: &TaskDefinitionSnapshot) -> bool {
    good.arn != bad.arn
}

fn reserved(definition: &TaskDefinitionSnapshot) -> i32 {
    definition
        .containers
        .iter()
        .map(|container| {
            container
                .memory_reservation_mib
                .or(container.memory_mib)
                .unwrap_or(0)
        })
        .sum()
}

fn images(definition: &TaskDefinitionSnapshot) -> Vec<&str> {
    let containers = definition.containers.iter();
    containers
        .map(|container| container.image.as_str())
        .collect()
}

/// The fixed ports that a task takes of its host.
fn host_ports(definition: &TaskDefinitionSnapshot) -> Vec<i32> {
    let containers = definition.containers.iter();
    containers
        .flat_map(|container| &container.port_mappings)
        .filter_map(|mapping| mapping.host_port.filter(|port| *port != 0))
        .collect()
}

/// A new deployment resolves tags anew, where they still lead to an image.
fn resolve_again(observation: &Observation, finding: &Finding) -> Remedy {
    let found = container(observation, finding).is_some_and(|container| {
        observation.images.iter().any(|image| {
            image.reference == container.image
                && image.image_exists == Some(true)
                && !container.image.contains('@')
        })
    });
    if !found {
        return back_if(observation, |good, bad| images(good) != images(bad));
    }
    let mut update = update(observation);
    update.force_new_deployment = true;
    let mut remedy = Remedy::of(vec![Operation::UpdateService(update)]).or(
        ROLL_BACK,
        ROLL_BACK_COST,
        back(observation, |good, bad| images(good) != images(bad)),
    );
    remedy.warnings.push(
        "The tag leads to another image than the one that runs: all tasks will run the new one."
            .to_owned(),
    );
    remedy
}

/// The container of the present revision that a finding is about.
fn container<'a>(
    observation: &'a Observation,
    finding: &Finding,
) -> Option<&'a ContainerDefinition> {
    let containers = &observation.task_definition.as_ref()?.containers;
    containers
        .iter()
        .find(|container| {
            finding.affected.contains(&container.name)
                || finding.affected.contains(&container.image)
        })
        .or_else(|| {
            containers
                .iter()
                .find(|c| finding.root_cause.contains(&format!("`{}`", c.name)))
        })
        .or_else(|| containers.first())
}

const ROLL_BACK: &str = "Deploy the previous good revision as it is";
const ROLL_BACK_COST: &str =
    "proven as a whole, but also takes back every other change of this release";

fn image(observation: &Observation, finding: &Finding) -> Remedy {
    let Some(bad) = container(observation, finding) else {
        return Remedy::default();
    };
    let other_image = |good: &TaskDefinitionSnapshot, _: &TaskDefinitionSnapshot| {
        good.containers
            .iter()
            .any(|c| c.name == bad.name && c.image != bad.image)
    };
    let rollback = back(observation, other_image);
    let proven = proof::good_revision(observation)
        .and_then(|(good, ..)| good.containers.iter().find(|c| c.name == bad.name))
        .map(|good| good.image.clone())
        .filter(|image| *image != bad.image);
    let set = |image: String| {
        revise(
            observation,
            vec![TaskDefinitionChange::SetImage {
                container: bad.name.clone(),
                image,
            }],
        )
    };
    if !rollback.is_empty() {
        return Remedy::of(rollback).or(
            "Keep this revision and put the previous image into it",
            "keeps the other changes of this release, but that combination never ran",
            proven.map(set).unwrap_or_default(),
        );
    }
    let listed = observation
        .images
        .iter()
        .find(|known| known.reference == bad.image)
        .and_then(|known| newest_tag(known));
    match listed {
        Some(image) => {
            let mut remedy = Remedy::of(set(image));
            remedy.warnings.push(
                "No revision is known to have run healthy: the image is the newest that the registry lists; check that it is the one you mean.".to_owned(),
            );
            remedy
        }
        None => Remedy::default(),
    }
}

fn newest_tag(known: &ImageSnapshot) -> Option<String> {
    let stem = known
        .reference
        .rsplit_once(':')
        .map_or(known.reference.as_str(), |(stem, _)| stem);
    let tag = known
        .existing_tags
        .iter()
        .find(|tag| **tag != known.tag_or_digest)?;
    Some(format!("{stem}:{tag}"))
}

fn secret(observation: &Observation, finding: &Finding) -> Remedy {
    let Some(present) = &observation.task_definition else {
        return Remedy::default();
    };
    let Some(reference) = present
        .containers
        .iter()
        .flat_map(|c| &c.secrets)
        .find(|secret| finding.affected.contains(&secret.value_from))
    else {
        return Remedy::default();
    };
    let by_key = finding.mode == "secret-json-key-missing";
    let denied = finding.mode == "secret-access-denied-execution-role";
    back_if(observation, |good, bad| {
        let uses = good
            .containers
            .iter()
            .flat_map(|c| &c.secrets)
            .any(|secret| {
                if by_key {
                    secret.value_from == reference.value_from
                } else {
                    secret_arn(&secret.value_from) == secret_arn(&reference.value_from)
                }
            });
        !uses || (denied && good.execution_role_arn != bad.execution_role_arn)
    })
}

fn log_group(observation: &Observation, finding: &Finding) -> Remedy {
    let Some(present) = &observation.task_definition else {
        return Remedy::default();
    };
    let log = present
        .containers
        .iter()
        .filter_map(|container| container.log_configuration.as_ref())
        .find(|log| {
            log.group
                .as_ref()
                .is_some_and(|group| finding.affected.contains(group))
        });
    let Some((log, name)) = log.and_then(|log| Some((log, log.group.clone()?))) else {
        return Remedy::default();
    };
    let elsewhere = log
        .region
        .as_ref()
        .is_some_and(|region| region != observation.region.as_str());
    if elsewhere {
        return back_if(observation, differs);
    }
    let other_group = |good: &TaskDefinitionSnapshot, _: &TaskDefinitionSnapshot| {
        good.containers.iter().all(|c| {
            c.log_configuration
                .as_ref()
                .is_none_or(|log| log.group.as_ref() != Some(&name))
        })
    };
    Remedy::of(vec![Operation::CreateLogGroup(CreateLogGroup {
        name: name.clone(),
    })])
    .or(ROLL_BACK, ROLL_BACK_COST, back(observation, other_group))
}

fn variable(observation: &Observation, finding: &Finding) -> Remedy {
    let Some(bad) = container(observation, finding) else {
        return Remedy::default();
    };
    let Some(present) = &observation.task_definition else {
        return Remedy::default();
    };
    let same = |definition: &TaskDefinitionSnapshot| {
        definition
            .containers
            .iter()
            .find(|c| c.name == bad.name)
            .cloned()
    };
    let restore = observation
        .other_task_definitions
        .iter()
        .filter(|other| other.arn != present.arn && other.family == present.family)
        .find_map(|other| {
            let earlier = same(other)?;
            finding.affected.iter().find_map(|name| {
                if earlier.environment_names.contains(name) {
                    return Some(TaskDefinitionChange::CopyEnvironmentVariable {
                        container: bad.name.clone(),
                        name: name.clone(),
                        from: other.arn.clone(),
                    });
                }
                let secret = earlier.secrets.iter().find(|secret| &secret.name == name)?;
                Some(TaskDefinitionChange::AddSecretReference {
                    container: bad.name.clone(),
                    name: name.clone(),
                    value_from: secret.value_from.clone(),
                })
            })
        });
    let rollback = back(observation, differs);
    match restore {
        Some(change) => {
            Remedy::of(revise(observation, vec![change])).or(ROLL_BACK, ROLL_BACK_COST, rollback)
        }
        None => Remedy::of(rollback),
    }
}

fn memory(observation: &Observation, finding: &Finding) -> Remedy {
    let Some(present) = &observation.task_definition else {
        return Remedy::default();
    };
    let Some(bad) = container(observation, finding) else {
        return Remedy::default();
    };
    let good = proof::good_revision(observation).map(|(good, ..)| good);
    let good_container = good.and_then(|good| good.containers.iter().find(|c| c.name == bad.name));
    let fargate = present
        .requires_compatibilities
        .iter()
        .any(|kind| kind == "FARGATE");
    let mut changes = Vec::new();
    let task = present.memory_mib.unwrap_or(0);
    let limit = bad
        .memory_mib
        .filter(|limit| task == 0 || *limit < task || fargate);
    let wanted_limit = limit.map(|limit| {
        let proven = good_container.and_then(|good| good.memory_mib).unwrap_or(0);
        proven.max(limit.saturating_mul(2))
    });
    let others: i32 = present
        .containers
        .iter()
        .filter(|container| container.name != bad.name)
        .filter_map(|container| container.memory_mib)
        .sum();
    let needed = wanted_limit.map_or_else(
        || {
            good.and_then(|good| good.memory_mib)
                .unwrap_or(0)
                .max(task.saturating_mul(2))
        },
        |limit| limit.saturating_add(others),
    );
    if task > 0 && needed > task {
        let cpu = present.cpu.unwrap_or(256);
        let size = if fargate {
            fargate_size(cpu, needed)
        } else {
            Some((cpu, needed))
        };
        match size {
            Some((cpu, memory_mib)) => {
                changes.push(TaskDefinitionChange::SetTaskSize { cpu, memory_mib })
            }
            None => return back_if(observation, differs),
        }
    }
    if let Some(memory_mib) = wanted_limit {
        changes.push(TaskDefinitionChange::SetContainerMemory {
            container: bad.name.clone(),
            memory_mib,
        });
    }
    let roomier = |good: &TaskDefinitionSnapshot, bad: &TaskDefinitionSnapshot| {
        good.memory_mib > bad.memory_mib || reserved(good) > reserved(bad)
    };
    let mut remedy = Remedy::of(revise(observation, changes)).or(
        ROLL_BACK,
        ROLL_BACK_COST,
        back(observation, roomier),
    );
    remedy.warnings.push(
        "More memory hides a leak: watch whether the use keeps growing after the repair."
            .to_owned(),
    );
    remedy
}

fn architecture(observation: &Observation) -> Remedy {
    let Some(present) = &observation.task_definition else {
        return Remedy::default();
    };
    let changed = |good: &TaskDefinitionSnapshot, bad: &TaskDefinitionSnapshot| {
        good.cpu_architecture != bad.cpu_architecture
            || good
                .containers
                .iter()
                .map(|c| &c.image)
                .ne(bad.containers.iter().map(|c| &c.image))
    };
    let other = match present.cpu_architecture.as_deref() {
        Some("ARM64") => CpuArchitecture::X86,
        _ => CpuArchitecture::Arm,
    };
    let flip = revise(
        observation,
        vec![TaskDefinitionChange::SetCpuArchitecture {
            architecture: other,
        }],
    );
    let rollback = back(observation, changed);
    if rollback.is_empty() {
        return Remedy::of(flip);
    }
    Remedy::of(rollback).or(
        "Run the new image on the other architecture",
        "keeps the release, but every container of the task has to have that architecture",
        flip,
    )
}

fn command(observation: &Observation, finding: &Finding) -> Remedy {
    let Some(bad) = container(observation, finding) else {
        return Remedy::default();
    };
    let copy = proof::good_revision(observation).map(|(good, ..)| {
        let from = good.arn.clone();
        revise(
            observation,
            vec![TaskDefinitionChange::CopyCommand {
                container: bad.name.clone(),
                from,
            }],
        )
    });
    back_if(observation, differs).or(
        "Keep this revision and take the command of the previous one",
        "keeps the release, but that combination never ran",
        copy.unwrap_or_default(),
    )
}

fn container_check(observation: &Observation, finding: &Finding) -> Remedy {
    let Some(bad) = container(observation, finding) else {
        return Remedy::default();
    };
    let balanced = !observation.service.load_balancers.is_empty();
    let remove = revise(
        observation,
        vec![TaskDefinitionChange::RemoveHealthCheck {
            container: bad.name.clone(),
        }],
    );
    let good = proof::good_revision(observation).map(|(good, ..)| good);
    let check_differs = |good: &TaskDefinitionSnapshot, _: &TaskDefinitionSnapshot| {
        good.containers.iter().any(|c| c.name == bad.name)
    };
    let rollback = back(observation, check_differs);
    if !rollback.is_empty() {
        let copy = good.map(|good| {
            let has = good
                .containers
                .iter()
                .any(|c| c.name == bad.name && c.health_check.is_some());
            let change = if has {
                TaskDefinitionChange::CopyHealthCheck {
                    container: bad.name.clone(),
                    from: good.arn.clone(),
                }
            } else {
                TaskDefinitionChange::RemoveHealthCheck {
                    container: bad.name.clone(),
                }
            };
            revise(observation, vec![change])
        });
        return Remedy::of(rollback).or(
            "Keep this revision and take the previous health check",
            "keeps the release, but that combination never ran",
            copy.unwrap_or_default(),
        );
    }
    // The load balancer's check still tells dead tasks from living ones.
    if balanced {
        Remedy::of(remove)
    } else {
        Remedy::default()
    }
}

/// Seconds that cover the slowest start that was seen, half as much again, at least a minute.
fn generous(observation: &Observation, diagnosed_at_least: i64) -> i32 {
    let seen = slowest(observation).unwrap_or(0).max(diagnosed_at_least);
    let seconds = (seen + seen / 2).clamp(60, 7200);
    i32::try_from(seconds).unwrap_or(7200)
}

/// The longest time from a task's start to a line in which it says that it serves.
fn slowest(observation: &Observation) -> Option<i64> {
    crate::analyse::slowest_start_seconds(observation)
}

fn start_period(observation: &Observation, finding: &Finding) -> Remedy {
    let Some(bad) = container(observation, finding) else {
        return Remedy::default();
    };
    let before = bad
        .health_check
        .as_ref()
        .and_then(|check| check.start_period_seconds)
        .unwrap_or(0);
    let wanted = generous(observation, i64::from(before) * 2).clamp(120, 300);
    let change = TaskDefinitionChange::SetHealthCheckTiming {
        container: bad.name.clone(),
        interval_seconds: None,
        timeout_seconds: None,
        retries: None,
        start_period_seconds: Some(wanted),
    };
    Remedy::of(revise(observation, vec![change])).or(
        ROLL_BACK,
        ROLL_BACK_COST,
        back(observation, differs),
    )
}

fn desired_count(observation: &Observation) -> Remedy {
    let service = &observation.service;
    let floor = observation
        .scaling
        .as_ref()
        .map(|scaling| scaling.min_capacity)
        .filter(|min| *min > 0);
    let pattern = regex::Regex::new(r"has stopped (?<count>[0-9]+) running tasks").ok();
    let stopped = pattern.and_then(|pattern| {
        service.events.iter().find_map(|event| {
            pattern
                .captures(&event.message)?
                .name("count")?
                .as_str()
                .parse::<i32>()
                .ok()
        })
    });
    let mut update = update(observation);
    let count = floor
        .into_iter()
        .chain(stopped)
        .max()
        .unwrap_or(1)
        .clamp(1, 100);
    update.desired_count = Some(count);
    let mut remedy = Remedy::of(vec![Operation::UpdateService(update)]);
    remedy.warnings.push(format!(
        "Ask whoever set the count to zero before going back to {count}: a schedule or a shutdown may be meant."
    ));
    remedy
}

fn register_again(observation: &Observation) -> Remedy {
    let same = revise(observation, Vec::new());
    Remedy::of(same).or(ROLL_BACK, ROLL_BACK_COST, back(observation, differs))
}

fn scaling(observation: &Observation) -> Remedy {
    let change = observation.scaling.as_ref().map(|scaling| {
        let max = scaling.max_capacity;
        let raised = (max + max.div_euclid(2).max(1) + max.rem_euclid(2)).min(100);
        Operation::RegisterScalableTarget(RegisterScalableTarget {
            service: observation.service.arn.clone(),
            min_capacity: scaling.min_capacity,
            max_capacity: raised,
        })
    });
    let mut remedy = Remedy::of(change.into_iter().collect());
    remedy.warnings.push(
        "More tasks lean harder on databases, addresses and quotas: check those limits first."
            .to_owned(),
    );
    remedy
}

/// Spare tasks during a deployment, or fewer where there is no room for more.
fn room_to_deploy(observation: &Observation) -> Remedy {
    let present = HealthyPercents::of(&observation.service);
    let desired = observation.service.desired_count.max(1);
    let with = |percents: HealthyPercents| {
        let mut update = update(observation);
        update.healthy_percents = Some(percents);
        vec![Operation::UpdateService(update)]
    };
    let more = HealthyPercents {
        maximum: 200,
        ..present
    };
    let fewer = HealthyPercents {
        minimum: ((desired - 1) * 100).div_euclid(desired).min(50),
        ..present
    };
    Remedy::of(with(more)).or(
        "Let tasks stop before others start",
        "needs no spare capacity; fewer tasks serve during a deployment",
        with(fewer),
    )
}

fn sidecar(observation: &Observation, finding: &Finding) -> Remedy {
    let Some(bad) = container(observation, finding) else {
        return Remedy::default();
    };
    let optional = revise(
        observation,
        vec![TaskDefinitionChange::SetEssential {
            container: bad.name.clone(),
            essential: false,
        }],
    );
    let rollback = back(observation, differs);
    if rollback.is_empty() {
        return Remedy::of(optional);
    }
    Remedy::of(rollback).or(
        "Let the task live without the sidecar",
        "keeps the release, but whatever the sidecar does is missing unnoticed",
        optional,
    )
}
