//! Application Auto Scaling of the service.

use aws_sdk_applicationautoscaling::types::{
    ScalableDimension, ScalableTarget, ScalingActivity, ServiceNamespace,
};

use super::{Recorder, ServiceTarget, map};
use crate::aws::{AwsClients, Page, Pages, Reading};
use crate::observation::{Cited, ScalingSnapshot};

/// Most recent activities that are kept.
const MOST_ACTIVITIES: i32 = 20;

/// What was read about the service's scaling.
#[derive(Debug)]
pub(crate) struct ScalingReadings {
    limits: Reading<Option<ScalingSnapshot>>,
    policies: Reading<Pages<String>>,
    activities: Reading<Vec<(chrono::DateTime<chrono::Utc>, String, String)>>,
}

pub(crate) async fn read(clients: &AwsClients, target: &ServiceTarget) -> ScalingReadings {
    let (limits, policies, activities) = tokio::join!(
        read_scalable_target(clients, target),
        read_policies(clients, target),
        read_activities(clients, target),
    );
    let activities = activities.map(|activities| {
        activities
            .iter()
            .filter_map(|item| map::activity(item, &clients.cleaner))
            .collect()
    });
    ScalingReadings {
        limits,
        policies,
        activities,
    }
}

/// The limits alone, without policies and activities.
pub(crate) async fn read_scalable_target(
    clients: &AwsClients,
    target: &ServiceTarget,
) -> Reading<Option<ScalingSnapshot>> {
    let request = clients
        .scaling
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Ecs)
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .resource_ids(target.scaling_id());
    clients
        .read(
            "application-autoscaling:DescribeScalableTargets",
            target.scaling_id(),
            |receipt| request.customize().interceptor(receipt).send(),
        )
        .await
        .map(|answer| answer.scalable_targets().first().map(limits))
}

fn limits(from: &ScalableTarget) -> ScalingSnapshot {
    let suspended = from.suspended_state().is_some_and(|state| {
        [
            state.dynamic_scaling_in_suspended(),
            state.dynamic_scaling_out_suspended(),
            state.scheduled_scaling_suspended(),
        ]
        .contains(&Some(true))
    });
    ScalingSnapshot {
        arn: from.scalable_target_arn().map(ToOwned::to_owned),
        min_capacity: from.min_capacity(),
        max_capacity: from.max_capacity(),
        suspended,
        ..ScalingSnapshot::default()
    }
}

async fn read_policies(clients: &AwsClients, target: &ServiceTarget) -> Reading<Pages<String>> {
    crate::aws::collect_pages(5, |token| {
        let request = clients
            .scaling
            .describe_scaling_policies()
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id(target.scaling_id())
            .set_next_token(token);
        async move {
            clients
                .read(
                    "application-autoscaling:DescribeScalingPolicies",
                    target.scaling_id(),
                    |receipt| request.customize().interceptor(receipt).send(),
                )
                .await
                .map(|answer| {
                    let names = answer
                        .scaling_policies()
                        .iter()
                        .map(|policy| clients.cleaner.words(policy.policy_name()))
                        .collect();
                    Page::new(Some(names), answer.next_token)
                })
        }
    })
    .await
}

async fn read_activities(
    clients: &AwsClients,
    target: &ServiceTarget,
) -> Reading<Vec<ScalingActivity>> {
    let request = clients
        .scaling
        .describe_scaling_activities()
        .service_namespace(ServiceNamespace::Ecs)
        .resource_id(target.scaling_id())
        .include_not_scaled_activities(true)
        .max_results(MOST_ACTIVITIES);
    clients
        .read(
            "application-autoscaling:DescribeScalingActivities",
            target.scaling_id(),
            |receipt| request.customize().interceptor(receipt).send(),
        )
        .await
        .map(|answer| answer.scaling_activities.unwrap_or_default())
}

impl ScalingReadings {
    /// Records scaling, if the service has any.
    pub(crate) fn record(self, recorder: &mut Recorder) -> Option<Cited<ScalingSnapshot>> {
        let limits = recorder.take(self.limits);
        let policies = recorder.take_all(self.policies);
        let activities = recorder.take(self.activities);
        let (source, scaling) = limits?;
        let mut scaling = scaling?;
        scaling.policies = policies.into_iter().map(|(_, name)| name).collect();
        scaling.activities = activities
            .map(|(_, activities)| activities)
            .unwrap_or_default();
        Some(recorder.cite(&source, scaling))
    }
}
