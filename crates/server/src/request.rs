//! A run's request: what of it means something here, and what it asks for.

use ecs_agent_core::{InvocationSettings, Mode};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::fold::Fold;
use crate::projection::message_id;
use crate::state::{ASSISTANT_ID, GRAPH_ID};

/// The body of every request that starts a run. Unknown fields are ignored.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RunRequest {
    #[serde(default)]
    pub(crate) assistant_id: Option<String>,
    #[serde(default)]
    pub(crate) input: Option<Value>,
    #[serde(default)]
    pub(crate) command: Option<Command>,
    #[serde(default)]
    pub(crate) stream_mode: Option<OneOrMany>,
    #[serde(default)]
    pub(crate) config: Option<Config>,
    #[serde(default)]
    pub(crate) context: Option<Map<String, Value>>,
    #[serde(default)]
    pub(crate) checkpoint: Option<Map<String, Value>>,
    #[serde(default)]
    pub(crate) checkpoint_id: Option<String>,
    #[serde(default)]
    pub(crate) interrupt_before: Option<Value>,
    #[serde(default)]
    pub(crate) interrupt_after: Option<Value>,
    #[serde(default)]
    pub(crate) if_not_exists: Option<IfNotExists>,
    #[serde(default)]
    pub(crate) on_disconnect: Option<OnDisconnect>,
    #[serde(default)]
    pub(crate) multitask_strategy: Option<String>,
}

/// `command`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Command {
    #[serde(default)]
    resume: Option<Value>,
    #[serde(default)]
    update: Option<Value>,
    #[serde(default)]
    goto: Option<Value>,
}

impl Command {
    /// Whether it is the "mark as resolved" of the UIs.
    fn ends_turn(&self) -> bool {
        self.goto.as_ref().and_then(Value::as_str) == Some("__end__")
    }
}

/// `config`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Config {
    #[serde(default)]
    configurable: Option<Map<String, Value>>,
}

/// A word or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(word) => vec![word],
            Self::Many(words) => words,
        }
    }
}

/// What happens when the thread is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IfNotExists {
    /// 404.
    Reject,
    /// It is made.
    Create,
}

/// What happens when the client goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnDisconnect {
    /// The run goes on.
    Continue,
    /// The run ends.
    Cancel,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wanted {
    /// The person says something.
    Say(String),
    /// The person answers.
    Resume(Value),
    /// The thread goes on from where it stands.
    GoOn,
    /// The turn ends; whatever is asked is declined.
    End,
}

