use crate::world::{AwsError, Permission, World};

/// Which side of a security group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IngressOrEgress {
    Ingress,
    Egress,
}

impl World {
    /// `AuthorizeSecurityGroupIngress` / `...Egress`.
    pub(crate) fn authorize_security_group(
        &mut self,
        account: &str,
        region: &str,
        group: &str,
        direction: IngressOrEgress,
        permissions: &[Permission],
    ) -> Result<(), AwsError> {
        let _ = (account, region, group, direction, permissions);
        Err(AwsError::client("not yet"))
    }

    /// `RevokeSecurityGroupIngress` / `...Egress`.
    pub(crate) fn revoke_security_group(
        &mut self,
        account: &str,
        region: &str,
        group: &str,
        direction: IngressOrEgress,
        permissions: &[Permission],
    ) -> Result<(), AwsError> {
        let _ = (account, region, group, direction, permissions);
        Err(AwsError::client("not yet"))
    }
}
