//! Whether a request may be signed: operation, region, account, and what the context is for now.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::allowed::AllowedOperations;
use super::inspect::{Asked, fields};
use super::placeholder::SignedScope;
use super::refusal::{Dialect, Refusal};
use crate::context::{ContextState, CredentialContext};
use crate::identity::{AccountId, Region};
use crate::scope::Scope;

/// Fields that hold the bare id of an account.
const ACCOUNT_FIELDS: [&str; 4] = ["accountid", "awsaccountid", "registryid", "ownerid"];

/// What one child is held to.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) allowed: AllowedOperations,
    pub(super) account: AccountId,
    pub(super) region: Region,
}

impl Gate {
    /// Refuses what the context is not for at this moment.
    pub(super) fn check_context(&self, context: &CredentialContext) -> Result<(), Refusal> {
        let described = context.describe();
        if described.state != ContextState::Filled {
            return Err(Refusal::NoCredentials);
        }
        if described.account.as_ref() != Some(&self.account) {
            return Err(Refusal::AccountChanged);
        }
        if described.scope != Some(Scope::Observe) {
            return Err(Refusal::NotObserving);
        }
        Ok(())
    }

    /// Refuses an operation that is not allowed, and another region or account than the context's.
    pub(super) fn check(
        &self,
        scope: &SignedScope,
        asked: &Asked,
        query: &str,
        body: &[u8],
    ) -> Result<(), Refusal> {
        if !asked.service.accepts_scope(&scope.region, &self.region) {
            return Err(self.other_region(&scope.region));
        }
        let service = asked.service.iam_prefix;
        if !self.allowed.allows(service, &asked.operation) {
            return Err(Refusal::NotAllowed {
                service: service.to_owned(),
                operation: asked.operation.clone(),
            });
        }
        match asked.dialect {
            Dialect::Json => self.check_json(body),
            Dialect::Query | Dialect::Ec2 => {
                let pairs = fields(query.as_bytes()).chain(fields(body));
                for (name, value) in pairs {
                    let name = String::from_utf8_lossy(&name);
                    self.check_text(&name, &String::from_utf8_lossy(&value))?;
                }
                Ok(())
            }
            Dialect::Cbor => self.check_bytes(body),
        }
    }

    fn check_json(&self, body: &[u8]) -> Result<(), Refusal> {
        if body.is_empty() {
            return Ok(());
        }
        let texts: Texts =
            serde_json::from_slice(body).map_err(|_| Refusal::Malformed("its body is not JSON"))?;
        texts
            .0
            .iter()
            .try_for_each(|(name, text)| self.check_text(name, text))
    }

    /// Looks for ARNs in a body that is not taken apart here.
    fn check_bytes(&self, body: &[u8]) -> Result<(), Refusal> {
        let text = String::from_utf8_lossy(body);
        text.match_indices("arn:")
            .filter_map(|(at, _)| text.get(at..))
            .try_for_each(|text| self.check_text("", text))
    }

    fn check_text(&self, name: &str, text: &str) -> Result<(), Refusal> {
        let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        let field = name
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        if ACCOUNT_FIELDS.contains(&field.as_str()) && is_account(text) {
            return self.check_account(text);
        }
        let mut parts = text.trim_start().split(':');
        if parts.next() != Some("arn") {
            return Ok(());
        }
        let (_partition, _service) = (parts.next(), parts.next());
        let region = parts.next().unwrap_or_default();
        if !region.is_empty() && region != self.region.as_str() {
            return Err(self.other_region(region));
        }
        match parts.next().filter(|account| is_account(account)) {
            Some(account) => self.check_account(account),
            None => Ok(()),
        }
    }

    fn check_account(&self, asked: &str) -> Result<(), Refusal> {
        if asked == self.account.as_str() {
            return Ok(());
        }
        Err(Refusal::OtherAccount {
            asked: asked.to_owned(),
            account: self.account.to_string(),
        })
    }

    fn other_region(&self, asked: &str) -> Refusal {
        Refusal::OtherRegion {
            asked: crate::text::excerpt(asked),
            region: self.region.to_string(),
        }
    }
}

/// Every text of a JSON document with the name of its field, also of a field that is there twice:
/// which of the two AWS reads is not for this crate to guess.
struct Texts(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl TextsVisitor {
    fn one(text: &str) -> Texts {
        Texts(vec![(String::new(), text.to_owned())])
    }
}

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Texts, E> {
        Ok(Self::one(text))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Texts, E> {
        Ok(Texts(Vec::new()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Texts, E> {
        Ok(Self::one(&number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Texts, E> {
        Ok(Self::one(&number.to_string()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Texts, E> {
        Ok(Texts(Vec::new()))
    }

    fn visit_unit<E>(self) -> Result<Texts, E> {
        Ok(Texts(Vec::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts, A::Error> {
        let mut all = Vec::new();
        while let Some(Texts(texts)) = seq.next_element()? {
            all.extend(texts);
        }
        Ok(Texts(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
        let mut all = Vec::new();
        while let Some((name, Texts(texts))) = map.next_entry::<String, Texts>()? {
            all.push((String::new(), name.clone()));
            // A list's elements belong to the list's field.
            all.extend(
                texts
                    .into_iter()
                    .map(|(inner, text)| match inner.is_empty() {
                        true => (name.clone(), text),
                        false => (inner, text),
                    }),
            );
        }
        Ok(Texts(all))
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
