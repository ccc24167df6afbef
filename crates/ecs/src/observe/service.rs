//! The service itself.

use aws_sdk_ecs::types::ServiceField;

use super::{ServiceTarget, map};
use crate::aws::{AwsClients, Reading};
use crate::observation::ServiceSnapshot;

/// Describes one service; `None` when AWS answers that it is missing.
pub(crate) async fn describe_service(
    clients: &AwsClients,
    target: &ServiceTarget,
) -> Reading<Option<ServiceSnapshot>> {
    let request = clients
        .ecs
        .describe_services()
        .cluster(target.cluster())
        .services(target.service())
        .include(ServiceField::Tags);
    clients
        .read("ecs:DescribeServices", target.to_string(), |receipt| {
            request.customize().interceptor(receipt).send()
        })
        .await
        .map(|answer| {
            answer
                .services()
                .iter()
                .find(|service| service.service_arn().is_some())
                .map(|service| map::service(service, &clients.cleaner))
        })
}
