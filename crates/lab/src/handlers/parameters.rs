//! Secrets Manager and Systems Manager Parameter Store: names and ages, never values. CloudTrail
//! answers that it has seen nothing.

use serde_json::{Value, json};

use super::page::{Paging, page};
use super::{Answer, Call, Effect, Need, Operation, compact, epoch, everything};
use crate::wire::ApiError;
use crate::world::{Parameter, Secret};

const fn reads(
    service: &'static str,
    name: &'static str,
    needs: fn(&Call<'_>) -> Vec<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Operation {
    Operation {
        service,
        name,
        effect: Effect::Reads,
        needs,
        run,
    }
}

pub(super) const OPERATIONS: &[Operation] = &[
    reads("secretsmanager", "DescribeSecret", secret_needs, secret),
    reads(
        "secretsmanager",
        "ListSecrets",
        |_| everything("secretsmanager:ListSecrets"),
        secrets,
    ),
    reads(
        "ssm",
        "DescribeParameters",
        |_| everything("ssm:DescribeParameters"),
        parameters,
    ),
    reads(
        "cloudtrail",
        "LookupEvents",
        |_| everything("cloudtrail:LookupEvents"),
        |_| Ok(json!({"Events": []})),
    ),
];

const PAGES: Paging = Paging {
    size: "MaxResults",
    token: "NextToken",
    default: 50,
    most: 100,
    bad_token: "InvalidNextTokenException",
};

fn find<'a>(call: &'a Call<'_>) -> Option<&'a Secret> {
    let id = call.input.text("SecretId")?;
    // A name, a whole ARN, or an ARN without the six random characters.
    call.here().secrets.values().find(|secret| {
        secret.name == id
            || secret.arn == id
            || secret
                .arn
                .rsplit_once('-')
                .is_some_and(|(partial, _)| partial == id)
    })
}

fn secret_needs(call: &Call<'_>) -> Vec<Need> {
    let resource = match (find(call), call.input.text("SecretId")) {
        (Some(secret), _) => secret.arn.clone(),
        (None, Some(arn)) if arn.starts_with("arn:") => arn.to_owned(),
        (None, id) => call.arn("secretsmanager", &format!("secret:{}", id.unwrap_or("*"))),
    };
    vec![Need::on("secretsmanager:DescribeSecret", resource)]
}

fn secret(call: &mut Call<'_>) -> Answer {
    match find(call) {
        Some(secret) => Ok(compact(render(secret))),
        None => Err(ApiError::invalid(
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret.",
        )),
    }
}

fn render(secret: &Secret) -> Value {
    json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "KmsKeyId": secret.kms_key,
        "CreatedDate": epoch(secret.created_at),
        "LastChangedDate": epoch(secret.created_at),
        "DeletedDate": secret.deleted_at.map(epoch),
        "RotationEnabled": false,
        "Tags": [],
    })
}

fn secrets(call: &mut Call<'_>) -> Answer {
    let planned = call.input.flag("IncludePlannedDeletion") == Some(true);
    let chosen = call
        .here()
        .secrets
        .values()
        .filter(|secret| planned || secret.deleted_at.is_none());
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen.into_iter().map(render).collect();
    Ok(compact(json!({"SecretList": list, "NextToken": next})))
}

fn parameters(call: &mut Call<'_>) -> Answer {
    let filters = call.input.items("ParameterFilters");
    for filter in &filters {
        if !matches!(filter.text("Key"), Some("Name" | "Type")) {
            return Err(ApiError::invalid(
                "InvalidFilterKey",
                "The lab filters parameters by Name and Type only",
            ));
        }
    }
    let fits = |parameter: &Parameter| {
        filters.iter().all(|filter| {
            let present = match filter.text("Key") {
                Some("Type") => &parameter.kind,
                Some(_) | None => &parameter.name,
            };
            filter
                .texts("Values")
                .into_iter()
                .any(|value| match filter.text("Option") {
                    Some("BeginsWith") => present.starts_with(value),
                    Some("Contains") => present.contains(value),
                    Some(_) | None => present == value,
                })
        })
    };
    let chosen = call
        .here()
        .parameters
        .values()
        .filter(|parameter| fits(parameter));
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen
        .into_iter()
        .map(|parameter| {
            json!({
                "Name": parameter.name,
                "ARN": parameter.arn,
                "Type": parameter.kind,
                "KeyId": (parameter.kind == "SecureString").then_some("alias/aws/ssm"),
                "LastModifiedDate": epoch(parameter.created_at),
                "Version": 1,
                "Tier": "Standard",
                "Policies": [],
                "DataType": "text",
            })
        })
        .collect();
    Ok(compact(json!({"Parameters": list, "NextToken": next})))
}
