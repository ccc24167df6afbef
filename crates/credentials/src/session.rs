//! What AWS's audit trail will say about who is acting.

use crate::identity::InvocationId;

/// The name, source identity and tags of an invocation's role sessions.
///
/// CloudTrail shows all three with every call of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionIdentity {
    name: String,
    source_identity: Option<String>,
    tags: Vec<(String, String)>,
}

impl SessionIdentity {
    /// Names a session, and the person behind it.
    ///
    /// The role's trust policy has to allow `sts:SetSourceIdentity` for a source identity.
    ///
    /// # Errors
    /// [`SessionIdentityError`] if STS would not take one of the two.
    pub fn new(name: &str, source_identity: Option<&str>) -> Result<Self, SessionIdentityError> {
        let check = |field, text: &str| match is_session_word(text) {
            true => Ok(text.to_owned()),
            false => Err(SessionIdentityError { field }),
        };
        Ok(Self {
            name: check("session name", name)?,
            source_identity: source_identity
                .map(|person| check("source identity", person))
                .transpose()?,
            tags: Vec::new(),
        })
    }

    /// Names a session after its invocation.
    pub(crate) fn of(invocation: InvocationId) -> Self {
        // 15 letters and hyphens and a UUID of 36: within STS's alphabet and its 64 characters.
        Self {
            name: format!("ecs-deep-agent-{}", invocation.uuid()),
            source_identity: None,
            tags: Vec::new(),
        }
    }

    /// Adds a session tag. The role's trust policy has to allow `sts:TagSession`.
    ///
    /// # Errors
    /// [`SessionIdentityError`] if STS would not take the tag, or already has 50.
    pub fn with_tag(mut self, key: &str, value: &str) -> Result<Self, SessionIdentityError> {
        let allowed = |text: &str| {
            text.chars()
                .all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c))
        };
        let key_ok = (1..=128).contains(&key.chars().count()) && allowed(key);
        let value_ok = value.chars().count() <= 256 && allowed(value);
        if !key_ok || !value_ok || self.tags.len() == 50 {
            return Err(SessionIdentityError {
                field: "session tag",
            });
        }
        self.tags.push((key.to_owned(), value.to_owned()));
        Ok(self)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn source_identity(&self) -> Option<&str> {
        self.source_identity.as_deref()
    }

    pub(crate) fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// STS's alphabet and length for session names and source identities.
fn is_session_word(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    (2..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// STS would not take part of a session's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {field} is not one STS takes: 2 to 64 of letters, digits and `_+=,.@-` (tags: up to 128 \
     and 256 characters, 50 of them)"
)]
pub struct SessionIdentityError {
    field: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_words_follow_sts() {
        let check = |name: &str, person: Option<&str>, expected: bool| {
            assert_eq!(
                SessionIdentity::new(name, person).is_ok(),
                expected,
                "{name} {person:?}"
            );
        };
        check("inv-0190", None, true);
        check("inv-0190", Some("ada@example.com"), true);
        check("a", None, false);
        check(&"a".repeat(64), None, true);
        check(&"a".repeat(65), None, false);
        check("has space", None, false);
        check("inv-0190", Some("ada/../root"), false);
    }

    #[test]
    fn an_invocation_is_a_session_name() {
        let session = SessionIdentity::of(InvocationId::new(uuid::Uuid::max()));
        assert_eq!(SessionIdentity::new(&session.name, None), Ok(session));
    }

    #[test]
    fn at_most_fifty_tags() {
        let mut session = SessionIdentity::new("inv", None).unwrap();
        for i in 0..50 {
            session = session.with_tag(&format!("k{i}"), "v").unwrap();
        }
        assert!(session.with_tag("one-more", "v").is_err());
    }
}
