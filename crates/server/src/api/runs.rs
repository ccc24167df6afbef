//! Runs: start, follow, look up, cancel.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ecs_agent_core::Input;
use ecs_agent_runtime::{OpenInterrupt, RunId, ThreadId};
use ecs_agent_store::Seq;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::threads;
use crate::access::Access;
use crate::authentication::Action;
use crate::body::{JsonBody, run_id, thread_id};
use crate::error::{ApiError, RUN_NOT_FOUND};
use crate::fold::{Fold, LoggedRun, RunStatus, runs};
use crate::page::{DEFAULT_LIMIT, MAX_LIMIT, Page, time};
use crate::projection::{open_interrupts, values_with_interrupts};
use crate::request::{IfNotExists, OnDisconnect, RunRequest, Wanted};
use crate::resume;
use crate::run::{Finish, Watched};
use crate::state::{ASSISTANT_ID, GRAPH_ID};
use crate::stream::{Following, Modes, Place, Projector, final_values, place, sent_events};

/// A run that was asked for.
enum Begun {
    /// It is at work, or was already over when it was looked at.
    Run {
        run: RunId,
        from: u64,
        watched: Watched,
    },
    /// There was nothing to do.
    Idle { run: RunId, fold: Box<Fold> },
}

pub(crate) async fn stream(
    access: Access,
    Path(thread): Path<String>,
    JsonBody(request): JsonBody<RunRequest>,
) -> Result<Response, ApiError> {
    streamed(access, thread_id(&thread)?, request).await
}

pub(crate) async fn stream_alone(
    access: Access,
    JsonBody(request): JsonBody<RunRequest>,
) -> Result<Response, ApiError> {
    streamed(access, ThreadId::new(Uuid::now_v7()), alone(request)).await
}

pub(crate) async fn wait(
    access: Access,
    Path(thread): Path<String>,
    JsonBody(request): JsonBody<RunRequest>,
) -> Result<Response, ApiError> {
    waited(access, thread_id(&thread)?, request).await
}

pub(crate) async fn wait_alone(
    access: Access,
    JsonBody(request): JsonBody<RunRequest>,
) -> Result<Response, ApiError> {
    waited(access, ThreadId::new(Uuid::now_v7()), alone(request)).await
}

/// A run without a thread gets one, which is kept: what was done stays on record.
fn alone(request: RunRequest) -> RunRequest {
    RunRequest {
        if_not_exists: Some(IfNotExists::Create),
        ..request
    }
}

async fn streamed(
    access: Access,
    thread: ThreadId,
    request: RunRequest,
) -> Result<Response, ApiError> {
    let modes = modes(&request)?;
    let on_disconnect = request.on_disconnect;
    let mut response = match begin(&access, thread, &request).await? {
        Begun::Run { run, from, watched } => {
            let cancel =
                (on_disconnect == Some(OnDisconnect::Cancel)).then(|| watched.cancel.clone());
            let following = following(&access, thread, run, from, modes, Some(watched), None);
            located(
                Body::from_stream(sent_events(following, cancel)),
                thread,
                run,
                "stream",
            )
        }
        Begun::Idle { run, fold } => {
            let values = Value::Object(values_with_interrupts(&fold));
            let metadata = json!({"run_id": run.as_uuid().to_string(), "attempt": 1});
            let body = format!(
                "event: metadata\r\ndata: {metadata}\r\n\r\nevent: values\r\ndata: {values}\r\n\r\n"
            );
            located(body.into(), thread, run, "stream")
        }
    };
    as_events(&mut response);
    Ok(response)
}

async fn waited(
    access: Access,
    thread: ThreadId,
    request: RunRequest,
) -> Result<Response, ApiError> {
    let on_disconnect = request.on_disconnect;
    let mut response = match begin(&access, thread, &request).await? {
        Begun::Run { run, from, watched } => {
            let cancel =
                (on_disconnect == Some(OnDisconnect::Cancel)).then(|| watched.cancel.clone());
            let modes = Modes::parse(&[])?;
            let following = following(&access, thread, run, from, modes, Some(watched), None);
            located(
                Body::from_stream(final_values(following, cancel)),
                thread,
                run,
                "join",
            )
        }
        Begun::Idle { run, fold } => {
            let values = Value::Object(values_with_interrupts(&fold));
            located(values.to_string().into(), thread, run, "join")
        }
    };
    as_json(&mut response);
    Ok(response)
}

