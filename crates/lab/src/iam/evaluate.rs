//! IAM's decision, and the sentence that AWS refuses with.

use std::collections::BTreeMap;

use super::policy::{Condition, Effect, Match, Operator, PolicyDocument, Statement, wildcard};

/// What is asked: one action on one resource, in a context.
#[derive(Debug, Clone)]
pub(crate) struct Access<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    /// Condition keys in lower case.
    pub(crate) context: &'a BTreeMap<String, Vec<String>>,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    /// A statement with `Effect: Deny` of the named policy kind matched.
    ExplicitDeny(&'static str),
    /// Nothing of the named policy kind allows it.
    NoAllow(&'static str),
}

impl Verdict {
    /// The message of AWS's access denied error; `None` when allowed.
    pub(crate) fn refusal(self, principal: &str, access: &Access<'_>) -> Option<String> {
        let Access {
            action, resource, ..
        } = access;
        let head = format!("User: {principal} is not authorized to perform: {action}");
        let on = match *resource {
            "*" => String::new(),
            resource => format!(" on resource: {resource}"),
        };
        match self {
            Self::Allowed => None,
            Self::ExplicitDeny(kind) => {
                let article = if kind.starts_with('i') { "an" } else { "a" };
                Some(format!(
                    "{head}{on} with an explicit deny in {article} {kind}"
                ))
            }
            Self::NoAllow(kind) => Some(format!(
                "{head}{on} because no {kind} allows the {action} action"
            )),
        }
    }
}

/// Decides by identity policies and, when there is one, the session policy: both must allow, and
/// a deny in either wins.
pub(crate) fn authorize(
    access: &Access<'_>,
    identity: &[PolicyDocument],
    session: Option<&PolicyDocument>,
) -> Verdict {
    const IDENTITY: &str = "identity-based policy";
    const SESSION: &str = "session policy";
    let has = |document: &PolicyDocument, effect: Effect| {
        document
            .statements
            .iter()
            .any(|statement| statement.effect == effect && applies(statement, access))
    };
    if identity.iter().any(|document| has(document, Effect::Deny)) {
        return Verdict::ExplicitDeny(IDENTITY);
    }
    if session.is_some_and(|document| has(document, Effect::Deny)) {
        return Verdict::ExplicitDeny(SESSION);
    }
    if !identity.iter().any(|document| has(document, Effect::Allow)) {
        return Verdict::NoAllow(IDENTITY);
    }
    match session {
        Some(document) if !has(document, Effect::Allow) => Verdict::NoAllow(SESSION),
        Some(_) | None => Verdict::Allowed,
    }
}

impl PolicyDocument {
    /// Whether this trust policy lets `principal` do `action` (explicit deny wins).
    pub(crate) fn trusts(&self, principal: &str, account: &str, access: &Access<'_>) -> bool {
        let names = |statement: &Statement| {
            let root = format!("arn:aws:iam::{account}:root");
            statement.principals.iter().flatten().any(|named| {
                named == "*" || named == principal || *named == root || named == account
            })
        };
        let any = |effect: Effect| {
            self.statements.iter().any(|statement| {
                statement.effect == effect && names(statement) && applies(statement, access)
            })
        };
        !any(Effect::Deny) && any(Effect::Allow)
    }
}

fn applies(statement: &Statement, access: &Access<'_>) -> bool {
    let action = |pattern: &String| {
        wildcard(
            &pattern.to_ascii_lowercase(),
            &access.action.to_ascii_lowercase(),
        )
    };
    let resource = |pattern: &String| wildcard(pattern, access.resource);
    matches(&statement.actions, action)
        && matches(&statement.resources, resource)
        && statement
            .conditions
            .iter()
            .all(|condition| holds(condition, statement.effect, access))
}

fn matches(list: &Match, test: impl Fn(&String) -> bool) -> bool {
    match list {
        Match::Any => true,
        Match::Of(patterns) => patterns.iter().any(test),
        Match::AllBut(patterns) => !patterns.iter().any(test),
    }
}

fn holds(condition: &Condition, effect: Effect, access: &Access<'_>) -> bool {
    let present = access.context.get(&condition.key);
    let any = |test: &dyn Fn(&str, &str) -> bool| {
        present.is_some_and(|values| {
            values
                .iter()
                .any(|value| condition.values.iter().any(|wanted| test(wanted, value)))
        })
    };
    if present.is_none() && condition.if_exists {
        return true;
    }
    match condition.operator {
        Operator::Equals => any(&|wanted, value| wanted == value),
        Operator::NotEquals => !any(&|wanted, value| wanted == value),
        Operator::EqualsIgnoreCase => any(&|wanted, value| wanted.eq_ignore_ascii_case(value)),
        Operator::Like => any(&wildcard),
        Operator::NotLike => !any(&wildcard),
        Operator::Null => {
            condition.values.iter().any(|wanted| wanted == "true") == present.is_none()
        }
        Operator::Unknown => match effect {
            Effect::Allow => false,
            Effect::Deny => true,
        },
    }
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
