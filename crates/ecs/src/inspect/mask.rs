//! AWS's own answers, without what may be a tenant's secret.
//!
//! SECURITY: this is the allow list for answers that are passed on as they are. Values of
//! environment variables, commands, labels and log options end here, as they do in `observe/map`;
//! every other text is masked by shape and made harmless.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

use crate::aws::TextCleaner;

/// What stands in place of what is not passed on.
const WITHHELD: &str = "[withheld]";

/// Fields that hold what a tenant wrote into a container, wherever they are.
const PRIVATE_FIELDS: [&str; 15] = [
    "command",
    "entryPoint",
    "dockerLabels",
    "dockerSecurityOptions",
    "driverOpts",
    "environmentFiles",
    "extraHosts",
    "labels",
    "properties",
    "credentialsParameter",
    "repositoryCredentials",
    "secretOptions",
    "session",
    "systemControls",
    "tokenValue",
];

/// Fields of a container, or of what overrides one, that are passed on. One that AWS adds later is
/// not, until it is put here.
const CONTAINER_FIELDS: [&str; 35] = [
    "containerName",
    "containerPort",
    "cpu",
    "dependsOn",
    "disableNetworking",
    "environment",
    "essential",
    "firelensConfiguration",
    "healthCheck",
    "hostname",
    "image",
    "interactive",
    "links",
    "linuxParameters",
    "logConfiguration",
    "awsLogsConfiguration",
    "memory",
    "memoryReservation",
    "mountPoints",
    "name",
    "portMappings",
    "privileged",
    "pseudoTerminal",
    "readonlyRootFilesystem",
    "resourceRequirements",
    "restartPolicy",
    "secrets",
    "startTimeout",
    "stopTimeout",
    "ulimits",
    "user",
    "versionConsistency",
    "volumesFrom",
    "workingDirectory",
    "dnsServers",
];

/// Log options that say where a log is, and nothing else.
const LOG_OPTIONS: [&str; 6] = [
    "awslogs-create-group",
    "awslogs-group",
    "awslogs-region",
    "awslogs-stream-prefix",
    "max-buffer-size",
    "mode",
];

/// Words in a tag's key that make its value one to withhold.
const SECRET_WORDS: [&str; 5] = ["secret", "password", "passwd", "token", "credential"];

/// Masks an answer of the ECS API.
pub(crate) fn masked(answer: Value, cleaner: &TextCleaner) -> Value {
    mask("", answer, cleaner)
}

fn mask(field: &str, value: Value, cleaner: &TextCleaner) -> Value {
    if PRIVATE_FIELDS.contains(&field) {
        return withheld(value);
    }
    match value {
        Value::Object(members) if field == "options" => members
            .into_iter()
            .map(|(name, option)| {
                let shown = LOG_OPTIONS.contains(&name.as_str());
                let option = if shown {
                    mask(&name, option, cleaner)
                } else {
                    withheld(option)
                };
                (name, option)
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Object(members) => Value::Object(members_of(field, members, cleaner)),
        Value::Array(items) => items
            .into_iter()
            .map(|item| mask(field, item, cleaner))
            .collect(),
        Value::String(text) => Value::String(cleaner.words(&text)),
        Value::Number(number) if field.ends_with("At") => moment(number),
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_)) => scalar,
    }
}

fn members_of(
    field: &str,
    members: Map<String, Value>,
    cleaner: &TextCleaner,
) -> Map<String, Value> {
    let is_container = matches!(
        field,
        "containerDefinitions" | "containerOverrides" | "primaryContainer"
    );
    let secret_tag = field == "tags"
        && members
            .get("key")
            .and_then(Value::as_str)
            .map(str::to_ascii_lowercase)
            .is_some_and(|key| SECRET_WORDS.iter().any(|word| key.contains(word)));
    members
        .into_iter()
        .map(|(name, member)| {
            let private = (secret_tag || field == "environment") && name == "value"
                || (is_container && !CONTAINER_FIELDS.contains(&name.as_str()));
            let member = if private {
                withheld(member)
            } else {
                mask(&name, member, cleaner)
            };
            (name, member)
        })
        .collect()
}

/// What is not passed on still says that it is there, and how much of it.
fn withheld(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            json!(vec![WITHHELD; items.len()])
        }
        Value::Null => Value::Null,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => json!(WITHHELD),
    }
}

/// The JSON protocol writes times as seconds since 1970; people and models read RFC 3339.
fn moment(number: serde_json::Number) -> Value {
    let at = number.as_f64().and_then(|seconds| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "milliseconds since 1970 fit into 53 bits for every year that matters"
        )]
        let millis = (seconds * 1000.0).round() as i64;
        DateTime::from_timestamp_millis(millis)
    });
    match at {
        Some(at) => json!(at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        None => Value::Number(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tenant_wrote_into_a_container_is_withheld() {
        let answer = json!({"taskDefinition": {
            "registeredAt": 1_700_000_000.5,
            "containerDefinitions": [{
                "name": "app",
                "image": "nginx:1",
                "environment": [{"name": "DB", "value": "CANARY"}],
                "secrets": [{"name": "KEY", "valueFrom": "arn:aws:ssm:eu-west-1:1:parameter/x"}],
                "command": ["sh", "-c", "CANARY"],
                "entryPoint": ["CANARY"],
                "dockerLabels": {"a": "CANARY"},
                "healthCheck": {"command": ["CMD", "CANARY"], "interval": 5},
                "logConfiguration": {
                    "logDriver": "splunk",
                    "options": {"splunk-token": "CANARY", "awslogs-group": "/ecs/app"},
                    "secretOptions": [{"name": "x", "valueFrom": "CANARY"}],
                },
                "somethingNew": {"deep": "CANARY"},
            }],
            "tags": [{"key": "team", "value": "shop"}, {"key": "api-token", "value": "CANARY"}],
        }});
        let shown = masked(answer, &TextCleaner::new().unwrap());
        assert!(!shown.to_string().contains("CANARY"), "{shown}");
        let container = &shown["taskDefinition"]["containerDefinitions"][0];
        assert_eq!(
            container["environment"],
            json!([{"name": "DB", "value": WITHHELD}])
        );
        assert_eq!(container["command"], json!([WITHHELD, WITHHELD, WITHHELD]));
        assert_eq!(
            container["logConfiguration"]["options"]["awslogs-group"],
            "/ecs/app"
        );
        assert_eq!(
            container["secrets"][0]["valueFrom"],
            "arn:aws:ssm:eu-west-1:1:parameter/x"
        );
        assert_eq!(shown["taskDefinition"]["tags"][0]["value"], "shop");
        assert_eq!(
            shown["taskDefinition"]["registeredAt"],
            "2023-11-14T22:13:20.500Z"
        );
    }

    #[test]
    fn overrides_of_a_task_are_containers_too() {
        let answer = json!({"tasks": [{"overrides": {"containerOverrides": [
            {"name": "app", "command": ["CANARY"], "environment": [{"name": "a", "value": "CANARY"}]},
        ]}}]});
        let shown = masked(answer, &TextCleaner::new().unwrap());
        assert!(!shown.to_string().contains("CANARY"), "{shown}");
        assert!(shown.to_string().contains("\"app\""));
    }
}