pub(crate) async fn create(
    access: Access,
    Path(thread): Path<String>,
    JsonBody(request): JsonBody<RunRequest>,
) -> Result<Response, ApiError> {
    let thread = thread_id(&thread)?;
    let run = match begin(&access, thread, &request).await? {
        Begun::Run { run, .. } | Begun::Idle { run, .. } => run,
    };
    let shown = shown(&access, thread, run).await?;
    let mut response = Json(shown).into_response();
    locate(&mut response, thread, run, "stream");
    Ok(response)
}

/// Query of `GET /threads/{id}/runs`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ListParams {
    limit: Option<usize>,
    offset: Option<usize>,
    status: Option<String>,
}

pub(crate) async fn list(
    access: Access,
    Path(thread): Path<String>,
    Query(params): Query<ListParams>,
) -> Result<Page, ApiError> {
    access.allow(Action::Read)?;
    let thread = thread_id(&thread)?;
    let mut all: Vec<Value> = logged(&access, thread)
        .await?
        .iter()
        .rev()
        .map(|run| run_json(thread, run, status(&access, thread, run)))
        .collect();
    if let Some(wanted) = params.status.as_deref() {
        all.retain(|run| run.get("status").and_then(Value::as_str) == Some(wanted));
    }
    let (total, offset) = (all.len(), params.offset.unwrap_or(0));
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let items: Vec<Value> = all.into_iter().skip(offset).take(limit).collect();
    let next = offset.saturating_add(items.len());
    Ok(Page::new(items, total, (next < total).then_some(next)))
}

