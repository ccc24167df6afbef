//! `keys`: the API keys of a tenant, managed by whoever may open the database.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ecs_agent_server::{ApiKey, ApiKeyParams, ApiKeys};
use ecs_agent_store::{ApiKeyRecord, TenantScope};
use serde_json::{Value, json};

use super::Workbench;
use crate::args::{Format, KeysCommand, TenantArgument};
use crate::database;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Meaning, Palette, escape_line};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) async fn run(bench: &Workbench<'_>, command: KeysCommand) -> Result<Exit, CliError> {
    let store = database::open(bench.configuration, bench.output.leak_guard()).await?;
    let by = bench.environment.user.as_deref().unwrap_or("local");
    let now = Utc::now();
    match command {
        KeysCommand::Create {
            name,
            person,
            allow,
            days,
            tenant,
        } => {
            let scope = scope(tenant);
            let params = ApiKeyParams {
                name,
                person,
                actions: allow.into_iter().collect(),
                lives: DAY * u32::from(days),
            };
            let keys = ApiKeys::new(&store, &scope, by);
            let (key, record) = keys.create(params, now).await?;
            show_once(bench, &key, &record);
        }
        KeysCommand::List { tenant } => {
            let scope = scope(tenant);
            let keys = ApiKeys::new(&store, &scope, by).list().await?;
            list(bench, &keys, now);
        }
        KeysCommand::Revoke { id, tenant } => {
            let scope = scope(tenant);
            let keys = ApiKeys::new(&store, &scope, by);
            let revoked = keys.revoke(&id, now).await?;
            match bench.output.format() {
                Format::Json => bench.output.json(&shown(&revoked, now)),
                Format::Terminal | Format::Markdown => {
                    bench.output.text(&format!("revoked {id}\n"));
                }
            }
        }
        KeysCommand::Rotate {
            id,
            overlap,
            tenant,
        } => {
            let scope = scope(tenant);
            let keys = ApiKeys::new(&store, &scope, by);
            let (key, record) = keys.rotate(&id, overlap.duration(), now).await?;
            show_once(bench, &key, &record);
            bench
                .output
                .remark(&format!("the old key `{id}` goes on for {overlap}"));
        }
    }
    Ok(Exit::Success)
}

/// Whoever may open the database may manage every tenant's keys.
fn scope(argument: TenantArgument) -> TenantScope {
    TenantScope::authenticated(argument.tenant)
}

/// SECURITY: the one place where a key's secret is written, to the person who had it made.
fn show_once(bench: &Workbench<'_>, key: &ApiKey, record: &ApiKeyRecord) {
    let secret = key.reveal();
    match bench.output.format() {
        Format::Json => {
            let mut document = shown(record, record.created_at);
            if let Some(fields) = document.as_object_mut() {
                fields.insert("key".to_owned(), secret.as_str().into());
            }
            bench.output.json(&document);
        }
        Format::Terminal | Format::Markdown => {
            bench.output.text(&format!("{}\n", secret.as_str()));
            bench.output.remark(&format!(
                "shown this once: key `{}` of tenant `{}` for {}, until {}",
                record.id,
                record.tenant,
                record.person,
                when(record.expires_at)
            ));
        }
    }
}

fn list(bench: &Workbench<'_>, keys: &[ApiKeyRecord], now: DateTime<Utc>) {
    match bench.output.format() {
        Format::Json => {
            let keys: Vec<Value> = keys.iter().map(|key| shown(key, now)).collect();
            bench.output.json(&json!({ "keys": keys }));
        }
        Format::Markdown => {
            let mut text = String::from(
                "| key | state | until | person | for | allows |\n|---|---|---|---|---|---|\n",
            );
            for key in keys {
                text.push_str(&format!(
                    "| {} | {} | {} | {} | {} | {} |\n",
                    key.id,
                    state(key, now),
                    when(key.expires_at),
                    escape_line(&key.person).replace('|', "\\|"),
                    escape_line(&key.name).replace('|', "\\|"),
                    key.actions.join(", "),
                ));
            }
            bench.output.text(&text);
        }
        Format::Terminal if keys.is_empty() => bench
            .output
            .remark("no keys yet: `ecs-deep-agent keys create` makes one"),
        Format::Terminal => {
            let palette = Palette::of_stdout();
            for key in keys {
                let state = state(key, now);
                let meaning = if state == "live" {
                    Meaning::Good
                } else {
                    Meaning::Quiet
                };
                bench.output.text(&format!(
                    "{}  {}  {}  {}  {} ({})\n",
                    palette.paint(Meaning::Name, &key.id),
                    palette.paint(meaning, format!("{state:<7}")),
                    palette.paint(Meaning::Quiet, when(key.expires_at)),
                    escape_line(&key.person),
                    escape_line(&key.name),
                    key.actions.join(", "),
                ));
            }
        }
    }
}

fn shown(key: &ApiKeyRecord, now: DateTime<Utc>) -> Value {
    json!({
        "id": key.id, "tenant": key.tenant, "name": key.name, "person": key.person,
        "actions": key.actions, "state": state(key, now), "created_at": key.created_at,
        "expires_at": key.expires_at, "revoked_at": key.revoked_at,
    })
}

fn state(key: &ApiKeyRecord, now: DateTime<Utc>) -> &'static str {
    match key.revoked_at {
        Some(_) => "revoked",
        None if key.expires_at <= now => "expired",
        None => "live",
    }
}

fn when(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}
