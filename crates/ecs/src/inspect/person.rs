//! What this program does not do by itself, as the exact commands for a person.

use serde::Serialize;
use serde_json::{Map, Value};

/// A command for a person to read, and then to run or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonCommand {
    /// What it does, in one sentence.
    pub what: String,
    /// The command, quoted for a POSIX shell.
    pub command: String,
}

impl PersonCommand {
    /// A command and what it does.
    pub fn new(what: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            command: command.into(),
        }
    }
}

/// The AWS CLI's command for an operation, with its parameters as they are.
pub(super) fn aws_command(
    service: &str,
    operation: &str,
    params: &Map<String, Value>,
    region: Option<&str>,
) -> PersonCommand {
    let mut command = format!("aws {service} {}", kebab(operation));
    // Without one, the person's own configuration says which.
    if let Some(region) = region {
        command.push_str(" --region ");
        command.push_str(&quoted(region));
    }
    if !params.is_empty() {
        let json = Value::Object(params.clone()).to_string();
        command.push_str(" --cli-input-json ");
        command.push_str(&quoted(&json));
    }
    PersonCommand::new(format!("{service}:{operation}"), command)
}

/// `UpdateService` as the AWS CLI writes it.
fn kebab(operation: &str) -> String {
    let mut name = String::new();
    for c in operation.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// One word for a POSIX shell, whatever is in it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = !word.is_empty()
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_./:@,+=%".contains(&b));
    if plain {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_command_is_one_word_a_parameter_whatever_is_in_it() {
        let params = json!({"cluster": "shop", "service": "a'; rm -rf ~ #", "desiredCount": 3});
        let told = aws_command(
            "ecs",
            "UpdateService",
            params.as_object().unwrap(),
            Some("eu-west-1"),
        );
        assert_eq!(
            told.command,
            r#"aws ecs update-service --region eu-west-1 --cli-input-json '{"cluster":"shop","service":"a'\''; rm -rf ~ #","desiredCount":3}'"#
        );
        assert_eq!(
            kebab("PutClusterCapacityProviders"),
            "put-cluster-capacity-providers"
        );
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("$(id)"), "'$(id)'");
    }
}
