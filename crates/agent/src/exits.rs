//! The last look at what leaves an invocation.
//!
//! Everything that it says passes here once: what a model is asked, what is logged, kept, recorded
//! and told. The leak guard finds secrets in it; see
//! [`LeakGuard`](ecs_agent_credentials::LeakGuard).

use ecs_agent_credentials::{CredentialContext, LeakBlocked, Sink};
use ecs_agent_runtime::{EventBody, ToolOutcome, Usage};
use serde::Serialize;

/// Who ends a run in which something was withheld.
pub(crate) const LEAK_GUARD: &str = "the leak guard";

/// Inspects what is about to leave as JSON.
pub(crate) fn inspect(
    context: &CredentialContext,
    sink: Sink,
    leaving: &impl Serialize,
) -> Result<(), LeakBlocked> {
    // What cannot be written cannot leave either.
    let text = serde_json::to_vec(leaving).unwrap_or_default();
    context.inspect(sink, &text)
}

/// Returns the text, or what stands in its place.
pub(crate) fn text_or_notice<'t>(
    context: &CredentialContext,
    sink: Sink,
    text: &'t str,
) -> &'t str {
    match context.inspect(sink, text.as_bytes()) {
        Ok(()) => text,
        Err(_withheld) => LeakBlocked::NOTICE,
    }
}

/// Returns the event, or the same with the notice in place of what was said.
///
/// # Errors
/// [`LeakBlocked`] for an event that means nothing without its words: it is not logged at all.
pub(crate) fn event_or_notice(
    context: &CredentialContext,
    event: EventBody,
) -> Result<EventBody, LeakBlocked> {
    let sink = match event {
        EventBody::ToolReturned { .. } => Sink::ToolResult,
        EventBody::RunStarted { .. }
        | EventBody::Configured { .. }
        | EventBody::HumanSaid { .. }
        | EventBody::ModelReplied { .. }
        | EventBody::ModelFailed { .. }
        | EventBody::ModelFellBack { .. }
        | EventBody::ContextOverflowed { .. }
        | EventBody::Compacted { .. }
        | EventBody::ToolStarted { .. }
        | EventBody::InterruptRaised { .. }
        | EventBody::InterruptAnswered { .. }
        | EventBody::CancelRequested { .. }
        | EventBody::BudgetExhausted { .. }
        | EventBody::RunEnded { .. } => Sink::ThreadEvent,
    };
    let Err(blocked) = inspect(context, sink, &event) else {
        return Ok(event);
    };
    match event {
        EventBody::ToolReturned { frame, call_id, .. }
        | EventBody::InterruptRaised { frame, call_id, .. } => Ok(EventBody::ToolReturned {
            frame,
            call_id,
            outcome: ToolOutcome::error(LeakBlocked::NOTICE),
        }),
        EventBody::ModelReplied { frame, .. }
        | EventBody::ModelFailed { frame, .. }
        | EventBody::ModelFellBack { frame, .. }
        | EventBody::ContextOverflowed { frame, .. }
        | EventBody::Compacted { frame, .. } => Ok(model_refused(frame)),
        EventBody::RunStarted { .. }
        | EventBody::Configured { .. }
        | EventBody::HumanSaid { .. }
        | EventBody::ToolStarted { .. }
        | EventBody::InterruptAnswered { .. }
        | EventBody::CancelRequested { .. }
        | EventBody::BudgetExhausted { .. }
        | EventBody::RunEnded { .. } => Err(blocked),
    }
}

