//! Task definitions, tasks and container instances.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{DesiredStatus, SortOrder, TaskDefinitionStatus};
use futures_util::future::join_all;

use super::{ObserveOptions, Recorder, ServiceTarget, each, map, name_in_arn};
use crate::aws::{AwsClients, Page, Pages, Reading, collect_pages};
use crate::observation::{
    Cited, ContainerInstanceSnapshot, GapReason, ServiceSnapshot, TaskDefinitionSnapshot,
    TaskSnapshot,
};

/// Most tasks or container instances of one `Describe…` call.
const BATCH: usize = 100;

/// Most task definitions that are read besides those of deployments.
const MOST_OTHER_REVISIONS: usize = 5;

/// Running and stopped tasks of the service.
#[derive(Debug)]
pub(crate) struct TaskLists {
    running: Reading<Pages<String>>,
    stopped: Reading<Pages<String>>,
}

pub(crate) async fn list_tasks(
    clients: &AwsClients,
    target: &ServiceTarget,
    options: ObserveOptions,
) -> TaskLists {
    let (running, stopped) = tokio::join!(
        list_tasks_in(clients, target, DesiredStatus::Running, options.most_tasks),
        list_tasks_in(clients, target, DesiredStatus::Stopped, options.most_tasks),
    );
    TaskLists { running, stopped }
}

async fn list_tasks_in(
    clients: &AwsClients,
    target: &ServiceTarget,
    status: DesiredStatus,
    most: usize,
) -> Reading<Pages<String>> {
    collect_pages(most.div_ceil(BATCH).max(1), |token| {
        let request = clients
            .ecs
            .list_tasks()
            .cluster(target.cluster())
            .service_name(target.service_name())
            .desired_status(status.clone())
            .set_next_token(token);
        let subject = format!("{target} {}", status.as_str());
        async move {
            clients
                .read("ecs:ListTasks", subject, |receipt| {
                    request.customize().interceptor(receipt).send()
                })
                .await
                .map(|answer| Page::new(answer.task_arns, answer.next_token))
        }
    })
    .await
}

impl TaskLists {
    /// The ARNs to describe.
    pub(crate) fn record(self, recorder: &mut Recorder) -> Vec<String> {
        let mut arns: Vec<String> = [self.running, self.stopped]
            .into_iter()
            .flat_map(|list| recorder.take_all(list))
            .map(|(_, arn)| arn)
            .collect();
        let mut seen = BTreeSet::new();
        arns.retain(|arn| seen.insert(arn.clone()));
        arns
    }
}

/// The answer of one `DescribeTasks`: tasks, and ARNs that are gone.
pub(crate) type TaskBatch = Reading<(Vec<TaskSnapshot>, Vec<String>)>;

pub(crate) async fn describe_tasks(
    clients: &AwsClients,
    target: &ServiceTarget,
    arns: &[String],
) -> Vec<TaskBatch> {
    join_all(arns.chunks(BATCH).map(|batch| async move {
        let request = clients
            .ecs
            .describe_tasks()
            .cluster(target.cluster())
            .set_tasks(Some(batch.to_vec()));
        clients
            .read("ecs:DescribeTasks", target.to_string(), |receipt| {
                request.customize().interceptor(receipt).send()
            })
            .await
            .map(|answer| {
                let tasks = answer
                    .tasks()
                    .iter()
                    .map(|task| map::task(task, &clients.cleaner))
                    .collect();
                let gone = answer
                    .failures()
                    .iter()
                    .filter_map(|failure| failure.arn())
                    .map(ToOwned::to_owned)
                    .collect();
                (tasks, gone)
            })
    }))
    .await
}

/// Records tasks, newest first. Stopped tasks that ECS no longer describes are a gap.
pub(crate) fn record_tasks(
    recorder: &mut Recorder,
    batches: Vec<TaskBatch>,
) -> Vec<Cited<TaskSnapshot>> {
    let mut tasks = Vec::new();
    for batch in batches {
        let Some((source, (described, gone))) = recorder.take(batch) else {
            continue;
        };
        tasks.extend(
            described
                .into_iter()
                .map(|task| recorder.cite(&source, task)),
        );
        if !gone.is_empty() {
            recorder.missing("ecs:DescribeTasks", &gone.join(","), GapReason::Expired);
        }
    }
    tasks.sort_by_key(|task| {
        std::cmp::Reverse((
            task.value.created_at,
            task.value.stopped_at,
            task.value.arn.clone(),
        ))
    });
    tasks
}

/// The task definitions that the service deploys.
pub(crate) fn deployed(service: &ServiceSnapshot) -> Vec<String> {
    let mut arns = vec![service.task_definition.clone()];
    for deployment in &service.deployments {
        if !arns.contains(&deployment.task_definition) {
            arns.push(deployment.task_definition.clone());
        }
    }
    arns.retain(|arn| !arn.is_empty());
    arns
}

pub(crate) async fn task_definitions(
    clients: &AwsClients,
    arns: Vec<String>,
) -> Vec<Reading<Option<TaskDefinitionSnapshot>>> {
    each(&arns, |arn| async move {
        let request = clients.ecs.describe_task_definition().task_definition(arn);
        clients
            .read("ecs:DescribeTaskDefinition", arn, |receipt| {
                request.customize().interceptor(receipt).send()
            })
            .await
            .map(|answer| {
                answer
                    .task_definition()
                    .map(|definition| map::task_definition(definition, &clients.cleaner))
            })
    })
    .await
}

