//! `report`: a thread's newest document.

use ecs_agent_store::TenantScope;
use serde_json::json;

use super::Workbench;
use super::request::MODE;
use crate::args::Format;
use crate::database;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::newest_document;

pub(super) async fn run(bench: &Workbench<'_>, given: &str) -> Result<Exit, CliError> {
    let store = database::open(bench.configuration, bench.output.leak_guard()).await?;
    let thread = crate::thread_name::find(&store, given).await?;
    let mut reports = store.reports(&TenantScope::local(), thread.id).await?;
    reports.retain(|report| report.kind != MODE);
    if bench.output.format() == Format::Json && !reports.is_empty() {
        bench
            .output
            .json(&json!({ "thread": thread, "reports": reports }));
        return Ok(Exit::Success);
    }
    let document = newest_document(|path| {
        let kind = path.trim_start_matches('/').trim_end_matches(".md");
        reports
            .iter()
            .find(|report| report.kind == kind)
            .map(|report| report.text.as_str())
    });
    match document {
        Some(document) => bench.output.document(document),
        None => {
            return Err(CliError::NoReport {
                thread: thread.id.to_string(),
            });
        }
    }
    Ok(Exit::Success)
}
