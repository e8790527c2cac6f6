//! The alknet-agent command: a host, its clients, and the record it keeps.
//!
//! **Goals.** Assembly of the other crates into a program: configuration, keys, commands, exit codes. Commands
//! return data or a [`failure::CommandError`]; only [`output`] prints.
//!
//! **Non-goals.** No rule of its own: what may be called, by whom, and what is recorded is decided in the
//! libraries. No secret on the command line or in the environment.
//!
//! ```text
//! alknet-agent demo
//! ```

mod args;
mod assemble;
mod commands;
mod config;
mod connect;
mod credentials;
mod demo;
mod failure;
mod input;
mod logging;
mod output;
mod panic;
mod project;
mod reference;
mod vault;

use std::process::ExitCode;

use clap::Parser as _;

use args::Cli;
use failure::{CommandError, CommandErrorKind, CommandResult};
use output::Output;

/// A call makes some fifty small allocations, many of which another thread frees: this allocator is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    panic::report_briefly();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => return refuse(&answer),
    };
    let output = Output::new(cli.global.json);
    match panic::contain(|| run(&cli, output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            error.exit_code()
        }
    }
}

/// Help and version are results; anything else the parser says is an error of usage.
fn refuse(answer: &clap::Error) -> ExitCode {
    if answer.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let message = answer.render().to_string();
        let (first, rest) = message.trim().split_once('\n').unwrap_or((message.trim(), ""));
        let error = CommandError::usage(first.trim_start_matches("error: ")).hint(rest.trim());
        Output::new(true).error(&error);
        return error.exit_code();
    }
    let (coloured, plain) = (answer.render().ansi().to_string(), answer.render().to_string());
    match output::parser_answer(&coloured, &plain, answer.use_stderr()) {
        Ok(()) if answer.use_stderr() => CommandErrorKind::Usage.exit_code(),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.exit_code(),
    }
}

fn run(cli: &Cli, output: Output) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::internal(format!("cannot start: {error}")))?;
    runtime.block_on(Box::pin(commands::run(cli, output)))
}
