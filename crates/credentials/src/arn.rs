//! Amazon Resource Names.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::identity::{AccountId, IdentityError, Region, text_identity};

/// Longest ARN that AWS documents for any service this program meets.
const LONGEST_ARN: usize = 2048;

/// An Amazon Resource Name: `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn(String);

text_identity!(Arn);

impl Arn {
    /// Returns the partition, such as `aws` or `aws-cn`.
    pub fn partition(&self) -> &str {
        self.part(1)
    }

    /// Returns the service prefix, such as `ecs`.
    pub fn service(&self) -> &str {
        self.part(2)
    }

    /// Returns the region; global services such as IAM have none.
    pub fn region(&self) -> Option<Region> {
        self.part(3).parse().ok()
    }

    /// Returns the account; resources owned by AWS itself have none.
    pub fn account(&self) -> Option<AccountId> {
        self.part(4).parse().ok()
    }

    /// Returns the resource part, such as `service/shop/api`.
    pub fn resource(&self) -> &str {
        self.part(5)
    }

    /// Tells whether this is an account's root user.
    pub(crate) fn is_root_user(&self) -> bool {
        self.service() == "iam" && self.resource() == "root"
    }

    /// Tells whether this is the session that an IAM user's keys were exchanged for. AWS lets such a
    /// session ask neither IAM nor, but for who it is, STS.
    pub fn is_federated_user(&self) -> bool {
        self.resource().starts_with("federated-user/")
    }

    /// Tells whether both are the same user or role, whatever their sessions are called.
    pub(crate) fn is_same_principal(&self, other: &Self) -> bool {
        fn principal(arn: &Arn) -> (&str, &str) {
            let resource = arn.resource();
            let role = match resource.strip_prefix("assumed-role/") {
                Some(rest) => rest.rsplit_once('/').map_or(rest, |(role, _session)| role),
                None => resource,
            };
            (arn.part(4), role)
        }
        principal(self) == principal(other)
    }

    /// Returns one of the six parts. INVARIANT: `from_str` has seen all six.
    fn part(&self, index: usize) -> &str {
        self.0.splitn(6, ':').nth(index).unwrap_or_default()
    }
}

impl FromStr for Arn {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || {
            IdentityError::new(
                "an ARN, such as `arn:aws:ecs:eu-west-1:123456789012:service/shop/api`",
                text,
            )
        };
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let &["arn", partition, service, region, account, resource] = parts.as_slice() else {
            return Err(refused());
        };
        let is_label = |s: &str| {
            !s.is_empty()
                && s.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let partition_ok =
            (partition == "aws" || partition.starts_with("aws-")) && is_label(partition);
        let region_ok = region.is_empty() || Region::from_str(region).is_ok();
        let account_ok =
            account.is_empty() || account == "aws" || AccountId::from_str(account).is_ok();
        let resource_ok = !resource.is_empty()
            && !resource
                .chars()
                .any(|c| c.is_control() || c.is_whitespace());
        let well_formed =
            partition_ok && is_label(service) && region_ok && account_ok && resource_ok;
        if well_formed && text.len() <= LONGEST_ARN {
            return Ok(Self(text.to_owned()));
        }
        Err(refused())
    }
}

/// The ARN of an IAM role that can be assumed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleArn(String);

text_identity!(RoleArn);

impl RoleArn {
    /// Returns the account that owns the role.
    pub fn account(&self) -> Option<AccountId> {
        self.0.split(':').nth(4)?.parse().ok()
    }

    /// Returns the role's name without its path.
    pub fn role_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl FromStr for RoleArn {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || {
            IdentityError::new(
                "the ARN of an IAM role, such as `arn:aws:iam::123456789012:role/ecs-deep-agent`",
                text,
            )
        };
        let arn: Arn = text.parse().map_err(|_| refused())?;
        let name = arn.resource().strip_prefix("role/").unwrap_or_default();
        let named = !name.is_empty() && !name.ends_with('/');
        if arn.service() == "iam" && arn.account().is_some() && named {
            return Ok(Self(text.to_owned()));
        }
        Err(refused())
    }
}

impl From<RoleArn> for Arn {
    fn from(role: RoleArn) -> Self {
        // INVARIANT: `RoleArn::from_str` accepts only what `Arn::from_str` accepts.
        Self(role.0)
    }
}

#[cfg(test)]
#[path = "arn_tests.rs"]
mod tests;
