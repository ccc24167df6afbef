//! `config show` and `config check`.

use std::fmt::Display;

use serde_json::{Map, Value, json};

use super::Workbench;
use crate::args::{ConfigCommand, Format};
use crate::config::{Configuration, DatabasePlace, Origin, Setting};
use crate::exit::Exit;
use crate::render::{Meaning, Palette, escape_line};

/// Whoever gets here has a configuration that was read: mistakes in it end the program earlier.
pub(super) fn run(bench: &Workbench<'_>, command: ConfigCommand) -> Exit {
    match command {
        ConfigCommand::Show => show(bench),
        ConfigCommand::Check => {
            let file = bench.configuration.file.as_ref();
            let checked = file.map_or_else(
                || "no configuration file; environment and flags are in order".to_owned(),
                |file| format!("`{}`, environment and flags are in order", file.display()),
            );
            bench.output.remark(&checked);
        }
    }
    Exit::Success
}

fn show(bench: &Workbench<'_>) {
    let rows = rows(bench.configuration);
    match bench.output.format() {
        Format::Json => bench.output.json(&as_json(bench.configuration, &rows)),
        Format::Markdown => {
            let mut text = String::from("| setting | value | from |\n|---|---|---|\n");
            for row in &rows {
                text.push_str(&format!(
                    "| {} | {} | {} |\n",
                    row.name,
                    shown(row),
                    from(row)
                ));
            }
            bench.output.text(&text);
        }
        Format::Terminal => {
            let palette = Palette::of_stdout();
            for row in &rows {
                let name = palette.paint(Meaning::Name, format!("{:<20}", row.name));
                let origin = palette.paint(Meaning::Quiet, format!("({})", from(row)));
                bench
                    .output
                    .text(&format!("{name}  {} {origin}\n", shown(row)));
            }
        }
    }
}

/// One setting as it is shown.
struct Row {
    name: &'static str,
    value: Option<(String, Origin)>,
}

fn rows(configuration: &Configuration) -> Vec<Row> {
    let c = configuration;
    let always = |name, value: String, origin| Row {
        name,
        value: Some((value, origin)),
    };
    vec![
        always("model", c.model.value.to_string(), c.model.origin),
        maybe("model_base_url", &c.model_base_url),
        always("models", c.models.to_string(), Origin::File),
        always(
            "allow_write",
            c.allow_write.value.to_string(),
            c.allow_write.origin,
        ),
        always(
            "allow_sensitive_data",
            c.allow_sensitive_data.value.to_string(),
            c.allow_sensitive_data.origin,
        ),
        maybe("region", &c.region),
        maybe("credentials", &c.credentials),
        maybe("role_arn", &c.role_arn),
        maybe("external_id", &c.external_id),
        always(
            "require_narrowed",
            c.require_narrowed.value.to_string(),
            c.require_narrowed.origin,
        ),
        maybe("endpoint_url", &c.endpoint_url),
        always("retries", c.retries.value.to_string(), c.retries.origin),
        always(
            "max_steps",
            c.max_steps.value.to_string(),
            c.max_steps.origin,
        ),
        always("timeout", c.timeout.value.to_string(), c.timeout.origin),
        maybe("cluster", &c.cluster),
        maybe("service", &c.service),
        maybe("organization", &c.organization),
        maybe("environment", &c.environment),
        Row {
            name: "data_dir",
            value: c
                .data_dir
                .as_ref()
                .map(|s| (s.value.display().to_string(), s.origin)),
        },
        Row {
            name: "database",
            value: Some(match &c.database {
                DatabasePlace::DataDirectory => (c.database.to_string(), Origin::Default),
                named @ (DatabasePlace::Variable(_) | DatabasePlace::File(_)) => {
                    (named.to_string(), Origin::File)
                }
            }),
        },
        Row {
            name: "prompts",
            value: c
                .prompts_folder
                .as_ref()
                .map(|s| (s.value.display().to_string(), s.origin)),
        },
        Row {
            name: "registry",
            value: c
                .registry
                .as_ref()
                .map(|r| (r.command.display().to_string(), Origin::File)),
        },
        always(
            "services",
            format!("{} registered", c.services.len()),
            Origin::File,
        ),
        always(
            "accounts",
            format!("{} registered", c.accounts.len()),
            Origin::File,
        ),
    ]
}

fn maybe<T: Display>(name: &'static str, setting: &Option<Setting<T>>) -> Row {
    Row {
        name,
        value: setting.as_ref().map(|s| (s.value.to_string(), s.origin)),
    }
}

fn shown(row: &Row) -> String {
    row.value.as_ref().map_or_else(
        || "-".to_owned(),
        |(value, _)| escape_line(value).into_owned(),
    )
}

fn from(row: &Row) -> String {
    row.value
        .as_ref()
        .map_or_else(|| "not set".to_owned(), |(_, origin)| origin.to_string())
}

fn as_json(configuration: &Configuration, rows: &[Row]) -> Value {
    let settings: Map<String, Value> = rows
        .iter()
        .map(|row| {
            let value = row.value.as_ref().map(|(value, _)| value);
            (
                row.name.to_owned(),
                json!({ "value": value, "from": from(row) }),
            )
        })
        .collect();
    json!({ "file": configuration.file, "settings": settings })
}
