//! What the program in a container does: listens, logs, grows, ends.

use chrono::{DateTime, TimeDelta, Utc};

use super::Tick;
use super::reachability::Place;
use crate::world::{
    AppBehaviour, Container, ContainerDefinition, Ending, Region, Service, Task, TaskSpec,
};

/// The reason that ECS gives for a container over its memory limit.
const OUT_OF_MEMORY: &str = "OutOfMemoryError: Container killed due to memory usage";
const ESSENTIAL_EXITED: &str = "Essential container in task exited";

impl Tick<'_> {
    /// The first end that one of the task's programs will come to, seen from its start.
    pub(super) fn ending(
        &self,
        spec: &TaskSpec,
        task: &Task,
        place: Place<'_>,
        started: DateTime<Utc>,
    ) -> Option<Ending> {
        spec.container_definitions
            .iter()
            .zip(&task.containers)
            .filter(|(definition, _)| definition.essential)
            .filter_map(|(definition, container)| {
                let app = container.app.as_deref()?;
                self.ending_of(spec, definition, app, place, started, task)
            })
            .min_by_key(|ending| ending.at)
    }

    fn ending_of(
        &self,
        spec: &TaskSpec,
        definition: &ContainerDefinition,
        app: &AppBehaviour,
        place: Place<'_>,
        started: DateTime<Utc>,
        task: &Task,
    ) -> Option<Ending> {
        let end = |after: i64, exit_code: i32, lines: Vec<String>| Ending {
            at: started + TimeDelta::seconds(after),
            container: definition.name.clone(),
            exit_code,
            task_reason: ESSENTIAL_EXITED.to_owned(),
            container_reason: None,
            lines,
        };
        if !self.runs_on(&definition.image, spec) {
            let code = if task.container_instance.is_none() {
                255
            } else {
                1
            };
            return Some(end(
                1,
                code,
                vec![format!("exec {}: exec format error", app.entry_point)],
            ));
        }
        if let Some(name) = app
            .required_variables
            .iter()
            .find(|name| !definition.provides(name))
        {
            return Some(end(
                2,
                1,
                vec![format!("fatal: environment variable {name} is not set")],
            ));
        }
        if let Some((code, lines)) = self.refused_at_start(definition, app) {
            return Some(end(2, code, lines));
        }
        let unknown = app
            .dependencies
            .iter()
            .find(|dependency| !self.resolves(place, &dependency.host));
        if let Some(dependency) = unknown {
            return Some(end(
                15,
                1,
                vec![format!("Error: getaddrinfo ENOTFOUND {}", dependency.host)],
            ));
        }
        let unreachable = app
            .dependencies
            .iter()
            .find(|d| !self.reaches_host(place, &d.host, d.port));
        if let Some(dependency) = unreachable {
            let target = format!("{}:{}", dependency.host, dependency.port);
            return Some(end(
                30,
                1,
                vec![
                    format!("ERROR connect ETIMEDOUT {target}"),
                    format!("fatal: cannot reach {target} after 3 attempts, giving up"),
                ],
            ));
        }
        let crash = app.crash.as_ref().map(|crash| {
            end(
                i64::from(crash.after_seconds),
                crash.exit_code,
                crash.lines.clone(),
            )
        });
        let out_of_memory = spec
            .memory_limit_mib(definition)
            .and_then(|limit| seconds_until_full(app, limit))
            .map(|after| Ending {
                task_reason: OUT_OF_MEMORY.to_owned(),
                container_reason: Some(OUT_OF_MEMORY.to_owned()),
                ..end(after, 137, Vec::new())
            });
        let disk_full = seconds_until_disk_full(app, spec.disk_mib()).map(|after| {
            end(
                after,
                1,
                vec!["fatal: write /var/spool/app/segment.dat: No space left on device".to_owned()],
            )
        });
        [crash, out_of_memory, disk_full]
            .into_iter()
            .flatten()
            .min_by_key(|ending| ending.at)
    }

    /// What the kernel refuses a program in its first moments: a port, a directory, a descriptor.
    fn refused_at_start(
        &self,
        definition: &ContainerDefinition,
        app: &AppBehaviour,
    ) -> Option<(i32, Vec<String>)> {
        let root = definition
            .user
            .as_deref()
            .is_none_or(|user| user == "root" || user == "0" || user.starts_with("0:"));
        if let Some((_, port)) =
            listens_on(app, definition).filter(|(_, port)| *port < 1_024 && !root)
        {
            return Some((
                1,
                vec![format!(
                    "fatal: listen tcp :{port}: bind: permission denied"
                )],
            ));
        }
        if let Some(directory) = app.writes.iter().find(|path| !definition.may_write(path)) {
            return Some((
                1,
                vec![format!(
                    "Error: EROFS: read-only file system, open '{directory}/app.lock'"
                )],
            ));
        }
        if app.open_files > definition.open_files_limit() {
            return Some((
                1,
                vec!["fatal: accept4: too many open files; EMFILE".to_owned()],
            ));
        }
        None
    }

    /// Whether the image's only manifest was built for the platform that the task runs on.
    fn runs_on(&self, image: &str, spec: &TaskSpec) -> bool {
        let host = format!("{}/", self.region.registry_host());
        let Some((name, tag)) = image
            .strip_prefix(&host)
            .and_then(|path| path.rsplit_once(':'))
        else {
            return true;
        };
        self.region
            .repositories
            .get(name)
            .and_then(|repository| repository.tagged(tag))
            .is_none_or(|image| image.architectures.contains(&spec.architecture()))
    }

    /// Logs what the programs of a running task have to say up to now.
    pub(super) fn talk(&mut self, spec: &TaskSpec, task: &mut Task) {
        let Some(started) = task.started_at else {
            return;
        };
        for (definition, container) in spec.container_definitions.iter().zip(&mut task.containers) {
            let Some(app) = container.app.clone() else {
                continue;
            };
            if !container.announced && listens_at(&app, started) <= self.now {
                container.announced = true;
                if let Some((bind, port)) = listens_on(&app, definition) {
                    let line = format!("server listening on {bind}:{port}");
                    write_log(self.region, definition, &task.id, self.now, line);
                }
            }
            for (line, due) in app.periodic_lines.iter().zip(&mut container.next_lines_at) {
                if *due <= self.now {
                    write_log(
                        self.region,
                        definition,
                        &task.id,
                        self.now,
                        line.text.clone(),
                    );
                    *due = self.now + TimeDelta::seconds(i64::from(line.every_seconds.max(5)));
                }
            }
        }
    }

    /// When the programs of a running task, and the checks of its containers, are due.
    pub(super) fn program_times(service: &Service, task: &Task) -> Vec<DateTime<Utc>> {
        let mut times: Vec<DateTime<Utc>> = Vec::new();
        let Some(started) = task.started_at else {
            return times;
        };
        for container in &task.containers {
            if let Some(crash) = container.app.as_deref().and_then(|app| app.crash.as_ref()) {
                times.push(started + TimeDelta::seconds(i64::from(crash.after_seconds)));
            }
            times.extend(container.next_health_check_at);
            times.extend(container.next_lines_at.iter().copied());
            if let Some(app) = container.app.as_deref().filter(|_| !container.announced) {
                times.push(listens_at(app, started));
            }
        }
        times.push(started + super::deployments::PLAIN_TASK_SETTLES);
        let grace = service.health_check_grace_period_seconds.unwrap_or(0);
        times.push(started + TimeDelta::seconds(i64::from(grace)));
        times
    }
}

