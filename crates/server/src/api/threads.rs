//! Threads, their states and their history.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use chrono::Utc;
use ecs_agent_runtime::ThreadId;
use ecs_agent_store::{RecordStatus, Seq, StoreError, ThreadRecord};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::access::Access;
use crate::authentication::Action;
use crate::body::{JsonBody, thread_id};
use crate::checkpoint::{Checkpoint, checkpoints, empty_state, seq_of};
use crate::error::{ApiError, THREAD_NOT_FOUND};
use crate::fold::Fold;
use crate::page::{DEFAULT_LIMIT, MAX_LIMIT, Page, select, time};
use crate::projection::{failure, interrupts_by_task, values};
use crate::state::{ASSISTANT_ID, GRAPH_ID};

/// Title of a thread in which nobody said anything yet.
const UNTITLED: &str = "(new thread)";

/// Body of `POST /threads`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct CreateParams {
    #[serde(default)]
    thread_id: Option<String>,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    if_exists: Option<String>,
}

pub(crate) async fn create(
    access: Access,
    JsonBody(params): JsonBody<CreateParams>,
) -> Result<Json<Value>, ApiError> {
    access.allow(Action::Diagnose)?;
    let id = match &params.thread_id {
        Some(id) => thread_id(id)?,
        None => ThreadId::new(Uuid::now_v7()),
    };
    let title = ["title", "thread_name", "name"]
        .iter()
        .find_map(|key| params.metadata.as_ref()?.get(*key)?.as_str())
        .unwrap_or(UNTITLED);
    match access
        .store()
        .create_thread(access.tenant(), id, title, Utc::now())
        .await
    {
        Ok(record) => shown(&access, &record, true).await.map(Json),
        Err(StoreError::ThreadExists(_)) if params.if_exists.as_deref() == Some("do_nothing") => {
            shown(&access, &access.record(id).await?, true)
                .await
                .map(Json)
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn one(
    access: Access,
    Path(thread): Path<String>,
) -> Result<Json<Value>, ApiError> {
    access.allow(Action::Read)?;
    let record = access.record(thread_id(&thread)?).await?;
    shown(&access, &record, true).await.map(Json)
}

/// Body of `POST /threads/search` and `/threads/count`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SearchParams {
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    values: Option<Map<String, Value>>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    ids: Option<Vec<String>>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    offset: Option<usize>,
    #[serde(default)]
    sort_by: Option<String>,
    #[serde(default)]
    sort_order: Option<String>,
    #[serde(default)]
    select: Option<Vec<String>>,
}

pub(crate) async fn search(
    access: Access,
    JsonBody(params): JsonBody<SearchParams>,
) -> Result<Page, ApiError> {
    access.allow(Action::Read)?;
    let mut found = matching(&access, &params).await?;
    match params.sort_by.as_deref() {
        Some("thread_id") => found.sort_by_key(|record| record.id),
        Some("created_at") => found.sort_by_key(|record| record.created_at),
        Some("status") => found.sort_by_key(|record| status(&access, record)),
        Some("updated_at" | "state_updated_at") | None => {
            found.sort_by_key(|record| record.updated_at)
        }
        Some(_) => {
            return Err(ApiError::Invalid(
                "`sort_by` must be thread_id, status, created_at, updated_at or state_updated_at"
                    .to_owned(),
            ));
        }
    }
    if !params
        .sort_order
        .as_deref()
        .is_some_and(|order| order.eq_ignore_ascii_case("asc"))
    {
        found.reverse();
    }
    let offset = params.offset.unwrap_or(0);
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let total = found.len();
    let fields = params.select.as_deref();
    let heavy = fields.is_none_or(|fields| {
        fields
            .iter()
            .any(|field| ["values", "interrupts", "error"].contains(&field.as_str()))
    });
    let mut items = Vec::new();
    for record in found.iter().skip(offset).take(limit) {
        items.push(select(shown(&access, record, heavy).await?, fields));
    }
    let next = offset.saturating_add(items.len());
    Ok(Page::new(items, total, (next < total).then_some(next)))
}

pub(crate) async fn count(
    access: Access,
    JsonBody(params): JsonBody<SearchParams>,
) -> Result<Json<usize>, ApiError> {
    access.allow(Action::Read)?;
    Ok(Json(matching(&access, &params).await?.len()))
}

pub(crate) async fn state(
    access: Access,
    Path(thread): Path<String>,
) -> Result<Json<Value>, ApiError> {
    access.allow(Action::Read)?;
    let head = states(&access, thread_id(&thread)?, None, 1).await?;
    Ok(Json(
        head.first().map_or_else(empty_state, Checkpoint::to_json),
    ))
}

pub(crate) async fn state_at(
    access: Access,
    Path((thread, checkpoint)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    access.allow(Action::Read)?;
    const MISSING: ApiError = ApiError::NotFound("Checkpoint");
    let thread = thread_id(&thread)?;
    access.record(thread).await?;
    let seq = seq_of(&checkpoint).ok_or(MISSING)?;
    let found = states(&access, thread, Some(seq.saturating_add(1)), 1).await?;
    let found = found
        .first()
        .filter(|state| state.seq() == seq)
        .ok_or(MISSING)?;
    Ok(Json(found.to_json()))
}

/// Body of `POST /threads/{id}/state/checkpoint`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct StateParams {
    #[serde(default)]
    checkpoint: Option<CheckpointReference>,
}

/// A checkpoint as clients send it back; they may leave out any part.
#[derive(Debug, Default, Deserialize)]
struct CheckpointReference {
    #[serde(default)]
    checkpoint_id: Option<String>,
    #[serde(default)]
    checkpoint_ns: Option<String>,
}

pub(crate) async fn state_of(
    access: Access,
    Path(thread): Path<String>,
    JsonBody(params): JsonBody<StateParams>,
) -> Result<Json<Value>, ApiError> {
    let asked = params.checkpoint.unwrap_or_default();
    if asked.checkpoint_ns.is_some_and(|place| !place.is_empty()) {
        // Subagents are frames of the one state and have none of their own.
        access.allow(Action::Read)?;
        access.record(thread_id(&thread)?).await?;
        return Err(ApiError::NotFound("Checkpoint"));
    }
    match asked.checkpoint_id {
        Some(checkpoint) => state_at(access, Path((thread, checkpoint))).await,
        None => state(access, Path(thread)).await,
    }
}

/// Query of `GET /threads/{id}/history`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct HistoryQuery {
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    before: Option<String>,
}

pub(crate) async fn history_by_query(
    access: Access,
    thread: Path<String>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<Vec<Value>>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::Invalid(error.body_text()))?;
    let params = HistoryParams {
        limit: query.limit,
        before: query.before.map(Value::from),
    };
    history(access, thread, JsonBody(params)).await
}

