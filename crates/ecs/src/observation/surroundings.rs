//! Images, secrets, roles, logs, scaling and the owning stack.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What the registry knows about one image reference.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ImageSnapshot {
    /// The reference as the task definition writes it.
    pub reference: String,
    /// Registry host, repository, and tag or digest.
    pub repository: String,
    /// Tag or digest that was asked for.
    pub tag_or_digest: String,
    /// Whether the registry is an ECR that could be asked.
    pub in_ecr: bool,
    /// Whether the repository exists; absent when not known.
    pub repository_exists: Option<bool>,
    /// Whether the tag or digest exists; absent when not known.
    pub image_exists: Option<bool>,
    /// Digest it resolves to.
    pub digest: Option<String>,
    /// When it was pushed.
    pub pushed_at: Option<DateTime<Utc>>,
    /// Tags that do exist, newest first, bounded.
    pub existing_tags: Vec<String>,
}

/// What is known about one secret or parameter, never its value.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SecretSnapshot {
    /// The reference as the task definition writes it.
    pub value_from: String,
    /// Whether it exists; absent when not known.
    pub exists: Option<bool>,
    /// When it will be deleted, if so.
    pub deletion_at: Option<DateTime<Utc>>,
    /// KMS key it is encrypted with.
    pub kms_key_id: Option<String>,
}

/// One IAM role, as far as it can be read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RoleSnapshot {
    /// ARN.
    pub arn: String,
    /// `execution` or `task`.
    pub purpose: String,
    /// Whether it exists; absent when not known.
    pub exists: Option<bool>,
    /// Services that its trust policy lets assume it.
    pub trusted_services: Vec<String>,
    /// Attached managed policy ARNs.
    pub attached_policies: Vec<String>,
    /// Inline policy names.
    pub inline_policies: Vec<String>,
    /// What `SimulatePrincipalPolicy` said.
    pub simulated: Vec<SimulatedAction>,
}

/// One simulated action on one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedAction {
    /// IAM action.
    pub action: String,
    /// Resource ARN or `*`.
    pub resource: String,
    /// `allowed`, `implicitDeny`, `explicitDeny`.
    pub decision: String,
}

/// One log group and the lines read from it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LogGroupSnapshot {
    /// Name.
    pub name: String,
    /// Whether it exists; absent when not known.
    pub exists: Option<bool>,
    /// Recent lines, oldest first, bounded. Untrusted text.
    pub lines: Vec<LogLine>,
}

/// One log line. Its text is untrusted: anybody who reaches the application can write it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: DateTime<Utc>,
    /// Log stream.
    pub stream: String,
    /// Text, masked and capped.
    pub text: String,
}

/// Application Auto Scaling of the service.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ScalingSnapshot {
    /// ARN of the scalable target; AWS gives those that were registered long ago none.
    #[serde(default)]
    pub arn: Option<String>,
    /// Least desired count.
    pub min_capacity: i32,
    /// Greatest desired count.
    pub max_capacity: i32,
    /// Whether any scaling direction is suspended.
    pub suspended: bool,
    /// Policy names.
    pub policies: Vec<String>,
    /// Recent activities, newest first: time, cause, status; the status of one that did not scale
    /// names the reasons, such as `Unfulfilled: AlreadyAtMaxCapacity`.
    pub activities: Vec<(DateTime<Utc>, String, String)>,
}

impl ScalingSnapshot {
    /// When scaling last asked for more tasks than it may start, if that is its latest word.
    #[must_use]
    pub fn held_at_max(&self) -> Option<DateTime<Utc>> {
        let (at, _, status) = self.activities.iter().max_by_key(|(at, ..)| *at)?;
        status.contains("AlreadyAtMaxCapacity").then_some(*at)
    }
}

/// The CloudFormation stack that owns the service.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StackSnapshot {
    /// Stack name.
    pub name: String,
    /// Stack status.
    pub status: String,
    /// Logical id of the service in it.
    pub logical_id: Option<String>,
    /// Recent failures: time, logical id, reason.
    pub failures: Vec<(DateTime<Utc>, String, String)>,
}
