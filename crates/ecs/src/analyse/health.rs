//! Container health checks that kill healthy tasks.

use chrono::{DateTime, Utc};
use regex::Regex;

use super::Finding;
use super::view::{View, reasons, short};
use crate::observation::{
    Cited, ContainerDefinition, ContainerHealthCheck, EvidenceId, LogLine, Observation,
    TaskDefinitionSnapshot, TaskSnapshot,
};

/// A line that says that the program now serves.
const READY_LINE: &str = r"(?i)\b(listening|ready|started (?:server|application|on|in)|server started|serving|accepting connections|boot(?:ed)? complete|startup complete)\b";

/// ECS's defaults for a container health check, in seconds and counts.
///
/// Source: `HealthCheck` in the Amazon ECS API reference.
const DEFAULT_INTERVAL: i32 = 30;
const DEFAULT_RETRIES: i32 = 3;

/// When a task began to serve, and where it says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready<'a> {
    pub(crate) seconds: i64,
    pub(crate) evidence: EvidenceId,
    pub(crate) line: &'a LogLine,
}

/// How long a task took until it said that it serves, by its own log.
pub(crate) fn ready<'a>(view: &View<'a>, task: &'a TaskSnapshot) -> Option<Ready<'a>> {
    let pattern = Regex::new(READY_LINE).ok()?;
    let started: DateTime<Utc> = task.started_at?;
    view.lines_of(task, None)
        .find(|(_, line)| pattern.is_match(&line.text))
        .map(|(evidence, line)| Ready {
            seconds: (line.at - started).num_seconds(),
            evidence,
            line,
        })
}

/// The longest time any task of the service took until it served.
pub(crate) fn slowest_start<'a>(view: &View<'a>) -> Option<Ready<'a>> {
    view.observation
        .tasks
        .iter()
        .filter_map(|task| ready(view, task))
        .max_by_key(|ready| ready.seconds)
}

/// The longest time a task of this revision took until it served.
pub(crate) fn slowest_start_of<'a>(view: &View<'a>, revision: &str) -> Option<Ready<'a>> {
    view.observation
        .tasks
        .iter()
        .filter(|task| task.task_definition == revision)
        .filter_map(|task| ready(view, task))
        .max_by_key(|ready| ready.seconds)
}

/// The longest time from a start to a line that says the program serves, in seconds.
pub(crate) fn slowest_start_seconds(observation: &Observation) -> Option<i64> {
    let pattern = Regex::new(READY_LINE).ok()?;
    observation
        .tasks
        .iter()
        .filter_map(|task| {
            let id = short(&task.arn);
            let started = task.started_at?;
            observation
                .log_groups
                .iter()
                .flat_map(|group| &group.lines)
                .find(|line| line.stream.ends_with(id) && pattern.is_match(&line.text))
                .map(|line| (line.at - started).num_seconds())
        })
        .max()
}

/// Seconds until a container health check gives up.
pub(crate) fn patience(check: &ContainerHealthCheck) -> i64 {
    let interval = check.interval_seconds.unwrap_or(DEFAULT_INTERVAL);
    let retries = check.retries.unwrap_or(DEFAULT_RETRIES);
    i64::from(check.start_period_seconds.unwrap_or(0)) + i64::from(interval) * i64::from(retries)
}

