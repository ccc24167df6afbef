//! Anthropic's Messages: <https://docs.anthropic.com/en/api/messages> and `messages-streaming`.

use serde_json::{Value, json};

use super::{event, field, list, pieces, text_of};
use crate::answer::{Call, Failure, Reply};
use crate::delivery::Piece;
use crate::figures::Figures;
use crate::turn::{Item, Turn};

pub(super) fn read(turn: &mut Turn) -> Result<(), Failure> {
    let body = turn.body.clone();
    let is_limit = body
        .get("max_tokens")
        .and_then(Value::as_u64)
        .is_some_and(|limit| limit > 0);
    if !is_limit {
        return Err(Failure::of(400, "max_tokens: Field required"));
    }
    turn.system = text_of(body.get("system"));
    turn.tools = list(&body, "tools")
        .map(|tool| field(tool, "name"))
        .collect();
    for (place, message) in list(&body, "messages").enumerate() {
        let role = field(message, "role");
        let blocks = match message.get("content") {
            Some(Value::String(text)) => vec![json!({"type": "text", "text": text})],
            Some(Value::Array(blocks)) => blocks.clone(),
            _ => {
                return Err(Failure::of(
                    400,
                    format!("messages.{place}.content: Input should be a valid list"),
                ));
            }
        };
        let mut is_talk = false;
        for block in blocks {
            let kind = field(&block, "type");
            let item = match (role.as_str(), kind.as_str()) {
                ("user", "text") => {
                    is_talk = true;
                    Item::Said(field(&block, "text"))
                }
                ("user", "tool_result") => {
                    // Results come first: a text before them parts them from their calls.
                    if is_talk {
                        return Err(Failure::of(
                            400,
                            format!("messages.{place}: `tool_result` blocks must come first"),
                        ));
                    }
                    Item::Result {
                        call: field(&block, "tool_use_id"),
                        text: text_of(block.get("content")),
                    }
                }
                ("assistant", "text") => {
                    let text = field(&block, "text");
                    if text.trim().is_empty() {
                        return Err(Failure::of(
                            400,
                            "messages: text content blocks must contain non-whitespace text",
                        ));
                    }
                    Item::Answered {
                        text,
                        calls: Vec::new(),
                    }
                }
                ("assistant", "tool_use") => {
                    let input = block.get("input").cloned().unwrap_or_default();
                    if !input.is_object() {
                        return Err(Failure::of(
                            400,
                            format!(
                                "messages.{place}.content: tool_use.input: Input should be a valid dictionary"
                            ),
                        ));
                    }
                    Item::Answered {
                        text: String::new(),
                        calls: vec![Call::new(
                            field(&block, "id"),
                            field(&block, "name"),
                            input.to_string(),
                        )],
                    }
                }
                ("assistant", "thinking") => {
                    if field(&block, "signature") != signature(&field(&block, "thinking")) {
                        return Err(Failure::of(
                            400,
                            format!(
                                "messages.{place}.content: Invalid `signature` in `thinking` block"
                            ),
                        ));
                    }
                    continue;
                }
                ("user" | "assistant", other) => {
                    return Err(Failure::of(
                        400,
                        format!("messages.{place}.content: Input tag '{other}' found"),
                    ));
                }
                (other, _) => {
                    return Err(Failure::of(
                        400,
                        format!(
                            "messages.{place}.role: Input should be 'user' or 'assistant', not '{other}'"
                        ),
                    ));
                }
            };
            turn.push(item);
        }
    }
    if matches!(turn.items.first(), Some(Item::Answered { .. })) {
        return Err(Failure::of(
            400,
            "messages: first message must use the \"user\" role",
        ));
    }
    Ok(())
}

/// What proves that a thought comes back as it was.
fn signature(thought: &str) -> String {
    let sum = thought.bytes().fold(17_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    format!("sig-{sum:016x}")
}

fn usage(figures: Figures) -> Value {
    json!({
        "input_tokens": figures.input,
        "cache_creation_input_tokens": figures.cache_write,
        "cache_read_input_tokens": figures.cache_read,
        "output_tokens": figures.output,
    })
}

fn stop_reason(reply: &Reply) -> &'static str {
    if reply.refusal.is_some() {
        "refusal"
    } else if reply.is_truncated {
        "max_tokens"
    } else if reply.calls.is_empty() {
        "end_turn"
    } else {
        "tool_use"
    }
}

