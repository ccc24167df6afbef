//! What holds in every world, whatever anybody did to it.
//!
//! Each law is a function of one moment, or of two moments one after the other, and says what
//! breaks it. `laws_tests.rs` breaks every one of them on purpose.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::world::{
    ContainerStatus, DeploymentStatus, Region, RolloutState, Service, TargetState, Task,
    TaskStatus, World,
};

/// More than this of anything in one service or log group would grow without end.
const BOUND: usize = 2_000;

/// A law: its name, and what of a region breaks it at a moment.
type OfRegion = (&'static str, fn(&Region, DateTime<Utc>, &mut Vec<String>));
/// The same for each service on its own.
type OfService = (&'static str, fn(&Service, DateTime<Utc>, &mut Vec<String>));
/// The same for a service and its past self.
type OfTime = (&'static str, fn(&Service, &Service, &mut Vec<String>));

const OF_REGION: &[OfRegion] = &[
    ("targets follow tasks", targets_follow_tasks),
    ("draining ends", draining_ends),
    (
        "tasks stand on instances that are there",
        tasks_have_a_place,
    ),
    ("instances are not overbooked", instances_are_not_overbooked),
    ("addresses are given once", addresses_are_given_once),
    ("definitions exist", definitions_exist),
    ("logs are in order and bounded", logs_are_in_order),
];

const OF_SERVICE: &[OfService] = &[
    ("counts follow tasks", counts_follow_tasks),
    ("no more runs than is wanted", no_more_runs_than_is_wanted),
    ("one deployment is primary", one_deployment_is_primary),
    ("tasks are whole", tasks_are_whole),
    ("events are in order and bounded", events_are_in_order),
    ("a steady service has what it wants", steady_is_steady),
    ("the future has not happened", nothing_is_in_the_future),
    ("a service wakes again", it_wakes_again),
    ("what is over goes away", what_is_over_goes_away),
];

const OF_TIME: &[OfTime] = &[
    ("a task's life goes forward", lives_go_forward),
    ("what is gone stays gone", what_is_gone_stays_gone),
    ("what was said stays said", what_was_said_stays),
];

/// Every law that does not hold now, or between an earlier moment and now: the law and the breach.
pub(super) fn broken(before: Option<&World>, now: &World) -> Vec<String> {
    let mut breaches = Vec::new();
    let regions = now.accounts.values().flat_map(|a| a.regions.values());
    for region in regions {
        let mut note = |law: &str, found: Vec<String>| {
            breaches.extend(found.into_iter().map(|breach| format!("{law}: {breach}")));
        };
        for (law, check) in OF_REGION {
            let mut found = Vec::new();
            check(region, now.now, &mut found);
            note(law, found);
        }
        let past = before.and_then(|world| world.region(&region.account, &region.name));
        for (key, service) in &region.services {
            for (law, check) in OF_SERVICE {
                let mut found = Vec::new();
                check(service, now.now, &mut found);
                note(law, found);
            }
            let Some(past) = past.and_then(|region| region.services.get(key)) else {
                continue;
            };
            for (law, check) in OF_TIME {
                let mut found = Vec::new();
                check(past, service, &mut found);
                note(law, found);
            }
        }
    }
    breaches
}

/// Notes a breach unless `holds`.
fn must(holds: bool, found: &mut Vec<String>, breach: impl FnOnce() -> String) {
    if !holds {
        found.push(breach());
    }
}

fn targets_follow_tasks(region: &Region, _: DateTime<Utc>, found: &mut Vec<String>) {
    let tasks: BTreeMap<&str, &Task> = region
        .services
        .values()
        .flat_map(|service| &service.tasks)
        .map(|task| (task.id.as_str(), task))
        .collect();
    for target in region.target_groups.values().flat_map(|g| &g.targets) {
        let status = tasks.get(target.task.as_str()).map(|task| task.last_status);
        let fits = match target.state {
            TargetState::Draining => true,
            TargetState::Healthy => status == Some(TaskStatus::Running),
            TargetState::Initial | TargetState::Unhealthy | TargetState::Unused => {
                matches!(status, Some(TaskStatus::Activating | TaskStatus::Running))
            }
        };
        must(fits, found, || {
            format!(
                "{} is {:?} and its task {status:?}",
                target.id, target.state
            )
        });
    }
}

fn draining_ends(region: &Region, now: DateTime<Utc>, found: &mut Vec<String>) {
    for target in region.target_groups.values().flat_map(|g| &g.targets) {
        let draining = target.state == TargetState::Draining;
        must(draining == target.drained_at.is_some(), found, || {
            format!(
                "{}: {:?}, ends {:?}",
                target.id, target.state, target.drained_at
            )
        });
        must(target.drained_at.is_none_or(|end| end > now), found, || {
            format!(
                "{} was drained at {:?} and is still there",
                target.id, target.drained_at
            )
        });
    }
}

fn tasks_have_a_place(region: &Region, _: DateTime<Utc>, found: &mut Vec<String>) {
    for task in live(region) {
        let Some(arn) = &task.container_instance else {
            continue;
        };
        let instance = region.container_instances.values().find(|i| i.arn == *arn);
        let stands = task.last_status == TaskStatus::Deprovisioning
            || instance.is_some_and(|i| i.cluster == task.cluster);
        must(stands, found, || {
            format!("{} is {:?} on nothing", task.id, task.last_status)
        });
    }
}

fn instances_are_not_overbooked(region: &Region, _: DateTime<Utc>, found: &mut Vec<String>) {
    for instance in region.container_instances.values() {
        let on_it: Vec<&Task> = live(region)
            .filter(|task| task.container_instance.as_ref() == Some(&instance.arn))
            .collect();
        must(
            on_it.len() == instance.running_tasks as usize,
            found,
            || {
                format!(
                    "{} counts {}, holds {}",
                    instance.id,
                    instance.running_tasks,
                    on_it.len()
                )
            },
        );
        let ports: Vec<u16> = on_it
            .iter()
            .flat_map(|task| &task.containers)
            .flat_map(|container| container.host_ports.iter().map(|(_, host)| *host))
            .collect();
        let distinct: BTreeSet<u16> = ports.iter().copied().collect();
        must(distinct.len() == ports.len(), found, || {
            format!("{} gave a host port twice: {ports:?}", instance.id)
        });
        let used = |of: fn(&crate::world::TaskSpec) -> u32| -> u32 {
            let specs = on_it
                .iter()
                .filter_map(|t| region.task_definition(&t.task_definition));
            specs.map(|definition| of(&definition.spec)).sum()
        };
        let (cpu, memory) = (
            used(crate::world::TaskSpec::reserved_cpu) + instance.remaining.cpu,
            used(crate::world::TaskSpec::reserved_memory_mib) + instance.remaining.memory_mib,
        );
        let fits = cpu <= instance.registered.cpu && memory <= instance.registered.memory_mib;
        must(fits, found, || {
            format!("{} has {cpu} CPU units, {memory} MiB", instance.id)
        });
    }
}

fn addresses_are_given_once(region: &Region, _: DateTime<Utc>, found: &mut Vec<String>) {
    let mut given = BTreeSet::new();
    for attachment in live(region).filter_map(|task| task.attachment.as_ref()) {
        let address = (&attachment.subnet, &attachment.private_ip);
        must(given.insert(address), found, || {
            format!("{address:?} is given twice")
        });
    }
}

fn definitions_exist(region: &Region, _: DateTime<Utc>, found: &mut Vec<String>) {
    for service in region.services.values() {
        let deployments = service.deployments.iter().map(|d| &d.task_definition);
        let tasks = service.tasks.iter().map(|task| &task.task_definition);
        for arn in deployments.chain(tasks).chain([&service.task_definition]) {
            must(region.task_definition(arn).is_some(), found, || {
                format!("{} refers to {arn}", service.name)
            });
        }
    }
}

fn logs_are_in_order(region: &Region, now: DateTime<Utc>, found: &mut Vec<String>) {
    for group in region.log_groups.values() {
        must(group.streams.len() <= BOUND, found, || {
            format!("{} has {} streams", group.name, group.streams.len())
        });
        for stream in group.streams.values() {
            let order = stream.events.iter().map(|event| (event.at, event.number));
            let ordered = order.is_sorted() && stream.events.last().is_none_or(|e| e.at <= now);
            must(ordered, found, || {
                format!("{} is out of order", stream.name)
            });
            must(stream.events.len() <= BOUND, found, || {
                format!("{} has {} events", stream.name, stream.events.len())
            });
        }
    }
}

fn counts_follow_tasks(service: &Service, _: DateTime<Utc>, found: &mut Vec<String>) {
    let mut counted = service.clone();
    counted.recount();
    let counts = |service: &Service| -> Vec<(u32, u32)> {
        let own = (service.running_count, service.pending_count);
        let deployments = service.deployments.iter();
        std::iter::once(own)
            .chain(deployments.map(|d| (d.running_count, d.pending_count)))
            .collect()
    };
    must(counts(&counted) == counts(service), found, || {
        format!(
            "{}: {:?}, really {:?}",
            service.name,
            counts(service),
            counts(&counted)
        )
    });
    let primary = service.primary().map(|primary| primary.desired_count);
    must(primary == Some(service.desired_count), found, || {
        format!(
            "{} wants {}, its deployment {primary:?}",
            service.name, service.desired_count
        )
    });
}

fn no_more_runs_than_is_wanted(service: &Service, _: DateTime<Utc>, found: &mut Vec<String>) {
    let deploying = service.deployments.len() > 1
        || service
            .primary()
            .is_some_and(|primary| primary.rollout_state != RolloutState::Completed);
    must(
        deploying || service.running_count <= service.desired_count,
        found,
        || {
            format!(
                "{} runs {} of {}",
                service.name, service.running_count, service.desired_count
            )
        },
    );
}

fn one_deployment_is_primary(service: &Service, _: DateTime<Utc>, found: &mut Vec<String>) {
    let primaries = service
        .deployments
        .iter()
        .filter(|d| d.status == DeploymentStatus::Primary)
        .count();
    let first = service.deployments.first().map(|d| d.status);
    must(
        primaries == 1 && first == Some(DeploymentStatus::Primary),
        found,
        || {
            format!(
                "{}: {primaries} primaries, first is {first:?}",
                service.name
            )
        },
    );
    let ids: BTreeSet<&String> = service.deployments.iter().map(|d| &d.id).collect();
    must(ids.len() == service.deployments.len(), found, || {
        format!("{} has a deployment twice", service.name)
    });
    let asked = service.primary().map(|primary| &primary.task_definition);
    must(asked == Some(&service.task_definition), found, || {
        format!(
            "{} asks for {}, deploys {asked:?}",
            service.name, service.task_definition
        )
    });
    for task in service.tasks.iter().filter(|task| task.is_wanted()) {
        must(ids.contains(&task.started_by), found, || {
            format!(
                "{} is wanted by {}, which is over",
                task.id, task.started_by
            )
        });
    }
}

fn tasks_are_whole(service: &Service, _: DateTime<Utc>, found: &mut Vec<String>) {
    let ids: BTreeSet<&String> = service.tasks.iter().map(|task| &task.id).collect();
    must(ids.len() == service.tasks.len(), found, || {
        "a task is there twice".to_owned()
    });
    for task in &service.tasks {
        let mut broken = Vec::new();
        let stopped = task.last_status == TaskStatus::Stopped;
        if stopped != task.stopped_at.is_some() {
            broken.push("stopped without a time, or the other way round");
        }
        let told = task.stop_code.is_some() && task.stopped_reason.is_some();
        if task.is_wanted() == task.stop_code.is_some() || (!task.is_wanted() && !told) {
            broken.push("is wanted with a stop code, or unwanted without code or reason");
        }
        if task.is_wanted() && task.last_status > TaskStatus::Running {
            broken.push("is wanted and past running");
        }
        let status = |wanted| task.containers.iter().all(|c| c.status == wanted);
        if task.is_running() && (task.started_at.is_none() || !status(ContainerStatus::Running)) {
            broken.push("runs without a start, or with a container that does not");
        }
        if task.last_status >= TaskStatus::Deprovisioning && !status(ContainerStatus::Stopped) {
            broken.push("is over, and a container is not");
        }
        let order = [
            Some(task.created_at),
            task.connectivity_at,
            task.pull_started_at,
            task.pull_stopped_at,
            task.started_at,
            task.stopping_at,
            task.stopped_at,
        ];
        let reached: Vec<_> = order.iter().flatten().collect();
        // A task may be told to stop while its image is on the way.
        if task.started_at.is_some() && !reached.is_sorted() {
            broken.push("has its times out of order");
        }
        for breach in broken {
            found.push(format!(
                "{} {:?} {breach}: {order:?}",
                task.id, task.last_status
            ));
        }
    }
}

fn events_are_in_order(service: &Service, _: DateTime<Utc>, found: &mut Vec<String>) {
    let newest_first = service.events.iter().rev().map(|event| event.at);
    must(newest_first.is_sorted(), found, || {
        format!("{}: times", service.name)
    });
    let ids: BTreeSet<&String> = service.events.iter().map(|event| &event.id).collect();
    must(ids.len() == service.events.len(), found, || {
        format!("{}: ids", service.name)
    });
    must(service.events.len() <= 100, found, || {
        format!("{}: too many", service.name)
    });
    let name = format!("(service {}) ", service.name);
    let named = service
        .events
        .iter()
        .all(|event| event.message.starts_with(&name));
    must(named, found, || {
        format!("{}: one is another's", service.name)
    });
    for record in &service.service_deployments {
        let ended = record
            .finished_at
            .is_none_or(|end| end >= record.created_at);
        must(ended, found, || {
            format!("{} ended before it began", record.arn)
        });
    }
}

fn steady_is_steady(service: &Service, _: DateTime<Utc>, found: &mut Vec<String>) {
    let has = service.running_count == service.desired_count && service.pending_count == 0;
    let done = service
        .primary()
        .is_some_and(|primary| primary.rollout_state != RolloutState::InProgress);
    must(!service.steady || (has && done), found, || {
        format!(
            "{} has {} and {} of {}, deployed: {done}",
            service.name, service.running_count, service.pending_count, service.desired_count
        )
    });
}

fn nothing_is_in_the_future(service: &Service, now: DateTime<Utc>, found: &mut Vec<String>) {
    let tasks = service.tasks.iter().flat_map(|task| {
        [
            Some(task.created_at),
            task.connectivity_at,
            task.started_at,
            task.stopping_at,
            task.stopped_at,
        ]
    });
    let events = service.events.iter().map(|event| Some(event.at));
    let deployments = service
        .deployments
        .iter()
        .flat_map(|d| [Some(d.created_at), Some(d.updated_at)]);
    for time in tasks.chain(events).chain(deployments).flatten() {
        must(time <= now, found, || {
            format!("{}: {time} is after {now}", service.name)
        });
    }
}

/// A service that slept past its moment would be stuck for ever.
fn it_wakes_again(service: &Service, now: DateTime<Utc>, found: &mut Vec<String>) {
    let wakes = service.wakes_at;
    let soon = wakes > now && wakes <= now + super::LONGEST_SLEEP;
    must(soon, found, || {
        format!("{} wakes at {wakes}, it is {now}", service.name)
    });
}

fn what_is_over_goes_away(service: &Service, now: DateTime<Utc>, found: &mut Vec<String>) {
    for task in &service.tasks {
        let kept = TimeDelta::minutes(1) + super::STOPPED_TASKS_VISIBLE;
        must(
            task.stopped_at.is_none_or(|at| at + kept > now),
            found,
            || format!("{} stopped at {:?}", task.id, task.stopped_at),
        );
    }
    for deployment in &service.deployments {
        let lives = deployment.status == DeploymentStatus::Primary
            || service
                .tasks
                .iter()
                .any(|task| task.started_by == deployment.id && task.stopped_at.is_none());
        must(lives, found, || {
            format!("{} has no task left", deployment.id)
        });
    }
    let records = service.service_deployments.len();
    must(records <= BOUND, found, || {
        format!("{} has {records} records", service.name)
    });
}

fn lives_go_forward(past: &Service, now: &Service, found: &mut Vec<String>) {
    for before in &past.tasks {
        let Some(task) = now.task(&before.id) else {
            must(before.stopped_at.is_some(), found, || {
                format!("{} vanished while {:?}", before.id, before.last_status)
            });
            continue;
        };
        must(task.last_status >= before.last_status, found, || {
            format!(
                "{} was {:?} and is {:?}",
                task.id, before.last_status, task.last_status
            )
        });
        must(before.is_wanted() || !task.is_wanted(), found, || {
            format!("{} is wanted again", task.id)
        });
        let kept = |before: Option<DateTime<Utc>>, now| before.is_none() || before == now;
        let times = kept(before.started_at, task.started_at)
            && kept(before.stopping_at, task.stopping_at)
            && kept(before.stopped_at, task.stopped_at)
            && before.created_at == task.created_at;
        must(times, found, || format!("{} has another past", task.id));
        must(
            before.stop_code.is_none() || before.stop_code == task.stop_code,
            found,
            || format!("{} stopped for another reason than before", task.id),
        );
    }
}

fn what_is_gone_stays_gone(past: &Service, now: &Service, found: &mut Vec<String>) {
    let newest = past.tasks.iter().map(|task| task.created_at).max();
    for task in &now.tasks {
        let known = past.task(&task.id).is_some();
        let newer = newest.is_none_or(|newest| task.created_at >= newest);
        must(known || newer, found, || {
            format!("{} came from nowhere", task.id)
        });
    }
}

fn what_was_said_stays(past: &Service, now: &Service, found: &mut Vec<String>) {
    let Some(newest) = past.events.front() else {
        return;
    };
    let place = now.events.iter().position(|event| event.id == newest.id);
    let kept = match place {
        None => now.events.len() == 100,
        Some(place) => {
            let rest = now.events.iter().skip(place);
            rest.zip(&past.events).all(|(one, other)| one == other)
        }
    };
    must(kept, found, || format!("{} unsaid something", now.name));
}

fn live(region: &Region) -> impl Iterator<Item = &Task> {
    let tasks = region.services.values().flat_map(|service| &service.tasks);
    tasks.filter(|task| task.stopped_at.is_none())
}

/// The names of all laws.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let regions = OF_REGION.iter().map(|(name, _)| *name);
    let services = OF_SERVICE.iter().map(|(name, _)| *name);
    let times = OF_TIME.iter().map(|(name, _)| *name);
    regions.chain(services).chain(times)
}