/// Body of `POST /threads/{id}/history`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct HistoryParams {
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    before: Option<Value>,
}

pub(crate) async fn history(
    access: Access,
    Path(thread): Path<String>,
    JsonBody(params): JsonBody<HistoryParams>,
) -> Result<Json<Vec<Value>>, ApiError> {
    access.allow(Action::Read)?;
    let thread = thread_id(&thread)?;
    // First whether the thread is there at all: what else is wrong is told to its tenant only.
    access.record(thread).await?;
    let before = params.before.filter(|before| !before.is_null());
    let before = before
        .map(|before| {
            let id = before
                .get("checkpoint_id")
                .or_else(|| before.pointer("/configurable/checkpoint_id"))
                .unwrap_or(&before);
            id.as_str().and_then(seq_of).ok_or_else(|| {
                ApiError::Invalid("`before` must be a checkpoint of this thread".to_owned())
            })
        })
        .transpose()?;
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let states = states(&access, thread, before, limit).await?;
    Ok(Json(states.iter().map(Checkpoint::to_json).collect()))
}

/// The newest states of a thread before an event, newest first.
pub(crate) async fn states(
    access: &Access,
    thread: ThreadId,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Checkpoint>, ApiError> {
    let events = access.events(thread, Seq::START).await?;
    Ok(checkpoints(
        thread,
        access.app().agents(),
        &events,
        before,
        limit,
    )?)
}

/// Every thread that fits, newest id first.
async fn matching(access: &Access, params: &SearchParams) -> Result<Vec<ThreadRecord>, ApiError> {
    if params
        .values
        .as_ref()
        .is_some_and(|values| !values.is_empty())
    {
        return Err(ApiError::Invalid(
            "searching by `values` is not offered; leave it out".to_owned(),
        ));
    }
    // Every thread here belongs to the one graph; other metadata is not kept.
    let metadata = metadata();
    let fits = params
        .metadata
        .iter()
        .flatten()
        .all(|(key, value)| metadata.get(key) == Some(value));
    if !fits {
        return Ok(Vec::new());
    }
    let ids = params
        .ids
        .as_ref()
        .map(|ids| {
            ids.iter()
                .map(|id| thread_id(id))
                .collect::<Result<Vec<_>, _>>()
        })
        .transpose()?;
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = access.store().threads(access.tenant(), PAGE, after).await?;
        let full = u32::try_from(page.len()).is_ok_and(|read| read == PAGE);
        after = page.last().map(|record| record.id);
        found.extend(page.into_iter().filter(|record| {
            ids.as_ref().is_none_or(|ids| ids.contains(&record.id))
                && params
                    .status
                    .as_deref()
                    .is_none_or(|wanted| status(access, record) == wanted)
        }));
        if !full {
            break;
        }
    }
    Ok(found)
}

