//! One module a command; each returns how the program ends.

mod audit;
mod config;
mod demo;
mod doctor;
mod eval;
mod isolation;
mod keys;
mod lab;
mod lab_validate;
mod mcp_servers;
mod permissions;
mod report;
mod request;
mod resume;
mod serve;
mod threads;

pub(crate) use isolation::InterleavingError;

use clap::CommandFactory;
use ecs_agent_core::Mode;

use crate::args::{Arguments, Command, DemoCommand, OutputFlags};
use crate::config::Configuration;
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) use request::start_thread;

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Workbench<'a> {
    pub(crate) configuration: &'a Configuration,
    pub(crate) flags: &'a OutputFlags,
    pub(crate) environment: &'a Environment,
    pub(crate) output: &'a Output,
}

/// Carries out the command.
pub(crate) async fn run(
    arguments: Arguments,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, CliError> {
    let Arguments {
        command,
        output: flags,
        settings,
    } = arguments;
    if let Command::Completions { shell } = command {
        let mut script = Vec::new();
        clap_complete::generate(
            shell,
            &mut Arguments::command(),
            "ecs-deep-agent",
            &mut script,
        );
        output.text(&String::from_utf8_lossy(&script));
        return Ok(Exit::Success);
    }
    let configuration =
        Configuration::load(settings.config.as_deref(), settings.layer(), environment)?;
    let bench = Workbench {
        configuration: &configuration,
        flags: &flags,
        environment,
        output,
    };
    match command {
        Command::Demo(demo) => match demo.other {
            Some(DemoCommand::Isolation { invocations, json }) => {
                isolation::run(&bench, invocations, json).await
            }
            None => demo::run(&bench, &demo.scenario, demo.speed).await,
        },
        Command::Run(request) => request::run(&bench, request, Mode::Repair).await,
        Command::Diagnose(request) => request::run(&bench, request, Mode::Diagnose).await,
        Command::Lab(lab) => lab::run(&bench, lab).await,
        Command::Eval(arguments) => eval::run(&bench, &arguments).await,
        Command::Serve(arguments) => serve::http(&bench, &arguments).await,
        Command::Keys(command) => keys::run(&bench, command).await,
        Command::Mcp => serve::mcp(&bench).await,
        Command::Threads => threads::run(&bench).await,
        Command::Resume(resume) => resume::run(&bench, resume).await,
        Command::Report(thread) => report::run(&bench, &thread.thread).await,
        Command::Doctor => doctor::run(&bench).await,
        Command::Permissions(arguments) => permissions::run(&bench, &arguments).await,
        Command::McpServers(command) => mcp_servers::run(&bench, command).await,
        Command::Audit(command) => audit::run(&bench, &command).await,
        Command::Config(command) => Ok(config::run(&bench, command)),
        // Answered before the configuration was read.
        Command::Completions { .. } => Ok(Exit::Success),
    }
}
