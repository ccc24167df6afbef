use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::AppBehaviour;

/// An ECR repository.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) uri: String,
    pub(crate) created_at: DateTime<Utc>,
    /// By digest.
    pub(crate) images: BTreeMap<String, Image>,
}

/// An image, and how the program inside it behaves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Image {
    /// `sha256:...`.
    pub(crate) digest: String,
    pub(crate) tags: Vec<String>,
    pub(crate) pushed_at: DateTime<Utc>,
    pub(crate) size_bytes: u64,
    pub(crate) architectures: Vec<Architecture>,
    /// A manifest list is refused at pull when no platform matches; a single manifest is not.
    pub(crate) manifest_list: bool,
    pub(crate) app: AppBehaviour,
}

wire_enum! {
    /// A CPU architecture, as task definitions write it.
    Architecture { X86_64 = "X86_64", Arm64 = "ARM64" }
}

/// A repository of an account that the lab does not hold, as seen from this one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ForeignRepository {
    pub(crate) repository: Repository,
    /// Whether its policy lets this account pull.
    pub(crate) shared: bool,
}

impl Architecture {
    /// The name in an OCI platform.
    pub(crate) const fn oci(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

impl Repository {
    /// The image that a tag points at.
    pub(crate) fn tagged(&self, tag: &str) -> Option<&Image> {
        self.images
            .values()
            .find(|image| image.tags.iter().any(|t| t == tag))
    }

    pub(crate) fn tagged_mut(&mut self, tag: &str) -> Option<&mut Image> {
        self.images
            .values_mut()
            .find(|image| image.tags.iter().any(|t| t == tag))
    }
}
