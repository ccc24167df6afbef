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
    fn target_group_mut(
        &mut self,
        account: &str,
        region: &str,
        arn: &str,
    ) -> Result<&mut TargetGroup, AwsError> {
        self.region_mut(account, region)
            .and_then(|region| region.target_groups.get_mut(arn))
            .ok_or_else(|| {
                AwsError::new("TargetGroupNotFound", "One or more target groups not found")
            })
    }

    /// `ModifyTargetGroup`, by ARN.
    pub(crate) fn modify_target_group(
        &mut self,
        account: &str,
        region: &str,
        arn: &str,
        change: &HealthCheckChange,
    ) -> Result<TargetGroup, AwsError> {
        let now = self.now;
        let group = self.target_group_mut(account, region, arn)?;
        let mut check = group.health_check.clone();
        if let Some(protocol) = &change.protocol {
            check.protocol.clone_from(protocol);
        }
        if let Some(port) = change.port {
            check.port = port;
        }
        if let Some(path) = &change.path {
            if !path.starts_with('/') {
                return Err(AwsError::new(
                    "ValidationError",
                    format!("Health check path '{path}' must begin with a '/' character"),
                ));
            }
            check.path.clone_from(path);
        }
        check.interval_seconds = change.interval_seconds.unwrap_or(check.interval_seconds);
        check.timeout_seconds = change.timeout_seconds.unwrap_or(check.timeout_seconds);
        check.healthy_threshold = change.healthy_threshold.unwrap_or(check.healthy_threshold);
        check.unhealthy_threshold = change
            .unhealthy_threshold
            .unwrap_or(check.unhealthy_threshold);
        if let Some(codes) = &change.success_codes {
            check.success_codes.clone_from(codes);
        }
        for (name, value, range) in [
            ("interval", check.interval_seconds, 5..=300),
            ("timeout", check.timeout_seconds, 2..=120),
            ("healthy threshold count", check.healthy_threshold, 2..=10),
            (
                "unhealthy threshold count",
                check.unhealthy_threshold,
                2..=10,
            ),
        ] {
            if !range.contains(&value) {
                return Err(AwsError::new(
                    "ValidationError",
                    format!(
                        "Health check {name} must be between {} and {}",
                        range.start(),
                        range.end()
                    ),
                ));
            }
        }
        if check.timeout_seconds >= check.interval_seconds {
            return Err(AwsError::new(
                "ValidationError",
                format!(
                    "Health check timeout '{}' must be smaller than the interval '{}'",
                    check.timeout_seconds, check.interval_seconds
                ),
            ));
        }
        group.health_check = check;
        let updated = group.clone();
        if let Some(region) = self.region_mut(account, region) {
            region.wake(now);
        }
        Ok(updated)
    }

    /// `ModifyTargetGroupAttributes`: only `deregistration_delay.timeout_seconds` has a meaning here.
    pub(crate) fn modify_target_group_attributes(
        &mut self,
        account: &str,
        region: &str,
        arn: &str,
        attributes: &[(String, String)],
    ) -> Result<TargetGroup, AwsError> {
        let group = self.target_group_mut(account, region, arn)?;
        for (key, value) in attributes {
            if key == "deregistration_delay.timeout_seconds" {
                group.deregistration_delay_seconds = value
                    .parse()
                    .ok()
                    .filter(|seconds| *seconds <= 3_600)
                    .ok_or_else(|| {
                        AwsError::new(
                            "ValidationError",
                            format!(
                                "Target group attribute value '{value}' is not between 0 and 3600"
                            ),
                        )
                    })?;
            }
        }
        Ok(group.clone())
    }
}
