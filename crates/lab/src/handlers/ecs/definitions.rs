//! Task definitions.

use serde_json::{Value, json};

use super::super::{Answer, Call, Need, compact, epoch};
use super::{PAGES, includes, last, page};
use crate::wire::ApiError;
use crate::world::{TaskDefinition, TaskDefinitionStatus};

fn client(message: impl Into<String>) -> ApiError {
    ApiError::invalid("ClientException", message)
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let input = call.input;
    let status = input.text("status").unwrap_or("ACTIVE");
    let prefix = input.text("familyPrefix");
    let mut arns: Vec<String> = call
        .here()
        .task_definitions
        .iter()
        // Despite its name, AWS matches the whole family here.
        .filter(|(family, _)| prefix.is_none_or(|prefix| family.as_str() == prefix))
        .flat_map(|(_, revisions)| revisions)
        .filter(|definition| definition.status.as_str() == status)
        .map(|definition| definition.arn.clone())
        .collect();
    if input.text("sort") == Some("DESC") {
        arns.reverse();
    }
    let (arns, next) = page(arns, input, PAGES)?;
    Ok(compact(
        json!({"taskDefinitionArns": arns, "nextToken": next}),
    ))
}

pub(super) fn families(call: &mut Call<'_>) -> Answer {
    let input = call.input;
    let status = input.text("status").unwrap_or("ALL");
    let prefix = input.text("familyPrefix").unwrap_or_default();
    let families = call
        .here()
        .task_definitions
        .iter()
        .filter_map(|(family, revisions)| {
            let active = revisions
                .iter()
                .any(|one| one.status == TaskDefinitionStatus::Active);
            let fits = match status {
                "ACTIVE" => active,
                "INACTIVE" => !active,
                _ => true,
            };
            (fits && family.starts_with(prefix)).then(|| family.clone())
        });
    let (families, next) = page(families, input, PAGES)?;
    Ok(compact(json!({"families": families, "nextToken": next})))
}

pub(super) fn describe(call: &mut Call<'_>) -> Answer {
    let reference = call.input.required("taskDefinition", "ClientException")?;
    let definition = call
        .here()
        .task_definition(reference)
        .ok_or_else(|| client("Unable to describe task definition."))?;
    let tags =
        includes(call, "TAGS").then(|| definition.body.get("tags").cloned().unwrap_or(json!([])));
    Ok(compact(
        json!({"taskDefinition": body(definition), "tags": tags}),
    ))
}

/// What was registered, with what AWS adds to it.
fn body(definition: &TaskDefinition) -> Value {
    let mut body = definition.body.clone();
    if let Some(members) = body.as_object_mut() {
        members.remove("tags");
        let mut set = |name: &str, value: Value| {
            members.insert(name.to_owned(), value);
        };
        set("taskDefinitionArn", Value::from(definition.arn.as_str()));
        set("family", Value::from(definition.family.as_str()));
        set("revision", Value::from(definition.revision));
        set("status", Value::from(definition.status.as_str()));
        set("registeredAt", epoch(definition.registered_at));
        set(
            "registeredBy",
            Value::from(definition.registered_by.as_str()),
        );
        if let Some(at) = definition.deregistered_at {
            set("deregisteredAt", epoch(at));
        }
        for name in ["volumes", "placementConstraints"] {
            members.entry(name).or_insert_with(|| json!([]));
        }
        members
            .entry("compatibilities")
            .or_insert_with(|| match definition.spec.is_awsvpc() {
                true => json!(["EC2", "FARGATE"]),
                false => json!(["EXTERNAL", "EC2"]),
            });
    }
    body
}

pub(super) fn register_needs(call: &Call<'_>) -> Vec<Need> {
    let family = call.input.text("family").unwrap_or("*");
    let resource = call.arn("ecs", &format!("task-definition/{}:*", last(family)));
    let mut needs = vec![Need::on("ecs:RegisterTaskDefinition", resource.clone())];
    // Tagging what is being made is a permission of its own.
    let tags = call.input.member("tags").and_then(Value::as_array);
    if tags.is_some_and(|tags| !tags.is_empty()) {
        let need = Need::on("ecs:TagResource", resource);
        needs.push(need.with("ecs:createaction", "RegisterTaskDefinition"));
    }
    for member in ["executionRoleArn", "taskRoleArn"] {
        if let Some(role) = call.input.text(member) {
            let arn = if role.starts_with("arn:") {
                role.to_owned()
            } else {
                format!("arn:aws:iam::{}:role/{role}", call.caller.account)
            };
            let need = Need::on("iam:PassRole", arn);
            needs.push(need.with("iam:passedtoservice", "ecs-tasks.amazonaws.com"));
        }
    }
    needs
}

pub(super) fn register(call: &mut Call<'_>) -> Answer {
    call.input.required("family", "ClientException")?;
    let (account, region) = (call.caller.account.as_str(), call.region);
    let definition = call.world.register_task_definition(
        account,
        region,
        &call.caller.arn,
        call.input.value(),
    )?;
    let tags = call.input.member("tags").cloned();
    Ok(compact(
        json!({"taskDefinition": body(&definition), "tags": tags}),
    ))
}

pub(super) fn deregister(call: &mut Call<'_>) -> Answer {
    let reference = call.input.required("taskDefinition", "ClientException")?;
    let (account, region) = (call.caller.account.as_str(), call.region);
    let definition = call
        .world
        .deregister_task_definition(account, region, reference)?;
    Ok(compact(json!({"taskDefinition": body(&definition)})))
}
