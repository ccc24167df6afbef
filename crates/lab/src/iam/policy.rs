//! IAM policy documents: parsed once, matched often.

use std::collections::BTreeMap;

use serde_json::Value;

/// A policy document's statements.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PolicyDocument {
    pub(super) statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    pub(super) principals: Option<Vec<String>>,
    pub(super) actions: Match,
    pub(super) resources: Match,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// `Action`/`NotAction`, `Resource`/`NotResource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Match {
    Any,
    Of(Vec<String>),
    AllBut(Vec<String>),
}

/// One operator of a `Condition` block, for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) operator: Operator,
    pub(super) if_exists: bool,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    NotEquals,
    EqualsIgnoreCase,
    Like,
    NotLike,
    Null,
    /// Not simulated: an allow with it never matches, a deny with it always does.
    Unknown,
}

/// Why a text is not a policy document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PolicyProblem {
    #[error("Syntax errors in policy.")]
    Syntax,
    #[error("Policy statement must contain {0}.")]
    Missing(&'static str),
    #[error("Statement/effect must be Allow or Deny.")]
    Effect,
}

impl PolicyDocument {
    /// Parses a JSON document.
    pub(crate) fn parse(text: &str) -> Result<Self, PolicyProblem> {
        Self::from_value(&serde_json::from_str(text).map_err(|_| PolicyProblem::Syntax)?)
    }

    /// Reads a document that is JSON already.
    pub(crate) fn from_value(value: &Value) -> Result<Self, PolicyProblem> {
        let statements = match value.get("Statement") {
            Some(Value::Array(items)) => items.iter().map(statement).collect::<Result<_, _>>()?,
            Some(one @ Value::Object(_)) => vec![statement(one)?],
            Some(_) | None => return Err(PolicyProblem::Syntax),
        };
        Ok(Self { statements })
    }
}

fn statement(value: &Value) -> Result<Statement, PolicyProblem> {
    let effect = match value.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        Some(_) | None => return Err(PolicyProblem::Effect),
    };
    let principals = match value.get("Principal") {
        None => None,
        Some(Value::String(text)) => Some(vec![text.clone()]),
        Some(Value::Object(kinds)) => Some(kinds.values().flat_map(texts).collect()),
        Some(_) => return Err(PolicyProblem::Syntax),
    };
    let actions = either(value, "Action", "NotAction").ok_or(PolicyProblem::Missing("actions"))?;
    let resources = match either(value, "Resource", "NotResource") {
        Some(resources) => resources,
        // Trust policies name no resource.
        None if principals.is_some() => Match::Any,
        None => return Err(PolicyProblem::Missing("resources")),
    };
    let mut conditions = Vec::new();
    if let Some(blocks) = value.get("Condition") {
        let blocks: BTreeMap<String, BTreeMap<String, Value>> =
            serde_json::from_value(blocks.clone()).map_err(|_| PolicyProblem::Syntax)?;
        for (name, keys) in blocks {
            let (operator, if_exists) = operator(&name);
            conditions.extend(keys.into_iter().map(|(key, values)| Condition {
                operator,
                if_exists,
                key: key.to_ascii_lowercase(),
                values: texts(&values),
            }));
        }
    }
    Ok(Statement {
        effect,
        principals,
        actions,
        resources,
        conditions,
    })
}

fn either(value: &Value, name: &str, negated: &str) -> Option<Match> {
    match (value.get(name), value.get(negated)) {
        (Some(list), _) => Some(Match::Of(texts(list))),
        (None, Some(list)) => Some(Match::AllBut(texts(list))),
        (None, None) => None,
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Bool(flag) => vec![flag.to_string()],
        Value::Number(number) => vec![number.to_string()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

fn operator(name: &str) -> (Operator, bool) {
    let name = name.split_once(':').map_or(name, |(_, operator)| operator);
    let (name, if_exists) = match name.strip_suffix("IfExists") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let operator = match name {
        "StringEquals" | "Bool" => Operator::Equals,
        "StringNotEquals" => Operator::NotEquals,
        "StringEqualsIgnoreCase" => Operator::EqualsIgnoreCase,
        "StringLike" | "ArnLike" | "ArnEquals" => Operator::Like,
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => Operator::NotLike,
        "Null" => Operator::Null,
        _ => Operator::Unknown,
    };
    (operator, if_exists)
}

/// IAM's wildcards: `*` for any run of characters, `?` for one.
pub(super) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(b'?') => (p, t) = (p + 1, t + 1),
            Some(byte) if text.get(t) == Some(byte) => (p, t) = (p + 1, t + 1),
            Some(_) | None => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_iam_says() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("ecs:*", "ecs:UpdateService", true),
            ("ecs:Update*", "ecs:StopTask", false),
            ("a*b*c", "axxbyybzc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc", "abcd", false),
            (
                "arn:aws:ecs:*:1:service/c/*",
                "arn:aws:ecs:us-east-1:1:service/c/s",
                true,
            ),
        ] {
            assert_eq!(wildcard(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn malformed_documents_are_refused() {
        for text in [
            "",
            "{}",
            r#"{"Statement":[{"Effect":"Perhaps","Action":"*","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Action":"*"}]}"#,
        ] {
            assert!(PolicyDocument::parse(text).is_err(), "{text}");
        }
    }
}
