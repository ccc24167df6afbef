//! `mcp-servers`: other people's MCP servers, looked at and accepted.

use ecs_agent_mcp::{Change, Consent, Digest, Inspection, ServerName};
use serde_json::json;

use super::Workbench;
use crate::args::{Format, McpServersCommand};
use crate::config::{keep_consent, read_consent};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::escape_line;

/// Longest text of a change that is shown, in characters.
const LONGEST: usize = 400;

pub(super) async fn run(
    bench: &Workbench<'_>,
    command: McpServersCommand,
) -> Result<Exit, CliError> {
    match command {
        McpServersCommand::List => list(bench),
        McpServersCommand::Show { name } => look(bench, &name, Wants::Nothing).await,
        McpServersCommand::Trust { name, accept } => {
            look(bench, &name, accept.map_or(Wants::AskMe, Wants::Exactly)).await
        }
    }
}

/// What becomes of what is seen.
enum Wants {
    Nothing,
    AskMe,
    Exactly(Digest),
}

fn list(bench: &Workbench<'_>) -> Result<Exit, CliError> {
    let data_dir = bench.configuration.data_dir()?;
    let rows: Vec<_> = bench
        .configuration
        .mcp
        .servers
        .keys()
        .map(|name| {
            let digest = read_consent(data_dir, name).map(|consent| consent.digest());
            json!({"server": name, "accepted": digest})
        })
        .collect();
    if bench.output.format() == Format::Json {
        bench.output.json(&json!({ "servers": rows }));
        return Ok(Exit::Success);
    }
    for row in rows {
        let accepted = match row.get("accepted").and_then(|digest| digest.as_str()) {
            Some(digest) => format!("accepted, {digest}"),
            None => "not accepted".to_owned(),
        };
        let name = row.get("server").and_then(|name| name.as_str());
        bench
            .output
            .text(&format!("{}  {accepted}\n", name.unwrap_or_default()));
    }
    Ok(Exit::Success)
}

async fn look(bench: &Workbench<'_>, name: &ServerName, wants: Wants) -> Result<Exit, CliError> {
    let data_dir = bench.configuration.data_dir()?;
    let entry = bench.configuration.mcp.servers.get(name);
    let entry = entry.ok_or_else(|| CliError::NoMcpServer {
        given: name.to_string(),
    })?;
    let known = read_consent(data_dir, name);
    let found = Inspection::of(&entry.declared(name, None)).await?;
    let difference = found.difference(known.as_ref());
    let consent = Consent::to(name.clone(), found.identity, found.offer);
    let digest = consent.digest();
    if bench.output.format() == Format::Json {
        bench.output.json(&json!({
            "server": name, "offered": consent, "digest": digest,
            "accepted": known.as_ref().map(Consent::digest), "difference": difference,
        }));
    } else {
        // What it says is untrusted: every line is escaped.
        let line = |text: String| bench.output.text(&format!("{}\n", escape_line(&text)));
        for change in &difference.identity {
            line(format!("another server: {change}"));
        }
        for (tool, change) in &difference.tools {
            match change {
                Change::New => line(format!("new: {tool}: {}", described(&consent, tool))),
                Change::Gone => line(format!("gone: {tool}")),
                Change::Changed { fields } => {
                    for field in fields {
                        line(format!(
                            "changed: {tool}: {} was: {}",
                            field.field,
                            cut(&field.was)
                        ));
                        line(format!(
                            "changed: {tool}: {} is:  {}",
                            field.field,
                            cut(&field.is)
                        ));
                    }
                }
            }
        }
        for unusable in &difference.unusable {
            line(format!(
                "not usable: {}: {}",
                unusable.name, unusable.reason
            ));
        }
        if known.is_some() && difference.is_none() {
            line("as it was accepted".to_owned());
        }
        line(format!("digest {digest}"));
    }
    let accepted = match wants {
        Wants::Nothing => {
            let same = known.is_some() && difference.is_none();
            return Ok(if same { Exit::Success } else { Exit::Findings });
        }
        Wants::Exactly(given) => given == digest,
        Wants::AskMe if bench.output.can_ask() => dialoguer::Confirm::new()
            .with_prompt("Accept this server as it is?")
            .default(false)
            .interact()
            .map_err(CliError::Prompt)?,
        Wants::AskMe => false,
    };
    if !accepted {
        bench.output.remark(&format!(
            "not accepted: look at it, then `ecs-deep-agent mcp-servers trust {name} --accept {digest}`"
        ));
        return Ok(Exit::NeedsPerson);
    }
    keep_consent(data_dir, &consent).map_err(|source| CliError::DataDirectory {
        path: data_dir.to_owned(),
        source,
    })?;
    bench.output.remark(&format!("accepted `{name}` as it is"));
    Ok(Exit::Success)
}

fn described(consent: &Consent, tool: &ecs_agent_mcp::ToolName) -> String {
    let definition = consent.tools.get(tool);
    cut(definition
        .and_then(|definition| definition.description.as_deref())
        .unwrap_or_default())
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
