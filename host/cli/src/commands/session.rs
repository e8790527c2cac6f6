//! `session`: the `session/*` operations, made easy by hand.

mod memory;
mod open;
mod register;
mod run;
mod source;
mod tools;
mod view;

use alknet_call::CallError;
use serde_json::Value;

use super::Context;
use crate::args::{SessionCommand, SessionRef};
use crate::connect::RemoteHost;
use crate::failure::{CommandError, CommandResult};

pub(super) use memory::remembered;

pub(super) async fn run(command: &SessionCommand, context: &Context) -> CommandResult {
    match command {
        SessionCommand::Open(args) => open::run(args, context).await,
        SessionCommand::Register(args) => register::run(args, context).await,
        SessionCommand::Invoke(args) => tools::invoke(args, context).await,
        SessionCommand::Subscribe(args) => tools::subscribe(args, context).await,
        SessionCommand::Run(args) => run::run(args, context).await,
        SessionCommand::List(args) => tools::list(args, context).await,
        SessionCommand::Remove(args) => tools::remove(args, context).await,
        SessionCommand::Close(args) => tools::close(args, context).await,
    }
}

/// The session named by an option, else the one opened last on this host.
fn session_id(named: &SessionRef, host: &RemoteHost) -> CommandResult<String> {
    if let Some(session) = &named.session {
        return Ok(session.clone());
    }
    remembered(host).ok_or_else(no_session)
}

fn no_session() -> CommandError {
    CommandError::usage("no session was opened from this folder")
        .hint("open one with `alknet-agent session open`, or name one with --session ID")
}

/// An answer of a `session/*` operation, with what to do about it.
fn explain(error: CallError) -> CommandError {
    let gone = error.code().as_str() == "NOT_FOUND" && error.message().starts_with("session not found");
    let message = error.message();
    let no_tool = error.code().as_str() == "NOT_FOUND"
        && (message.starts_with("operation not found: session/") || message.starts_with("no such operation"));
    let denied = error.code().as_str() == "ENV_DENIED";
    let exists = error.code().as_str() == "ALREADY_EXISTS";
    let failure = CommandError::from(error);
    if gone {
        failure.hint("it has ended, or it is not yours: open one with `alknet-agent session open`")
    } else if no_tool {
        failure.hint("`alknet-agent session list` lists the tools of your sessions")
    } else if denied {
        failure.hint("`alknet-agent session list` shows what each session may call")
    } else if exists {
        failure.hint("--replace makes it a new version of the same tool")
    } else {
        failure
    }
}

/// A member of an answer as text, empty where it is missing.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
