//! Single questions about an account, a cluster or a service, each answered from AWS's own words.
//!
//! An observation reads everything about one service; these read what one question needs, whether
//! or not a service is known. Each has a session policy of exactly the reads it makes
//! ([`Inspection::policy`]). Judging is apart from reading, as everywhere: what ended a task, what is
//! wrong with a deployment and what stands out in a network are pure functions.
//!
//! What is not done by this program (making roles and stacks, pushing images, deleting) is returned
//! as templates and the exact commands for a person.

mod actions;
mod application;
mod cluster;
mod deployment;
mod ecs_api;
mod ecs_read;
mod events;
mod failures;
mod guidance;
mod images;
mod logs;
mod mask;
mod network;
mod person;
mod prerequisites;
mod scan;
mod stack;
mod stop;
mod window;

use serde::Serialize;

use crate::aws::AwsError;
use crate::observe::ObserveError;

pub use actions::{Inspection, inspect_actions};
pub use application::{
    InfrastructureQuery, build_image, containerize, create_infrastructure, delete_app,
    delete_infrastructure,
};
pub use cluster::ClusterSummary;
pub use deployment::{
    AppQuery, DeploymentStatus, Readiness, StackBrief, TaskBrief, deployment_status, readiness,
};
pub use ecs_read::{EcsOperation, EcsRead, ecs_command, ecs_read};
pub use events::{
    DeploymentSummary, EventsRaw, ServiceEvents, ServiceIssue, TimedEvent, service_events,
};
pub use failures::{FailuresRaw, StoppedContainer, StoppedTask, TaskFailures, task_failures};
pub use guidance::{Balancing, Guidance, GuidanceRaw, ServiceBrief, guidance};
pub use images::{Existence, ImageCheck, ImageFailures, ImagesOf, image_failures};
pub use logs::{LogEntry, LogPattern, LogQuery, LogSeverity, LogSource, TaskLogs, task_logs};
pub use network::{
    AnalysisGuide, NetworkConfiguration, NetworkData, NetworkIssue, NetworkResources, Relationship,
    network_configuration,
};
pub use person::{PersonCommand, quoted};
pub use prerequisites::{
    ImageDetail, PrerequisiteDetails, PrerequisiteQuery, Prerequisites, RoleCheck, prerequisites,
};
pub use scan::{Scan, ScannedService, scan};
pub use stack::{StackEvent, StackFailure, StackResource, StackStatus, stack_status};
pub use stop::StopCategory;
pub use window::{TimeWindow, WindowError};

/// Whether a question has an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It has.
    Success,
    /// It has one, and something about it is unusual.
    Warning,
    /// There is nothing to read from.
    NotFound,
    /// What was asked about is not there.
    Error,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// An argument does not fit.
    #[error("`{field}` does not fit: {fix}")]
    Invalid {
        /// The argument.
        field: String,
        /// What to give instead.
        fix: String,
    },
    /// A time does not fit.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// AWS refused or failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The service could not be observed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
}

impl InspectError {
    pub(crate) fn invalid(field: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            fix: fix.into(),
        }
    }
}
