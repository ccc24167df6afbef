//! Which tasks of a cluster stopped, and what ended each of them.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::DesiredStatus;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::cluster::{self, ClusterSummary};
use super::stop::{self, StopCategory};
use super::{Status, TimeWindow};
use crate::aws::{AwsClients, AwsError};
use crate::observation::TaskSnapshot;
use crate::observe::name_in_arn;

/// What stopped in a cluster.
#[derive(Debug, Clone, Serialize)]
pub struct TaskFailures {
    /// Whether it could be read.
    pub status: Status,
    /// Whether there is such a cluster.
    pub cluster_exists: bool,
    /// Tasks that stopped because something went wrong, newest first.
    pub failed_tasks: Vec<StoppedTask>,
    /// The same tasks by what ended them.
    pub failure_categories: BTreeMap<&'static str, Vec<StoppedTask>>,
    /// Tasks that were stopped on purpose: scaling, a newer deployment, a person.
    pub stopped_on_purpose: Vec<StoppedTask>,
    /// What it was read from.
    pub raw_data: FailuresRaw,
    /// The result in a sentence.
    pub message: String,
}

/// What the answer was read from.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FailuresRaw {
    /// The cluster.
    pub cluster: Option<ClusterSummary>,
    /// How many tasks run in it.
    pub running_tasks_count: i32,
    /// How many stopped tasks ECS still knew; it forgets them after about an hour.
    pub stopped_tasks_read: usize,
    /// Whether there were more than were read.
    pub truncated: bool,
}

/// A task that stopped.
#[derive(Debug, Clone, Serialize)]
pub struct StoppedTask {
    /// The task's id.
    pub task_id: String,
    /// Family and revision.
    pub task_definition: String,
    /// `service:NAME`, or whatever group it was started in.
    pub group: Option<String>,
    /// When it started to run; `null` if it never did.
    pub started_at: Option<DateTime<Utc>>,
    /// When it stopped.
    pub stopped_at: Option<DateTime<Utc>>,
    /// What ended it.
    pub category: StopCategory,
    /// The words that this rests on.
    pub because: String,
    /// ECS's code.
    pub stop_code: Option<String>,
    /// ECS's reason.
    pub stopped_reason: Option<String>,
    /// Its containers.
    pub containers: Vec<StoppedContainer>,
}

/// A container of a task that stopped.
#[derive(Debug, Clone, Serialize)]
pub struct StoppedContainer {
    /// Its name.
    pub name: String,
    /// Its exit code; `null` if it never ran.
    pub exit_code: Option<i32>,
    /// What ECS or Docker says about it.
    pub reason: Option<String>,
    /// Its image.
    pub image: Option<String>,
}

impl StoppedTask {
    /// Reads what ended a task.
    pub(crate) fn of(task: &TaskSnapshot) -> Self {
        let cause = stop::cause(task);
        let containers = task.containers.iter();
        Self {
            task_id: name_in_arn(&task.arn).to_owned(),
            task_definition: name_in_arn(&task.task_definition).to_owned(),
            group: task.group.clone(),
            started_at: task.started_at,
            stopped_at: task.stopped_at,
            category: cause.category,
            because: cause.because,
            stop_code: task.stop_code.clone(),
            stopped_reason: task.stopped_reason.clone(),
            containers: containers
                .map(|container| StoppedContainer {
                    name: container.name.clone(),
                    exit_code: container.exit_code,
                    reason: container.reason.clone(),
                    image: container.image.clone(),
                })
                .collect(),
        }
    }
}

/// Reads the tasks of a cluster that stopped in the window: every page of them.
///
/// # Errors
/// [`AwsError`] when the cluster or its tasks cannot be read.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn task_failures(
    clients: &AwsClients,
    cluster: &str,
    window: TimeWindow,
) -> Result<TaskFailures, AwsError> {
    let (described, listed) = tokio::join!(
        cluster::describe(clients, cluster),
        cluster::list_tasks(clients, cluster, None, DesiredStatus::Stopped),
    );
    let Some(described) = described? else {
        return Ok(TaskFailures::without_cluster(cluster));
    };
    let listed = listed?;
    let mut tasks = cluster::describe_tasks(clients, cluster, &listed.items).await?;
    tasks.retain(|task| task.last_status == "STOPPED" || task.stopped_at.is_some());
    let read = tasks.len();
    let window = window.by_clock_of(clients);
    tasks.retain(|task| task.stopped_at.is_none_or(|at| window.holds(at)));
    tasks.sort_by_key(|task| std::cmp::Reverse(task.stopped_at));
    let (failed, wanted): (Vec<StoppedTask>, Vec<StoppedTask>) = tasks
        .iter()
        .map(StoppedTask::of)
        .partition(|task| task.category.is_failure());
    let mut categories: BTreeMap<&'static str, Vec<StoppedTask>> = BTreeMap::new();
    for task in &failed {
        categories
            .entry(task.category.as_str())
            .or_default()
            .push(task.clone());
    }
    let message = summary(&categories, failed.len(), wanted.len());
    Ok(TaskFailures {
        status: Status::Success,
        cluster_exists: true,
        failed_tasks: failed,
        failure_categories: categories,
        stopped_on_purpose: wanted,
        raw_data: FailuresRaw {
            running_tasks_count: described.running_tasks_count,
            cluster: Some(described),
            stopped_tasks_read: read,
            truncated: listed.truncated,
        },
        message,
    })
}

fn summary(
    categories: &BTreeMap<&'static str, Vec<StoppedTask>>,
    failed: usize,
    wanted: usize,
) -> String {
    if failed == 0 {
        return format!("no task failed in this time; {wanted} were stopped on purpose");
    }
    let counts: Vec<String> = categories
        .iter()
        .map(|(category, tasks)| format!("{} {category}", tasks.len()))
        .collect();
    format!(
        "{failed} tasks failed ({}); {wanted} were stopped on purpose",
        counts.join(", ")
    )
}

impl TaskFailures {
    fn without_cluster(cluster: &str) -> Self {
        Self {
            status: Status::Success,
            cluster_exists: false,
            failed_tasks: Vec::new(),
            failure_categories: BTreeMap::new(),
            stopped_on_purpose: Vec::new(),
            raw_data: FailuresRaw::default(),
            message: format!("there is no cluster `{}` here", name_in_arn(cluster)),
        }
    }
}
