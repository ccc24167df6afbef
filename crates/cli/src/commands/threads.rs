//! `threads`: what there is to continue or to read.

use chrono::{DateTime, Utc};
use ecs_agent_store::{RecordStatus, TenantScope, ThreadRecord};
use serde_json::json;

use super::Workbench;
use crate::args::Format;
use crate::database;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Meaning, Palette, escape_line};

/// Most threads that are shown.
const SHOWN: u32 = 100;

pub(super) async fn run(bench: &Workbench<'_>) -> Result<Exit, CliError> {
    let store = database::open(bench.configuration, bench.output.leak_guard()).await?;
    let threads = store.threads(&TenantScope::local(), SHOWN, None).await?;
    match bench.output.format() {
        Format::Json => bench.output.json(&json!({ "threads": threads })),
        Format::Markdown => bench.output.text(&markdown(&threads)),
        Format::Terminal if threads.is_empty() => {
            bench
                .output
                .remark("no threads yet: `ecs-deep-agent run \"...\"` starts one");
        }
        Format::Terminal => bench.output.text(&terminal(&threads)),
    }
    Ok(Exit::Success)
}

fn terminal(threads: &[ThreadRecord]) -> String {
    let palette = Palette::of_stdout();
    let mut text = String::new();
    for thread in threads {
        text.push_str(&format!(
            "{}  {}  {}  {}\n",
            palette.paint(Meaning::Name, thread.id),
            palette.paint(
                meaning(thread.status),
                format!("{:<16}", thread.status.as_str())
            ),
            palette.paint(Meaning::Quiet, when(thread.updated_at)),
            escape_line(&thread.title),
        ));
    }
    text
}

fn markdown(threads: &[ThreadRecord]) -> String {
    let mut text = String::from("| thread | status | updated | about |\n|---|---|---|---|\n");
    for thread in threads {
        text.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            thread.id,
            thread.status.as_str(),
            when(thread.updated_at),
            escape_line(&thread.title).replace('|', "\\|"),
        ));
    }
    text
}

fn meaning(status: RecordStatus) -> Meaning {
    match status {
        RecordStatus::Completed => Meaning::Good,
        RecordStatus::Interrupted | RecordStatus::Running => Meaning::Warning,
        RecordStatus::Failed => Meaning::Bad,
        RecordStatus::Idle | RecordStatus::Cancelled | RecordStatus::BudgetExhausted => {
            Meaning::Quiet
        }
    }
}

fn when(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}