/// How long until the program is over the limit; `None` for never.
fn seconds_until_full(app: &AppBehaviour, limit_mib: u32) -> Option<i64> {
    let startup = i64::from(app.startup_seconds);
    if app.memory_mib > limit_mib {
        return Some(startup.max(3));
    }
    let growth = i64::from(app.memory_growth_mib_per_minute);
    let room = i64::from(limit_mib - app.memory_mib);
    (room * 60)
        .checked_div(growth)
        .map(|seconds| (seconds + 1).max(startup))
}

/// How long until the task's disk is full; `None` for never.
fn seconds_until_disk_full(app: &AppBehaviour, room_mib: u32) -> Option<i64> {
    let startup = i64::from(app.startup_seconds);
    if app.disk_mib > room_mib {
        return Some(startup.max(3));
    }
    let room = i64::from(room_mib - app.disk_mib);
    (room * 60)
        .checked_div(i64::from(app.disk_growth_mib_per_minute))
        .map(|seconds| (seconds + 1).max(startup))
}

pub(super) fn listens_at(app: &AppBehaviour, started: DateTime<Utc>) -> DateTime<Utc> {
    started + TimeDelta::seconds(i64::from(app.startup_seconds))
}

/// The address and port that the program listens on, given its environment.
pub(super) fn listens_on(
    app: &AppBehaviour,
    definition: &ContainerDefinition,
) -> Option<(String, u16)> {
    let port = app.listen_port?;
    let set = |variable: &Option<String>| {
        variable
            .as_deref()
            .and_then(|name| definition.variable(name))
            .map(str::to_owned)
    };
    let port = set(&app.port_variable)
        .and_then(|text| text.parse().ok())
        .unwrap_or(port);
    let bind = set(&app.bind_variable).unwrap_or_else(|| app.bind_address.clone());
    Some((bind, port))
}

/// What a container's program answers on a port right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Refused,
    Status { status: u16, milliseconds: u32 },
}

/// Asks the program for a path; `local` asks over the loopback address.
pub(super) fn ask(
    definition: &ContainerDefinition,
    container: &Container,
    started: DateTime<Utc>,
    now: DateTime<Utc>,
    port: u16,
    path: &str,
    local: bool,
) -> Answer {
    let Some(app) = container.app.as_deref() else {
        return Answer::Refused;
    };
    let listening = listens_on(app, definition)
        .is_some_and(|(bind, own)| own == port && (local || bind == "0.0.0.0"));
    if !listening || now < listens_at(app, started) {
        return Answer::Refused;
    }
    match app.routes.get(path) {
        Some(route) => Answer::Status {
            status: route.status,
            milliseconds: route.milliseconds,
        },
        None => Answer::Status {
            status: 404,
            milliseconds: 1,
        },
    }
}

/// Writes a line where the container's awslogs driver would.
pub(super) fn write_log(
    region: &mut Region,
    definition: &ContainerDefinition,
    task_id: &str,
    at: DateTime<Utc>,
    line: impl Into<String>,
) {
    let Some(log) = definition
        .log_configuration
        .as_ref()
        .filter(|l| l.log_driver == "awslogs")
    else {
        return;
    };
    let group = log
        .options
        .get("awslogs-group")
        .map(String::as_str)
        .unwrap_or_default();
    let prefix = log
        .options
        .get("awslogs-stream-prefix")
        .map_or("ecs", String::as_str);
    if let Some(group) = region.log_groups.get_mut(group) {
        group.write(&format!("{prefix}/{}/{task_id}", definition.name), at, line);
    }
}
