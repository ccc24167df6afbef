//! The forms in which providers are asked and answer.

mod anthropic;
mod chat;
mod responses;

use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::{Failure, Reply};
use crate::delivery::Piece;
use crate::figures::Figures;
use crate::turn::{Item, Orphan, Turn};

/// A form in which a provider is asked and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Anthropic's Messages.
    Anthropic,
    /// OpenAI's Chat Completions.
    Chat,
    /// OpenAI's Responses.
    Responses,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Anthropic, Self::Chat, Self::Responses];

    /// Where it is asked.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Anthropic => "/v1/messages",
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
        }
    }

    /// Longest id of a tool call that it takes.
    const fn longest_id(self) -> usize {
        match self {
            // Anthropic documents no limit.
            Self::Anthropic => 512,
            Self::Chat | Self::Responses => 64,
        }
    }

    /// Reads a request, and refuses what the provider refuses.
    pub(crate) fn read(
        self,
        number: usize,
        body: Value,
        bytes: usize,
        window: u64,
    ) -> (Turn, Result<(), Failure>) {
        let mut turn = Turn {
            number,
            form: self,
            model: body
                .get("model")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            streamed: body.get("stream") == Some(&Value::Bool(true)),
            system: String::new(),
            items: Vec::new(),
            tools: Vec::new(),
            tokens: crate::turn::tokens(bytes),
            body,
        };
        let read = match self {
            Self::Anthropic => anthropic::read(&mut turn),
            Self::Chat => chat::read(&mut turn),
            Self::Responses => responses::read(&mut turn),
        };
        let fit = read.and_then(|()| self.check(&turn, window));
        (turn, fit)
    }

    fn check(self, turn: &Turn, window: u64) -> Result<(), Failure> {
        if turn.model.is_empty() {
            return Err(Failure::of(400, "model: Field required"));
        }
        if turn.items.is_empty() {
            return Err(Failure::of(
                400,
                "messages: at least one message is required",
            ));
        }
        let blank = |item: &Item| matches!(item, Item::Said(text) if text.is_empty());
        if turn.items.iter().any(blank) {
            return Err(Failure::of(
                400,
                "messages: text content blocks must be non-empty",
            ));
        }
        turn.check_orphans()
            .map_err(|orphan| self.orphan(&orphan))?;
        turn.check_names(self.longest_id())?;
        if turn.tokens > window {
            return Err(self.too_long(turn.tokens, window));
        }
        Ok(())
    }

    /// The provider's words for an orphan.
    fn orphan(self, orphan: &Orphan) -> Failure {
        let message = match (self, orphan) {
            (Self::Anthropic, Orphan::NoResult(id)) => format!(
                "messages: `tool_use` ids were found without `tool_result` blocks immediately \
                 after: {id}. Each `tool_use` block must have a corresponding `tool_result` block \
                 in the next message."
            ),
            (Self::Anthropic, Orphan::NoCall(id)) => format!(
                "messages: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each \
                 `tool_result` block must have a corresponding `tool_use` block in the previous \
                 message."
            ),
            (Self::Chat, Orphan::NoResult(id)) => format!(
                "An assistant message with 'tool_calls' must be followed by tool messages \
                 responding to each 'tool_call_id'. The following tool_call_ids did not have \
                 response messages: {id}"
            ),
            (Self::Chat, Orphan::NoCall(id)) => format!(
                "Invalid parameter: messages with role 'tool' must be a response to a preceding \
                 message with 'tool_calls' ({id})."
            ),
            (Self::Responses, Orphan::NoResult(id)) => {
                format!("No tool output found for function call {id}.")
            }
            (Self::Responses, Orphan::NoCall(id)) => {
                format!("No tool call found for function call output with call_id {id}.")
            }
        };
        Failure::of(400, message)
    }

    /// The provider's words for a request larger than the window.
    fn too_long(self, tokens: u64, window: u64) -> Failure {
        match self {
            Self::Anthropic => Failure::of(
                400,
                format!("prompt is too long: {tokens} tokens > {window} maximum"),
            ),
            Self::Chat => Failure::of(
                400,
                format!(
                    "This model's maximum context length is {window} tokens. However, your \
                     messages resulted in {tokens} tokens. Please reduce the length of the messages."
                ),
            )
            .coded("context_length_exceeded"),
            Self::Responses => Failure::of(
                400,
                "Your input exceeds the context window of this model. Please adjust your input and \
                 try again.",
            )
            .coded("context_length_exceeded"),
        }
    }

    /// The answer's body, in as many pieces as the form has.
    pub(crate) fn write(self, turn: &Turn, reply: &Reply, figures: Figures) -> Vec<Piece> {
        match (self, turn.streamed) {
            (Self::Anthropic, false) => anthropic::whole(turn, reply, figures),
            (Self::Anthropic, true) => anthropic::events(turn, reply, figures),
            (Self::Chat, false) => chat::whole(turn, reply, figures),
            (Self::Chat, true) => chat::events(turn, reply, figures),
            (Self::Responses, false) => responses::whole(turn, reply, figures),
            (Self::Responses, true) => responses::events(turn, reply, figures),
        }
    }

    /// The body of an error.
    pub(crate) fn error(self, failure: &Failure) -> Value {
        match self {
            Self::Anthropic => anthropic::error(failure),
            Self::Chat | Self::Responses => json!({ "error": openai_error(failure) }),
        }
    }

    /// An error in the middle of a stream.
    pub(crate) fn error_event(self, failure: &Failure) -> Piece {
        match self {
            Self::Anthropic => Piece::new(event("error", &anthropic::error(failure))),
            Self::Chat => Piece::new(data(&json!({ "error": openai_error(failure) }))),
            Self::Responses => {
                let mut error = openai_error(failure);
                if let Some(members) = error.as_object_mut() {
                    members.insert("type".to_owned(), "error".into());
                }
                Piece::new(event("error", &error))
            }
        }
    }
}

fn openai_error(failure: &Failure) -> Value {
    let (kind, code) = match failure.status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        429 => ("requests", Some("rate_limit_exceeded")),
        500.. => ("server_error", Some("server_error")),
        _ => ("invalid_request_error", None),
    };
    let code = failure.code.as_deref().or(code);
    json!({"message": failure.message, "type": kind, "param": null, "code": code})
}

/// A server-sent event with a name.
fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// A server-sent event without one.
fn data(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// A text in pieces of a few characters, as models write.
fn pieces(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    // A long text in few pieces: it is the pieces that are tried, not the patience.
    let size = (letters.len() / 16).max(7);
    letters
        .chunks(size)
        .map(|piece| piece.iter().collect())
        .collect()
}

/// The text of a content that is a string or a list of blocks with a text each.
fn text_of(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => blocks
            .iter()
            .filter_map(|block| block.get("text").or_else(|| block.get("refusal"))?.as_str())
            .collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
            String::new()
        }
    }
}

/// The list under a name; empty if there is none.
fn list<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// The text under a name.
fn field(of: &Value, name: &str) -> String {
    of.get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
