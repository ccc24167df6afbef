//! From loose words, an ARN or a task id to one service.
//!
//! Reading and ranking are apart: the search lists what there is, [`rank`](rank::rank) decides,
//! and what is not clear becomes a question instead of a guess.

mod rank;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use aws_sdk_ecs::types::ServiceField;

use crate::aws::{AwsClients, AwsError, Page, collect_pages};
use crate::observe::{ServiceTarget, family_and_revision, name_in_arn, task_definitions};
use rank::Found;

/// Most pages of clusters, and of services of one cluster (100 a page).
const MOST_PAGES: usize = 20;

/// Services of one `DescribeServices`.
const BATCH: usize = 10;

/// Most task definitions that are read to compare images.
const MOST_IMAGES: usize = 40;

/// What is known besides the words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHints {
    /// Cluster name or ARN: nothing else is searched.
    pub cluster: Option<String>,
    /// Service name or ARN.
    pub service: Option<String>,
}

/// A service that may be meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceCandidate {
    /// Service ARN.
    pub service_arn: String,
    /// Cluster name.
    pub cluster: String,
    /// Service name.
    pub service: String,
    /// How well it fits; only comparable within one search.
    pub score: u32,
    /// Why it fits.
    pub reasons: Vec<String>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "match", rename_all = "snake_case")]
pub enum Identification {
    /// One service stands out.
    One(ServiceCandidate),
    /// Several may be meant, the likeliest first: ask.
    Several(Vec<ServiceCandidate>),
    /// Nothing fits.
    None {
        /// What was searched, in one sentence.
        searched: String,
    },
}

/// Finds the service that a person's words mean, in the context's account and region.
///
/// # Errors
/// [`AwsError`] when clusters cannot be listed. A single cluster that cannot be read is left out
/// and named in what was searched.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn identify(
    clients: &AwsClients,
    query: &str,
    hints: &SearchHints,
) -> Result<Identification, AwsError> {
    let clusters = match cluster_in(query).or_else(|| hints.cluster.clone()) {
        Some(cluster) => vec![cluster],
        None => list_clusters(clients).await?,
    };
    if let Some(task) = task_id(query)
        && let Some(candidate) = by_task(clients, &clusters, &task).await
    {
        return Ok(Identification::One(candidate));
    }
    let mut unread = Vec::new();
    let mut found: Vec<Found> = Vec::new();
    let read = join_all(clusters.iter().map(|cluster| services_of(clients, cluster))).await;
    for (cluster, services) in clusters.iter().zip(read) {
        match services {
            Ok(services) => found.extend(services),
            Err(error) if clusters.len() == 1 && !error.is_not_found() => return Err(error),
            Err(error) => unread.push(format!("{} ({})", name_in_arn(cluster), error.code())),
        }
    }
    let searched = || {
        let mut text = format!(
            "{} services in {} clusters of region {}",
            found.len(),
            clusters.len(),
            clients.region()
        );
        if !unread.is_empty() {
            text.push_str(&format!("; not readable: {}", unread.join(", ")));
        }
        text
    };
    let by_name = rank::rank(query, hints, &found, searched());
    if !matches!(by_name, Identification::None { .. }) || found.len() > MOST_IMAGES {
        return Ok(by_name);
    }
    // Nobody's name fits: perhaps the words name an image.
    let searched = searched();
    read_images(clients, &mut found).await;
    Ok(rank::rank(query, hints, &found, searched))
}

/// The cluster that an ARN in the words names.
fn cluster_in(query: &str) -> Option<String> {
    query.split_whitespace().find_map(|word| {
        let resource = word.strip_prefix("arn:")?.splitn(5, ':').nth(4)?;
        let mut parts = resource.split('/');
        match (parts.next()?, parts.next()?, parts.next()) {
            ("cluster", cluster, None) | ("service" | "task", cluster, Some(_)) => {
                Some(cluster.to_owned())
            }
            _ => None,
        }
    })
}

/// A task id in the words: 32 hexadecimal digits, alone or at the end of an ARN.
fn task_id(query: &str) -> Option<String> {
    query
        .split(|c: char| c.is_whitespace() || ",;`\"'()".contains(c))
        .map(name_in_arn)
        .find(|word| word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit()))
        .map(ToOwned::to_owned)
}

pub(crate) async fn list_clusters(clients: &AwsClients) -> Result<Vec<String>, AwsError> {
    collect_pages(MOST_PAGES, |token| {
        let request = clients.ecs.list_clusters().set_next_token(token);
        async move {
            clients
                .read("ecs:ListClusters", clients.region().as_str(), |receipt| {
                    request.customize().interceptor(receipt).send()
                })
                .await
                .map(|answer| Page::new(answer.cluster_arns, answer.next_token))
        }
    })
    .await
    .outcome
    .map(|pages| pages.items)
}

