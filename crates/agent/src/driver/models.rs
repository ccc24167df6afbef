//! Model calls: asked when the provider wants to be asked again, handed on to a fallback, and
//! turned into the event that says how they ended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ecs_agent_credentials::Sink;
use ecs_agent_models::{Model, ModelError, ModelReply, NoDeltas};
use ecs_agent_runtime::{EventBody, FramePath, ModelRequest, Usage};
use uuid::Uuid;

use super::streaming::Told;
use crate::exits;
use crate::framing::framed;
use crate::session::Session;
use crate::supervision::{self, Standing};

/// Longest wait between two tries of a model call, unless the provider asks for a longer one.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// One model call.
pub(super) struct Call {
    pub(super) frame: FramePath,
    pub(super) request: ModelRequest,
    /// 1 the first time.
    pub(super) attempt: u32,
    /// How often it is tried.
    pub(super) attempts: u32,
    /// Which model: 0 is the agent's own.
    pub(super) fallback: u32,
    pub(super) not_before: Option<DateTime<Utc>>,
    /// Whether a request that is too long comes again, shorter.
    pub(super) may_shorten: bool,
    /// Who steps in where the model does not do its work.
    pub(super) oversight: Option<Watched>,
}

/// What the runbook watches over a model call with.
pub(super) struct Watched {
    pub(super) standing: Standing,
    /// The request with everything that was ever said in the frame.
    pub(super) history: ModelRequest,
}

/// Asks a model, and says how that ended.
pub(super) async fn ask(session: &Session, call: Call) -> EventBody {
    if let Some(Watched { standing, history }) = &call.oversight
        && let Some(reply) = supervision::before(history, standing)
    {
        return replied(call.frame, reply);
    }
    wait(session, &call).await;
    let Call {
        frame,
        request,
        attempt,
        attempts,
        fallback,
        may_shorten,
        oversight,
        ..
    } = call;
    if exits::inspect(&session.context, Sink::ModelRequest, &request).is_err() {
        return exits::model_refused(frame);
    }
    let (model, another) = model(session, fallback);
    let told = Told {
        context: Arc::clone(&session.context),
        progress: Arc::clone(&session.settings.progress),
        frame: frame.clone(),
        agent: request.agent.to_string(),
        attempt,
        text: Mutex::default(),
        reasoning: Mutex::default(),
    };
    let shown = framed(request, &session.frame_key);
    let error = match (model.respond(shown, &told).await, &oversight) {
        (Ok(reply), Some(Watched { standing, history })) => {
            return replied(frame, supervision::after(history, reply, standing));
        }
        (Ok(reply), None) => return replied(frame, reply),
        (Err(error), _) => error,
    };
    let words = error.to_string();
    if may_shorten && matches!(error, ModelError::ContextTooLong { .. }) {
        return EventBody::ContextOverflowed {
            frame,
            error: words,
        };
    }
    let gives_up = !error.is_retryable() || attempt >= attempts;
    // What another model cannot do better is not worth asking it.
    if another && gives_up && !matches!(error, ModelError::Orphan { .. }) {
        return EventBody::ModelFellBack {
            frame,
            error: words,
            usage: error.usage(),
        };
    }
    if let (true, Some(Watched { standing, history })) = (gives_up, &oversight) {
        return replied(frame, supervision::instead_of(history, &error, standing));
    }
    EventBody::ModelFailed {
        frame,
        error: words,
        retryable: error.is_retryable(),
        retry_after_ms: error
            .retry_after()
            .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        usage: error.usage(),
    }
}

fn replied(frame: FramePath, reply: ModelReply) -> EventBody {
    EventBody::ModelReplied {
        frame,
        text: reply.text,
        tool_calls: reply.tool_calls,
        reasoning: reply.reasoning,
        finish: reply.finish,
        usage: reply.usage,
    }
}

/// A summary by a model, or the plain one if there is nothing to ask or no good answer.
pub(super) async fn summarise(
    session: &Session,
    request: Option<ModelRequest>,
    fallback: u32,
    plain: String,
) -> (String, Usage) {
    let Some(request) = request else {
        return (plain, Usage::default());
    };
    if exits::inspect(&session.context, Sink::ModelRequest, &request).is_err() {
        return (plain, Usage::default());
    }
    let shown = framed(request, &session.frame_key);
    match model(session, fallback).0.respond(shown, &NoDeltas).await {
        Ok(reply) if reply.tool_calls.is_empty() && !reply.text.trim().is_empty() => {
            (reply.text, reply.usage)
        }
        Ok(reply) => (plain, reply.usage),
        Err(error) => (plain, error.usage()),
    }
}

/// The model of that number, and whether there is another one after it.
fn model(session: &Session, fallback: u32) -> (&Arc<dyn Model>, bool) {
    let settings = &session.settings;
    let fallback = usize::try_from(fallback).unwrap_or(usize::MAX);
    let chosen = fallback
        .checked_sub(1)
        .and_then(|index| settings.fallbacks.get(index).or(settings.fallbacks.last()))
        .unwrap_or(&settings.model);
    (chosen, fallback < settings.fallbacks.len())
}

/// Waits before another try: a second, doubled each time and spread by chance, and never less than
/// the provider asked for.
async fn wait(session: &Session, call: &Call) {
    let timer = &session.settings.timer;
    let backoff = match call.attempt {
        0 | 1 => Duration::ZERO,
        again => Duration::from_secs(1_u64 << again.saturating_sub(2).min(5))
            .min(LONGEST_BACKOFF)
            .mul_f64(1.0 + chance() / 4.0),
    };
    let asked = call
        .not_before
        .and_then(|until| until.signed_duration_since(timer.now()).to_std().ok())
        .unwrap_or_default();
    let wait = backoff.max(asked);
    if !wait.is_zero() {
        timer.sleep(wait).await;
    }
}

/// A number from 0 to 1, from the random part of a UUID: many invocations that were turned away
/// together do not come back together.
fn chance() -> f64 {
    let [.., random] = Uuid::now_v7().into_bytes();
    f64::from(random) / 255.0
}
