//! The log lines of a cluster's tasks, wherever their task definitions say they are.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::DesiredStatus;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde::Serialize;

use super::{Status, TimeWindow, cluster};
use crate::aws::{AwsClients, AwsError, Page, Pages, collect_pages};
use crate::observation::{LogLine, TaskDefinitionSnapshot, TaskSnapshot};
use crate::observe::{map, name_in_arn};

/// Most lines of one answer, the newest.
const MOST_LINES: usize = 1_000;

/// Most pages of one stream of lines; AWS may send empty ones.
const MOST_PAGES: usize = 5;

/// Most patterns of a summary.
const MOST_PATTERNS: usize = 10;

/// Longest pattern, in characters.
const LONGEST_PATTERN: usize = 120;

/// Which lines are wanted.
#[derive(Debug, Clone, Copy)]
pub struct LogQuery<'a> {
    /// Cluster name or ARN.
    pub cluster: &'a str,
    /// Id or ARN of one task.
    pub task: Option<&'a str>,
    /// A filter pattern of CloudWatch Logs.
    pub filter_pattern: Option<&'a str>,
    /// When they were written.
    pub window: TimeWindow,
}

/// The lines.
#[derive(Debug, Clone, Serialize)]
pub struct TaskLogs {
    /// `success`, or `not_found` when there is nothing to read from.
    pub status: Status,
    /// Where was looked.
    pub log_groups: Vec<LogSource>,
    /// The lines, oldest first, each once.
    pub log_entries: Vec<LogEntry>,
    /// How many of them tell of an error.
    pub error_count: usize,
    /// How many of them warn.
    pub warning_count: usize,
    /// How many are neither.
    pub info_count: usize,
    /// What the errors have in common, the most frequent first.
    pub pattern_summary: Vec<LogPattern>,
    /// Whether there are older lines that were left out.
    pub truncated: bool,
    /// The result in a sentence.
    pub message: String,
}

/// A log group that a task definition names.
#[derive(Debug, Clone, Serialize)]
pub struct LogSource {
    /// Its name.
    pub name: String,
    /// The streams that lines came from.
    pub log_streams: BTreeSet<String>,
    /// How many lines came from it.
    pub entry_count: usize,
    /// Why it could not be read.
    pub error: Option<String>,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// When it was written.
    pub timestamp: DateTime<Utc>,
    /// The line, with what looks like a secret masked.
    pub message: String,
    /// How bad it is.
    pub severity: LogSeverity,
    /// Its stream.
    pub stream: String,
    /// Its group.
    pub group: String,
}

/// How bad a line is, by its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogSeverity {
    /// It tells of an error.
    Error,
    /// It warns.
    Warn,
    /// Neither.
    Info,
}

/// What several lines have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogPattern {
    /// The line with its numbers and ids left out.
    pub pattern: String,
    /// How often.
    pub count: usize,
}

/// Where one container of a revision writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    group: String,
    region: Option<String>,
    streams: Streams,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Streams {
    Named(String),
    StartingWith(String),
    All,
}

/// Reads the lines of one task, or of every task of a cluster.
///
/// # Errors
/// [`AwsError`] when the cluster's tasks cannot be read. A group that cannot be read says so.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn task_logs(clients: &AwsClients, query: LogQuery<'_>) -> Result<TaskLogs, AwsError> {
    let found = match query.task {
        Some(task) => places_of_task(clients, query.cluster, task).await?,
        None => places_of_cluster(clients, query.cluster).await?,
    };
    let places = match found {
        Ok(places) if places.is_empty() => {
            return Ok(TaskLogs::nowhere(
                "no task definition in use writes to CloudWatch Logs (`awslogs`)",
            ));
        }
        Ok(places) => places,
        Err(why) => return Ok(TaskLogs::nowhere(&why)),
    };
    let readings = join_all(places.iter().map(|place| lines(clients, place, &query))).await;
    Ok(TaskLogs::of(places, readings))
}

/// The streams of one task; in words, why there are none.
async fn places_of_task(
    clients: &AwsClients,
    cluster: &str,
    task: &str,
) -> Result<Result<BTreeSet<Place>, String>, AwsError> {
    let id = name_in_arn(task);
    let tasks = cluster::describe_tasks(clients, cluster, &[task.to_owned()]).await;
    let known = match tasks {
        Ok(tasks) => tasks.into_iter().next(),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error),
    };
    let (definitions, task) = match known {
        Some(task) => {
            let arns = [task.task_definition.clone()];
            (
                cluster::describe_definitions(clients, arns).await.0,
                Some(task),
            )
        }
        // ECS forgets a stopped task after about an hour; its log stays, under a name that the
        // cluster's task definitions tell.
        None => (definitions_of_cluster(clients, cluster).await?, None),
    };
    let places: BTreeSet<Place> = definitions
        .iter()
        .flat_map(|definition| places(definition, Some((id, task.as_ref()))))
        .collect();
    if places.is_empty() && task.is_none() {
        return Ok(Err(format!(
            "ECS knows no task `{id}` in this cluster any more, and no task definition in use says where its log is"
        )));
    }
    Ok(Ok(places))
}

