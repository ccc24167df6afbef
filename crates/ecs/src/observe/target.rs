//! Which service is meant, by names or ARNs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ObserveError, describe_service};
use crate::aws::AwsClients;

/// One service in one cluster, each as a name or an ARN.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServiceTarget {
    cluster: String,
    service: String,
}

impl ServiceTarget {
    /// A service by name or ARN in a cluster by name or ARN.
    #[must_use]
    pub fn new(cluster: impl Into<String>, service: impl Into<String>) -> Self {
        Self {
            cluster: cluster.into(),
            service: service.into(),
        }
    }

    /// The cluster as it was given.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The service as it was given.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The cluster's name.
    #[must_use]
    pub fn cluster_name(&self) -> &str {
        name_in_arn(&self.cluster)
    }

    /// The service's name.
    #[must_use]
    pub fn service_name(&self) -> &str {
        name_in_arn(&self.service)
    }

    /// `service/CLUSTER/SERVICE`, as Application Auto Scaling names it.
    #[must_use]
    pub fn scaling_id(&self) -> String {
        format!("service/{}/{}", self.cluster_name(), self.service_name())
    }

    /// Reads that the service exists; its ARNs take the place of the names.
    ///
    /// # Errors
    /// [`ObserveError::ServiceNotFound`] or [`ObserveError::Unreadable`].
    pub async fn locate(
        clients: &AwsClients,
        cluster: impl Into<String>,
        service: impl Into<String>,
    ) -> Result<Self, ObserveError> {
        let target = Self::new(cluster, service);
        match describe_service(clients, &target).await.outcome {
            Ok(Some(found)) => Ok(Self::new(found.cluster_arn, found.arn)),
            Ok(None) => Err(target.not_found()),
            Err(error) if error.is_not_found() => Err(target.not_found()),
            Err(source) => Err(ObserveError::Unreadable {
                service: target.service().to_owned(),
                source,
            }),
        }
    }

    pub(crate) fn not_found(&self) -> ObserveError {
        ObserveError::ServiceNotFound {
            service: self.service_name().to_owned(),
            cluster: self.cluster_name().to_owned(),
        }
    }
}

impl fmt::Display for ServiceTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster_name(), self.service_name())
    }
}

/// The last part of an ARN's resource; a plain name is its own.
pub(crate) fn name_in_arn(name_or_arn: &str) -> &str {
    name_or_arn.rsplit('/').next().unwrap_or(name_or_arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_and_names_mean_the_same() {
        let by_arn = ServiceTarget::new(
            "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
            "arn:aws:ecs:eu-west-1:123456789012:service/shop/api",
        );
        assert_eq!(by_arn.scaling_id(), "service/shop/api");
        assert_eq!(
            ServiceTarget::new("shop", "api").scaling_id(),
            "service/shop/api"
        );
        assert_eq!(by_arn.to_string(), "shop/api");
    }
}