fn message(turn: &Turn, content: &[Value], stop: Option<&str>, figures: Figures) -> Value {
    json!({
        "id": format!("msg_{:024}", turn.number),
        "type": "message",
        "role": "assistant",
        "model": turn.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": null,
        "usage": usage(figures),
    })
}

pub(super) fn whole(turn: &Turn, reply: &Reply, figures: Figures) -> Vec<Piece> {
    let mut content = Vec::new();
    if let Some(thought) = &reply.reasoning {
        content.push(
            json!({"type": "thinking", "thinking": thought, "signature": signature(thought)}),
        );
    }
    if !reply.text.is_empty() && reply.refusal.is_none() {
        content.push(json!({"type": "text", "text": reply.text}));
    }
    content.extend(reply.calls.iter().map(|call| {
        // What is no JSON object cannot be told in this form, which has it parsed.
        let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})
    }));
    let message = message(turn, &content, Some(stop_reason(reply)), figures);
    vec![Piece::telling(message.to_string(), figures)]
}

pub(super) fn events(turn: &Turn, reply: &Reply, figures: Figures) -> Vec<Piece> {
    // The first figures come before anything was written.
    let start = Figures {
        output: figures.output.min(1),
        ..figures
    };
    let mut sent = vec![Piece::telling(
        event(
            "message_start",
            &json!({"type": "message_start", "message": message(turn, &[], None, start)}),
        ),
        start,
    )];
    let mut say = |name: &str, data: Value| sent.push(Piece::new(event(name, &data)));
    say("ping", json!({"type": "ping"}));
    let mut index = 0;
    let mut block = |opened: Value, deltas: Vec<Value>| {
        say(
            "content_block_start",
            json!({"type": "content_block_start", "index": index, "content_block": opened}),
        );
        for delta in deltas {
            say(
                "content_block_delta",
                json!({"type": "content_block_delta", "index": index, "delta": delta}),
            );
        }
        say(
            "content_block_stop",
            json!({"type": "content_block_stop", "index": index}),
        );
        index += 1;
    };
    if let Some(thought) = &reply.reasoning {
        let mut deltas: Vec<Value> = pieces(thought)
            .into_iter()
            .map(|piece| json!({"type": "thinking_delta", "thinking": piece}))
            .collect();
        deltas.push(json!({"type": "signature_delta", "signature": signature(thought)}));
        block(
            json!({"type": "thinking", "thinking": "", "signature": ""}),
            deltas,
        );
    }
    if !reply.text.is_empty() && reply.refusal.is_none() {
        let deltas = pieces(&reply.text)
            .into_iter()
            .map(|piece| json!({"type": "text_delta", "text": piece}))
            .collect();
        block(json!({"type": "text", "text": ""}), deltas);
    }
    for call in &reply.calls {
        let deltas = pieces(&call.arguments)
            .into_iter()
            .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}))
            .collect();
        block(
            json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}}),
            deltas,
        );
    }
    let mut delta = json!({"stop_reason": stop_reason(reply), "stop_sequence": null});
    if let (Some(words), Some(members)) = (&reply.refusal, delta.as_object_mut()) {
        let details = json!({"type": "refusal", "category": null, "explanation": words});
        members.insert("stop_details".to_owned(), details);
    }
    let end = json!({"type": "message_delta", "delta": delta, "usage": usage(figures)});
    sent.push(Piece::telling(event("message_delta", &end), figures));
    sent.push(Piece::new(event(
        "message_stop",
        &json!({"type": "message_stop"}),
    )));
    sent
}

pub(super) fn error(failure: &Failure) -> Value {
    let kind = match failure.status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let kind = failure.code.as_deref().unwrap_or(kind);
    json!({"type": "error", "error": {"type": kind, "message": failure.message}})
}