/// What is logged of a model call whose request or reply was withheld.
pub(crate) fn model_refused(frame: ecs_agent_runtime::FramePath) -> EventBody {
    EventBody::ModelFailed {
        frame,
        error: LeakBlocked::NOTICE.to_owned(),
        retryable: false,
        retry_after_ms: None,
        usage: Usage::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ecs_agent_credentials::{Endpoints, InvocationId, SecretText, Sources, StaticCredentials};
    use ecs_agent_runtime::{
        FinishReason, FramePath, InterruptId, MessageId, Reasoning, RunOutcome, ToolCall,
        ToolCallId,
    };
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    /// AWS's documented example.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    /// A context whose guard knows the secret while the sources exist.
    fn armed() -> (Arc<CredentialContext>, Sources) {
        let invocation = InvocationId::new(Uuid::now_v7());
        let context = CredentialContext::new(invocation, None, Endpoints::Aws);
        let secret = SecretText::from(SECRET.to_owned());
        let keys = StaticCredentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None).unwrap();
        let sources = Sources::builder().with_static("given", keys).build();
        let sources = sources.watched_by(&context);
        (context, sources)
    }

    fn events(text: &str) -> Vec<EventBody> {
        let frame = FramePath::main();
        let call_id = ToolCallId::new("call");
        let interrupt_id = InterruptId::new(Uuid::nil());
        vec![
            EventBody::HumanSaid {
                id: MessageId::new(Uuid::nil()),
                text: text.to_owned(),
            },
            EventBody::ModelReplied {
                frame: frame.clone(),
                text: String::new(),
                tool_calls: vec![ToolCall::new("call", "find", json!({"query": [text]}))],
                reasoning: Vec::new(),
                finish: FinishReason::Complete,
                usage: Usage::default(),
            },
            EventBody::ModelReplied {
                frame: frame.clone(),
                text: String::new(),
                tool_calls: Vec::new(),
                reasoning: vec![Reasoning {
                    provider: "some".to_owned(),
                    data: json!({ "thinking": text }),
                }],
                finish: FinishReason::Complete,
                usage: Usage::default(),
            },
            EventBody::ModelFailed {
                frame: frame.clone(),
                error: text.to_owned(),
                retryable: true,
                retry_after_ms: None,
                usage: Usage::default(),
            },
            EventBody::ToolReturned {
                frame: frame.clone(),
                call_id: call_id.clone(),
                outcome: ToolOutcome::success("ok").with_file("/a.md", text),
            },
            EventBody::ToolReturned {
                frame: frame.clone(),
                call_id: call_id.clone(),
                outcome: ToolOutcome::success("ok").with_value("plan", json!({ "key": text })),
            },
            EventBody::InterruptRaised {
                frame,
                call_id,
                interrupt_id,
                payload: json!({ "question": text }),
            },
            EventBody::InterruptAnswered {
                interrupt_id,
                answer: json!({ "choice": text }),
                by: "ada".to_owned(),
            },
            EventBody::CancelRequested {
                by: text.to_owned(),
            },
            EventBody::RunEnded {
                outcome: RunOutcome::Completed {
                    text: text.to_owned(),
                },
            },
        ]
    }

    #[test]
    fn no_event_that_holds_a_secret_goes_on() {
        for event in events(SECRET) {
            let (context, _sources) = armed();
            let kind = event.kind();
            match event_or_notice(&context, event) {
                Ok(other) => {
                    let text = json!(other).to_string();
                    assert!(text.contains(LeakBlocked::NOTICE), "{kind}: {text}");
                    assert!(!text.contains(SECRET), "{kind}: {text}");
                }
                Err(blocked) => assert_eq!(blocked.sink, Sink::ThreadEvent, "{kind}"),
            }
            assert!(
                context.is_cleared() && context.withheld().is_some(),
                "{kind}"
            );
        }
    }

    #[test]
    fn every_other_event_goes_on_as_it_is() {
        let (context, _sources) = armed();
        for event in events("an ordinary text") {
            assert_eq!(event_or_notice(&context, event.clone()), Ok(event));
        }
        assert_eq!(context.withheld(), None);
    }

    #[test]
    fn a_note_that_holds_a_secret_is_not_told() {
        let (context, _sources) = armed();
        let note = format!("observing {SECRET}");
        let told = text_or_notice(&context, Sink::Progress, &note);
        assert_eq!(told, LeakBlocked::NOTICE);
        assert_eq!(context.leak_guard().hits_at(Sink::Progress), 1);
    }
}
