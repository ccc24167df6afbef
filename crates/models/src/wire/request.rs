//! Our request in `rig`'s words.

use ecs_agent_runtime::{Message, ModelRequest, Reasoning, ToolCall, ToolCallId, ToolStatus};
use rig_core::completion::{
    CompletionRequest, Effort as RigEffort, GenerationOptions, OnUnsupported, ToolDefinition,
};
use rig_core::message::{
    AssistantContent, AssistantMessage, CallId, Message as RigMessage, Text, ToolCall as RigCall,
    ToolFunction, ToolName, ToolResult, ToolResultContent, UserContent,
};
use sha2::{Digest as _, Sha256};

use crate::settings::Effort;

/// What stands for a name that a model left out; there is no such tool.
const NAMELESS: &str = "unnamed";

/// Longest id of a call and longest name of a tool that every provider takes: OpenAI's limits, of the
/// characters that Anthropic takes.
const LONGEST_ID: usize = 64;
const LONGEST_NAME: usize = 64;

/// What goes with every request of a model.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestOptions {
    pub(crate) max_output_tokens: Option<u64>,
    pub(crate) effort: Option<Effort>,
}

/// The request as the wires of `provider` take it. Reasoning that another provider wrote is left
/// out.
pub(crate) fn completion_request(
    request: ModelRequest,
    provider: &str,
    options: &RequestOptions,
) -> CompletionRequest {
    let mut history: Vec<RigMessage> = Vec::with_capacity(request.messages.len());
    for message in request.messages {
        match message {
            Message::Human { text } => {
                // Providers refuse a message without content.
                let text = if text.is_empty() { " ".into() } else { text };
                push_user(&mut history, UserContent::text(text));
            }
            Message::Ai {
                text,
                tool_calls,
                reasoning,
            } => {
                if let Some(message) = assistant(text, tool_calls, &reasoning, provider) {
                    history.push(RigMessage::Assistant(message));
                }
            }
            Message::Tool {
                call_id,
                name,
                status,
                text,
            } => {
                let text = if text.is_empty() { " ".into() } else { text };
                let Some(name) = tool_name(&name) else {
                    continue;
                };
                let result = ToolResult {
                    call: call_id_of(&call_id),
                    name,
                    content: vec![ToolResultContent::text(text)],
                    is_error: status == ToolStatus::Error,
                };
                push_user(&mut history, UserContent::ToolResult(result));
            }
        }
    }
    let prompt = history.pop().unwrap_or_else(|| RigMessage::user(" "));
    let tools = request
        .tools
        .into_iter()
        .filter_map(|tool| {
            let name = tool_name(&tool.name)?;
            Some(ToolDefinition::new(
                name,
                tool.description,
                tool.input_schema,
            ))
        })
        .collect();
    let mut built = CompletionRequest::new(prompt)
        .messages(history)
        .tools(tools)
        .max_tokens(options.max_output_tokens);
    if !request.system.is_empty() {
        built = built.preamble(request.system);
    }
    if let Some(effort) = options.effort {
        built.options = GenerationOptions::new()
            .reasoning(match effort {
                Effort::Low => RigEffort::Low,
                Effort::Medium => RigEffort::Medium,
                Effort::High => RigEffort::High,
            })
            .on_unsupported(OnUnsupported::Ignore);
    }
    built
}

/// Answers of one turn belong into one message, and so does what a person says next.
fn push_user(history: &mut Vec<RigMessage>, part: UserContent) {
    if let Some(RigMessage::User { content }) = history.last_mut() {
        content.push(part);
        return;
    }
    history.push(RigMessage::User {
        content: vec![part],
    });
}

fn assistant(
    text: String,
    calls: Vec<ToolCall>,
    reasoning: &[Reasoning],
    provider: &str,
) -> Option<AssistantMessage> {
    if let Some(whole) = as_it_was(&text, &calls, reasoning, provider) {
        return Some(whole);
    }
    let mut content = Vec::new();
    if !text.is_empty() {
        content.push(AssistantContent::Text(Text::new(text)));
    }
    content.extend(calls.into_iter().filter_map(|call| {
        let id = call_id_of(&call.id);
        let function = ToolFunction::new(tool_name(&call.name)?, call.arguments);
        Some(AssistantContent::ToolCall(RigCall::new(id, function)))
    }));
    (!content.is_empty()).then(|| AssistantMessage::new(content))
}

/// The message as this provider wrote it, reasoning and signatures included, unless our history
/// tells it otherwise by now. Ids are ours: the runtime may have had to make them unlike.
fn as_it_was(
    text: &str,
    calls: &[ToolCall],
    reasoning: &[Reasoning],
    provider: &str,
) -> Option<AssistantMessage> {
    let kept = reasoning.iter().find(|kept| kept.provider == provider)?;
    let mut message: AssistantMessage = serde_json::from_value(kept.data.clone()).ok()?;
    let mut said = String::new();
    let mut calls = calls.iter();
    for part in &mut message.content {
        match part {
            AssistantContent::Text(part) => said.push_str(&part.text),
            AssistantContent::ToolCall(part) => {
                let call = calls.next()?;
                let id = call_id_of(&call.id);
                let is_same = Some(&part.function.name) == tool_name(&call.name).as_ref()
                    && super::reply::arguments(&part.function) == call.arguments;
                if !is_same {
                    return None;
                }
                if part.id != id {
                    part.id = id;
                    part.native = None;
                }
            }
            AssistantContent::Reasoning(_)
            | AssistantContent::Image(_)
            | AssistantContent::Opaque(_) => {}
            // The type may grow; what is new belongs to the provider.
            _ => {}
        }
    }
    (said == text && calls.next().is_none()).then_some(message)
}

/// An id as every provider takes it. Servers make up ids that another one refuses, and the runtime
/// makes repeated ones unlike: what is not plain, or too long, is told by its hash.
fn call_id_of(id: &ToolCallId) -> CallId {
    let text = id.as_str();
    if is_plain(text, LONGEST_ID) {
        return CallId::from_wire(text);
    }
    let hash: String = Sha256::digest(text)
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    CallId::from_wire(format!("call_{hash}"))
}

/// A name as every provider takes it; of a tool that there is, it is the name itself. Never `None`:
/// it is not empty, which is all that is asked of it.
fn tool_name(name: &str) -> Option<ToolName> {
    if is_plain(name, LONGEST_NAME) {
        return ToolName::new(name).ok();
    }
    let plain: String = name
        .chars()
        .map(|c| if is_plain_char(c) { c } else { '_' })
        .take(LONGEST_NAME)
        .collect();
    let plain = if plain.is_empty() { NAMELESS } else { &plain };
    ToolName::new(plain).ok()
}

fn is_plain(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.chars().all(is_plain_char)
}

const fn is_plain_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}
