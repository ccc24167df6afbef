//! Whether the images of task definitions can be pulled.

use aws_sdk_ecs::types::{DesiredStatus, SortOrder, TaskDefinitionStatus};
use chrono::Utc;
use serde::Serialize;

use super::failures::StoppedTask;
use super::stack::stack_resources;
use super::stop::StopCategory;
use super::{Status, cluster};
use crate::aws::{AwsClients, AwsError, Page, collect_pages};
use crate::observation::{Gap, GapReason, ImageSnapshot, TaskDefinitionSnapshot};
use crate::observe::map::ImageReference;
use crate::observe::{Recorder, images as registry, name_in_arn};

/// Most task definitions that are looked at.
const MOST_DEFINITIONS: usize = 20;

/// Whose images are meant.
#[derive(Debug, Clone, Copy)]
pub enum ImagesOf<'a> {
    /// A service's.
    Service {
        /// Its cluster.
        cluster: &'a str,
        /// Its name.
        service: &'a str,
    },
    /// A task's.
    Task {
        /// Its cluster.
        cluster: &'a str,
        /// Its id.
        task: &'a str,
    },
    /// Those of a stack's services and task definitions.
    Stack(&'a str),
    /// Those of the newest revision of each family with this prefix.
    FamilyPrefix(&'a str),
}

/// What is wrong with the images.
#[derive(Debug, Clone, Serialize)]
pub struct ImageFailures {
    /// Whether it could be read.
    pub status: Status,
    /// Images that cannot be pulled, or could not be looked at.
    pub image_issues: Vec<ImageCheck>,
    /// Every image that was looked at.
    pub images: Vec<ImageCheck>,
    /// The result in a sentence.
    pub assessment: String,
    /// What to do.
    pub recommendations: Vec<String>,
}

/// One image of one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageCheck {
    /// The reference as it is written.
    pub image: String,
    /// Whether it is there.
    pub exists: Existence,
    /// What is wrong, if anything.
    pub error: Option<String>,
    /// `ecr` or `external`.
    pub repository_type: &'static str,
    /// Account of the registry.
    pub registry_account: Option<String>,
    /// Region of the registry.
    pub registry_region: Option<String>,
    /// Repository, with its namespace.
    pub repository: String,
    /// Tag or digest.
    pub tag_or_digest: String,
    /// The digest that the registry has for it.
    pub digest: Option<String>,
    /// Tags that there are instead, newest first.
    pub existing_tags: Vec<String>,
    /// The task definition.
    pub task_definition: String,
    /// The container.
    pub container_name: String,
    /// What ECS said when a task could not pull it.
    pub pull_error: Option<String>,
}

/// Whether an image is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Existence {
    /// It is.
    #[serde(rename = "true")]
    Yes,
    /// It is not.
    #[serde(rename = "false")]
    No,
    /// It cannot be told from here.
    Unknown,
}

/// Looks at every image of the task definitions that are meant.
///
/// # Errors
/// [`AwsError`] when the task definitions cannot be found out.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn image_failures(
    clients: &AwsClients,
    of: ImagesOf<'_>,
) -> Result<ImageFailures, AwsError> {
    let (definitions, failed) = definitions(clients, of).await?;
    if definitions.is_empty() {
        return Ok(ImageFailures {
            status: Status::Success,
            image_issues: Vec::new(),
            images: Vec::new(),
            assessment: format!("no task definition was found for {}", words_for(of)),
            recommendations: vec![
                "check the name, the account and the region; ListTaskDefinitionFamilies shows what there is"
                    .to_owned(),
            ],
        });
    }
    let mut recorder = Recorder::new(clients.latest_date().unwrap_or_else(Utc::now));
    let read = registry::read(clients, definitions.iter()).await;
    let found: Vec<ImageSnapshot> = read
        .record(&mut recorder)
        .into_iter()
        .map(|image| image.value)
        .collect();
    let (_, _, gaps) = recorder.finish();
    let images: Vec<ImageCheck> = definitions
        .iter()
        .flat_map(|definition| {
            definition
                .containers
                .iter()
                .map(|container| {
                    let mut check = check(&container.image, &found, &gaps);
                    check.task_definition = definition.arn.clone();
                    check.container_name = container.name.clone();
                    check.pull_error = pull_error(&failed, definition, &container.image);
                    check
                })
                .collect::<Vec<_>>()
        })
        .collect();
    Ok(judged(&definitions, images))
}