pub(crate) async fn one(
    access: Access,
    Path((thread, run)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    access.allow(Action::Read)?;
    shown(&access, thread_id(&thread)?, run_id(&run)?)
        .await
        .map(Json)
}

pub(crate) async fn join(
    access: Access,
    Path((thread, run)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    access.allow(Action::Read)?;
    let (thread, run) = (thread_id(&thread)?, run_id(&run)?);
    let body = match find(&access, thread, run).await? {
        Some(logged) => {
            let watched = access.app().runs().watched(&access.key(thread), run);
            let modes = Modes::parse(&[])?;
            let following = following(
                &access,
                thread,
                run,
                logged.from.get(),
                modes,
                watched,
                None,
            );
            Body::from_stream(final_values(following, None))
        }
        None => {
            let fold = threads::fold(&access, thread).await?;
            Value::Object(values_with_interrupts(&fold))
                .to_string()
                .into()
        }
    };
    let mut response = located(body, thread, run, "join");
    as_json(&mut response);
    Ok(response)
}

pub(crate) async fn rejoin(
    access: Access,
    Path((thread, run)): Path<(String, String)>,
    axum::extract::RawQuery(query): axum::extract::RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    access.allow(Action::Read)?;
    let (thread, run) = (thread_id(&thread)?, run_id(&run)?);
    let found = find(&access, thread, run).await?;
    let modes = Modes::parse(&stream_modes(query.as_deref().unwrap_or_default()))?;
    let body = match found {
        Some(logged) => {
            let watched = access.app().runs().watched(&access.key(thread), run);
            let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
            let after = match last {
                Some(id) => place(id).ok_or_else(|| {
                    ApiError::Invalid("the Last-Event-ID is none of this server's".to_owned())
                })?,
                // Without a place: what comes from now on.
                None => {
                    let head = access.fold(thread).await?.seq().get();
                    watched.as_ref().map_or((u64::MAX, 0), |_| (head, u32::MAX))
                }
            };
            let following = following(
                &access,
                thread,
                run,
                logged.from.get(),
                modes,
                watched,
                Some(after),
            );
            Body::from_stream(sent_events(following, None))
        }
        None => Body::empty(),
    };
    let mut response = located(body, thread, run, "stream");
    as_events(&mut response);
    Ok(response)
}

/// Query of `POST /threads/{id}/runs/{run}/cancel`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct CancelParams {
    wait: Option<String>,
    action: Option<String>,
}

pub(crate) async fn cancel(
    access: Access,
    Path((thread, run)): Path<(String, String)>,
    Query(params): Query<CancelParams>,
) -> Result<Response, ApiError> {
    access.allow(Action::Diagnose)?;
    let (thread, run) = (thread_id(&thread)?, run_id(&run)?);
    if params
        .action
        .as_deref()
        .is_some_and(|action| action != "interrupt")
    {
        return Err(ApiError::Invalid(
            "`action` must be `interrupt`: what was done to AWS cannot be rolled back by deleting a run"
                .to_owned(),
        ));
    }
    find(&access, thread, run).await?;
    let mut watched = access
        .app()
        .runs()
        .watched(&access.key(thread), run)
        .ok_or(RUN_NOT_FOUND)?;
    watched.cancel.cancel();
    if matches!(params.wait.as_deref(), Some("1" | "true" | "True")) {
        watched.finished().await;
        return Ok(Json(json!({})).into_response());
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Starts what the request asks for.
async fn begin(access: &Access, thread: ThreadId, request: &RunRequest) -> Result<Begun, ApiError> {
    request.check()?;
    access.allow(Action::Diagnose)?;
    if let Some(strategy) = request.multitask_strategy.as_deref()
        && !["reject", "enqueue", "interrupt", "rollback"].contains(&strategy)
    {
        return Err(ApiError::Invalid(
            "`multitask_strategy` must be `reject`".to_owned(),
        ));
    }
    if request.if_not_exists == Some(IfNotExists::Create) {
        let title = match request.wanted(None)? {
            Wanted::Say(text) => text,
            Wanted::Resume(_) | Wanted::GoOn | Wanted::End => "(new thread)".to_owned(),
        };
        threads::ensure(access, thread, &title).await?;
    } else {
        access.record(thread).await?;
    }
    let claim = access.app().runs().claim(access.key(thread))?;
    let fold = threads::fold(access, thread).await?;
    check_head(access, thread, request).await?;
    let Some(input) = input(access, request, &fold)? else {
        let run = access.app().runs().remember_idle(access.key(thread));
        return Ok(Begun::Idle {
            run,
            fold: Box::new(fold),
        });
    };
    let (mut settings, sources) = access.invocation()?;
    request.narrow(&mut settings);
    let mut watched = access.app().runs().start(claim, settings, sources, input);
    let begun = watched
        .progress
        .wait_for(|progress| progress.started.is_some() || progress.finished.is_some())
        .await
        .map_err(|_| ApiError::Run("the run ended before it began".to_owned()))?
        .clone();
    match (begun.started, begun.finished) {
        (Some((run, from)), _) => Ok(Begun::Run { run, from, watched }),
        (None, Some(Finish::Held(error))) => Err(ApiError::Conflict(error)),
        (None, Some(Finish::Failed(error))) => Err(ApiError::Run(error)),
        (None, Some(Finish::Regular) | None) => {
            let run = access.app().runs().remember_idle(access.key(thread));
            let fold = Box::new(threads::fold(access, thread).await?);
            Ok(Begun::Idle { run, fold })
        }
    }
}

/// The invocation's input; `None` when there is nothing to do.
fn input(access: &Access, request: &RunRequest, fold: &Fold) -> Result<Option<Input>, ApiError> {
    let open = open_interrupts(fold);
    let answer = |answer: resume::Answer| Input::Answer {
        interrupt: answer.interrupt,
        answer: answer.value,
        by: access.caller().person().to_owned(),
    };
    Ok(match request.wanted(Some(fold))? {
        Wanted::Say(text) => Some(Input::Say(text)),
        Wanted::Resume(value) => {
            let given = resume::answer(&value, &open)?;
            if let Some(given) = &given {
                may_answer(access, given, &open)?;
            }
            given.map(answer)
        }
        Wanted::End => resume::decline(&open).map(answer),
        Wanted::GoOn if fold.thread().state().messages().is_empty() => {
            return Err(ApiError::Invalid(
                "nothing was said on this thread yet; give `input.messages`".to_owned(),
            ));
        }
        Wanted::GoOn if fold.next().is_empty() || !open.is_empty() => None,
        Wanted::GoOn => Some(Input::Continue),
    })
}

/// Deciding on a plan is a right of its own, and so is having it carried out. To decline needs
/// neither.
fn may_answer(
    access: &Access,
    answer: &resume::Answer,
    open: &[&OpenInterrupt],
) -> Result<(), ApiError> {
    if resume::approves(answer, open) {
        access.allow(Action::Approve)?;
        access.allow(Action::Execute)?;
    }
    Ok(())
}

/// A run starts from the thread's last state; an earlier one would be a fork.
async fn check_head(
    access: &Access,
    thread: ThreadId,
    request: &RunRequest,
) -> Result<(), ApiError> {
    let Some(wanted) = request.checkpoint_id() else {
        return Ok(());
    };
    let head = threads::states(access, thread, None, 1).await?;
    let head = head
        .first()
        .map(|head| crate::checkpoint::checkpoint_id(head.seq()));
    if head.as_deref() == Some(wanted) {
        Ok(())
    } else {
        Err(ApiError::Invalid(
            "`checkpoint` is not the thread's last state, and runs from an earlier one are not offered"
                .to_owned(),
        ))
    }
}

fn modes(request: &RunRequest) -> Result<Modes, ApiError> {
    let names = request
        .stream_mode
        .clone()
        .map(crate::request::OneOrMany::into_vec);
    Modes::parse(&names.unwrap_or_default())
}

/// The modes of `stream_mode=a&stream_mode=b`.
fn stream_modes(query: &str) -> Vec<String> {
    query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("stream_mode="))
        // The Python client sends an empty one when it was given none.
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn following(
    access: &Access,
    thread: ThreadId,
    run: RunId,
    from: u64,
    modes: Modes,
    watched: Option<Watched>,
    after: Option<Place>,
) -> Following {
    let projector = Projector::new(Fold::new(thread, access.app().agents()), run, from, modes);
    Following {
        access: access.clone(),
        projector,
        watched,
        after,
    }
}

async fn logged(access: &Access, thread: ThreadId) -> Result<Vec<LoggedRun>, ApiError> {
    let events = access.events(thread, Seq::START).await?;
    Ok(runs(thread, access.app().agents(), &events)?)
}

/// A run of the log; `None` for one that had nothing to do.
async fn find(
    access: &Access,
    thread: ThreadId,
    run: RunId,
) -> Result<Option<LoggedRun>, ApiError> {
    access.record(thread).await?;
    let found = logged(access, thread)
        .await?
        .into_iter()
        .find(|logged| logged.id == run);
    if found.is_none() && !access.app().runs().was_idle(&access.key(thread), run) {
        return Err(RUN_NOT_FOUND);
    }
    Ok(found)
}

async fn shown(access: &Access, thread: ThreadId, run: RunId) -> Result<Value, ApiError> {
    Ok(match find(access, thread, run).await? {
        Some(logged) => run_json(thread, &logged, status(access, thread, &logged)),
        None => {
            let at = access.record(thread).await?.updated_at;
            let idle = LoggedRun {
                id: run,
                from: Seq::START,
                created_at: at,
                updated_at: at,
                status: None,
            };
            run_json(thread, &idle, RunStatus::Success)
        }
    })
}

/// A run that nobody is at and that did not end was cut off.
fn status(access: &Access, thread: ThreadId, run: &LoggedRun) -> RunStatus {
    if access
        .app()
        .runs()
        .watched(&access.key(thread), run.id)
        .is_some()
    {
        RunStatus::Running
    } else {
        run.status.unwrap_or(RunStatus::Error)
    }
}

fn run_json(thread: ThreadId, run: &LoggedRun, status: RunStatus) -> Value {
    json!({
        "run_id": run.id.as_uuid().to_string(),
        "thread_id": thread.as_uuid().to_string(),
        "assistant_id": ASSISTANT_ID,
        "status": status.as_str(),
        "metadata": {"graph_id": GRAPH_ID, "assistant_id": ASSISTANT_ID},
        "kwargs": {},
        "multitask_strategy": "reject",
        "created_at": time(run.created_at),
        "updated_at": time(run.updated_at),
    })
}

fn located(body: Body, thread: ThreadId, run: RunId, follow: &str) -> Response {
    let mut response = Response::new(body);
    locate(&mut response, thread, run, follow);
    response
}

/// Says which run this is and where to follow it.
fn locate(response: &mut Response, thread: ThreadId, run: RunId, follow: &str) {
    let path = format!("/threads/{}/runs/{}", thread.as_uuid(), run.as_uuid());
    let follow = format!("{path}/{follow}");
    for (name, value) in [(header::CONTENT_LOCATION, path), (header::LOCATION, follow)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
}

fn as_events(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
}

fn as_json(response: &mut Response) {
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
}
