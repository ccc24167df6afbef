use std::collections::BTreeMap;

use crate::world::{AwsError, LogGroup, RolePolicy, ScalableTarget, World};

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
        let now = self.now;
        let Some(region) = self.region_mut(account, region) else {
            return Err(AwsError::invalid_parameter(
                "There is nothing in this region",
            ));
        };
        if region.log_groups.contains_key(name) {
            return Err(AwsError::new(
                "ResourceAlreadyExistsException",
                "The specified log group already exists",
            ));
        }
        let group = LogGroup {
            name: name.to_owned(),
            arn: region.arn("logs", &format!("log-group:{name}")),
            created_at: now,
            retention_days: None,
            streams: BTreeMap::new(),
        };
        region.log_groups.insert(name.to_owned(), group.clone());
        region.wake(now);
        Ok(group)
    }

    /// `PutRetentionPolicy`.
    pub(crate) fn put_retention_policy(
        &mut self,
        account: &str,
        region: &str,
        name: &str,
        days: u32,
    ) -> Result<(), AwsError> {
        let group = self
            .region_mut(account, region)
            .and_then(|region| region.log_groups.get_mut(name))
            .ok_or_else(|| {
                AwsError::new(
                    "ResourceNotFoundException",
                    "The specified log group does not exist.",
                )
            })?;
        group.retention_days = Some(days);
        Ok(())
    }

    /// `RegisterScalableTarget`.
    pub(crate) fn register_scalable_target(
        &mut self,
        account: &str,
        region: &str,
        change: &ScalableTargetChange,
    ) -> Result<ScalableTarget, AwsError> {
        let now = self.now;
        let Some(region) = self.region_mut(account, region) else {
            return Err(AwsError::new(
                "ValidationException",
                "ECS service doesn't exist",
            ));
        };
        let service = change
            .resource_id
            .strip_prefix("service/")
            .unwrap_or_default();
        if !region.services.contains_key(service) {
            return Err(AwsError::new(
                "ValidationException",
                format!("ECS service doesn't exist: {}", change.resource_id),
            ));
        }
        let existing = region.scalable_targets.get(&change.resource_id);
        let min = change
            .min_capacity
            .or_else(|| existing.map(|target| target.min_capacity));
        let max = change
            .max_capacity
            .or_else(|| existing.map(|target| target.max_capacity));
        let (Some(min), Some(max)) = (min, max) else {
            return Err(AwsError::new(
                "ValidationException",
                "Both minimum and maximum capacity are required to register a new scalable target",
            ));
        };
        if min > max {
            return Err(AwsError::new(
                "ValidationException",
                "Maximum capacity cannot be less than minimum capacity",
            ));
        }
        let target = match existing {
            Some(existing) => ScalableTarget {
                min_capacity: min,
                max_capacity: max,
                ..existing.clone()
            },
            None => ScalableTarget {
                resource_id: change.resource_id.clone(),
                arn: region.arn(
                    "application-autoscaling",
                    &format!("scalable-target/{service}"),
                ),
                min_capacity: min,
                max_capacity: max,
                created_at: now,
                wanted: min,
            },
        };
        region
            .scalable_targets
            .insert(change.resource_id.clone(), target.clone());
        region.wake(now);
        Ok(target)
    }

    /// `PutRolePolicy`: adds or replaces an inline policy.
    pub(crate) fn put_role_policy(
        &mut self,
        account: &str,
        role: &str,
        policy: &str,
        document: serde_json::Value,
    ) -> Result<(), AwsError> {
        let role = self
            .accounts
            .get_mut(account)
            .and_then(|account| account.roles.get_mut(role))
            .ok_or_else(|| no_such_role(role))?;
        match role
            .inline_policies
            .iter_mut()
            .find(|existing| existing.name == policy)
        {
            Some(existing) => existing.document = document,
            None => role.inline_policies.push(RolePolicy {
                name: policy.to_owned(),
                document,
            }),
        }
        self.wake_account(account);
        Ok(())
    }

    /// `AttachRolePolicy`.
    pub(crate) fn attach_role_policy(
        &mut self,
        account: &str,
        role: &str,
        policy_arn: &str,
    ) -> Result<(), AwsError> {
        let owner = self
            .accounts
            .get_mut(account)
            .ok_or_else(|| no_such_role(role))?;
        if !owner.managed_policies.contains_key(policy_arn) {
            return Err(AwsError {
                status: 404,
                ..AwsError::new(
                    "NoSuchEntity",
                    format!("Policy {policy_arn} does not exist or is not attachable."),
                )
            });
        }
        let found = owner
            .roles
            .get_mut(role)
            .ok_or_else(|| no_such_role(role))?;
        if !found.attached_policies.iter().any(|arn| arn == policy_arn) {
            found.attached_policies.push(policy_arn.to_owned());
        }
        self.wake_account(account);
        Ok(())
    }

    fn wake_account(&mut self, account: &str) {
        let now = self.now;
        if let Some(account) = self.accounts.get_mut(account) {
            for region in account.regions.values_mut() {
                region.wake(now);
            }
        }
    }
}

fn no_such_role(role: &str) -> AwsError {
    AwsError {
        status: 404,
        ..AwsError::new(
            "NoSuchEntity",
            format!("The role with name {role} cannot be found."),
        )
    }
}