async fn places_of_cluster(
    clients: &AwsClients,
    cluster: &str,
) -> Result<Result<BTreeSet<Place>, String>, AwsError> {
    let definitions = definitions_of_cluster(clients, cluster).await?;
    if definitions.is_empty() {
        return Ok(Err(format!(
            "cluster `{}` has no service and no task, so nothing says where a log is",
            name_in_arn(cluster)
        )));
    }
    Ok(Ok(definitions
        .iter()
        .flat_map(|definition| places(definition, None))
        .collect()))
}

/// Every task definition that a service or task of the cluster uses.
async fn definitions_of_cluster(
    clients: &AwsClients,
    cluster: &str,
) -> Result<Vec<TaskDefinitionSnapshot>, AwsError> {
    let (services, running, stopped) = tokio::join!(
        cluster::list_services(clients, cluster),
        cluster::list_tasks(clients, cluster, None, DesiredStatus::Running),
        cluster::list_tasks(clients, cluster, None, DesiredStatus::Stopped),
    );
    let mut tasks = running?.items;
    tasks.extend(stopped?.items);
    let services = services?.items;
    let (services, tasks) = tokio::join!(
        cluster::describe_services(clients, cluster, &services),
        cluster::describe_tasks(clients, cluster, &tasks),
    );
    let of_services = services?.into_iter().map(|service| service.task_definition);
    let of_tasks = tasks?.into_iter().map(|task| task.task_definition);
    let (definitions, errors) =
        cluster::describe_definitions(clients, of_services.chain(of_tasks)).await;
    match errors.into_iter().next() {
        Some(error) if definitions.is_empty() => Err(error),
        _ => Ok(definitions),
    }
}

/// Where the containers of a revision write, for one task or for all.
fn places(
    definition: &TaskDefinitionSnapshot,
    task: Option<(&str, Option<&TaskSnapshot>)>,
) -> Vec<Place> {
    let containers = definition.containers.iter();
    containers
        .filter_map(|container| {
            let log = container.log_configuration.as_ref()?;
            let group = log.group.clone().filter(|_| log.driver == "awslogs")?;
            let streams = match (&log.stream_prefix, task) {
                (Some(prefix), Some((id, _))) => {
                    Streams::Named(format!("{prefix}/{}/{id}", container.name))
                }
                (Some(prefix), None) => {
                    Streams::StartingWith(format!("{prefix}/{}/", container.name))
                }
                // Without a prefix the id of the container names the stream.
                (None, Some((_, known))) => {
                    let mut ran = known?.containers.iter();
                    Streams::Named(
                        ran.find(|ran| ran.name == container.name)?
                            .runtime_id
                            .clone()?,
                    )
                }
                (None, None) => Streams::All,
            };
            Some(Place {
                group,
                region: log.region.clone(),
                streams,
            })
        })
        .collect()
}

/// The lines of one place, the newest [`MOST_LINES`].
async fn lines(
    clients: &AwsClients,
    place: &Place,
    query: &LogQuery<'_>,
) -> Result<Pages<LogLine>, String> {
    if let Some(region) = &place.region
        && region != clients.region().as_str()
    {
        return Err(format!(
            "the group is in region {region}; run there to read it"
        ));
    }
    let window = query.window.by_clock_of(clients);
    let reading = collect_pages(MOST_PAGES, |token| {
        let request = clients
            .logs
            .filter_log_events()
            .log_group_name(&place.group)
            .start_time(window.from().timestamp_millis())
            .end_time(window.to().timestamp_millis())
            .set_filter_pattern(query.filter_pattern.map(str::to_owned))
            .start_from_head(false)
            .limit(i32::try_from(MOST_LINES).unwrap_or(i32::MAX))
            .set_next_token(token);
        let request = match &place.streams {
            Streams::Named(name) => request.log_stream_names(name),
            Streams::StartingWith(prefix) => request.log_stream_name_prefix(prefix),
            Streams::All => request,
        };
        let reading = clients.read("logs:FilterLogEvents", place.group.clone(), |receipt| {
            request.customize().interceptor(receipt).send()
        });
        async move {
            reading.await.map(|answer| {
                let lines: Vec<LogLine> = answer
                    .events()
                    .iter()
                    .filter_map(|event| map::log_line(event, &clients.cleaner))
                    .collect();
                // A full page is enough: the rest is older.
                let full = lines.len() >= MOST_LINES;
                Page::new(Some(lines), answer.next_token.filter(|_| !full))
            })
        }
    });
    reading.await.outcome.map_err(|error| {
        // That no line was ever written is not a failure of reading.
        if error.is_not_found() {
            format!("there is no such group or stream: {}", error.message())
        } else {
            error.to_string()
        }
    })
}

impl TaskLogs {
    fn nowhere(why: &str) -> Self {
        Self {
            status: Status::NotFound,
            log_groups: Vec::new(),
            log_entries: Vec::new(),
            error_count: 0,
            warning_count: 0,
            info_count: 0,
            pattern_summary: Vec::new(),
            truncated: false,
            message: why.to_owned(),
        }
    }