fn judged(definitions: &[TaskDefinitionSnapshot], images: Vec<ImageCheck>) -> ImageFailures {
    let issues: Vec<ImageCheck> = images
        .iter()
        // An image elsewhere is only an issue when a task could not pull it.
        .filter(|image| {
            image.exists == Existence::No || image.pull_error.is_some() || image.error.is_some()
        })
        .cloned()
        .collect();
    let mut recommendations: Vec<String> = issues.iter().map(recommendation).collect();
    for definition in definitions {
        let from_ecr = definition.containers.iter().any(|container| {
            ImageReference::parse(&container.image)
                .ecr_account
                .is_some()
        });
        if from_ecr
            && definition.execution_role_arn.is_none()
            && definition
                .requires_compatibilities
                .iter()
                .any(|kind| kind == "FARGATE")
        {
            recommendations.push(format!(
                "{} pulls from Amazon ECR on Fargate and has no execution role: give it one",
                name_in_arn(&definition.arn)
            ));
        }
    }
    recommendations.dedup();
    let assessment = if issues.is_empty() {
        let unknown = images
            .iter()
            .filter(|image| image.exists == Existence::Unknown)
            .count();
        match unknown {
            0 => format!("all {} images are there", images.len()),
            unknown => format!(
                "nothing is known against the {} images; {unknown} are in registries that cannot be asked from here",
                images.len()
            ),
        }
    } else {
        format!("{} of {} images have an issue", issues.len(), images.len())
    };
    ImageFailures {
        status: Status::Success,
        image_issues: issues,
        images,
        assessment,
        recommendations,
    }
}

/// What the registry and the tasks say about one reference.
pub(crate) fn check(reference: &str, found: &[ImageSnapshot], gaps: &[Gap]) -> ImageCheck {
    let parsed = ImageReference::parse(reference);
    let snapshot = found.iter().find(|image| image.reference == reference);
    let exists = match snapshot.and_then(|image| image.image_exists) {
        Some(true) => Existence::Yes,
        Some(false) => Existence::No,
        None => Existence::Unknown,
    };
    let subject = format!("{}:{}", parsed.repository, parsed.tag_or_digest);
    let gap = gaps
        .iter()
        .find(|gap| gap.subject == reference || gap.subject == subject);
    let error = match (snapshot, exists) {
        (Some(image), Existence::No) if image.repository_exists == Some(false) => {
            Some(format!("there is no repository `{}`", image.repository))
        }
        (Some(image), Existence::No) => Some(format!(
            "repository `{}` has no `{}`",
            image.repository, image.tag_or_digest
        )),
        _ if parsed.ecr_account.is_none() => None,
        _ => gap.map(|gap| match &gap.reason {
            GapReason::Denied { iam_action } => {
                format!("the registry was not read: the identity needs `{iam_action}`")
            }
            GapReason::NotSupported { code } | GapReason::Unavailable { code } => {
                format!("the registry was not read: {code}")
            }
            GapReason::Expired | GapReason::Truncated { .. } => {
                "the registry was not read".to_owned()
            }
        }),
    };
    ImageCheck {
        image: reference.to_owned(),
        exists,
        error,
        repository_type: if parsed.ecr_account.is_some() {
            "ecr"
        } else {
            "external"
        },
        registry_account: parsed.ecr_account,
        registry_region: parsed.ecr_region,
        repository: parsed.repository,
        tag_or_digest: parsed.tag_or_digest,
        digest: snapshot.and_then(|image| image.digest.clone()),
        existing_tags: snapshot
            .map(|image| image.existing_tags.clone())
            .unwrap_or_default(),
        task_definition: String::new(),
        container_name: String::new(),
        pull_error: None,
    }
}

