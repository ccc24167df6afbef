//! `GetRole` and `SimulatePrincipalPolicy`.

use aws_sdk_iam::types::EvaluationResult;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::observation::SimulatedAction;

/// The services that a trust policy lets assume the role.
pub(crate) fn trusted_services(document: &str) -> Vec<String> {
    let text = percent_decode_str(document).decode_utf8_lossy();
    let Ok(policy) = serde_json::from_str::<Value>(&text) else {
        return Vec::new();
    };
    let mut services: Vec<String> = one_or_many(policy.get("Statement"))
        .filter(|statement| statement.get("Effect").and_then(Value::as_str) == Some("Allow"))
        .filter_map(|statement| statement.get("Principal")?.get("Service"))
        .flat_map(|service| one_or_many(Some(service)))
        .filter_map(|service| service.as_str().map(ToOwned::to_owned))
        .collect();
    services.sort();
    services.dedup();
    services
}

/// What the simulation said, one entry for each action and resource.
pub(crate) fn simulated_actions(results: &[EvaluationResult]) -> Vec<SimulatedAction> {
    results
        .iter()
        .map(|result| SimulatedAction {
            action: result.eval_action_name().to_owned(),
            resource: result.eval_resource_name().unwrap_or("*").to_owned(),
            decision: result.eval_decision().as_str().to_owned(),
        })
        .collect()
}

fn one_or_many(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let (many, one) = match value {
        Some(Value::Array(items)) => (items.as_slice(), None),
        other => ([].as_slice(), other),
    };
    many.iter().chain(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_read_from_an_encoded_document() {
        let document = r#"{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",
            "Principal":{"Service":["ecs-tasks.amazonaws.com","ec2.amazonaws.com"]}},
            {"Effect":"Deny","Principal":{"Service":"lambda.amazonaws.com"}}]}"#;
        let expected = ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"];
        assert_eq!(trusted_services(document), expected);
        let encoded =
            percent_encoding::utf8_percent_encode(document, percent_encoding::NON_ALPHANUMERIC);
        assert_eq!(trusted_services(&encoded.to_string()), expected);
        let single = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"a"}}}"#;
        assert_eq!(trusted_services(single), ["a"]);
        assert!(trusted_services("not json").is_empty());
    }
}
