//! Secrets that cannot be injected, and log groups that cannot be written to.

use super::Finding;
use super::view::{Draft, View, has_any, reasons, short};
use crate::observation::{Cited, SecretReference, SecretSnapshot, TaskDefinitionSnapshot};

/// `secret-access-denied-execution-role`, `secret-not-found`, `secret-json-key-missing`,
/// `secret-scheduled-for-deletion`.
pub(crate) fn secrets(view: &View<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for task in view.failures() {
        let text = reasons(task);
        let Some(mode) = mode_of(&text) else { continue };
        if findings.iter().any(|finding| finding.mode == mode) {
            continue;
        }
        let definition = view.revision_of(task);
        let reference =
            definition.and_then(|definition| failing_reference(view, definition, &text, mode));
        let named = reference.as_ref().map_or_else(
            || "a secret".to_owned(),
            |(container, reference, _)| {
                format!(
                    "`{}` (variable `{}` of container `{container}`)",
                    reference.value_from, reference.name
                )
            },
        );
        let revision = short(&task.task_definition);
        let role = definition
            .and_then(|definition| definition.execution_role_arn.clone())
            .unwrap_or_else(|| "the execution role".to_owned());
        let snapshot = reference.as_ref().and_then(|(_, _, snapshot)| *snapshot);
        let sentence = match mode {
            "secret-access-denied-execution-role" => format!(
                "Execution role `{role}` may not call `secretsmanager:GetSecretValue` on {named} that {revision} asks for."
            ),
            "secret-not-found" => format!("{revision} refers to {named}, which does not exist."),
            "secret-scheduled-for-deletion" => {
                format!("{revision} refers to {named}, which is marked for deletion.")
            }
            _ => format!("{revision} asks for a JSON key that is not in {named}."),
        };
        let decided = match mode {
            "secret-not-found" => snapshot.is_some_and(|secret| secret.exists == Some(false)),
            // The refusal itself names action, role and secret; the key error names the key.
            _ => true,
        };
        let draft = view.draft(mode).map(|draft| {
            let draft = draft
                .because(sentence)
                .cite_task(task)
                .decided(decided, "secretsmanager:DescribeSecret of the reference");
            let draft = match (&reference, definition) {
                (Some((_, reference, _)), Some(definition)) => {
                    draft.affects(&reference.value_from).cite(
                        definition.evidence,
                        &[&reference.value_from, &reference.name],
                    )
                }
                _ => draft,
            };
            let draft = if mode == "secret-access-denied-execution-role" {
                draft.affects(&role)
            } else {
                draft
            };
            match snapshot {
                Some(secret) if mode == "secret-not-found" => draft.cite(
                    secret.evidence,
                    &[
                        "ResourceNotFoundException",
                        "exists: false",
                        &secret.value_from,
                    ],
                ),
                _ => draft,
            }
        });
        findings.extend(draft.and_then(Draft::finish));
    }
    findings
}

fn mode_of(text: &str) -> Option<&'static str> {
    if has_any(
        text,
        &["did not contain json key", "looking for beginning of value"],
    ) {
        Some("secret-json-key-missing")
    } else if text.contains("secretsmanager:GetSecretValue")
        && has_any(text, &["AccessDenied", "not authorized"])
        && !has_any(text, &["Access to KMS", "explicit deny"])
    {
        Some("secret-access-denied-execution-role")
    } else if text.contains("marked for deletion") {
        Some("secret-scheduled-for-deletion")
    } else if has_any(
        text,
        &[
            "can't retrieve the secret",
            "can't find the specified secret",
            "unable to retrieve secret",
        ],
    ) && text.contains("ResourceNotFound")
    {
        Some("secret-not-found")
    } else {
        None
    }
}

type Failing<'a> = (
    &'a str,
    &'a SecretReference,
    Option<&'a Cited<SecretSnapshot>>,
);

/// The reference that the text names; else, for a missing secret, the one that is known missing;
/// else the only one.
fn failing_reference<'a>(
    view: &View<'a>,
    definition: &'a TaskDefinitionSnapshot,
    text: &str,
    mode: &str,
) -> Option<Failing<'a>> {
    let all: Vec<Failing<'a>> = definition
        .containers
        .iter()
        .flat_map(|container| {
            container
                .secrets
                .iter()
                .map(|secret| (container.name.as_str(), secret))
        })
        .map(|(container, secret)| {
            let known = view
                .observation
                .secrets
                .iter()
                .find(|known| known.value_from == secret.value_from);
            (container, secret, known)
        })
        .collect();
    let named: Vec<&Failing<'a>> = all
        .iter()
        .filter(|(_, secret, _)| text.contains(secret_arn(&secret.value_from)))
        .collect();
    let by_key = named.iter().find(|(_, secret, _)| {
        json_key(&secret.value_from).is_some_and(|key| text.contains(&format!("json key {key}")))
    });
    let missing = all
        .iter()
        .find(|(_, _, known)| known.is_some_and(|known| known.exists == Some(false)));
    let keyed = all.iter().find(|(_, secret, _)| {
        json_key(&secret.value_from).is_some_and(|key| text.contains(&format!("json key {key}")))
    });
    by_key
        .or_else(|| named.first())
        .copied()
        .or(if mode == "secret-not-found" {
            missing
        } else {
            None
        })
        .or(keyed)
        .or(match all.as_slice() {
            [only] => Some(only),
            _ => None,
        })
        .copied()
}

/// The ARN without JSON key, stage and version (`…:secret:NAME:key:stage:version`).
pub(crate) fn secret_arn(value_from: &str) -> &str {
    let is_secret = value_from.contains(":secretsmanager:");
    match value_from.match_indices(':').nth(6) {
        Some((end, _)) if is_secret => value_from.get(..end).unwrap_or(value_from),
        _ => value_from,
    }
}

fn json_key(value_from: &str) -> Option<&str> {
    value_from.split(':').nth(7).filter(|key| !key.is_empty())
}

/// `log-group-missing`.
pub(crate) fn log_group(view: &View<'_>) -> Vec<Finding> {
    let Some(task) = view
        .failures()
        .find(|task| reasons(task).contains("specified log group does not exist"))
    else {
        return Vec::new();
    };
    let Some(definition) = view.revision_of(task) else {
        return Vec::new();
    };
    let groups: Vec<&str> = definition
        .containers
        .iter()
        .filter_map(|container| container.log_configuration.as_ref()?.group.as_deref())
        .collect();
    let known_missing = view
        .observation
        .log_groups
        .iter()
        .find(|group| group.exists == Some(false) && groups.contains(&group.name.as_str()));
    let Some(name) = known_missing
        .map(|group| group.name.as_str())
        .or_else(|| groups.first().copied())
    else {
        return Vec::new();
    };
    let draft = view.draft("log-group-missing").map(|draft| {
        let draft = draft
            .because(format!(
                "{} writes its logs to `{name}`, which does not exist, and does not create it.",
                short(&definition.arn)
            ))
            .affects(name)
            .cite_task(task)
            .cite(definition.evidence, &[name])
            .decided(
                known_missing.is_some(),
                "logs:DescribeLogGroups for the exact name",
            );
        match known_missing {
            Some(group) => draft.cite(
                group.evidence,
                &["logGroups: []", "exists: false", name, "[]"],
            ),
            None => draft,
        }
    });
    draft.and_then(Draft::finish).into_iter().collect()
}