fn recommendation(image: &ImageCheck) -> String {
    let place = format!(
        "container `{}` of {}",
        image.container_name,
        name_in_arn(&image.task_definition)
    );
    match (image.exists, &image.error, &image.pull_error) {
        (Existence::No, Some(error), _) if image.existing_tags.is_empty() => {
            format!(
                "{place}: {error}; push the image, or deploy a revision that names one that is there"
            )
        }
        (Existence::No, Some(error), _) => format!(
            "{place}: {error}; the newest tags are {}",
            image
                .existing_tags
                .iter()
                .take(5)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ")
        ),
        (_, _, Some(words)) => format!("{place}: a task could not pull `{}`: {words}", image.image),
        (_, Some(error), None) => format!("{place}: {error}"),
        (_, None, None) => format!("{place}: look at `{}`", image.image),
    }
}

fn pull_error(
    failed: &[StoppedTask],
    definition: &TaskDefinitionSnapshot,
    image: &str,
) -> Option<String> {
    let repository = ImageReference::parse(image).repository;
    failed
        .iter()
        .filter(|task| task.task_definition == name_in_arn(&definition.arn))
        .map(|task| &task.because)
        // With several containers the words name the one that is meant.
        .find(|words| definition.containers.len() == 1 || words.contains(&repository))
        .cloned()
}

/// The task definitions that are meant, and tasks that failed to pull.
async fn definitions(
    clients: &AwsClients,
    of: ImagesOf<'_>,
) -> Result<(Vec<TaskDefinitionSnapshot>, Vec<StoppedTask>), AwsError> {
    match of {
        ImagesOf::Service { cluster, service } => {
            of_services(clients, cluster, &[service.to_owned()]).await
        }
        ImagesOf::Task { cluster, task } => {
            let tasks = match cluster::describe_tasks(clients, cluster, &[task.to_owned()]).await {
                Ok(tasks) => tasks,
                Err(error) if error.is_not_found() => Vec::new(),
                Err(error) => return Err(error),
            };
            let arns: Vec<String> = tasks
                .iter()
                .map(|task| task.task_definition.clone())
                .collect();
            let failed = pulls(tasks.iter().map(StoppedTask::of));
            Ok((read(clients, arns).await?, failed))
        }
        ImagesOf::Stack(name) => of_stack(clients, name).await,
        ImagesOf::FamilyPrefix(prefix) => {
            let arns = newest_of_families(clients, prefix).await?;
            Ok((read(clients, arns).await?, Vec::new()))
        }
    }
}

async fn of_services(
    clients: &AwsClients,
    cluster: &str,
    services: &[String],
) -> Result<(Vec<TaskDefinitionSnapshot>, Vec<StoppedTask>), AwsError> {
    let first = services.first().map(String::as_str).map(name_in_arn);
    let of_service = first.filter(|_| services.len() == 1);
    let (described, stopped) = tokio::join!(
        cluster::describe_services(clients, cluster, services),
        cluster::list_tasks(clients, cluster, of_service, DesiredStatus::Stopped),
    );
    let described = match described {
        Ok(described) => described,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error),
    };
    // Every deployment's revision: the one that cannot start is often not the service's own any more.
    let arns: Vec<String> = described
        .iter()
        .flat_map(|service| {
            let deployed = service.deployments.iter();
            deployed
                .map(|deployment| deployment.task_definition.clone())
                .chain([service.task_definition.clone()])
        })
        .collect();
    let stopped = stopped.map(|pages| pages.items).unwrap_or_default();
    let (definitions, tasks) = tokio::join!(
        read(clients, arns),
        cluster::describe_tasks(clients, cluster, &stopped),
    );
    let failed = pulls(tasks.unwrap_or_default().iter().map(StoppedTask::of));
    Ok((definitions?, failed))
}

