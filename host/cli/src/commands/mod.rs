//! The commands, one file each. They return data or an error; they do not decide anything a host decides.

mod access;
mod apikey;
mod audit;
mod call;
mod demo;
mod init;
mod key;
mod managed;
mod peer;
mod secret;
mod serve;
mod session;
mod vault;

use std::path::PathBuf;

use crate::args::{Cli, Command, LogLevel};
use crate::failure::{CommandError, CommandErrorKind, CommandResult};
use crate::output::Output;
use crate::{logging, reference};

pub(crate) use audit::{account, verify_dir};

/// What every command gets beside its own arguments.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Where results go.
    pub(crate) output: Output,
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    /// `--log`.
    pub(crate) log: Option<LogLevel>,
}

/// Runs the command that was typed.
pub(crate) async fn run(cli: &Cli, output: Output) -> CommandResult {
    let context = Context { output, config: cli.global.config.clone(), log: cli.global.log };
    if !matches!(cli.command, Command::Serve(_)) {
        logging::start(&logging::directives(context.log.unwrap_or(LogLevel::Error)))?;
    }
    let context = &context;
    match &cli.command {
        Command::Init(args) => init::run(args, context),
        Command::Serve(args) => serve::run(args, context).await,
        Command::Call(args) => interruptible(call::run(args, context)).await,
        Command::Session(command) => interruptible(session::run(command, context)).await,
        Command::Audit(command) => interruptible(audit::run(command, context)).await,
        Command::Key(command) => key::run(command, context),
        Command::Secret(command) => secret::run(command, context).await,
        Command::Vault(command) => vault::run(command, context).await,
        Command::Peer(command) => peer::run(command, context).await,
        Command::ApiKey(command) => apikey::run(command, context).await,
        Command::Can(args) => interruptible(access::can(args, context)).await,
        Command::Explain(args) => interruptible(access::explain(args, context)).await,
        Command::Demo(args) => demo::run(args, context).await,
        Command::Reference(args) => output.raw(&reference::page(args.page).await?),
    }
}

/// Ctrl-C drops the command's future: the call it waits for is aborted on the host.
async fn interruptible(command: impl Future<Output = CommandResult>) -> CommandResult {
    tokio::select! {
        outcome = command => outcome,
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => Err(CommandError::new(CommandErrorKind::Interrupted, "interrupted")),
            Err(error) => Err(CommandError::internal(format!("cannot wait for signals: {error}"))),
        },
    }
}
