//! OpenAI's Responses: <https://platform.openai.com/docs/api-reference/responses> and
//! `responses-streaming`.

use serde_json::{Value, json};

use super::{event, field, list, pieces, text_of};
use crate::answer::{Call, Failure, Reply};
use crate::delivery::Piece;
use crate::figures::Figures;
use crate::turn::{Item, Turn};

pub(super) fn read(turn: &mut Turn) -> Result<(), Failure> {
    let body = turn.body.clone();
    turn.system = field(&body, "instructions");
    turn.tools = list(&body, "tools")
        .map(|tool| field(tool, "name"))
        .collect();
    if let Some(Value::String(text)) = body.get("input") {
        turn.push(Item::Said(text.clone()));
        return Ok(());
    }
    for item in list(&body, "input") {
        let kind = item
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or("message");
        match kind {
            "message" => {
                let text = text_of(item.get("content"));
                match field(item, "role").as_str() {
                    "system" | "developer" => turn.system.push_str(&text),
                    "assistant" => turn.push(Item::Answered {
                        text,
                        calls: Vec::new(),
                    }),
                    _ => turn.push(Item::Said(text)),
                }
            }
            "function_call" => turn.push(Item::Answered {
                text: String::new(),
                calls: vec![Call::new(
                    field(item, "call_id"),
                    field(item, "name"),
                    field(item, "arguments"),
                )],
            }),
            "function_call_output" => turn.push(Item::Result {
                call: field(item, "call_id"),
                text: text_of(item.get("output")),
            }),
            "reasoning" => {}
            other => {
                return Err(Failure::of(
                    400,
                    format!("Invalid value: '{other}' for 'input[].type'."),
                ));
            }
        }
    }
    Ok(())
}

fn usage(figures: Figures) -> Value {
    json!({
        "input_tokens": figures.prompt(),
        "input_tokens_details": {"cached_tokens": figures.cache_read},
        "output_tokens": figures.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": figures.prompt() + figures.output,
    })
}

fn response(turn: &Turn, status: &str, output: &[Value], used: Option<Value>) -> Value {
    let incomplete = (status == "incomplete").then(|| json!({"reason": "max_output_tokens"}));
    json!({
        "id": format!("resp_{:024}", turn.number),
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "error": null,
        "incomplete_details": incomplete,
        "instructions": null,
        "max_output_tokens": null,
        "model": turn.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "store": false,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": used,
        "metadata": {},
    })
}

fn status(reply: &Reply) -> &'static str {
    if reply.is_truncated {
        "incomplete"
    } else {
        "completed"
    }
}

/// The part of a message that says something.
fn part(reply: &Reply, text: &str) -> Option<Value> {
    match &reply.refusal {
        Some(_) => Some(json!({"type": "refusal", "refusal": text})),
        None if reply.text.is_empty() => None,
        None => {
            Some(json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}))
        }
    }
}

/// What is put out, each as it is at its start, the pieces that it grows by, and its end.
struct Output {
    opened: Value,
    grows: Grows,
    done: Value,
}

