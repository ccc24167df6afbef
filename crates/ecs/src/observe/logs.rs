//! Log groups and the last lines of the tasks that matter.

use chrono::{DateTime, Duration, Utc};

use super::{ObserveOptions, Recorder, each, map, name_in_arn};
use crate::aws::{AwsClients, Page, Pages, Reading, Source, collect_pages};
use crate::observation::{
    Cited, GapReason, LogGroupSnapshot, LogLine, TaskDefinitionSnapshot, TaskSnapshot,
};

/// Most stopped tasks whose last words are read.
const MOST_STOPPED: usize = 4;

/// Most running tasks whose latest lines are read.
const MOST_RUNNING: usize = 2;

/// How long before its end a task's lines are of interest.
const BEFORE_THE_END: Duration = Duration::minutes(5);

/// Agents deliver the last lines a little after the end.
const AFTER_THE_END: Duration = Duration::minutes(1);

/// Lines of one call.
const LINES_A_CALL: i32 = 100;

/// An answer may be an empty page with a token: bounded patience.
const MOST_PAGES: usize = 3;

/// What was read about each log group.
#[derive(Debug)]
pub(crate) struct LogReadings(Vec<GroupReadings>);

#[derive(Debug)]
struct GroupReadings {
    name: String,
    elsewhere: Option<String>,
    described: Option<Reading<bool>>,
    lines: Vec<Reading<Pages<LogLine>>>,
}

/// One group of the task definition with the streams to look at.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    group: String,
    region: Option<String>,
    tails: Vec<Tail>,
}

/// The end of one task's log: its streams and the time around its end.
#[derive(Debug, PartialEq, Eq)]
struct Tail {
    task: String,
    streams: Vec<String>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

pub(crate) async fn read(
    clients: &AwsClients,
    definition: Option<&TaskDefinitionSnapshot>,
    tasks: &[Cited<TaskSnapshot>],
    now: DateTime<Utc>,
    options: ObserveOptions,
) -> LogReadings {
    let tasks: Vec<&TaskSnapshot> = tasks.iter().map(|task| &task.value).collect();
    let wanted = definition
        .map(|definition| wanted(definition, &tasks, now))
        .unwrap_or_default();
    let readings = each(&wanted, |wanted| async move {
        let region = wanted.region.as_deref();
        let elsewhere = region.filter(|region| *region != clients.region().as_str());
        let mut readings = GroupReadings {
            name: wanted.group.clone(),
            elsewhere: elsewhere.map(ToOwned::to_owned),
            described: None,
            lines: Vec::new(),
        };
        if readings.elsewhere.is_some() {
            return readings;
        }
        let tails: &[Tail] = if options.read_logs {
            &wanted.tails
        } else {
            &[]
        };
        let (described, lines) = tokio::join!(
            exists(clients, &wanted.group),
            each(tails, |tail| tail_lines(clients, &wanted.group, tail)),
        );
        readings.described = Some(described);
        readings.lines = lines;
        readings
    });
    LogReadings(readings.await)
}

/// Which groups, which streams, which time.
fn wanted(
    definition: &TaskDefinitionSnapshot,
    tasks: &[&TaskSnapshot],
    now: DateTime<Utc>,
) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for container in &definition.containers {
        let Some(log) = container
            .log_configuration
            .as_ref()
            .filter(|log| log.driver == "awslogs")
        else {
            continue;
        };
        let Some(group) = log.group.clone() else {
            continue;
        };
        if !all.iter().any(|wanted| wanted.group == group) {
            all.push(Wanted {
                group: group.clone(),
                region: log.region.clone(),
                tails: Vec::new(),
            });
        }
        let Some(wanted) = all.iter_mut().find(|wanted| wanted.group == group) else {
            continue;
        };
        for task in of_interest(tasks) {
            let id = name_in_arn(&task.arn);
            let runtime_id = task
                .containers
                .iter()
                .find(|ran| ran.name == container.name)
                .and_then(|ran| ran.runtime_id.clone());
            // Without a prefix the Docker container's id names the stream.
            let stream = match &log.stream_prefix {
                Some(prefix) => Some(format!("{prefix}/{}/{id}", container.name)),
                None => runtime_id,
            };
            let Some(stream) = stream else {
                continue;
            };
            if let Some(tail) = wanted.tails.iter_mut().find(|tail| tail.task == id) {
                tail.streams.push(stream);
                continue;
            }
            let end = task.stopped_at.unwrap_or(now);
            wanted.tails.push(Tail {
                task: id.to_owned(),
                streams: vec![stream],
                from: end - BEFORE_THE_END,
                to: end + AFTER_THE_END,
            });
        }
    }
    all
}