fn pulls(tasks: impl Iterator<Item = StoppedTask>) -> Vec<StoppedTask> {
    tasks
        .filter(|task| task.category == StopCategory::ImagePullFailure)
        .collect()
}

async fn of_stack(
    clients: &AwsClients,
    name: &str,
) -> Result<(Vec<TaskDefinitionSnapshot>, Vec<StoppedTask>), AwsError> {
    let resources = match stack_resources(clients, name).await {
        Ok(resources) => resources,
        Err(error) if error.is_not_found() || error.message().contains("does not exist") => {
            return Ok((Vec::new(), Vec::new()));
        }
        Err(error) => return Err(error),
    };
    let of_type = |kind: &str| -> Vec<String> {
        resources
            .iter()
            .filter(|resource| resource.resource_type == kind)
            .filter_map(|resource| resource.physical_resource_id.clone())
            .collect()
    };
    let mut definitions = read(clients, of_type("AWS::ECS::TaskDefinition")).await?;
    let mut failed = Vec::new();
    for service in of_type("AWS::ECS::Service") {
        // `arn:…:service/CLUSTER/NAME`: a service of a stack is named by its ARN.
        let mut parts = service.rsplit('/');
        if let (Some(_), Some(cluster)) = (parts.next(), parts.next()) {
            let cluster = cluster.to_owned();
            let (more, pulls) = of_services(clients, &cluster, &[service]).await?;
            definitions.extend(more);
            failed.extend(pulls);
        }
    }
    definitions.sort_by(|a, b| a.arn.cmp(&b.arn));
    definitions.dedup_by(|a, b| a.arn == b.arn);
    Ok((definitions, failed))
}

async fn read(
    clients: &AwsClients,
    mut arns: Vec<String>,
) -> Result<Vec<TaskDefinitionSnapshot>, AwsError> {
    arns.sort();
    arns.dedup();
    arns.truncate(MOST_DEFINITIONS);
    let (definitions, errors) = cluster::describe_definitions(clients, arns).await;
    match errors.into_iter().next() {
        Some(error) if definitions.is_empty() && !error.is_not_found() => Err(error),
        _ => Ok(definitions),
    }
}

/// The newest active revision of each family with this prefix.
async fn newest_of_families(clients: &AwsClients, prefix: &str) -> Result<Vec<String>, AwsError> {
    let families = collect_pages(2, |token| {
        let request = clients
            .ecs
            .list_task_definition_families()
            .family_prefix(prefix)
            .status(aws_sdk_ecs::types::TaskDefinitionFamilyStatus::Active)
            .set_next_token(token);
        let reading = clients.read("ecs:ListTaskDefinitionFamilies", prefix, |receipt| {
            request.customize().interceptor(receipt).send()
        });
        async move {
            reading
                .await
                .map(|answer| Page::new(answer.families, answer.next_token))
        }
    })
    .await
    .outcome?
    .items;
    let newest = families
        .iter()
        .take(MOST_DEFINITIONS)
        .map(|family| async move {
            let request = clients
                .ecs
                .list_task_definitions()
                .family_prefix(family)
                .status(TaskDefinitionStatus::Active)
                .sort(SortOrder::Desc)
                .max_results(1);
            let reading = clients.read("ecs:ListTaskDefinitions", family, |receipt| {
                request.customize().interceptor(receipt).send()
            });
            reading.await.outcome
        });
    let mut arns = Vec::new();
    for answer in futures_util::future::join_all(newest).await {
        arns.extend(answer?.task_definition_arns.unwrap_or_default());
    }
    Ok(arns)
}

fn words_for(of: ImagesOf<'_>) -> String {
    match of {
        ImagesOf::Service { cluster, service } => {
            format!("service `{service}` in cluster `{cluster}`")
        }
        ImagesOf::Task { cluster, task } => format!("task `{task}` in cluster `{cluster}`"),
        ImagesOf::Stack(name) => format!("stack `{name}`"),
        ImagesOf::FamilyPrefix(prefix) => format!("families that begin with `{prefix}`"),
    }
}
