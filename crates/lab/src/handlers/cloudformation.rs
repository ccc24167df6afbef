//! AWS CloudFormation: stacks are read, never changed.

use serde_json::{Value, json};

use super::page::{Paging, page};
use super::{Answer, Call, Effect, Need, Operation, compact, iso};
use crate::wire::ApiError;
use crate::world::{Stack, StackResource};

const fn reads(
    name: &'static str,
    needs: fn(&Call<'_>) -> Vec<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Operation {
    Operation {
        service: "cloudformation",
        name,
        effect: Effect::Reads,
        needs,
        run,
    }
}

pub(super) const OPERATIONS: &[Operation] = &[
    reads(
        "DescribeStacks",
        |call| on_stack(call, "cloudformation:DescribeStacks"),
        stacks,
    ),
    reads(
        "ListStacks",
        |_| vec![Need::on("cloudformation:ListStacks", "*")],
        list_stacks,
    ),
    reads(
        "DescribeStackResources",
        |call| on_stack(call, "cloudformation:DescribeStackResources"),
        resources,
    ),
    reads(
        "ListStackResources",
        |call| on_stack(call, "cloudformation:ListStackResources"),
        list_resources,
    ),
    reads(
        "DescribeStackEvents",
        |call| on_stack(call, "cloudformation:DescribeStackEvents"),
        events,
    ),
];

const PAGES: Paging = Paging {
    size: "MaxResults",
    token: "NextToken",
    default: 100,
    most: 100,
    bad_token: "ValidationError",
};

fn on_stack(call: &Call<'_>, action: &'static str) -> Vec<Need> {
    let resource = match call.input.text("StackName") {
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        Some(name) => call.arn("cloudformation", &format!("stack/{name}/*")),
        None => call.arn("cloudformation", "stack/*/*"),
    };
    vec![Need::on(action, resource)]
}

fn stack<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Stack, ApiError> {
    let mut stacks = call.here().stacks.values();
    stacks
        .find(|stack| stack.name == name || stack.id == name)
        .ok_or_else(|| {
            ApiError::invalid(
                "ValidationError",
                format!("Stack with id {name} does not exist"),
            )
        })
}

fn stacks(call: &mut Call<'_>) -> Answer {
    let chosen: Vec<&Stack> = match call.input.text("StackName") {
        Some(name) => vec![stack(call, name)?],
        None => call.here().stacks.values().collect(),
    };
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen
        .into_iter()
        .map(|stack| {
            json!({
                "StackId": stack.id,
                "StackName": stack.name,
                "CreationTime": iso(stack.created_at),
                "RollbackConfiguration": {},
                "StackStatus": stack.status,
                "DisableRollback": false,
                "NotificationARNs": [],
                "Tags": [],
                "EnableTerminationProtection": false,
                "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
            })
        })
        .collect();
    Ok(compact(json!({"Stacks": list, "NextToken": next})))
}

fn list_stacks(call: &mut Call<'_>) -> Answer {
    let wanted = call.input.texts("StackStatusFilter");
    let chosen: Vec<&Stack> = call
        .here()
        .stacks
        .values()
        .filter(|stack| wanted.is_empty() || wanted.contains(&stack.status.as_str()))
        .collect();
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen
        .into_iter()
        .map(|stack| {
            json!({
                "StackId": stack.id,
                "StackName": stack.name,
                "CreationTime": iso(stack.created_at),
                "StackStatus": stack.status,
                "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
            })
        })
        .collect();
    Ok(compact(json!({"StackSummaries": list, "NextToken": next})))
}

fn resources(call: &mut Call<'_>) -> Answer {
    let logical = call.input.text("LogicalResourceId");
    let physical = call.input.text("PhysicalResourceId");
    let owns = |stack: &Stack| {
        stack
            .resources
            .iter()
            .any(|one| Some(one.physical_id.as_str()) == physical)
    };
    let stack = match (call.input.text("StackName"), physical) {
        (Some(name), _) => stack(call, name)?,
        (None, Some(id)) => call
            .here()
            .stacks
            .values()
            .find(|stack| owns(stack))
            .ok_or_else(|| {
                ApiError::invalid("ValidationError", format!("Stack for {id} does not exist"))
            })?,
        (None, None) => {
            return Err(ApiError::invalid(
                "ValidationError",
                "StackName or PhysicalResourceId must be specified",
            ));
        }
    };
    let chosen = stack
        .resources
        .iter()
        .filter(|one| logical.is_none_or(|id| one.logical_id == id));
    let list: Vec<Value> = chosen.map(|one| resource(stack, one)).collect();
    Ok(compact(json!({"StackResources": list})))
}

fn resource(stack: &Stack, one: &StackResource) -> Value {
    json!({
        "StackName": stack.name,
        "StackId": stack.id,
        "LogicalResourceId": one.logical_id,
        "PhysicalResourceId": one.physical_id,
        "ResourceType": one.resource_type,
        "Timestamp": iso(one.updated_at),
        "ResourceStatus": one.status,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    })
}

fn list_resources(call: &mut Call<'_>) -> Answer {
    let stack = stack(call, call.input.required("StackName", "ValidationError")?)?;
    let (chosen, next) = page(&stack.resources, call.input, PAGES)?;
    let list: Vec<Value> = chosen
        .into_iter()
        .map(|one| {
            json!({
                "LogicalResourceId": one.logical_id,
                "PhysicalResourceId": one.physical_id,
                "ResourceType": one.resource_type,
                "LastUpdatedTimestamp": iso(one.updated_at),
                "ResourceStatus": one.status,
                "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
            })
        })
        .collect();
    Ok(compact(
        json!({"StackResourceSummaries": list, "NextToken": next}),
    ))
}

fn events(call: &mut Call<'_>) -> Answer {
    let stack = stack(call, call.input.required("StackName", "ValidationError")?)?;
    let (chosen, next) = page(&stack.events, call.input, PAGES)?;
    let list: Vec<Value> = chosen
        .into_iter()
        .map(|event| {
            json!({
                "StackId": stack.id,
                "EventId": event.id,
                "StackName": stack.name,
                "LogicalResourceId": event.logical_id,
                "PhysicalResourceId": event.physical_id,
                "ResourceType": event.resource_type,
                "Timestamp": iso(event.at),
                "ResourceStatus": event.status,
                "ResourceStatusReason": event.reason,
            })
        })
        .collect();
    Ok(compact(json!({"StackEvents": list, "NextToken": next})))
}
