//! A cluster, its services and its tasks, read whole.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{DesiredStatus, ServiceField};
use futures_util::future::join_all;
use serde::Serialize;

use crate::aws::{AwsClients, AwsError, Page, Pages, Reading, collect_pages};
use crate::observation::{ServiceSnapshot, TaskDefinitionSnapshot, TaskSnapshot};
use crate::observe::{map, name_in_arn, task_definitions};

/// Most pages of one listing, 100 items each.
const MOST_PAGES: usize = 50;

/// Tasks of one `DescribeTasks`.
const TASKS_A_CALL: usize = 100;

/// Services of one `DescribeServices`.
const SERVICES_A_CALL: usize = 10;

/// A cluster's counts, under the names that the API gives them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSummary {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// `ACTIVE`, `INACTIVE` and so on.
    pub status: String,
    /// Tasks that run.
    pub running_tasks_count: i32,
    /// Tasks that wait.
    pub pending_tasks_count: i32,
    /// Services that are not deleted.
    pub active_services_count: i32,
    /// Container instances.
    pub registered_container_instances_count: i32,
}

/// Reads a cluster; `None` when there is none of that name.
pub(crate) async fn describe(
    clients: &AwsClients,
    cluster: &str,
) -> Result<Option<ClusterSummary>, AwsError> {
    let request = clients.ecs.describe_clusters().clusters(cluster);
    let reading = clients
        .read("ecs:DescribeClusters", cluster, |receipt| {
            request.customize().interceptor(receipt).send()
        })
        .await;
    Ok(reading
        .outcome?
        .clusters()
        .first()
        .map(|found| ClusterSummary {
            name: found.cluster_name().unwrap_or_default().to_owned(),
            arn: found.cluster_arn().unwrap_or_default().to_owned(),
            status: found.status().unwrap_or_default().to_owned(),
            running_tasks_count: found.running_tasks_count(),
            pending_tasks_count: found.pending_tasks_count(),
            active_services_count: found.active_services_count(),
            registered_container_instances_count: found.registered_container_instances_count(),
        }))
}

/// Lists tasks of a cluster, or of one of its services, by the status they are wanted in.
pub(crate) async fn list_tasks(
    clients: &AwsClients,
    cluster: &str,
    service: Option<&str>,
    status: DesiredStatus,
) -> Result<Pages<String>, AwsError> {
    let subject = format!("{} {}", name_in_arn(cluster), status.as_str());
    collect_pages(MOST_PAGES, |token| {
        let request = clients
            .ecs
            .list_tasks()
            .cluster(cluster)
            .set_service_name(service.map(str::to_owned))
            .desired_status(status.clone())
            .set_next_token(token);
        let reading = clients.read("ecs:ListTasks", subject.clone(), |receipt| {
            request.customize().interceptor(receipt).send()
        });
        async move {
            reading
                .await
                .map(|answer| Page::new(answer.task_arns, answer.next_token))
        }
    })
    .await
    .outcome
}

/// Describes tasks, all batches at once. Tasks that ECS no longer knows are left out.
pub(crate) async fn describe_tasks(
    clients: &AwsClients,
    cluster: &str,
    tasks: &[String],
) -> Result<Vec<TaskSnapshot>, AwsError> {
    let batches = join_all(tasks.chunks(TASKS_A_CALL).map(|batch| async move {
        let request = clients
            .ecs
            .describe_tasks()
            .cluster(cluster)
            .set_tasks(Some(batch.to_vec()));
        clients
            .read("ecs:DescribeTasks", name_in_arn(cluster), |receipt| {
                request.customize().interceptor(receipt).send()
            })
            .await
            .map(|answer| {
                let tasks = answer.tasks().iter();
                tasks
                    .map(|task| map::task(task, &clients.cleaner))
                    .collect::<Vec<_>>()
            })
    }))
    .await;
    all(batches)
}

/// Lists the services of a cluster.
pub(crate) async fn list_services(
    clients: &AwsClients,
    cluster: &str,
) -> Result<Pages<String>, AwsError> {
    collect_pages(MOST_PAGES, |token| {
        let request = clients
            .ecs
            .list_services()
            .cluster(cluster)
            .max_results(100)
            .set_next_token(token);
        let reading = clients.read("ecs:ListServices", name_in_arn(cluster), |receipt| {
            request.customize().interceptor(receipt).send()
        });
        async move {
            reading
                .await
                .map(|answer| Page::new(answer.service_arns, answer.next_token))
        }
    })
    .await
    .outcome
}

/// Describes services, all batches at once.
pub(crate) async fn describe_services(
    clients: &AwsClients,
    cluster: &str,
    services: &[String],
) -> Result<Vec<ServiceSnapshot>, AwsError> {
    let batches = join_all(services.chunks(SERVICES_A_CALL).map(|batch| async move {
        let request = clients
            .ecs
            .describe_services()
            .cluster(cluster)
            .set_services(Some(batch.to_vec()))
            .include(ServiceField::Tags);
        clients
            .read("ecs:DescribeServices", name_in_arn(cluster), |receipt| {
                request.customize().interceptor(receipt).send()
            })
            .await
            .map(|answer| {
                let services = answer.services().iter();
                services
                    .filter(|service| service.service_arn().is_some())
                    .map(|service| map::service(service, &clients.cleaner))
                    .collect::<Vec<_>>()
            })
    }))
    .await;
    all(batches)
}

/// Describes task definitions, each once, all at once; what cannot be read is told apart.
pub(crate) async fn describe_definitions(
    clients: &AwsClients,
    arns: impl IntoIterator<Item = String>,
) -> (Vec<TaskDefinitionSnapshot>, Vec<AwsError>) {
    let distinct: BTreeSet<String> = arns.into_iter().filter(|arn| !arn.is_empty()).collect();
    let readings = task_definitions(clients, distinct.into_iter().collect()).await;
    let (mut definitions, mut errors) = (Vec::new(), Vec::new());
    for reading in readings {
        match reading.outcome {
            Ok(definition) => definitions.extend(definition),
            Err(error) => errors.push(error),
        }
    }
    (definitions, errors)
}

/// Every item of every batch, or the first error.
fn all<T>(batches: Vec<Reading<Vec<T>>>) -> Result<Vec<T>, AwsError> {
    let mut items = Vec::new();
    for batch in batches {
        items.extend(batch.outcome?);
    }
    Ok(items)
}