    fn of(places: BTreeSet<Place>, readings: Vec<Result<Pages<LogLine>, String>>) -> Self {
        let mut groups: BTreeMap<String, LogSource> = BTreeMap::new();
        let mut entries: Vec<LogEntry> = Vec::new();
        let mut truncated = false;
        for (place, reading) in places.into_iter().zip(readings) {
            let source = groups
                .entry(place.group.clone())
                .or_insert_with(|| LogSource {
                    name: place.group.clone(),
                    log_streams: BTreeSet::new(),
                    entry_count: 0,
                    error: None,
                });
            match reading {
                Ok(pages) => {
                    truncated |= pages.truncated;
                    entries.extend(pages.items.into_iter().map(|line| LogEntry {
                        timestamp: line.at,
                        severity: severity(&line.text),
                        message: line.text,
                        stream: line.stream,
                        group: place.group.clone(),
                    }));
                }
                Err(error) => source.error = source.error.take().or(Some(error)),
            }
        }
        entries.sort_by(|a, b| (a.timestamp, &a.stream).cmp(&(b.timestamp, &b.stream)));
        let surplus = entries.len().saturating_sub(MOST_LINES);
        truncated |= surplus > 0;
        entries.drain(..surplus);
        for entry in &entries {
            if let Some(source) = groups.get_mut(&entry.group) {
                source.entry_count += 1;
                source.log_streams.insert(entry.stream.clone());
            }
        }
        let count = |severity| entries.iter().filter(|e| e.severity == severity).count();
        let (errors, warnings) = (count(LogSeverity::Error), count(LogSeverity::Warn));
        let unread = groups
            .values()
            .filter(|source| source.error.is_some())
            .count();
        let mut message = format!(
            "{} lines ({errors} errors, {warnings} warnings) from {} log groups",
            entries.len(),
            groups.len()
        );
        if unread > 0 {
            message.push_str(&format!("; {unread} of them could not be read"));
        }
        if truncated {
            message.push_str("; there are older lines, narrow the time or the pattern");
        }
        let all_unread = !groups.is_empty() && unread == groups.len();
        Self {
            status: if all_unread {
                Status::NotFound
            } else {
                Status::Success
            },
            info_count: entries.len() - errors - warnings,
            error_count: errors,
            warning_count: warnings,
            pattern_summary: patterns(&entries),
            log_groups: groups.into_values().collect(),
            log_entries: entries,
            truncated,
            message,
        }
    }
}

/// The words by which a line tells how bad it is, as whole words.
fn severity(line: &str) -> LogSeverity {
    const ERRORS: [&str; 10] = [
        "error",
        "exception",
        "fatal",
        "panic",
        "fail",
        "failed",
        "failure",
        "critical",
        "traceback",
        "emerg",
    ];
    let words = || line.split(|c: char| !c.is_ascii_alphanumeric());
    let is = |word: &str, known: &[&str]| known.iter().any(|k| word.eq_ignore_ascii_case(k));
    // `java.lang.OutOfMemoryError` is one word and an error all the same; `terror` is none.
    let is_error =
        |word: &str| is(word, &ERRORS) || word.ends_with("Error") || word.ends_with("Exception");
    if words().any(is_error) {
        LogSeverity::Error
    } else if words().any(|word| is(word, &["warn", "warning"])) {
        LogSeverity::Warn
    } else {
        LogSeverity::Info
    }
}

/// The most frequent error lines, with what differs between them left out.
fn patterns(entries: &[LogEntry]) -> Vec<LogPattern> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries {
        if entry.severity == LogSeverity::Error {
            *counts.entry(pattern(&entry.message)).or_default() += 1;
        }
    }
    let mut patterns: Vec<LogPattern> = counts
        .into_iter()
        .map(|(pattern, count)| LogPattern { pattern, count })
        .collect();
    patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.count));
    patterns.truncate(MOST_PATTERNS);
    patterns
}

fn pattern(line: &str) -> String {
    let mut pattern = String::new();
    for c in line.chars() {
        if !c.is_ascii_digit() {
            pattern.push(c);
        } else if !pattern.ends_with('#') {
            pattern.push('#');
        }
    }
    pattern.chars().take(LONGEST_PATTERN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_judged_by_whole_words() {
        for (line, expected) in [
            ("ERROR could not connect", LogSeverity::Error),
            ("java.lang.OutOfMemoryError: heap", LogSeverity::Error),
            ("0 errors, terror-free", LogSeverity::Info),
            ("[warn] slow", LogSeverity::Warn),
            (r#"{"level":"error","msg":"x"}"#, LogSeverity::Error),
            ("GET /failover 200", LogSeverity::Info),
        ] {
            assert_eq!(severity(line), expected, "{line}");
        }
    }

    #[test]
    fn lines_that_differ_in_numbers_are_one_pattern() {
        assert_eq!(
            pattern("error 503 after 12ms"),
            pattern("error 500 after 7ms")
        );
    }
}
