//! `audit`: the record of what was done, checked and read.

use ecs_agent_store::{AuditRecord, Store, TenantScope};
use serde_json::{Value, json};

use super::Workbench;
use crate::args::{AuditCommand, Format};
use crate::database;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Meaning, Palette, escape_line};

pub(super) async fn run(bench: &Workbench<'_>, command: &AuditCommand) -> Result<Exit, CliError> {
    let store = database::open(bench.configuration, bench.output.leak_guard()).await?;
    match command {
        AuditCommand::Verify { head } => verify(bench, &store, head.as_deref()).await,
        AuditCommand::List { thread, last } => {
            let records = records(&store, thread.as_deref(), *last).await?;
            match bench.output.format() {
                Format::Json => bench.output.json(&json!({ "records": records })),
                Format::Terminal | Format::Markdown => bench.output.text(&lines(&records)),
            }
            Ok(Exit::Success)
        }
        AuditCommand::Show { thread, last } => {
            let records = records(&store, thread.as_deref(), *last).await?;
            bench.output.json(&json!({ "records": records }));
            Ok(Exit::Success)
        }
    }
}

/// Checks the whole chain; a head that was kept elsewhere has to be in it.
async fn verify(
    bench: &Workbench<'_>,
    store: &Store,
    head: Option<&str>,
) -> Result<Exit, CliError> {
    let json = bench.output.format() == Format::Json;
    match store.audit_verify_from(&TenantScope::local(), head).await {
        Ok(chain) if json => bench.output.json(&json!({
            "holds": true, "records": chain.records, "head": chain.head,
        })),
        Ok(chain) => bench.output.text(&format!(
            "OK: {} records, none changed, removed or put in\nhead {}\n",
            chain.records, chain.head
        )),
        Err(problem) => {
            if json && problem.is_tampering() {
                let problem = problem.to_string();
                bench
                    .output
                    .json(&json!({ "holds": false, "problem": problem }));
            }
            return Err(problem.into());
        }
    }
    Ok(Exit::Success)
}

/// The newest records, of one thread or of all.
async fn records(
    store: &Store,
    thread: Option<&str>,
    last: u32,
) -> Result<Vec<AuditRecord>, CliError> {
    let tenant = TenantScope::local();
    let Some(given) = thread else {
        return Ok(store.audit_newest(&tenant, last).await?);
    };
    let thread = crate::thread_name::find(store, given).await?;
    let mut records = store.audit(&tenant, thread.id).await?;
    let last = usize::try_from(last).unwrap_or(usize::MAX);
    let older = records.len().saturating_sub(last);
    Ok(records.split_off(older))
}

fn lines(records: &[AuditRecord]) -> String {
    let palette = Palette::of_stdout();
    records
        .iter()
        .map(|record| {
            let thread = record.thread.map(|id| id.to_string()).unwrap_or_default();
            let short = thread.get(thread.len().saturating_sub(6)..).unwrap_or("");
            format!(
                "{:>6}  {}  {:>6}  {}  {}\n",
                record.seq,
                palette.paint(Meaning::Quiet, record.at.format("%Y-%m-%d %H:%M:%S%.3fZ")),
                short,
                palette.paint(
                    meaning(record),
                    format!("{:<18}", escape_line(&record.kind))
                ),
                escape_line(&told(&record.content)),
            )
        })
        .collect()
}

/// What a record says, in one line: who, and what of it a person looks for.
fn told(content: &Value) -> String {
    const FIELDS: [&str; 14] = [
        "service",
        "operation",
        "resource",
        "outcome",
        "error_code",
        "request_id",
        "change",
        "principal",
        "plan",
        "status",
        "answer",
        "by",
        "calls",
        "person",
    ];
    FIELDS
        .iter()
        .filter_map(|field| match content.get(field)? {
            Value::Null => None,
            Value::String(text) => Some(format!("{field}={text}")),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Some(format!("{field}={other}"))
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

fn meaning(record: &AuditRecord) -> Meaning {
    match record.kind.as_str() {
        "invocation_crashed" | "events_lost" => Meaning::Bad,
        "plan_begun" | "write_intended" | "write_ended" => Meaning::Warning,
        _ => Meaning::Name,
    }
}
