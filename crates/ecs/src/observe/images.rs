//! What the registry says about the images.

use super::map::{ImageReference, newest_tags};
use super::{Recorder, each};
use crate::aws::{AwsClients, AwsErrorKind, Reading, Source, moment};
use crate::observation::{Cited, GapReason, ImageSnapshot, TaskDefinitionSnapshot};
use aws_sdk_ecr::types::{ImageDetail, ImageIdentifier};

/// Most existing tags that are kept.
const MOST_TAGS: usize = 20;

/// Images of one listing; a repository with more is only partly listed.
const LISTED: i32 = 100;

/// What was read about each distinct image.
#[derive(Debug)]
pub(crate) struct ImageReadings(Vec<ImageReadingOf>);

#[derive(Debug)]
struct ImageReadingOf {
    written: String,
    parsed: ImageReference,
    asked: Option<Asked>,
}

/// What the registry says about an image.
#[derive(Debug)]
struct Asked {
    wanted: Reading<Vec<ImageDetail>>,
    all: Reading<Vec<ImageDetail>>,
}

pub(crate) async fn read<'a>(
    clients: &AwsClients,
    definitions: impl Iterator<Item = &'a TaskDefinitionSnapshot>,
) -> ImageReadings {
    let mut written: Vec<String> = definitions
        .flat_map(|definition| &definition.containers)
        .map(|container| container.image.clone())
        .filter(|image| !image.is_empty())
        .collect();
    written.sort();
    written.dedup();
    let readings = each(&written, |image| async move {
        let parsed = ImageReference::parse(image);
        let account = parsed.ecr_account.as_deref();
        let reader = parsed
            .ecr_region
            .as_deref()
            .and_then(|region| clients.reaching(account, region));
        let asked = match reader {
            Some(reader) => Some(ask(reader, &parsed).await),
            None => None,
        };
        ImageReadingOf {
            written: image.clone(),
            parsed,
            asked,
        }
    });
    ImageReadings(readings.await)
}

async fn ask(clients: &AwsClients, image: &ImageReference) -> Asked {
    let wanted = if image.is_digest() {
        ImageIdentifier::builder()
            .image_digest(&image.tag_or_digest)
            .build()
    } else {
        ImageIdentifier::builder()
            .image_tag(&image.tag_or_digest)
            .build()
    };
    let request = || {
        clients
            .ecr
            .describe_images()
            .set_registry_id(image.ecr_account.clone())
            .repository_name(&image.repository)
    };
    let (one, all) = (request().image_ids(wanted), request().max_results(LISTED));
    let subject = format!("{}:{}", image.repository, image.tag_or_digest);
    let (one, all) = tokio::join!(
        clients.read("ecr:DescribeImages", subject, |receipt| {
            one.customize().interceptor(receipt).send()
        }),
        clients.read("ecr:DescribeImages", image.repository.clone(), |receipt| {
            all.customize().interceptor(receipt).send()
        }),
    );
    Asked {
        wanted: one.map(|answer| answer.image_details.unwrap_or_default()),
        all: all.map(|answer| answer.image_details.unwrap_or_default()),
    }
}

impl ImageReadings {
    pub(crate) fn record(self, recorder: &mut Recorder) -> Vec<Cited<ImageSnapshot>> {
        self.0
            .into_iter()
            .filter_map(|image| image.record(recorder))
            .collect()
    }
}

impl ImageReadingOf {
    fn record(self, recorder: &mut Recorder) -> Option<Cited<ImageSnapshot>> {
        let mut snapshot = ImageSnapshot {
            reference: self.written,
            repository: self.parsed.repository,
            tag_or_digest: self.parsed.tag_or_digest,
            ..ImageSnapshot::default()
        };
        let Some(Asked { wanted, all }) = self.asked else {
            let code = match self.parsed.ecr_region {
                Some(region) => format!("the registry is in region {region}"),
                None => "not an Amazon ECR registry".to_owned(),
            };
            recorder.missing(
                "ecr:DescribeImages",
                &snapshot.reference,
                GapReason::NotSupported { code },
            );
            return None;
        };
        snapshot.in_ecr = true;
        let (source, exists) = existence(recorder, wanted);
        snapshot.existing_tags = all
            .answer()
            .map(|images| newest_tags(images, MOST_TAGS))
            .unwrap_or_default();
        snapshot.repository_exists = match &exists {
            Some(Existence::Image(image)) => {
                snapshot.digest = image.image_digest().map(ToOwned::to_owned);
                snapshot.pushed_at = moment(image.image_pushed_at());
                Some(true)
            }
            Some(Existence::NoImage) => Some(true),
            Some(Existence::NoRepository) => Some(false),
            None => None,
        };
        snapshot.image_exists = exists
            .as_ref()
            .map(|found| matches!(found, Existence::Image(_)));
        exists.is_some().then(|| recorder.cite(&source, snapshot))
    }
}

#[derive(Debug)]
enum Existence {
    Image(Box<ImageDetail>),
    NoImage,
    NoRepository,
}

/// That an image is not there is an answer, not a failure.
fn existence(
    recorder: &mut Recorder,
    reading: Reading<Vec<ImageDetail>>,
) -> (Source, Option<Existence>) {
    let source = reading.source;
    let found = match reading.outcome {
        Ok(images) => Some(match images.into_iter().next() {
            Some(image) => Existence::Image(Box::new(image)),
            None => Existence::NoImage,
        }),
        Err(error) => {
            let absent = match error.kind() {
                AwsErrorKind::NotFound { code } => code.as_str(),
                AwsErrorKind::Denied { .. }
                | AwsErrorKind::Throttled { .. }
                | AwsErrorKind::CredentialsRejected { .. }
                | AwsErrorKind::NotSupported { .. }
                | AwsErrorKind::Unreachable { .. }
                | AwsErrorKind::Conflict { .. }
                | AwsErrorKind::Other { .. } => "",
            };
            if absent.starts_with("ImageNotFound") {
                Some(Existence::NoImage)
            } else if absent.starts_with("RepositoryNotFound") {
                Some(Existence::NoRepository)
            } else {
                recorder.failed(&source, &error);
                None
            }
        }
    };
    (source, found)
}
