//! OpenAI's Chat Completions: <https://platform.openai.com/docs/api-reference/chat>.

use serde_json::{Value, json};

use super::{data, field, list, pieces, text_of};
use crate::answer::{Call, Failure, Reply};
use crate::delivery::Piece;
use crate::figures::Figures;
use crate::turn::{Item, Turn};

pub(super) fn read(turn: &mut Turn) -> Result<(), Failure> {
    let body = turn.body.clone();
    turn.tools = list(&body, "tools")
        .filter_map(|tool| tool.get("function"))
        .map(|function| field(function, "name"))
        .collect();
    for message in list(&body, "messages") {
        let text = text_of(message.get("content"));
        match field(message, "role").as_str() {
            "system" | "developer" => turn.system.push_str(&text),
            "user" => turn.push(Item::Said(text)),
            "assistant" => {
                let calls: Vec<Call> = list(message, "tool_calls")
                    .map(|call| {
                        let function = call.get("function").unwrap_or(&Value::Null);
                        Call::new(
                            field(call, "id"),
                            field(function, "name"),
                            field(function, "arguments"),
                        )
                    })
                    .collect();
                if text.is_empty() && calls.is_empty() {
                    return Err(Failure::of(
                        400,
                        "Invalid value for 'content': expected a string, got null.",
                    ));
                }
                turn.items.push(Item::Answered { text, calls });
            }
            "tool" => turn.push(Item::Result {
                call: field(message, "tool_call_id"),
                text,
            }),
            other => {
                return Err(Failure::of(
                    400,
                    format!(
                        "Invalid value: '{other}'. Supported values are: 'system', 'assistant', 'user', 'tool' and 'developer'."
                    ),
                ));
            }
        }
    }
    Ok(())
}

fn usage(figures: Figures) -> Value {
    json!({
        "prompt_tokens": figures.prompt(),
        "completion_tokens": figures.output,
        "total_tokens": figures.prompt() + figures.output,
        "prompt_tokens_details": {"cached_tokens": figures.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

fn finish_reason(reply: &Reply) -> &'static str {
    if reply.is_truncated {
        "length"
    } else if reply.calls.is_empty() || reply.refusal.is_some() {
        "stop"
    } else {
        "tool_calls"
    }
}

fn call(call: &Call, arguments: &str) -> Value {
    json!({
        "id": call.id, "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    })
}

pub(super) fn whole(turn: &Turn, reply: &Reply, figures: Figures) -> Vec<Piece> {
    let said = (!reply.text.is_empty() && reply.refusal.is_none()).then_some(&reply.text);
    let mut message =
        json!({"role": "assistant", "content": said, "refusal": reply.refusal, "annotations": []});
    if let (false, Some(members)) = (reply.calls.is_empty(), message.as_object_mut()) {
        let calls: Vec<Value> = reply
            .calls
            .iter()
            .map(|written| call(written, &written.arguments))
            .collect();
        members.insert("tool_calls".to_owned(), calls.into());
    }
    let answer = json!({
        "id": format!("chatcmpl-{:024}", turn.number),
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": turn.model,
        "choices": [{
            "index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(reply),
        }],
        "usage": usage(figures),
        "service_tier": "default",
    });
    vec![Piece::telling(answer.to_string(), figures)]
}

pub(super) fn events(turn: &Turn, reply: &Reply, figures: Figures) -> Vec<Piece> {
    let counts = turn
        .body
        .pointer("/stream_options/include_usage")
        .and_then(Value::as_bool)
        .unwrap_or_default();
    let chunk = |choices: Value, used: Value| {
        let mut chunk = json!({
            "id": format!("chatcmpl-{:024}", turn.number),
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": turn.model,
            "choices": choices,
        });
        if let (true, Some(members)) = (counts, chunk.as_object_mut()) {
            members.insert("usage".to_owned(), used);
        }
        data(&chunk)
    };
    let delta = |delta: Value, finish: Option<&str>| {
        let choice =
            json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        Piece::new(chunk(choice, Value::Null))
    };
    let mut sent = vec![delta(
        json!({"role": "assistant", "content": "", "refusal": null}),
        None,
    )];
    if let Some(words) = &reply.refusal {
        sent.extend(
            pieces(words)
                .into_iter()
                .map(|piece| delta(json!({"refusal": piece}), None)),
        );
    } else {
        sent.extend(
            pieces(&reply.text)
                .into_iter()
                .map(|piece| delta(json!({"content": piece}), None)),
        );
    }
    for (index, written) in reply.calls.iter().enumerate() {
        let mut opened = call(written, "");
        if let Some(members) = opened.as_object_mut() {
            members.insert("index".to_owned(), index.into());
        }
        sent.push(delta(json!({"tool_calls": [opened]}), None));
        sent.extend(pieces(&written.arguments).into_iter().map(|piece| {
            let more = json!([{"index": index, "function": {"arguments": piece}}]);
            delta(json!({"tool_calls": more}), None)
        }));
    }
    sent.push(delta(json!({}), Some(finish_reason(reply))));
    if counts {
        sent.push(Piece::telling(chunk(json!([]), usage(figures)), figures));
    }
    sent.push(Piece::new("data: [DONE]\n\n".to_owned()));
    sent
}
