use crate::world::{AwsError, LogGroup, ScalableTarget, World};

/// `RegisterScalableTarget`'s input for `ecs:service:DesiredCount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScalableTargetChange {
    /// `service/<cluster>/<service>`.
    pub(crate) resource_id: String,
    pub(crate) min_capacity: Option<u32>,
    pub(crate) max_capacity: Option<u32>,
}

impl World {
    /// `CreateLogGroup`.
    pub(crate) fn create_log_group(
        &mut self,
        account: &str,
        region: &str,
        name: &str,
    ) -> Result<LogGroup, AwsError> {
        let _ = (account, region, name);
        Err(AwsError::client("not yet"))
    }

    /// `PutRetentionPolicy`.
    pub(crate) fn put_retention_policy(
        &mut self,
        account: &str,
        region: &str,
        name: &str,
        days: u32,
    ) -> Result<(), AwsError> {
        let _ = (account, region, name, days);
        Err(AwsError::client("not yet"))
    }

    /// `RegisterScalableTarget`.
    pub(crate) fn register_scalable_target(
        &mut self,
        account: &str,
        region: &str,
        change: &ScalableTargetChange,
    ) -> Result<ScalableTarget, AwsError> {
        let _ = (account, region, change);
        Err(AwsError::client("not yet"))
    }

    /// `PutRolePolicy`: adds or replaces an inline policy.
    pub(crate) fn put_role_policy(
        &mut self,
        account: &str,
        role: &str,
        policy: &str,
        document: serde_json::Value,
    ) -> Result<(), AwsError> {
        let _ = (account, role, policy, document);
        Err(AwsError::client("not yet"))
    }

    /// `AttachRolePolicy`.
    pub(crate) fn attach_role_policy(
        &mut self,
        account: &str,
        role: &str,
        policy_arn: &str,
    ) -> Result<(), AwsError> {
        let _ = (account, role, policy_arn);
        Err(AwsError::client("not yet"))
    }
}
