//! A run's events for clients, made from the thread's log.
//!
//! What is sent is a function of the log alone, and an event's id is its place in it. So a stream
//! may break anywhere and be taken up again, by the same client or another, before or after a
//! restart of the server.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use ecs_agent_runtime::{ApplyError, EventBody, RunId};
use ecs_agent_store::StoredEvent;
use futures_util::Stream;
use serde_json::{Map, Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::access::Access;
use crate::error::{ApiError, chain};
use crate::fold::{Fold, RunStatus, ended};
use crate::projection::{
    failure, interrupts, messages_of, updates, values, values_with_interrupts,
};
use crate::run::{Finish, Watched};
use crate::state::{ASSISTANT_ID, GRAPH_ID};

/// How often a silent stream shows that it lives.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);

/// Which events a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Modes {
    values: bool,
    updates: bool,
    messages: bool,
}

impl Modes {
    /// Reads the modes' names; none means `values`.
    ///
    /// # Errors
    /// [`ApiError::Invalid`], naming what there is.
    pub(crate) fn parse(names: &[String]) -> Result<Self, ApiError> {
        let mut modes = Self {
            values: names.is_empty(),
            updates: false,
            messages: false,
        };
        for name in names {
            match name.as_str() {
                "values" => modes.values = true,
                "updates" => modes.updates = true,
                "messages-tuple" => modes.messages = true,
                // Asked for by newer clients; nothing of the kind happens here.
                "custom" | "tools" | "lifecycle" => {}
                _ => {
                    return Err(ApiError::Invalid(
                        "`stream_mode` offers values, updates, messages-tuple and custom"
                            .to_owned(),
                    ));
                }
            }
        }
        Ok(modes)
    }
}

/// An event's place: the number of the log's event, and which of what it gave rise to.
pub(crate) type Place = (u64, u32);

