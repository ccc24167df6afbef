use chrono::{DateTime, Utc};
use serde::Serialize;

/// An Application Auto Scaling target (`ecs:service:DesiredCount`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ScalableTarget {
    /// `service/<cluster>/<service>`.
    pub(crate) resource_id: String,
    pub(crate) arn: String,
    pub(crate) min_capacity: u32,
    pub(crate) max_capacity: u32,
    pub(crate) created_at: DateTime<Utc>,
    /// How many tasks the present load calls for; the lab's stand-in for the metric.
    pub(crate) wanted: u32,
}

/// A target-tracking policy on average CPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ScalingPolicy {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) resource_id: String,
    pub(crate) target_cpu_percent: u32,
    pub(crate) created_at: DateTime<Utc>,
}

/// One scaling activity, or one that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ScalingActivity {
    pub(crate) id: String,
    pub(crate) resource_id: String,
    pub(crate) description: String,
    pub(crate) cause: String,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    /// `Successful`, `InProgress`, `Unfulfilled`, `Failed`.
    pub(crate) status: String,
    pub(crate) status_message: String,
    /// `NotScaledReasons[].Code`, for example `AlreadyAtMaxCapacity`.
    pub(crate) not_scaled_reason: Option<String>,
    pub(crate) max_capacity: Option<u32>,
    pub(crate) current_capacity: Option<u32>,
}
