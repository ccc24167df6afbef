//! `rig`'s answer in our words.

use ecs_agent_runtime::{Cost, FinishReason, Reasoning, ToolCall, ToolCallId, Usage};
use rig_core::completion::{CompletionResponse, FinishReason as RigFinish, Usage as RigUsage};
use rig_core::message::{AssistantContent, Message, ToolFunction};
use serde_json::Value;

use crate::error::ModelError;
use crate::model::ModelReply;
use crate::prices::Price;
use crate::text::one_line;

/// The answer, or why it is none.
pub(crate) fn reply(
    model: &str,
    provider: &str,
    price: Option<&Price>,
    response: &CompletionResponse,
) -> Result<ModelReply, ModelError> {
    let usage = usage(&response.usage, price);
    let finish = response.finish_reason();
    let refused = |reason: &str| ModelError::Refused {
        model: model.to_owned(),
        reason: one_line(reason),
        usage,
    };
    if finish == Some(RigFinish::ContentFilter) {
        let said = response.text();
        let said = Some(said.as_str()).filter(|text| !text.trim().is_empty());
        let reason = response.error.as_deref().or(said);
        return Err(refused(
            reason.unwrap_or("the provider filtered the answer"),
        ));
    }
    if let Some(words) = refusal(&response.raw) {
        return Err(refused(words));
    }
    if let Some(error) = &response.error {
        return Err(ModelError::Broken {
            model: model.to_owned(),
            reason: one_line(error),
            usage,
        });
    }
    let finish = match finish {
        Some(RigFinish::Length) => FinishReason::Truncated,
        _ => FinishReason::Complete,
    };
    let tool_calls = response
        .tool_calls()
        .map(|call| ToolCall {
            id: ToolCallId::new(call.id.wire()),
            name: call.function.name.as_str().to_owned(),
            arguments: arguments(&call.function),
        })
        .collect();
    Ok(ModelReply {
        text: response.text(),
        tool_calls,
        reasoning: kept(response, provider).into_iter().collect(),
        finish,
        usage,
    })
}

/// A call's arguments; what was no JSON object stays the text that it was, so that the model is told.
pub(super) fn arguments(function: &ToolFunction) -> Value {
    function
        .invalid_arguments
        .as_ref()
        .map_or_else(|| function.arguments_value(), |text| text.clone().into())
}

/// What was used, each kind apart, and what it costs. The four kinds do not overlap: `rig` counts
/// cached tokens as input, too.
pub(crate) fn usage(used: &RigUsage, price: Option<&Price>) -> Usage {
    let cache_read_tokens = used.cached_input_tokens.unwrap_or_default();
    let cache_write_tokens = used.cache_creation_input_tokens.unwrap_or_default();
    let input_tokens = used
        .input_tokens
        .unwrap_or_default()
        .saturating_sub(cache_read_tokens)
        .saturating_sub(cache_write_tokens);
    let usage = Usage {
        input_tokens,
        output_tokens: used.output_tokens.unwrap_or_default(),
        cache_read_tokens,
        cache_write_tokens,
        cost: Cost::NOTHING,
    };
    let is_known = used.input_tokens.is_some() && used.output_tokens.is_some();
    let cost = match price {
        Some(price) if is_known => price.of(&usage),
        // A provider that does not count leaves it open.
        Some(_) | None => Cost::UNKNOWN,
    };
    Usage { cost, ..usage }
}

/// The answer as the provider wrote it, if anything in it cannot be told in our words: reasoning,
/// and signatures that a provider wants back.
fn kept(response: &CompletionResponse, provider: &str) -> Option<Reasoning> {
    let is_opaque = |part: &AssistantContent| {
        matches!(
            part,
            AssistantContent::Reasoning(_) | AssistantContent::Opaque(_)
        ) || part.native_item().is_some()
    };
    if !response.choice.iter().any(is_opaque) {
        return None;
    }
    let Some(Message::Assistant(message)) = response.message() else {
        return None;
    };
    Some(Reasoning {
        provider: provider.to_owned(),
        data: serde_json::to_value(message).ok()?,
    })
}

/// What OpenAI's models say in a place of its own when they decline.
fn refusal(raw: &Value) -> Option<&str> {
    let chat = raw.pointer("/choices/0/message/refusal");
    let responses = raw.get("output").and_then(Value::as_array);
    let responses = responses
        .into_iter()
        .flatten()
        .filter_map(|item| item.get("content")?.as_array())
        .flatten()
        .find_map(|part| part.get("refusal"));
    chat.or(responses)?
        .as_str()
        .filter(|words| !words.trim().is_empty())
}
