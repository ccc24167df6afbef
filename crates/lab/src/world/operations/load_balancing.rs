use crate::world::{AwsError, HealthCheckPort, TargetGroup, World};

/// `ModifyTargetGroup`'s input: what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HealthCheckChange {
    pub(crate) protocol: Option<String>,
    pub(crate) port: Option<HealthCheckPort>,
    pub(crate) path: Option<String>,
    pub(crate) interval_seconds: Option<u32>,
    pub(crate) timeout_seconds: Option<u32>,
    pub(crate) healthy_threshold: Option<u32>,
    pub(crate) unhealthy_threshold: Option<u32>,
    pub(crate) success_codes: Option<String>,
}

impl World {
    /// `ModifyTargetGroup`, by ARN.
    pub(crate) fn modify_target_group(
        &mut self,
        account: &str,
        region: &str,
        arn: &str,
        change: &HealthCheckChange,
    ) -> Result<TargetGroup, AwsError> {
        let _ = (account, region, arn, change);
        Err(AwsError::client("not yet"))
    }

    /// `ModifyTargetGroupAttributes`: only `deregistration_delay.timeout_seconds` has a meaning here.
    pub(crate) fn modify_target_group_attributes(
        &mut self,
        account: &str,
        region: &str,
        arn: &str,
        attributes: &[(String, String)],
    ) -> Result<TargetGroup, AwsError> {
        let _ = (account, region, arn, attributes);
        Err(AwsError::client("not yet"))
    }
}
