//! Our request in `rig`'s words.

use ecs_agent_runtime::{Message, ModelRequest, Reasoning, ToolCall, ToolStatus};
use rig_core::completion::{
    CompletionRequest, Effort as RigEffort, GenerationOptions, OnUnsupported, ToolDefinition,
};
use rig_core::message::{
    AssistantContent, AssistantMessage, CallId, Message as RigMessage, Text, ToolCall as RigCall,
    ToolFunction, ToolName, ToolResult, ToolResultContent, UserContent,
};

use crate::settings::Effort;

/// What stands for a name that a model left out; there is no such tool.
const NAMELESS: &str = "unnamed";

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
                    call: CallId::from_wire(call_id.as_str()),
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
        let id = CallId::from_wire(call.id.as_str());
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
                let id = CallId::from_wire(call.id.as_str());
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

/// A name as providers take it. Never `None`: it is not empty, which is all that is asked of it.
fn tool_name(name: &str) -> Option<ToolName> {
    let name = if name.is_empty() { NAMELESS } else { name };
    ToolName::new(name).ok()
}
