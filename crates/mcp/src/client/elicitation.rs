//! What a server asks of the person in the middle of a call.
//!
//! A person is only ever offered a choice: there is no way to type anything, so there is no way to
//! type a secret. An answer goes to the server that asked and to nothing else; what approves a plan
//! is read from a question of another kind, which no server can make.

use rmcp::model::ElicitRequestParams;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::digest::Digest;
use super::untrusted::Untrusted;

/// Most options that a person is shown.
const MOST_OPTIONS: usize = 20;
/// Longest text of a question or an option, in characters.
const LONGEST: usize = 300;
/// Words of things that are not told to a program that asks for them, also as a choice.
const SECRETS: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "api key",
    "api-key",
    "apikey",
    "access key",
    "private key",
    "credential",
    "pin code",
    "one-time",
    "otp",
    "mfa",
    "2fa",
];

/// A question that a person may be asked: one choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Names the question: the same question has the same name.
    pub id: Digest,
    /// Who asks.
    pub server: String,
    /// What it says, made printable.
    pub message: String,
    /// The member of the answer that is chosen; none if it only wants a yes.
    member: Option<String>,
    /// What can be chosen, made printable, with what goes back.
    pub options: Vec<ChoiceOption>,
}

/// One answer to a [`Choice`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceOption {
    /// What the person reads.
    pub label: String,
    /// What goes back to the server.
    value: Value,
}

/// Why a server may not ask that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotAsked {
    /// The configuration does not let it ask anything.
    NotAllowed,
    /// It asks for a secret.
    Secret,
    /// It asks for something to be typed, or for several things at once.
    NotAChoice,
    /// It sends the person to a page.
    Page,
}

impl NotAsked {
    /// Returns the words for a report.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotAllowed => {
                "it wanted to ask the person something, which its configuration does not allow"
            }
            Self::Secret => "it wanted to ask the person for a secret",
            Self::NotAChoice => {
                "it wanted the person to type something; only a choice between options is passed on"
            }
            Self::Page => "it wanted to send the person to a web page",
        }
    }
}

impl Choice {
    /// Reads a request; most of what could be asked is refused.
    pub(super) fn of(server: &str, asked: &ElicitRequestParams) -> Result<Self, NotAsked> {
        let ElicitRequestParams::FormElicitationParams {
            message,
            requested_schema,
            ..
        } = asked
        else {
            return Err(NotAsked::Page);
        };
        let schema = json!(requested_schema);
        let all = format!("{message} {schema}").to_lowercase();
        if SECRETS.iter().any(|word| all.contains(word)) {
            return Err(NotAsked::Secret);
        }
        let members = schema.get("properties").and_then(Value::as_object);
        let mut members = members.into_iter().flatten();
        let (member, options) = match (members.next(), members.next()) {
            (None, _) => (None, vec![(json!({}), "Yes".to_owned())]),
            (Some((name, of)), None) => (Some(name.clone()), options_of(of)?),
            (Some(_), Some(_)) => return Err(NotAsked::NotAChoice),
        };
        let options: Vec<ChoiceOption> = options
            .into_iter()
            .map(|(value, label)| ChoiceOption {
                label: shown(server, &label),
                value,
            })
            .collect();
        if options.is_empty() || options.len() > MOST_OPTIONS {
            return Err(NotAsked::NotAChoice);
        }
        Ok(Self {
            id: Digest::of(&json!({"server": server, "message": message, "schema": schema})),
            server: server.to_owned(),
            message: shown(server, message),
            member,
            options,
        })
    }

    /// Returns what goes back for the option of this place.
    pub(super) fn content(&self, option: usize) -> Option<Value> {
        let chosen = self.options.get(option)?;
        Some(match &self.member {
            Some(member) => json!({ member: chosen.value }),
            None => chosen.value.clone(),
        })
    }
}

fn options_of(member: &Value) -> Result<Vec<(Value, String)>, NotAsked> {
    if member.get("type").and_then(Value::as_str) == Some("boolean") {
        return Ok(vec![
            (json!(true), "Yes".to_owned()),
            (json!(false), "No".to_owned()),
        ]);
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(values) = member.get("enum").and_then(Value::as_array) {
        let titles = member.get("enumNames").and_then(Value::as_array);
        return Ok(values
            .iter()
            .enumerate()
            .filter_map(|(at, value)| {
                let title = titles.and_then(|titles| text(titles.get(at)?));
                Some((value.clone(), title.or_else(|| text(value))?))
            })
            .collect());
    }
    let titled = member.get("oneOf").and_then(Value::as_array);
    let titled = titled.ok_or(NotAsked::NotAChoice)?;
    Ok(titled
        .iter()
        .filter_map(|one| {
            let value = one.get("const")?;
            Some((value.clone(), text(one.get("title").unwrap_or(value))?))
        })
        .collect())
}

fn shown(server: &str, text: &str) -> String {
    Untrusted::new(server, text).one_line(LONGEST)
}

#[cfg(test)]
#[path = "elicitation_tests.rs"]
mod tests;