impl RunRequest {
    /// Refuses what this server cannot do, before anything happens.
    ///
    /// # Errors
    /// [`ApiError`], naming the field.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        match self.assistant_id.as_deref() {
            Some(GRAPH_ID | ASSISTANT_ID) => {}
            Some(id) if uuid::Uuid::try_parse(id).is_ok() => {
                return Err(ApiError::NotFound("Assistant"));
            }
            Some(_) | None => {
                return Err(ApiError::Invalid(format!(
                    "`assistant_id` must be `{GRAPH_ID}`"
                )));
            }
        }
        for (field, given) in [
            ("interrupt_before", &self.interrupt_before),
            ("interrupt_after", &self.interrupt_after),
        ] {
            if given.as_ref().is_some_and(|given| !is_nothing(given)) {
                return Err(ApiError::Invalid(format!(
                    "`{field}` is not offered: every change asks for approval by itself; leave it out"
                )));
            }
        }
        if let Some(command) = &self.command {
            let goto = command.goto.as_ref().filter(|_| !command.ends_turn());
            for (field, given) in [("update", command.update.as_ref()), ("goto", goto)] {
                if given.is_some_and(|given| !is_nothing(given)) {
                    return Err(ApiError::Invalid(format!(
                        "`command.{field}` is not offered; answer the open question with `command.resume`"
                    )));
                }
            }
        }
        let given = |map: Option<&Map<String, Value>>| map.is_some_and(|map| !map.is_empty());
        let configurable = self
            .config
            .as_ref()
            .and_then(|config| config.configurable.as_ref());
        if given(self.context.as_ref()) && given(configurable) {
            return Err(ApiError::Invalid(
                "give `context` or `config.configurable`, not both".to_owned(),
            ));
        }
        Ok(())
    }

    /// The checkpoint that the run is to start from.
    pub(crate) fn checkpoint_id(&self) -> Option<&str> {
        self.checkpoint
            .as_ref()
            .and_then(|checkpoint| checkpoint.get("checkpoint_id"))
            .and_then(Value::as_str)
            .or(self.checkpoint_id.as_deref())
    }

    /// What is asked for, on a thread that stands so.
    ///
    /// # Errors
    /// [`ApiError::Invalid`], when the input cannot be understood.
    pub(crate) fn wanted(&self, fold: Option<&Fold>) -> Result<Wanted, ApiError> {
        if let Some(resume) = self
            .command
            .as_ref()
            .and_then(|command| command.resume.as_ref())
        {
            return Ok(Wanted::Resume(resume.clone()));
        }
        if self.command.as_ref().is_some_and(Command::ends_turn) {
            return Ok(Wanted::End);
        }
        let resuming = self
            .setting("__pregel_resuming")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let Some(input) = self.input.as_ref().filter(|input| !input.is_null()) else {
            return Ok(Wanted::GoOn);
        };
        if resuming || self.command.is_some() {
            return Ok(Wanted::GoOn);
        }
        let given = input.get("messages").unwrap_or(input);
        let said = human_words(given, fold)?;
        if said.trim().is_empty() {
            return Err(ApiError::Invalid(
                "`input.messages` must hold a new human message; to go on without one leave `input` out"
                    .to_owned(),
            ));
        }
        Ok(Wanted::Say(said))
    }

    /// Narrows the settings of the run to what the request says. It can widen nothing: no
    /// credential, endpoint or permission is read from it.
    pub(crate) fn narrow(&self, settings: &mut InvocationSettings) {
        let word = |keys: [&str; 2]| {
            keys.iter()
                .find_map(|key| self.word(key))
                .filter(|word| !word.trim().is_empty())
        };
        let hints = &mut settings.hints;
        for (hint, keys) in [
            (&mut hints.cluster, ["cluster", "cluster_name"]),
            (&mut hints.service, ["service", "service_name"]),
            (&mut hints.organization, ["orgId", "organization"]),
            (&mut hints.environment, ["envName", "environment"]),
        ] {
            if let Some(said) = word(keys) {
                *hint = Some(said);
            }
        }
        if self.word("mode").as_deref() == Some("diagnose") {
            settings.mode = Mode::Diagnose;
        }
    }

    /// A word of the input, the context or the configuration.
    fn word(&self, key: &str) -> Option<String> {
        self.input
            .as_ref()
            .and_then(|input| input.get(key))
            .or_else(|| self.setting(key))
            .and_then(Value::as_str)
            .map(str::to_owned)
    }

    fn setting(&self, key: &str) -> Option<&Value> {
        let configurable = self
            .config
            .as_ref()
            .and_then(|config| config.configurable.as_ref());
        self.context
            .as_ref()
            .and_then(|context| context.get(key))
            .or_else(|| configurable.and_then(|configurable| configurable.get(key)))
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The new human words of the input's messages; those that the thread has already are skipped.
fn human_words(given: &Value, fold: Option<&Fold>) -> Result<String, ApiError> {
    let mut said: Vec<String> = Vec::new();
    match given {
        Value::String(text) => said.push(text.clone()),
        Value::Array(messages) => {
            for message in messages {
                said.extend(human_message(message, fold)?);
            }
        }
        Value::Object(message) if message.contains_key("content") => {
            said.extend(human_message(given, fold)?);
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
            return Err(ApiError::Invalid(
                "`input` must be an object with `messages`, or `null` to go on".to_owned(),
            ));
        }
    }
    Ok(said.join("\n\n"))
}

fn human_message(message: &Value, fold: Option<&Fold>) -> Result<Option<String>, ApiError> {
    let known = message
        .get("id")
        .and_then(Value::as_str)
        .is_some_and(|id| fold.is_some_and(|fold| has_message(fold, id)));
    if known {
        return Ok(None);
    }
    let (role, content) = match message {
        Value::String(text) => return Ok(Some(text.clone())),
        Value::Array(pair) => (pair.first().and_then(Value::as_str), pair.get(1)),
        Value::Object(fields) => {
            let role = fields.get("role").or_else(|| fields.get("type"));
            (role.and_then(Value::as_str), fields.get("content"))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => (None, None),
    };
    match role {
        Some("user" | "human") => Ok(Some(text_of(content)?)),
        Some(_) | None => Err(ApiError::Invalid(
            "`input.messages` may add human messages only (`role: user` or `type: human`)"
                .to_owned(),
        )),
    }
}

fn has_message(fold: &Fold, id: &str) -> bool {
    (0..fold.thread().state().messages().len()).any(|index| message_id(fold.id(), index) == id)
}

fn text_of(content: Option<&Value>) -> Result<String, ApiError> {
    let refusal = || {
        ApiError::Invalid(
            "a message's `content` must be a string or a list of text blocks".to_owned(),
        )
    };
    match content {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(blocks)) => blocks
            .iter()
            .map(|block| match block {
                Value::String(text) => Ok(text.clone()),
                Value::Object(_)
                | Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_) => block
                    .get("text")
                    .and_then(Value::as_str)
                    .map(str::to_owned)
                    .ok_or_else(refusal),
            })
            .collect::<Result<Vec<_>, _>>()
            .map(|blocks| blocks.join("\n")),
        Some(Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_)) | None => {
            Err(refusal())
        }
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