pub(crate) fn record_definitions(
    recorder: &mut Recorder,
    readings: Vec<Reading<Option<TaskDefinitionSnapshot>>>,
) -> Vec<Cited<TaskDefinitionSnapshot>> {
    readings
        .into_iter()
        .filter_map(|reading| {
            let (source, definition) = recorder.take(reading)?;
            Some(recorder.cite(&source, definition?))
        })
        .collect()
}

/// Lists the newest revisions of the service's family.
pub(crate) async fn list_revisions(
    clients: &AwsClients,
    service: &ServiceSnapshot,
) -> Reading<Vec<String>> {
    let (family, _) = family_and_revision(&service.task_definition);
    let request = clients
        .ecs
        .list_task_definitions()
        .family_prefix(family)
        .status(TaskDefinitionStatus::Active)
        .sort(SortOrder::Desc)
        .max_results(10);
    clients
        .read("ecs:ListTaskDefinitions", family, |receipt| {
            request.customize().interceptor(receipt).send()
        })
        .await
        .map(|answer| answer.task_definition_arns.unwrap_or_default())
}

/// Which further revisions matter: those of tasks, and the one before the deployed one.
pub(crate) fn more_revisions(
    recorder: &mut Recorder,
    revisions: Reading<Vec<String>>,
    service: &ServiceSnapshot,
    primary: &Option<Cited<TaskDefinitionSnapshot>>,
    known: &[Cited<TaskDefinitionSnapshot>],
    tasks: &[Cited<TaskSnapshot>],
) -> Vec<String> {
    let (family, deployed) = family_and_revision(&service.task_definition);
    let listed = recorder
        .take(revisions)
        .map(|(_, arns)| arns)
        .unwrap_or_default();
    let mut before: Vec<&String> = listed
        .iter()
        .filter(|arn| {
            let (other, revision) = family_and_revision(arn);
            other == family && revision < deployed
        })
        .collect();
    before.sort_by_key(|arn| std::cmp::Reverse(family_and_revision(arn).1));
    let is_known = |arn: &str| {
        primary
            .iter()
            .chain(known)
            .any(|definition| definition.value.arn == arn)
            || service.task_definition == arn
    };
    let mut wanted: Vec<String> = Vec::new();
    let of_tasks = tasks.iter().map(|task| &task.value.task_definition);
    for arn in before.into_iter().take(1).chain(of_tasks) {
        if !arn.is_empty() && !is_known(arn) && !wanted.contains(arn) {
            wanted.push(arn.clone());
        }
    }
    wanted.truncate(MOST_OTHER_REVISIONS);
    wanted
}

/// `family` and `7` of `arn:…:task-definition/family:7`.
pub(crate) fn family_and_revision(arn: &str) -> (&str, i32) {
    match name_in_arn(arn).rsplit_once(':') {
        Some((family, revision)) => (family, revision.parse().unwrap_or_default()),
        None => (name_in_arn(arn), 0),
    }
}

/// Lists the cluster's container instances, unless the service runs on Fargate alone.
pub(crate) async fn list_instances(
    clients: &AwsClients,
    target: &ServiceTarget,
    service: &ServiceSnapshot,
) -> Option<Reading<Pages<String>>> {
    if runs_on_fargate(service) {
        return None;
    }
    let pages = collect_pages(5, |token| {
        let request = clients
            .ecs
            .list_container_instances()
            .cluster(target.cluster())
            .set_next_token(token);
        async move {
            clients
                .read(
                    "ecs:ListContainerInstances",
                    target.cluster_name(),
                    |receipt| request.customize().interceptor(receipt).send(),
                )
                .await
                .map(|answer| Page::new(answer.container_instance_arns, answer.next_token))
        }
    });
    Some(pages.await)
}

fn runs_on_fargate(service: &ServiceSnapshot) -> bool {
    let providers = &service.capacity_providers;
    service.launch_type.as_deref() == Some("FARGATE")
        || (!providers.is_empty() && providers.iter().all(|name| name.starts_with("FARGATE")))
}

pub(crate) async fn describe_instances(
    clients: &AwsClients,
    target: &ServiceTarget,
    arns: &[String],
) -> Vec<Reading<Pages<ContainerInstanceSnapshot>>> {
    join_all(arns.chunks(BATCH).map(|batch| async move {
        let request = clients
            .ecs
            .describe_container_instances()
            .cluster(target.cluster())
            .set_container_instances(Some(batch.to_vec()));
        clients
            .read(
                "ecs:DescribeContainerInstances",
                target.cluster_name(),
                |receipt| request.customize().interceptor(receipt).send(),
            )
            .await
            .map(|answer| Pages {
                items: answer
                    .container_instances()
                    .iter()
                    .map(map::container_instance)
                    .collect(),
                truncated: false,
            })
    }))
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn family_and_revision_are_taken_from_an_arn() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/api:12";
        assert_eq!(family_and_revision(arn), ("api", 12));
        assert_eq!(family_and_revision("api"), ("api", 0));
    }

    #[test]
    fn only_fargate_needs_no_instances() {
        let service = |launch: Option<&str>, providers: &[&str]| ServiceSnapshot {
            launch_type: launch.map(ToOwned::to_owned),
            capacity_providers: providers.iter().map(|name| (*name).to_owned()).collect(),
            ..ServiceSnapshot::default()
        };
        assert!(runs_on_fargate(&service(Some("FARGATE"), &[])));
        assert!(runs_on_fargate(&service(
            None,
            &["FARGATE_SPOT", "FARGATE"]
        )));
        assert!(!runs_on_fargate(&service(None, &["FARGATE", "asg"])));
        assert!(!runs_on_fargate(&service(Some("EC2"), &[])));
        assert!(!runs_on_fargate(&service(None, &[])));
    }
}
