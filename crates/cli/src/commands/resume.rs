//! `resume`: a thread goes on where it waits or crashed.

use ecs_agent_core::Input;
use ecs_agent_runtime::EventBody;
use ecs_agent_store::{Seq, StoredEvent, TenantScope};

use super::request::Afterwards;
use super::{Workbench, request};
use crate::args::ResumeArguments;
use crate::database;
use crate::error::CliError;
use crate::exit::Exit;
use crate::workplace::{self, Place};

pub(super) async fn run(bench: &Workbench<'_>, resume: ResumeArguments) -> Result<Exit, CliError> {
    let place = Place::configured(bench.configuration, bench.flags)?;
    workplace::sources(bench.configuration)?;
    let store = database::open(bench.configuration, bench.output.leak_guard()).await?;
    let thread = crate::thread_name::find(&store, &resume.thread.thread).await?;
    let events = store
        .events(&TenantScope::local(), thread.id, Seq::START)
        .await?;
    let prepared = request::prepared(resume.choose, resume.reject);
    if prepared.is_some() && !asks(&events) {
        return Err(CliError::NothingAsked {
            thread: thread.id.to_string(),
        });
    }
    let mode = request::mode_of(&store, thread.id).await?;
    let settings = workplace::settings(
        bench.configuration,
        place,
        store,
        mode,
        bench.flags,
        bench.output,
    )?;
    let sources = || workplace::sources(bench.configuration);
    let person = workplace::person(bench.flags, prepared, bench.environment, bench.output);
    let outcome = request::hold(
        bench.output,
        settings,
        &sources,
        person,
        thread.id,
        Input::Continue,
    )
    .await?;
    request::show(bench, &outcome, Afterwards::Kept);
    Ok(outcome.exit)
}

/// Whether a question was raised after the last answer.
fn asks(events: &[StoredEvent]) -> bool {
    let is_turn = |body: &EventBody| {
        matches!(
            body,
            EventBody::InterruptRaised { .. }
                | EventBody::InterruptAnswered { .. }
                | EventBody::RunEnded { .. }
        )
    };
    let last = events
        .iter()
        .rev()
        .map(|stored| &stored.event.body)
        .find(|body| is_turn(body));
    matches!(last, Some(EventBody::InterruptRaised { .. }))
}