/// How many rows are read at once.
const PAGE: u32 = 1_000;

fn metadata() -> Value {
    json!({"graph_id": GRAPH_ID, "assistant_id": ASSISTANT_ID})
}

/// Where a thread stands, in the API's words.
fn status(access: &Access, record: &ThreadRecord) -> &'static str {
    if access.app().runs().is_active(&access.key(record.id)) {
        return "busy";
    }
    match record.status {
        RecordStatus::Idle | RecordStatus::Completed => "idle",
        // A run that nobody is at was cut off: there is something left to do.
        RecordStatus::Running | RecordStatus::Interrupted | RecordStatus::Cancelled => {
            "interrupted"
        }
        RecordStatus::BudgetExhausted | RecordStatus::Failed => "error",
    }
}

/// A thread as clients read it; `with_values` reads its whole log.
async fn shown(
    access: &Access,
    record: &ThreadRecord,
    with_values: bool,
) -> Result<Value, ApiError> {
    let fold = if with_values {
        Some(access.fold(record.id).await?)
    } else {
        None
    };
    let ran = fold.as_ref().filter(|fold| fold.seq() > Seq::START);
    Ok(json!({
        "thread_id": record.id.as_uuid().to_string(),
        "created_at": time(record.created_at),
        "updated_at": time(record.updated_at),
        "state_updated_at": time(record.updated_at),
        "metadata": metadata(),
        "status": status(access, record),
        "config": {"configurable": {}},
        "values": ran.map(values),
        "error": ran.and_then(failure),
        "interrupts": ran.map(interrupts_by_task).unwrap_or_default(),
    }))
}

/// Makes a thread if it is not there.
pub(crate) async fn ensure(access: &Access, thread: ThreadId, title: &str) -> Result<(), ApiError> {
    match access
        .store()
        .create_thread(access.tenant(), thread, title, Utc::now())
        .await
    {
        Ok(_) | Err(StoreError::ThreadExists(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A thread's log, folded, or 404 also for one that is not there.
pub(crate) async fn fold(access: &Access, thread: ThreadId) -> Result<Fold, ApiError> {
    match access.fold(thread).await {
        Err(ApiError::Store(StoreError::ThreadNotFound(_))) => Err(THREAD_NOT_FOUND),
        other => other,
    }
}