/// The newest stopped tasks that ran, and a few running ones.
fn of_interest<'t>(tasks: &[&'t TaskSnapshot]) -> Vec<&'t TaskSnapshot> {
    let is_stopped = |task: &&&TaskSnapshot| task.last_status == "STOPPED";
    // A task that never started has no log; the message about it is in its stopped reason.
    let stopped = tasks.iter().filter(is_stopped).filter(|task| {
        task.started_at.is_some() || task.containers.iter().any(|c| c.exit_code.is_some())
    });
    let running = tasks.iter().filter(|task| task.last_status == "RUNNING");
    stopped
        .take(MOST_STOPPED)
        .chain(running.take(MOST_RUNNING))
        .copied()
        .collect()
}

async fn exists(clients: &AwsClients, group: &str) -> Reading<bool> {
    let request = clients
        .logs
        .describe_log_groups()
        .log_group_name_prefix(group);
    clients
        .read("logs:DescribeLogGroups", group, |receipt| {
            request.customize().interceptor(receipt).send()
        })
        .await
        .map(|answer| {
            answer
                .log_groups()
                .iter()
                .any(|found| found.log_group_name() == Some(group))
        })
}

async fn tail_lines(clients: &AwsClients, group: &str, tail: &Tail) -> Reading<Pages<LogLine>> {
    let mut reading = collect_pages(MOST_PAGES, |token| {
        let request = clients
            .logs
            .filter_log_events()
            .log_group_name(group)
            .set_log_stream_names(Some(tail.streams.clone()))
            .start_time(tail.from.timestamp_millis())
            .end_time(tail.to.timestamp_millis())
            // The last lines tell why it ended.
            .start_from_head(false)
            .limit(LINES_A_CALL)
            .set_next_token(token);
        let subject = format!("{group} {}", tail.streams.join(","));
        async move {
            clients
                .read("logs:FilterLogEvents", subject, |receipt| {
                    request.customize().interceptor(receipt).send()
                })
                .await
                .map(|answer| {
                    let lines: Vec<LogLine> = answer
                        .events()
                        .iter()
                        .filter_map(|event| map::log_line(event, &clients.cleaner))
                        .collect();
                    // Enough was read as soon as anything was: the rest is older.
                    let next = if lines.is_empty() {
                        answer.next_token
                    } else {
                        None
                    };
                    Page::new(Some(lines), next)
                })
        }
    })
    .await;
    if let Ok(pages) = &mut reading.outcome {
        pages.truncated = false;
    }
    reading
}

impl LogReadings {
    pub(crate) fn record(
        self,
        recorder: &mut Recorder,
        options: ObserveOptions,
    ) -> Vec<Cited<LogGroupSnapshot>> {
        self.0
            .into_iter()
            .filter_map(|group| group.record(recorder, options))
            .collect()
    }
}

