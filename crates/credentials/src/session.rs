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
    #[must_use]
    pub fn of(invocation: InvocationId) -> Self {
        // 15 letters and hyphens and a UUID of 36: within STS's alphabet and its 64 characters.
        Self {
            name: format!("ecs-deep-agent-{}", invocation.uuid()),
            source_identity: None,
            tags: Vec::new(),
        }
    }

    /// Names the person behind the session, with a hyphen for each character that STS would not
    /// take. The role's trust policy has to allow `sts:SetSourceIdentity`.
    #[must_use]
    pub fn on_behalf_of(mut self, person: &str) -> Self {
        let taken = |c: char| {
            let fits = u8::try_from(c).is_ok_and(is_session_byte);
            if fits { c } else { '-' }
        };
        let mut name: String = person.chars().take(64).map(taken).collect();
        while name.len() < 2 {
            name.push('-');
        }
        self.source_identity = Some(name);
        self
    }

    /// Adds a session tag, which the sessions that follow from this one inherit. The role's trust
    /// policy has to allow `sts:TagSession`.
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

/// What a role's sessions tell AWS's audit trail beside their name.
///
/// Both are on unless somebody turned them off: a trust policy that does not allow them is refused
/// with an error that says what to allow or to turn off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribution {
    /// Whether sessions carry tenant, thread and plan as transitive tags (`sts:TagSession`).
    pub session_tags: bool,
    /// Whether sessions carry the person (`sts:SetSourceIdentity`).
    pub source_identity: bool,
}

impl Default for Attribution {
    fn default() -> Self {
        Self {
            session_tags: true,
            source_identity: true,
        }
    }
}

/// STS's alphabet and length for session names and source identities.
fn is_session_word(text: &str) -> bool {
    (2..=64).contains(&text.len()) && text.bytes().all(is_session_byte)
}

fn is_session_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)
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
    fn a_person_s_name_becomes_what_sts_takes() {
        let named = |person: &str| {
            let session = SessionIdentity::new("inv", None).unwrap();
            session.on_behalf_of(person).source_identity.unwrap()
        };
        assert_eq!(named("ada@example.com"), "ada@example.com");
        assert_eq!(named("Ada Lovelace"), "Ada-Lovelace");
        assert_eq!(named("é"), "--");
        assert_eq!(named(&"x".repeat(100)).len(), 64);
        for person in ["", "a", "a\nb", "日本語"] {
            assert!(is_session_word(&named(person)), "{person}");
        }
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
