//! Application Auto Scaling, for the desired count of ECS services.

use serde_json::{Value, json};

use super::page::{Paging, page};
use super::{Answer, Call, Effect, Need, Operation, compact, epoch};
use crate::wire::ApiError;
use crate::world::{ScalableTarget, ScalableTargetChange};

const fn row(
    name: &'static str,
    effect: Effect,
    needs: fn(&Call<'_>) -> Vec<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Operation {
    Operation {
        service: "application-autoscaling",
        name,
        effect,
        needs,
        run,
    }
}

pub(super) const OPERATIONS: &[Operation] = &[
    row(
        "DescribeScalableTargets",
        Effect::Reads,
        |_| super::everything("application-autoscaling:DescribeScalableTargets"),
        targets,
    ),
    row(
        "DescribeScalingPolicies",
        Effect::Reads,
        |_| super::everything("application-autoscaling:DescribeScalingPolicies"),
        policies,
    ),
    row(
        "DescribeScalingActivities",
        Effect::Reads,
        |_| super::everything("application-autoscaling:DescribeScalingActivities"),
        activities,
    ),
    row(
        "DescribeScheduledActions",
        Effect::Reads,
        |_| super::everything("application-autoscaling:DescribeScheduledActions"),
        |_| Ok(json!({"ScheduledActions": []})),
    ),
    row(
        "RegisterScalableTarget",
        Effect::Mutates,
        register_needs,
        register,
    ),
];

const DIMENSION: &str = "ecs:service:DesiredCount";
const PAGES: Paging = Paging {
    size: "MaxResults",
    token: "NextToken",
    default: 50,
    most: 50,
    bad_token: "InvalidNextTokenException",
};

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::invalid("ValidationException", message)
}

/// Everything here belongs to the namespace `ecs`; any other holds nothing.
fn in_ecs(call: &Call<'_>) -> Result<bool, ApiError> {
    let namespace = call
        .input
        .required("ServiceNamespace", "ValidationException")?;
    let dimension = call.input.text("ScalableDimension").unwrap_or(DIMENSION);
    Ok(namespace == "ecs" && dimension == DIMENSION)
}

fn targets(call: &mut Call<'_>) -> Answer {
    let in_ecs = in_ecs(call)?;
    let ids = call.input.texts("ResourceIds");
    let chosen =
        call.here().scalable_targets.values().filter(|target| {
            in_ecs && (ids.is_empty() || ids.contains(&target.resource_id.as_str()))
        });
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen
        .into_iter()
        .map(|target| render_target(call, target))
        .collect();
    Ok(compact(json!({"ScalableTargets": list, "NextToken": next})))
}

fn render_target(call: &Call<'_>, target: &ScalableTarget) -> Value {
    let role = format!(
        "arn:aws:iam::{}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/\
         AWSServiceRoleForApplicationAutoScaling_ECSService",
        call.caller.account
    );
    json!({
        "ServiceNamespace": "ecs",
        "ResourceId": target.resource_id,
        "ScalableDimension": DIMENSION,
        "MinCapacity": target.min_capacity,
        "MaxCapacity": target.max_capacity,
        "RoleARN": role,
        "CreationTime": epoch(target.created_at),
        "SuspendedState": {
            "DynamicScalingInSuspended": false,
            "DynamicScalingOutSuspended": false,
            "ScheduledScalingSuspended": false,
        },
        "ScalableTargetARN": target.arn,
    })
}

fn policies(call: &mut Call<'_>) -> Answer {
    let in_ecs = in_ecs(call)?;
    let (id, names) = (
        call.input.text("ResourceId"),
        call.input.texts("PolicyNames"),
    );
    let chosen = call.here().scaling_policies.iter().filter(|policy| {
        in_ecs
            && id.is_none_or(|id| policy.resource_id == id)
            && (names.is_empty() || names.contains(&policy.name.as_str()))
    });
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen
        .into_iter()
        .map(|policy| {
            json!({
                "PolicyARN": policy.arn,
                "PolicyName": policy.name,
                "ServiceNamespace": "ecs",
                "ResourceId": policy.resource_id,
                "ScalableDimension": DIMENSION,
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": f64::from(policy.target_cpu_percent),
                    "PredefinedMetricSpecification": {
                        "PredefinedMetricType": "ECSServiceAverageCPUUtilization",
                    },
                    "DisableScaleIn": false,
                },
                "Alarms": [],
                "CreationTime": epoch(policy.created_at),
            })
        })
        .collect();
    Ok(compact(json!({"ScalingPolicies": list, "NextToken": next})))
}

fn activities(call: &mut Call<'_>) -> Answer {
    let in_ecs = in_ecs(call)?;
    let id = call.input.text("ResourceId");
    let not_scaled = call.input.flag("IncludeNotScaledActivities") == Some(true);
    let mut chosen: Vec<_> = call
        .here()
        .scaling_activities
        .iter()
        .filter(|activity| {
            in_ecs
                && id.is_none_or(|id| activity.resource_id == id)
                && (not_scaled || activity.not_scaled_reason.is_none())
        })
        .collect();
    chosen.sort_by_key(|activity| std::cmp::Reverse(activity.started_at));
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen
        .into_iter()
        .map(|activity| {
            let reasons = activity.not_scaled_reason.as_ref().map(|code| {
                json!([{
                    "Code": code,
                    "MaxCapacity": activity.max_capacity,
                    "CurrentCapacity": activity.current_capacity,
                }])
            });
            json!({
                "ActivityId": activity.id,
                "ServiceNamespace": "ecs",
                "ResourceId": activity.resource_id,
                "ScalableDimension": DIMENSION,
                "Description": activity.description,
                "Cause": activity.cause,
                "StartTime": epoch(activity.started_at),
                "EndTime": activity.ended_at.map(epoch),
                "StatusCode": activity.status,
                "StatusMessage": activity.status_message,
                "NotScaledReasons": reasons,
            })
        })
        .collect();
    Ok(compact(
        json!({"ScalingActivities": list, "NextToken": next}),
    ))
}

fn register_needs(call: &Call<'_>) -> Vec<Need> {
    let id = call.input.text("ResourceId").unwrap_or("*");
    let arn = match call.here().scalable_targets.get(id) {
        Some(target) => target.arn.clone(),
        None => call.arn("application-autoscaling", "scalable-target/*"),
    };
    vec![Need::on(
        "application-autoscaling:RegisterScalableTarget",
        arn,
    )]
}

fn register(call: &mut Call<'_>) -> Answer {
    if !in_ecs(call)? {
        return Err(invalid("The lab scales ecs:service:DesiredCount only"));
    }
    let capacity = |name: &str| match call.input.integer(name) {
        None => Ok(None),
        Some(number) => u32::try_from(number)
            .map(Some)
            .map_err(|_| invalid(format!("{name} must be greater than or equal to 0"))),
    };
    let change = ScalableTargetChange {
        resource_id: call
            .input
            .required("ResourceId", "ValidationException")?
            .to_owned(),
        min_capacity: capacity("MinCapacity")?,
        max_capacity: capacity("MaxCapacity")?,
    };
    let (account, region) = (call.caller.account.as_str(), call.region);
    let target = call
        .world
        .register_scalable_target(account, region, &change)?;
    Ok(json!({"ScalableTargetARN": target.arn}))
}