impl GroupReadings {
    fn record(
        self,
        recorder: &mut Recorder,
        options: ObserveOptions,
    ) -> Option<Cited<LogGroupSnapshot>> {
        if let Some(region) = self.elsewhere {
            let code = format!("the log group is in region {region}");
            recorder.missing(
                "logs:FilterLogEvents",
                &self.name,
                GapReason::NotSupported { code },
            );
            return None;
        }
        let described = self.described.and_then(|reading| recorder.take(reading));
        let mut exists = described.as_ref().map(|(_, exists)| *exists);
        let mut source: Option<Source> = described.map(|(source, _)| source);
        let mut lines = Vec::new();
        for reading in self.lines {
            match reading.outcome {
                Ok(pages) => {
                    exists = exists.or(Some(true));
                    if !pages.items.is_empty() {
                        source = Some(Source {
                            subject: self.name.clone(),
                            ..reading.source
                        });
                    }
                    lines.extend(pages.items);
                }
                // No group or no stream: nothing was ever written. Which of them, the group's
                // own description says.
                Err(error) if error.is_not_found() => {
                    if exists.is_none() && error.message().contains("group") {
                        exists = Some(false);
                        source = Some(Source {
                            subject: self.name.clone(),
                            ..reading.source
                        });
                    }
                }
                Err(error) => recorder.failed(&reading.source, &error),
            }
        }
        lines.sort_by_key(|line| line.at);
        let surplus = lines.len().saturating_sub(options.most_log_lines);
        lines.drain(..surplus);
        let snapshot = LogGroupSnapshot {
            name: self.name,
            exists,
            lines,
        };
        Some(recorder.cite(&source?, snapshot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{ContainerDefinition, ContainerSnapshot, LogConfiguration};

    fn container(name: &str, prefix: Option<&str>) -> ContainerDefinition {
        ContainerDefinition {
            name: name.to_owned(),
            log_configuration: Some(LogConfiguration {
                driver: "awslogs".to_owned(),
                group: Some("/ecs/api".to_owned()),
                stream_prefix: prefix.map(ToOwned::to_owned),
                ..LogConfiguration::default()
            }),
            ..ContainerDefinition::default()
        }
    }

    #[test]
    fn one_tail_a_task_over_all_its_streams() {
        let end = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let definition = TaskDefinitionSnapshot {
            containers: vec![container("app", Some("p")), container("side", Some("p"))],
            ..TaskDefinitionSnapshot::default()
        };
        let task = TaskSnapshot {
            arn: "arn:aws:ecs:eu-west-1:123456789012:task/c/abc".to_owned(),
            last_status: "STOPPED".to_owned(),
            started_at: Some(end - Duration::minutes(30)),
            stopped_at: Some(end),
            ..TaskSnapshot::default()
        };
        let never_started = TaskSnapshot {
            started_at: None,
            ..task.clone()
        };
        let wanted = wanted(
            &definition,
            &[&never_started, &task],
            end + Duration::hours(1),
        );
        assert_eq!(
            wanted,
            [Wanted {
                group: "/ecs/api".to_owned(),
                region: None,
                tails: vec![Tail {
                    task: "abc".to_owned(),
                    streams: vec!["p/app/abc".to_owned(), "p/side/abc".to_owned()],
                    from: end - BEFORE_THE_END,
                    to: end + AFTER_THE_END,
                }],
            }]
        );
    }

    #[test]
    fn without_a_prefix_the_runtime_id_names_the_stream() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let definition = TaskDefinitionSnapshot {
            containers: vec![container("app", None)],
            ..TaskDefinitionSnapshot::default()
        };
        let ran = ContainerSnapshot {
            name: "app".to_owned(),
            runtime_id: Some("dead-beef".to_owned()),
            ..ContainerSnapshot::default()
        };
        let task = TaskSnapshot {
            arn: "x/abc".to_owned(),
            last_status: "RUNNING".to_owned(),
            containers: vec![ran],
            ..TaskSnapshot::default()
        };
        let wanted = wanted(&definition, &[&task], now);
        assert_eq!(wanted[0].tails[0].streams, ["dead-beef"]);
    }
}