/// The service that a task belongs to, wherever it runs.
async fn by_task(
    clients: &AwsClients,
    clusters: &[String],
    task: &str,
) -> Option<ServiceCandidate> {
    let readings = join_all(clusters.iter().map(|cluster| async move {
        let request = clients.ecs.describe_tasks().cluster(cluster).tasks(task);
        let reading = clients
            .read("ecs:DescribeTasks", task, |receipt| {
                request.customize().interceptor(receipt).send()
            })
            .await;
        (cluster, reading.outcome)
    }))
    .await;
    let (cluster, service) = readings.into_iter().find_map(|(cluster, outcome)| {
        let answer = outcome.ok()?;
        let group = answer.tasks().first()?.group()?;
        Some((cluster, group.strip_prefix("service:")?.to_owned()))
    })?;
    let target = ServiceTarget::locate(clients, cluster, service)
        .await
        .ok()?;
    Some(ServiceCandidate {
        service_arn: target.service().to_owned(),
        cluster: target.cluster_name().to_owned(),
        service: target.service_name().to_owned(),
        score: 200,
        reasons: vec![format!("task `{task}` belongs to it")],
    })
}

async fn services_of(clients: &AwsClients, cluster: &str) -> Result<Vec<Found>, AwsError> {
    let listed = collect_pages(MOST_PAGES, |token| {
        let request = clients
            .ecs
            .list_services()
            .cluster(cluster)
            .max_results(100)
            .set_next_token(token);
        async move {
            clients
                .read("ecs:ListServices", name_in_arn(cluster), |receipt| {
                    request.customize().interceptor(receipt).send()
                })
                .await
                .map(|answer| Page::new(answer.service_arns, answer.next_token))
        }
    })
    .await;
    let arns = listed.outcome?.items;
    let batches = join_all(arns.chunks(BATCH).map(|batch| {
        let request = clients
            .ecs
            .describe_services()
            .cluster(cluster)
            .set_services(Some(batch.to_vec()))
            .include(ServiceField::Tags);
        clients.read("ecs:DescribeServices", name_in_arn(cluster), |receipt| {
            request.customize().interceptor(receipt).send()
        })
    }))
    .await;
    let mut found = Vec::new();
    for batch in batches {
        found.extend(
            batch
                .outcome?
                .services()
                .iter()
                .map(|service| found_service(clients, service)),
        );
    }
    Ok(found)
}

fn found_service(clients: &AwsClients, service: &aws_sdk_ecs::types::Service) -> Found {
    let definition = service.task_definition().unwrap_or_default();
    let text = |text: Option<&str>| clients.cleaner.words(text.unwrap_or_default());
    Found {
        arn: text(service.service_arn()),
        cluster: name_in_arn(service.cluster_arn().unwrap_or_default()).to_owned(),
        service: text(service.service_name()),
        family: family_and_revision(definition).0.to_owned(),
        definition: definition.to_owned(),
        status: text(service.status()),
        tags: service
            .tags()
            .iter()
            .map(|tag| (text(tag.key()), text(tag.value())))
            .collect(),
        target_groups: service
            .load_balancers()
            .iter()
            .map(|entry| text(entry.target_group_arn()))
            .filter(|arn| !arn.is_empty())
            .collect(),
        images: Vec::new(),
    }
}

async fn read_images(clients: &AwsClients, found: &mut [Found]) {
    let arns: Vec<String> = found
        .iter()
        .map(|service| service.definition.clone())
        .collect();
    let definitions = task_definitions(clients, arns).await;
    for (service, reading) in found.iter_mut().zip(definitions) {
        let containers = reading
            .outcome
            .ok()
            .flatten()
            .map(|definition| definition.containers);
        service.images = containers
            .into_iter()
            .flatten()
            .map(|container| container.image)
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_ids_and_clusters_are_found_in_words() {
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(
            task_id(&format!("why did task `{id}` stop?")).as_deref(),
            Some(id)
        );
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:task/prod/{id}");
        assert_eq!(task_id(&arn).as_deref(), Some(id));
        assert_eq!(cluster_in(&arn).as_deref(), Some("prod"));
        let service = "look at arn:aws:ecs:eu-west-1:123456789012:service/prod/api now";
        assert_eq!(cluster_in(service).as_deref(), Some("prod"));
        assert_eq!(cluster_in("checkout in prod"), None);
        assert_eq!(task_id("checkout"), None);
    }
}
