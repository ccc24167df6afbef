//! The `ecs-deep-agent` program: commands, configuration and what a person sees.
//!
//! **Invariant:** this crate alone reads the environment and writes to the terminal, and nothing
//! that AWS or a model said reaches the terminal unescaped.

mod args;
mod cancel;
mod commands;
mod config;
mod conversation;
mod database;
mod environment;
mod error;
mod evaluation;
mod exit;
mod guarded_lines;
mod lab_clock;
mod lab_process;
mod logging;
mod model_setup;
mod output;
mod person;
mod progress;
mod render;
mod span;
mod thread_name;
mod workplace;

use std::process::ExitCode;

use clap::Parser;
use ecs_agent_credentials::{LeakGuard, WIPING_ALLOCATOR, WipingAllocator};

use crate::args::Arguments;
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

/// Wipes every block of memory when it is freed: copies of a secret that a library makes, too.
#[global_allocator]
static ALLOCATOR: WipingAllocator = WIPING_ALLOCATOR;

fn main() -> ExitCode {
    // Before anything else: from here on the process leaves no core dump and cannot be read by
    // another process of the same user.
    let hardened = ecs_agent_credentials::harden_process();
    ecs_agent_credentials::install_panic_hook();
    let environment = Environment::of_this_process();
    let arguments = Arguments::parse();
    // Made once, and given to everything that has an exit.
    let guard = LeakGuard::new();
    logging::start(&environment, arguments.output.verbose, &guard);
    let output = Output::new(arguments.output.format, guard.clone());
    // A program that holds credentials does not start where its memory is open to others.
    let ended = hardened
        .map_err(CliError::Unprotected)
        .and_then(|_| run(arguments, &environment, &output))
        // Whatever else it came to, an output was withheld.
        .and_then(|exit| {
            guard
                .withheld()
                .map_or(Ok(exit), |blocked| Err(blocked.into()))
        });
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            output.error(&error);
            error.exit().into()
        }
    }
}

fn run(arguments: Arguments, environment: &Environment, output: &Output) -> Result<Exit, CliError> {
    if environment.logs_signable_bodies {
        return Err(CliError::SignableBodies);
    }
    // One thread is enough: invocations run on cells of their own, the rest waits.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    let exit = runtime.block_on(commands::run(arguments, environment, output));
    // A prompt that nobody answers sits in a read that cannot be interrupted.
    runtime.shutdown_background();
    exit
}
