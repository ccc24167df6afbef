//! `serve` and `mcp`: the same invocations for other programs of the same person.

use std::sync::Arc;

use ecs_agent_core::{Mode, Silent};
use ecs_agent_server::{Authentication, FactoryError, InvocationFactory, ServerConfig};
use ecs_agent_store::{Store, TenantId, TenantScope};
use serde_json::json;

use super::Workbench;
use crate::args::{Auth, Format, ServeArguments};
use crate::cancel::Interrupts;
use crate::database;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Meaning, Palette, escape_line};
use crate::workplace::{self, Place};

/// Serves LangGraph clients over HTTP until Ctrl-C.
pub(super) async fn http(
    bench: &Workbench<'_>,
    arguments: &ServeArguments,
) -> Result<Exit, CliError> {
    let (store, factory) = prepare(bench, arguments.tenant.clone()).await?;
    let listen = (arguments.address, arguments.port).into();
    let interrupts = Interrupts::listen_to_stop(bench.output);
    let guard = Arc::clone(bench.output.leak_guard());
    let mut config = ServerConfig::new(listen, store, guard);
    config.authentication = match arguments.auth {
        Auth::None => Authentication::Development,
        Auth::Keys => Authentication::ApiKeys,
    };
    config.allowed_hosts.clone_from(&arguments.allow_host);
    config.allowed_origins.clone_from(&arguments.allow_origin);
    let server = ecs_agent_server::bind(config, factory).await?;
    let url = format!("http://{}", server.address());
    match bench.output.format() {
        // One line, so that whoever started this can read it and leave the rest alone.
        Format::Json => bench.output.text(&format!("{}\n", json!({ "url": url }))),
        Format::Terminal | Format::Markdown => bench.output.text(&format!("{url}\n")),
    }
    let notice = server.notice();
    let notice = escape_line(&notice);
    if server.is_open() {
        // SECURITY: not even `--quiet` hides who can approve plans here.
        let notice = Palette::of_stderr().paint(Meaning::Warning, notice);
        bench.output.remark_as_is(&notice);
    } else if !bench.flags.quiet {
        bench.output.remark(&notice);
    }
    if !bench.flags.quiet {
        bench.output.remark("Ctrl-C ends it");
    }
    server.run(interrupts.token()).await?;
    Ok(Exit::Success)
}

/// Serves an assistant on standard input and output until it leaves. Standard output is the
/// protocol's alone.
pub(super) async fn mcp(bench: &Workbench<'_>) -> Result<Exit, CliError> {
    let owner = TenantScope::local().tenant().clone();
    let (store, factory) = prepare(bench, owner).await?;
    let interrupts = Interrupts::listen_quietly();
    let guard = Arc::clone(bench.output.leak_guard());
    ecs_agent_server::serve_mcp_stdio(store, factory, guard, interrupts.token()).await?;
    Ok(Exit::Success)
}

/// The threads, and what makes an invocation on them: the same as for `run`, with keys read anew
/// for each. The configured credentials are `owner`'s.
async fn prepare(
    bench: &Workbench<'_>,
    owner: TenantId,
) -> Result<(Store, InvocationFactory), CliError> {
    // What is missing is told before anything is started.
    let place = Place::configured(bench.configuration, bench.flags)?;
    workplace::sources(bench.configuration)?;
    let store = database::open(bench.configuration, bench.output.leak_guard()).await?;
    let mut settings = workplace::settings(
        bench.configuration,
        place,
        store.clone(),
        Mode::Repair,
        bench.flags,
        bench.output,
    )?;
    // Progress of several runs at once on one terminal helps nobody; clients have their streams.
    settings.progress = Arc::new(Silent);
    let configuration = bench.configuration.clone();
    let factory: InvocationFactory = Arc::new(move |caller| {
        // SECURITY: a key of another tenant opens that tenant's threads, never these credentials.
        let tenant = caller.tenant().tenant();
        if *tenant != owner {
            let tenant = tenant.clone();
            return Err(FactoryError::NoCredentials { tenant });
        }
        let sources = workplace::sources(&configuration).map_err(FactoryError::new)?;
        Ok((settings.clone(), sources))
    });
    Ok((store, factory))
}
