//! Which operations a child may ask for.

use std::collections::BTreeMap;

/// Verbs that AWS names reads with.
///
/// `Get` alone is not one: some of what AWS names so hands out secrets, see [`SECRETS`].
const READING_VERBS: [&str; 7] = [
    "BatchGet", "Describe", "Filter", "Get", "List", "Lookup", "Simulate",
];

/// Services and operations that read and yet hand out secrets, tokens or other credentials.
const SECRETS: [(&str, &str); 9] = [
    ("cognito-identity", ""),
    ("ecr", "GetAuthorizationToken"),
    ("kms", ""),
    ("lambda", "GetFunction"),
    ("secretsmanager", ""),
    ("ssm", "GetParameter"),
    ("sso", ""),
    ("sso-oauth", ""),
    ("sts", ""),
];

/// A set of AWS operations that read: what a signing endpoint lets through.
///
/// It is a value and says nothing about whose credentials are used. The only constructor refuses
/// whatever is not a read by its name, so an endpoint that lets a write through cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOperations(BTreeMap<String, Vec<Pattern>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Exactly(String),
    StartingWith(String),
}

/// An action that is not a read, or not an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not an action that only reads: a child may be given `service:Describe…`, `List…`, \
     `Get…` and the like, and nothing that hands out secrets",
    crate::text::excerpt(.action)
)]
pub struct NotARead {
    action: String,
}

impl AllowedOperations {
    /// Takes IAM actions such as `ecs:Describe*` or `iam:GetRole`, a wildcard at most at the end.
    ///
    /// IAM names an operation's action as the API names the operation, for every service that an
    /// endpoint knows.
    ///
    /// # Errors
    /// [`NotARead`] for the first action that does not begin with a verb that reads, or that could
    /// match one that hands out a secret.
    pub fn reads<'a>(actions: impl IntoIterator<Item = &'a str>) -> Result<Self, NotARead> {
        let mut allowed: BTreeMap<String, Vec<Pattern>> = BTreeMap::new();
        for action in actions {
            let (service, pattern) = read(action).ok_or_else(|| NotARead {
                action: action.to_owned(),
            })?;
            allowed.entry(service.to_owned()).or_default().push(pattern);
        }
        Ok(Self(allowed))
    }

    /// Tells whether an operation of a service, by its IAM prefix such as `ecs`, is in the set.
    #[must_use]
    pub fn allows(&self, service: &str, operation: &str) -> bool {
        let patterns = self.0.get(service).map(Vec::as_slice).unwrap_or_default();
        patterns.iter().any(|pattern| match pattern {
            Pattern::Exactly(name) => name == operation,
            Pattern::StartingWith(stem) => operation.starts_with(stem.as_str()),
        })
    }
}

fn read(action: &str) -> Option<(&str, Pattern)> {
    let (service, name) = action.split_once(':')?;
    let stem = name.strip_suffix('*').unwrap_or(name);
    let well_formed = !service.is_empty()
        && service
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && stem.bytes().all(|b| b.is_ascii_alphanumeric());
    let reads = READING_VERBS.iter().any(|verb| {
        let rest = stem.strip_prefix(verb);
        // `Getaway` is no `Get`: the verb ends where a capital begins, or at the wildcard.
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_uppercase())
        })
    });
    let pattern = if stem.len() == name.len() {
        Pattern::Exactly(stem.to_owned())
    } else {
        Pattern::StartingWith(stem.to_owned())
    };
    let secret = SECRETS.iter().any(|(of, operation)| {
        *of == service
            && match &pattern {
                Pattern::Exactly(name) => name.starts_with(operation),
                Pattern::StartingWith(stem) => {
                    operation.starts_with(stem.as_str()) || stem.starts_with(operation)
                }
            }
    });
    (well_formed && reads && !secret).then_some((service, pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_say() {
        let allowed = AllowedOperations::reads(["ecs:Describe*", "iam:GetRole"]).unwrap();
        for (service, operation, expected) in [
            ("ecs", "DescribeServices", true),
            ("ecs", "Describe", true),
            ("ecs", "ListServices", false),
            ("ecs", "describeServices", false),
            ("iam", "GetRole", true),
            ("iam", "GetRolePolicy", false),
            ("ec2", "DescribeServices", false),
            ("", "", false),
        ] {
            let found = allowed.allows(service, operation);
            assert_eq!(found, expected, "{service}:{operation}");
        }
    }

    #[test]
    fn what_is_not_a_read_cannot_be_allowed() {
        for action in [
            "",
            "*",
            "ecs:*",
            "ecs:D*",
            "ecs:UpdateService",
            "ecs:Update*",
            "ecs:DescribeServices,ecs:UpdateService",
            "ecs:Describe*Service",
            "ecs:Getaway",
            "ecs:ExecuteCommand",
            "ecs:RunTask",
            "iam:PassRole",
            "*:Describe*",
            "secretsmanager:GetSecretValue",
            "secretsmanager:ListSecrets",
            "ssm:GetParameters",
            "ssm:Get*",
            "ecr:Get*",
            "ecr:GetAuthorizationToken",
            "kms:Describe*",
            "sts:GetCallerIdentity",
            "sts:GetSessionToken",
        ] {
            let refused = AllowedOperations::reads([action]);
            assert!(refused.is_err(), "{action}");
        }
    }
}