/// `container-hc-command-broken`, `container-hc-start-period-short`.
pub(crate) fn container_checks(view: &View<'_>) -> Vec<Finding> {
    let failed = view
        .failures()
        .find(|task| reasons(task).contains("container health checks"));
    let unhealthy = view.observation.tasks.iter().find(|task| {
        task.last_status == "RUNNING" && task.health_status.as_deref() == Some("UNHEALTHY")
    });
    let Some(task) = failed.or(unhealthy) else {
        return Vec::new();
    };
    let Some(definition) = view.revision_of(task) else {
        return Vec::new();
    };
    let Some((container, check)) = checked_container(definition, task) else {
        return Vec::new();
    };
    let finding = match start(view, task, definition, check) {
        Start::TooSlow(ready) => {
            let patience = patience(check);
            view.draft("container-hc-start-period-short").and_then(|draft| {
                let took = match ready {
                    Some(ready) => format!("takes {} s", ready.seconds),
                    None => format!("takes longer than the {patience} s it is given"),
                };
                let draft = draft
                    .because(format!(
                        "Container `{}` {took} to start and its health check gives up after {patience} s.",
                        container.name
                    ))
                    .cite_task(task)
                    .decided(ready.is_some(), "a log line that says when the program serves")
                    .affects(&container.name);
                let draft = cite_patience(draft, definition, check);
                match ready {
                    Some(ready) => draft.cite(ready.evidence, &[&ready.line.text]),
                    None => draft,
                }
                .finish()
            })
        }
        Start::InTime(ready) => view.draft("container-hc-command-broken").and_then(|draft| {
            let program = &check.program;
            let draft = draft
                .because(format!(
                    "The health check of container `{}` (`{program}`) fails although the program serves, so healthy tasks of {} are killed.",
                    container.name,
                    short(&definition.arn)
                ))
                .cite_task(task)
                .cite(definition.evidence, &[program, &container.name])
                .affects(&container.name)
                .decided(ready.is_some(), "a log line that says when the program serves");
            match ready {
                Some(ready) => draft.cite(ready.evidence, &[&ready.line.text]),
                None => draft,
            }
            .finish()
        }),
        Start::Unknown => None,
    };
    finding.into_iter().collect()
}

/// How the start of a task compares with its health check's patience.
enum Start<'a> {
    InTime(Option<Ready<'a>>),
    TooSlow(Option<Ready<'a>>),
    Unknown,
}

fn start<'a>(
    view: &View<'a>,
    task: &'a Cited<TaskSnapshot>,
    definition: &TaskDefinitionSnapshot,
    check: &ContainerHealthCheck,
) -> Start<'a> {
    if let Some(ready) = ready(view, task) {
        return if ready.seconds >= patience(check) {
            Start::TooSlow(Some(ready))
        } else {
            Start::InTime(Some(ready))
        };
    }
    // A load balancer that is content proves that the program serves.
    let served = view
        .observation
        .target_groups
        .iter()
        .flat_map(|group| &group.targets)
        .any(|target| {
            target.state == "healthy" && task.private_ip.as_ref().is_some_and(|ip| ip == &target.id)
        });
    if served {
        return Start::InTime(None);
    }
    // The same program under a more patient check said when it served.
    if let Some(slowest) = slowest_start(view).filter(|slowest| slowest.seconds >= patience(check))
    {
        return Start::TooSlow(Some(slowest));
    }
    let earlier = view
        .observation
        .other_task_definitions
        .iter()
        .find(|other| other.arn != definition.arn);
    let earlier_check = earlier
        .and_then(|earlier| checked_container(earlier, task))
        .map(|(_, check)| check);
    match earlier_check {
        Some(earlier) if earlier.program != check.program => Start::InTime(None),
        Some(earlier) if patience(earlier) > patience(check) => Start::TooSlow(None),
        // It wrote lines, was killed, and never said that it serves.
        _ if view.lines_of(task, None).next().is_some() => Start::TooSlow(None),
        _ => Start::Unknown,
    }
}

fn checked_container<'a>(
    definition: &'a TaskDefinitionSnapshot,
    task: &TaskSnapshot,
) -> Option<(&'a ContainerDefinition, &'a ContainerHealthCheck)> {
    let unhealthy = task
        .containers
        .iter()
        .find(|container| container.health_status.as_deref() == Some("UNHEALTHY"))
        .map(|container| container.name.as_str());
    definition
        .containers
        .iter()
        .filter(|container| unhealthy.is_none_or(|name| name == container.name))
        .chain(&definition.containers)
        .find_map(|container| Some((container, container.health_check.as_ref()?)))
}

fn cite_patience<'a>(
    draft: super::view::Draft<'a>,
    definition: &Cited<TaskDefinitionSnapshot>,
    check: &ContainerHealthCheck,
) -> super::view::Draft<'a> {
    let start_period = check.start_period_seconds.unwrap_or(0);
    let retries = check.retries.unwrap_or(DEFAULT_RETRIES);
    draft.cite(
        definition.evidence,
        &[
            &format!("startPeriod: {start_period}"),
            &format!("start_period_seconds: {start_period}"),
            &format!("retries: {retries}"),
            &check.program,
        ],
    )
}