enum Grows {
    /// A message: its part when opened and when done, the event's word, the text.
    Words(Value, Value, &'static str, String),
    /// A call.
    Arguments(String),
    /// A thought, in its summary.
    Summary(String),
}

fn outputs(turn: &Turn, reply: &Reply) -> Vec<Output> {
    let number = turn.number;
    let mut all = Vec::new();
    if let Some(thought) = &reply.reasoning {
        let item = |summary: Value| {
            json!({
                "id": format!("rs_{number}"), "type": "reasoning", "summary": summary,
                "encrypted_content": null,
            })
        };
        all.push(Output {
            opened: item(json!([])),
            done: item(json!([{"type": "summary_text", "text": thought}])),
            grows: Grows::Summary(thought.clone()),
        });
    }
    let words = reply.refusal.as_ref().unwrap_or(&reply.text);
    if let (Some(empty), Some(full)) = (part(reply, ""), part(reply, words)) {
        let item = |status: &str, content: Value| {
            json!({
                "id": format!("msg_{number}"), "type": "message", "status": status,
                "role": "assistant", "content": content,
            })
        };
        let kind = match &reply.refusal {
            Some(_) => "refusal",
            None => "output_text",
        };
        all.push(Output {
            opened: item("in_progress", json!([])),
            done: item(status(reply), json!([full])),
            grows: Grows::Words(empty, full, kind, words.clone()),
        });
    }
    all.extend(reply.calls.iter().enumerate().map(|(index, call)| {
        let item = |status: &str, arguments: &str| {
            json!({
                "id": format!("fc_{number}_{index}"), "type": "function_call", "status": status,
                "call_id": call.id, "name": call.name, "arguments": arguments,
            })
        };
        Output {
            opened: item("in_progress", ""),
            done: item("completed", &call.arguments),
            grows: Grows::Arguments(call.arguments.clone()),
        }
    }));
    all
}

pub(super) fn whole(turn: &Turn, reply: &Reply, figures: Figures) -> Vec<Piece> {
    let output: Vec<Value> = outputs(turn, reply)
        .into_iter()
        .map(|output| output.done)
        .collect();
    let answer = response(turn, status(reply), &output, Some(usage(figures)));
    vec![Piece::telling(answer.to_string(), figures)]
}

pub(super) fn events(turn: &Turn, reply: &Reply, figures: Figures) -> Vec<Piece> {
    let mut sent = Sent::default();
    let started = response(turn, "in_progress", &[], None);
    sent.say("response.created", json!({"response": started}));
    sent.say("response.in_progress", json!({"response": started}));
    let mut output = Vec::new();
    for (
        index,
        Output {
            opened,
            grows,
            done,
        },
    ) in outputs(turn, reply).into_iter().enumerate()
    {
        let id = field(&done, "id");
        sent.say(
            "response.output_item.added",
            json!({"output_index": index, "item": opened}),
        );
        match grows {
            Grows::Words(empty, full, kind, text) => {
                let at = json!({"item_id": id, "output_index": index, "content_index": 0});
                sent.say("response.content_part.added", with(&at, "part", empty));
                for piece in pieces(&text) {
                    let mut delta = with(&at, "delta", piece.into());
                    if kind == "output_text" {
                        delta = with(&delta, "logprobs", json!([]));
                    }
                    sent.say(&format!("response.{kind}.delta"), delta);
                }
                let named = if kind == "refusal" { "refusal" } else { "text" };
                let mut said = with(&at, named, text.into());
                if kind == "output_text" {
                    said = with(&said, "logprobs", json!([]));
                }
                sent.say(&format!("response.{kind}.done"), said);
                sent.say("response.content_part.done", with(&at, "part", full));
            }
            Grows::Arguments(text) => {
                let at = json!({"item_id": id, "output_index": index});
                for piece in pieces(&text) {
                    sent.say(
                        "response.function_call_arguments.delta",
                        with(&at, "delta", piece.into()),
                    );
                }
                let named = with(&at, "name", field(&done, "name").into());
                sent.say(
                    "response.function_call_arguments.done",
                    with(&named, "arguments", text.into()),
                );
            }
            Grows::Summary(text) => {
                let at = json!({"item_id": id, "output_index": index, "summary_index": 0});
                let part = |text: &str| json!({"type": "summary_text", "text": text});
                sent.say(
                    "response.reasoning_summary_part.added",
                    with(&at, "part", part("")),
                );
                for piece in pieces(&text) {
                    sent.say(
                        "response.reasoning_summary_text.delta",
                        with(&at, "delta", piece.into()),
                    );
                }
                sent.say(
                    "response.reasoning_summary_text.done",
                    with(&at, "text", text.clone().into()),
                );
                sent.say(
                    "response.reasoning_summary_part.done",
                    with(&at, "part", part(&text)),
                );
            }
        }
        sent.say(
            "response.output_item.done",
            json!({"output_index": index, "item": done}),
        );
        output.push(done);
    }
    let ended = response(turn, status(reply), &output, Some(usage(figures)));
    sent.say(
        &format!("response.{}", status(reply)),
        json!({"response": ended}),
    );
    let mut pieces = sent.pieces;
    if let Some(last) = pieces.last_mut() {
        last.told = Some(figures);
    }
    pieces
}

/// Events, each with its number.
#[derive(Default)]
struct Sent {
    pieces: Vec<Piece>,
}

impl Sent {
    fn say(&mut self, name: &str, data: Value) {
        let numbered = with(&data, "sequence_number", self.pieces.len().into());
        let typed = with(&numbered, "type", name.into());
        self.pieces.push(Piece::new(event(name, &typed)));
    }
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    object
}
