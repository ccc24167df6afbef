//! Every law can be broken, and says so when it is.

use chrono::TimeDelta;
use serde_json::json;

use super::fuzz_tests::built;
use super::laws::{broken, names};
use crate::world::{
    ContainerStatus, LogEvent, Region, RolloutState, Service, StopCode, TargetState, Task,
    TaskStatus, World,
};

fn world() -> World {
    let service = |name: &str, template: &str| json!({"name": name, "template": template});
    built(&json!({
        "name": "laws", "title": "laws", "request": "none", "warm_up_minutes": 20,
        "accounts": [{"id": "111122223333", "regions": [{"name": "us-east-1", "clusters": [
            {"name": "prod", "instances": 2, "services": [
                service("api", "fargate-web"), service("old", "ec2-web"),
            ]},
        ]}]}],
        "events": [{"minutes_ago": 5, "change": {"stop-task": {"service": "prod/api"}}}],
        "truth": {
            "target": {"cluster": "prod", "service": "api"}, "causes": [], "repairable": false,
        },
    }))
}

fn region(world: &mut World) -> &mut Region {
    world.region_mut("111122223333", "us-east-1").unwrap()
}

fn service<'w>(world: &'w mut World, name: &str) -> &'w mut Service {
    region(world).service_mut("prod", name).unwrap()
}

fn running(world: &mut World) -> &mut Task {
    let tasks = &mut service(world, "api").tasks;
    tasks.iter_mut().find(|task| task.is_running()).unwrap()
}

fn stopped(world: &mut World) -> &mut Task {
    let tasks = &mut service(world, "api").tasks;
    tasks
        .iter_mut()
        .find(|task| task.stopped_at.is_some())
        .unwrap()
}

fn target(world: &mut World) -> &mut crate::world::Target {
    let groups = region(world).target_groups.values_mut();
    groups.flat_map(|group| &mut group.targets).next().unwrap()
}

/// A law, and something that breaks it.
type Breach = (&'static str, fn(&mut World));

const BREACHES: &[Breach] = &[
    ("targets follow tasks", |world| {
        let task = stopped(world).id.clone();
        target(world).task = task;
    }),
    ("targets follow tasks", |world| {
        target(world).task = "nobody".to_owned()
    }),
    ("draining ends", |world| {
        let past = world.now - TimeDelta::seconds(1);
        let target = target(world);
        target.state = TargetState::Draining;
        target.drained_at = Some(past);
    }),
    ("draining ends", |world| {
        target(world).state = TargetState::Draining
    }),
    ("tasks stand on instances that are there", |world| {
        region(world).container_instances.clear();
    }),
    ("instances are not overbooked", |world| {
        let instances = &mut region(world).container_instances;
        instances
            .values_mut()
            .for_each(|instance| instance.remaining.cpu = 2_048);
    }),
    ("instances are not overbooked", |world| {
        let instances = &mut region(world).container_instances;
        instances
            .values_mut()
            .for_each(|instance| instance.running_tasks += 1);
    }),
    ("addresses are given once", |world| {
        let tasks = service(world, "api").tasks.iter_mut();
        for attachment in tasks.filter_map(|task| task.attachment.as_mut()) {
            attachment.private_ip = "10.0.0.4".to_owned();
            attachment.subnet = "subnet-1".to_owned();
        }
    }),
    ("definitions exist", |world| {
        region(world).task_definitions.clear()
    }),
    ("logs are in order and bounded", |world| {
        let at = world.now + TimeDelta::seconds(1);
        let groups = region(world).log_groups.values_mut();
        let mut streams = groups.flat_map(|group| group.streams.values_mut());
        let message = "from the future".to_owned();
        streams.next().unwrap().events.push(LogEvent {
            number: 9_999,
            at,
            message,
        });
    }),
    ("counts follow tasks", |world| {
        service(world, "api").running_count += 1
    }),
    ("counts follow tasks", |world| {
        service(world, "api").desired_count += 1
    }),
    ("no more runs than is wanted", |world| {
        service(world, "api").desired_count = 1
    }),
    ("one deployment is primary", |world| {
        service(world, "api").deployments.clear()
    }),
    ("one deployment is primary", |world| {
        let service = service(world, "api");
        service.deployments.extend(service.deployments.clone());
    }),
    ("one deployment is primary", |world| {
        running(world).started_by = "nobody".to_owned()
    }),
    ("tasks are whole", |world| stopped(world).stop_code = None),
    ("tasks are whole", |world| stopped(world).stopped_at = None),
    ("tasks are whole", |world| {
        running(world).stop_code = Some(StopCode::UserInitiated)
    }),
    ("tasks are whole", |world| {
        running(world).containers[0].status = ContainerStatus::Stopped;
    }),
    ("tasks are whole", |world| {
        stopped(world).containers[0].status = ContainerStatus::Running;
    }),
    ("tasks are whole", |world| {
        let task = running(world);
        task.started_at = Some(task.created_at - TimeDelta::seconds(1));
    }),
    ("events are in order and bounded", |world| {
        service(world, "api").events.rotate_left(1)
    }),
    ("events are in order and bounded", |world| {
        let events = &mut service(world, "api").events;
        events.push_front(events[0].clone());
    }),
    ("a steady service has what it wants", |world| {
        let service = service(world, "api");
        service.primary_mut().unwrap().rollout_state = RolloutState::InProgress;
    }),
    ("the future has not happened", |world| {
        let at = world.now + TimeDelta::seconds(1);
        running(world).started_at = Some(at);
    }),
    ("a service wakes again", |world| {
        let now = world.now;
        service(world, "api").wakes_at = now;
    }),
    ("what is over goes away", |world| {
        let at = world.now - TimeDelta::hours(2);
        stopped(world).stopped_at = Some(at);
    }),
    ("what is over goes away", |world| {
        let service = service(world, "api");
        let mut other = service.deployments[0].clone();
        other.status = crate::world::DeploymentStatus::Active;
        other.id = "ecs-svc/1".to_owned();
        service.deployments.push(other);
    }),
    ("a task's life goes forward", |world| {
        let task = stopped(world);
        task.last_status = TaskStatus::Running;
    }),
    ("a task's life goes forward", |world| {
        let task = running(world);
        task.created_at -= TimeDelta::seconds(1);
    }),
    ("a task's life goes forward", |world| {
        service(world, "api")
            .tasks
            .retain(|task| !task.is_running());
    }),
    ("what is gone stays gone", |world| {
        let mut task = stopped(world).clone();
        task.id = "an older one".to_owned();
        task.created_at -= TimeDelta::minutes(30);
        service(world, "api").tasks.push(task);
    }),
    ("what was said stays said", |world| {
        service(world, "api").events.pop_front();
    }),
];

#[test]
fn a_world_that_nobody_touched_breaks_no_law() {
    let before = world();
    let mut later = before.clone();
    later.advance(before.now + TimeDelta::minutes(3));
    assert_eq!(broken(Some(&before), &later), Vec::<String>::new());
}

#[test]
fn every_law_notices_its_breach() {
    let before = world();
    for (index, (law, breach)) in BREACHES.iter().enumerate() {
        let mut after = before.clone();
        breach(&mut after);
        let found = broken(Some(&before), &after);
        let noticed = found.iter().any(|one| one.starts_with(&format!("{law}: ")));
        assert!(
            noticed,
            "breach {index} of `{law}` is not noticed: {found:#?}"
        );
    }
    for law in names() {
        let tried = BREACHES.iter().any(|(broken, _)| *broken == law);
        assert!(tried, "nothing tries to break `{law}`");
    }
}
