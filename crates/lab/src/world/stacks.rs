use chrono::{DateTime, Utc};
use serde::Serialize;

/// A CloudFormation stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Stack {
    pub(crate) name: String,
    /// The stack's ARN.
    pub(crate) id: String,
    /// `CREATE_COMPLETE`, `UPDATE_COMPLETE` and so on.
    pub(crate) status: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) resources: Vec<StackResource>,
    /// Newest first.
    pub(crate) events: Vec<StackEvent>,
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StackResource {
    pub(crate) logical_id: String,
    pub(crate) physical_id: String,
    /// `AWS::ECS::Service` and so on.
    pub(crate) resource_type: String,
    pub(crate) status: String,
    pub(crate) updated_at: DateTime<Utc>,
}

/// A stack event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StackEvent {
    pub(crate) id: String,
    pub(crate) logical_id: String,
    pub(crate) physical_id: String,
    pub(crate) resource_type: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
}