/// Reads a `Last-Event-ID`; `-1` is before everything.
pub(crate) fn place(text: &str) -> Option<Place> {
    if text == "-1" {
        return Some((0, 0));
    }
    let (seq, part) = text.split_once('-')?;
    Some((seq.parse().ok()?, part.parse().ok()?))
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SentEvent {
    place: Place,
    name: &'static str,
    data: Value,
}

impl SentEvent {
    fn bytes(&self) -> Bytes {
        let (seq, part) = self.place;
        format!(
            "event: {}\r\ndata: {}\r\nid: {seq}-{part}\r\n\r\n",
            self.name, self.data
        )
        .into()
    }
}

/// Turns a log into one run's events.
pub(crate) struct Projector {
    fold: Fold,
    modes: Modes,
    run: RunId,
    from: u64,
    known: Map<String, Value>,
    ended: Option<RunStatus>,
}

impl Projector {
    /// The events of `run`, whose first event has the number `from`; `fold` is an empty thread.
    pub(crate) fn new(fold: Fold, run: RunId, from: u64, modes: Modes) -> Self {
        Self {
            fold,
            modes,
            run,
            from,
            known: Map::new(),
            ended: None,
        }
    }

    pub(crate) const fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Whether the log says that the run is over.
    pub(crate) const fn ended(&self) -> Option<RunStatus> {
        self.ended
    }

    /// What one event of the log gives rise to.
    pub(crate) fn step(&mut self, stored: &StoredEvent) -> Result<Vec<SentEvent>, ApplyError> {
        let seq = stored.seq.get();
        if self.ended.is_some() {
            return Ok(Vec::new());
        }
        self.fold.apply(stored)?;
        if seq < self.from {
            return Ok(Vec::new());
        }
        let after = values(&self.fold);
        let mut sent = Sent {
            seq,
            events: Vec::new(),
        };
        if seq == self.from {
            sent.push(
                "metadata",
                json!({"run_id": self.run.as_uuid().to_string(), "attempt": 1}),
            );
            if self.modes.values {
                sent.push("values", Value::Object(after.clone()));
            }
        } else if after != self.known {
            self.changes(&after, &mut sent);
        }
        self.known = after;
        let taken_over =
            seq > self.from && matches!(stored.event.body, EventBody::RunStarted { .. });
        if seq > self.from {
            self.ended = if taken_over {
                Some(RunStatus::Error)
            } else {
                ended(&self.fold)
            };
        }
        if self.ended.is_some() && !taken_over {
            self.farewell(&mut sent);
        }
        Ok(sent.events)
    }

    fn changes(&self, after: &Map<String, Value>, sent: &mut Sent) {
        for (node, update) in updates(&self.known, after) {
            if self.modes.messages {
                for message in messages_of(&update) {
                    sent.push(
                        "messages",
                        json!([message, self.message_metadata(node, sent.seq)]),
                    );
                }
            }
            if self.modes.updates {
                sent.push("updates", json!({ node: update }));
            }
        }
        if self.modes.values {
            sent.push("values", Value::Object(after.clone()));
        }
    }

    /// The open questions, or why the run failed.
    fn farewell(&self, sent: &mut Sent) {
        let open = interrupts(&self.fold);
        if !open.is_empty() {
            if self.modes.updates {
                sent.push("updates", json!({ "__interrupt__": open }));
            }
            if self.modes.values {
                sent.push("values", Value::Object(values_with_interrupts(&self.fold)));
            }
        }
        if let Some(error) = failure(&self.fold) {
            sent.push("error", json!({"error": "RunFailed", "message": error}));
        }
    }

    fn message_metadata(&self, node: &str, seq: u64) -> Value {
        json!({
            "langgraph_node": node, "langgraph_step": seq.saturating_sub(self.from),
            "run_id": self.run.as_uuid().to_string(),
            "thread_id": self.fold.id().as_uuid().to_string(),
            "assistant_id": ASSISTANT_ID, "graph_id": GRAPH_ID, "run_attempt": 1,
        })
    }
}

struct Sent {
    seq: u64,
    events: Vec<SentEvent>,
}

impl Sent {
    fn push(&mut self, name: &'static str, data: Value) {
        let part = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        self.events.push(SentEvent {
            place: (self.seq, part),
            name,
            data,
        });
    }
}

/// What is followed, and from where.
pub(crate) struct Following {
    /// Who follows it.
    pub(crate) access: Access,
    /// The run's events, from an empty thread on.
    pub(crate) projector: Projector,
    /// The run at work; `None` when it is over.
    pub(crate) watched: Option<Watched>,
    /// Send only what comes after this place.
    pub(crate) after: Option<Place>,
}

/// What comes of following a run.
enum Next {
    Event(SentEvent),
    Silence,
    End,
}

struct Follower {
    following: Following,
    pending: VecDeque<SentEvent>,
    over: bool,
    /// Cancels the run when the client goes away and it was asked for.
    _on_drop: Option<DropGuard>,
}

/// The server-sent events of a run, as bytes; ends with the run.
///
/// # Cancel safety
/// Dropping the stream leaves the run alone, unless `cancel_on_drop` is given.
pub(crate) fn sent_events(
    following: Following,
    cancel_on_drop: Option<CancellationToken>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let follower = Follower::new(following, cancel_on_drop);
    futures_util::stream::unfold(follower, |mut follower| async move {
        let bytes = match follower.next().await {
            Next::Event(event) => event.bytes(),
            Next::Silence => Bytes::from_static(b": heartbeat\r\n\r\n"),
            Next::End => return None,
        };
        Some((Ok(bytes), follower))
    })
}

/// A run's final values as one JSON document, with line feeds while it is at work so that no
/// proxy gives up.
///
/// # Cancel safety
/// As [`sent_events`].
pub(crate) fn final_values(
    following: Following,
    cancel_on_drop: Option<CancellationToken>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let follower = Follower::new(following, cancel_on_drop);
    futures_util::stream::unfold(Some((follower, None)), |state| async move {
        let (mut follower, mut error): (Follower, Option<Value>) = state?;
        loop {
            match follower.next().await {
                Next::Event(event) if event.name == "error" => error = Some(event.data),
                Next::Event(_) => {}
                Next::Silence => {
                    return Some((Ok(Bytes::from_static(b"\n")), Some((follower, error))));
                }
                Next::End => {
                    let document = match error {
                        Some(error) => json!({ "__error__": error }),
                        None => Value::Object(values_with_interrupts(
                            follower.following.projector.fold(),
                        )),
                    };
                    return Some((Ok(document.to_string().into()), None));
                }
            }
        }
    })
}

impl Follower {
    fn new(following: Following, cancel_on_drop: Option<CancellationToken>) -> Self {
        Self {
            following,
            pending: VecDeque::new(),
            over: false,
            _on_drop: cancel_on_drop.map(CancellationToken::drop_guard),
        }
    }

    async fn next(&mut self) -> Next {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Next::Event(event);
            }
            if self.over {
                return Next::End;
            }
            // Asked before the log is read: what a finished run left is in the log.
            let finish = match &mut self.following.watched {
                Some(watched) => watched.progress.borrow_and_update().finished.clone(),
                None => Some(Finish::Regular),
            };
            match self.read().await {
                Ok(()) => {}
                Err(error) => {
                    self.fail("StoreError", chain(&error));
                    continue;
                }
            }
            match finish {
                Some(Finish::Held(error) | Finish::Failed(error))
                    if self.following.projector.ended().is_none() =>
                {
                    self.fail("InvocationError", error);
                }
                Some(Finish::Regular | Finish::Held(_) | Finish::Failed(_)) => self.over = true,
                None => {
                    if self.pending.is_empty() && self.silent().await {
                        return Next::Silence;
                    }
                }
            }
        }
    }

    /// Reads what is new in the log.
    async fn read(&mut self) -> Result<(), ApiError> {
        let Following {
            access,
            projector,
            after,
            ..
        } = &mut self.following;
        let (thread, seq) = (projector.fold().id(), projector.fold().seq());
        if projector.ended().is_some() {
            return Ok(());
        }
        for stored in access.events(thread, seq).await? {
            let events = projector.step(&stored)?;
            self.pending.extend(
                events
                    .into_iter()
                    .filter(|event| after.is_none_or(|after| event.place > after)),
            );
            if projector.ended().is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Waits for something new; true when nothing came for a while.
    async fn silent(&mut self) -> bool {
        let Some(watched) = &mut self.following.watched else {
            return false;
        };
        tokio::time::timeout(HEARTBEAT, watched.progress.changed())
            .await
            .is_err()
    }

    fn fail(&mut self, kind: &str, message: String) {
        let seq = self.following.projector.fold().seq().get();
        let data = json!({"error": kind, "message": message});
        self.pending.push_back(SentEvent {
            place: (seq, u32::MAX),
            name: "error",
            data,
        });
        self.over = true;
    }
}
