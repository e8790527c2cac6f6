//! `call`: one operation, JSON in, JSON out; items of a subscription one a line, chunks of a publication likewise.

use std::path::Path;

use alknet_call::{CallError, ErrorCode, OpName};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::Context;
use crate::args::CallArgs;
use crate::connect::{RemoteHost, with_host};
use crate::failure::{CommandError, CommandResult};
use crate::input::{InputSource, StdinLines, parse_json};
use crate::output::Output;

pub(super) async fn run(args: &CallArgs, context: &Context) -> CommandResult {
    let name = operation_name(&args.operation)?;
    let source = InputSource::of(args.input.as_deref()).beside(&args.client)?;
    let takes_stdin =
        source == InputSource::Stdin || args.client.token_file.as_deref() == Some(Path::new("-"));
    let input = source.read()?;
    with_host(&args.client, context, async |host| match kind(host, &name).await {
        Kind::Subscription => print_items(host, &name, &input, context.output).await,
        Kind::Publication if takes_stdin => {
            Err(CommandError::usage("standard input is taken: it feeds the publication")
                .hint("give the input as JSON or @FILE, and the token in a file"))
        }
        Kind::Publication => context.output.value(&feed(host, &name, &input).await?),
        Kind::Once => {
            let output = host.call(name.as_str(), &input).await.map_err(|error| explain(error, &name))?;
            context.output.value(&output)
        }
    })
    .await
}

/// How an operation is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Once,
    Subscription,
    Publication,
}

/// Asks the host. What it does not describe is called as if it answered once: the call itself says what is wrong.
async fn kind(host: &RemoteHost, name: &OpName) -> Kind {
    let described = host.call("services/schema", &json!({ "name": name.as_str() })).await;
    match described.ok().and_then(|spec| spec.get("op_type")?.as_str().map(str::to_owned)).as_deref() {
        Some("sub" | "subscription") => Kind::Subscription,
        Some("pub") => Kind::Publication,
        _ => Kind::Once,
    }
}

/// Prints each item as it comes.
async fn print_items(host: &RemoteHost, name: &OpName, input: &Value, output: Output) -> CommandResult {
    let begun = host.subscribe(name.as_str(), input).await;
    let mut items = begun.map_err(|error| explain(error, name))?;
    while let Some(item) = items.next().await {
        output.json(&item.map_err(|error| explain(error, name))?)?;
    }
    Ok(())
}

/// Feeds standard input, line by line, and answers what the operation answers.
async fn feed(host: &RemoteHost, name: &OpName, input: &Value) -> CommandResult<Value> {
    let explained = |error| explain(error, name);
    let mut publication = host.publish(name.as_str(), input).await.map_err(explained)?;
    let mut lines = StdinLines::start();
    let mut number = 0;
    while let Some(line) = lines.next().await {
        number += 1;
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let chunk = parse_json(&format!("line {number} of standard input"), &line)?;
        if !publication.send(&chunk).await.map_err(explained)? {
            break;
        }
    }
    publication.finish().await.map_err(explained)
}

/// The name of an operation as typed; the leading slash of the wire is tolerated.
fn operation_name(typed: &str) -> CommandResult<OpName> {
    OpName::parse(typed.strip_prefix('/').unwrap_or(typed)).map_err(|error| {
        CommandError::usage(format!("`{typed}` is not the name of an operation: {error}"))
            .hint("`alknet-agent call services/list` lists the operations you may call")
    })
}

/// The host's answer, with what to do about it.
fn explain(error: CallError, name: &OpName) -> CommandError {
    let hint = hint(&error, name);
    let failure = CommandError::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn hint(error: &CallError, name: &OpName) -> Option<String> {
    let code = error.code();
    if *code == ErrorCode::NOT_FOUND && error.message().starts_with("operation not found") {
        let tool = if name.is_session() {
            "a tool of a session runs with `alknet-agent session invoke`; "
        } else {
            ""
        };
        return Some(format!("{tool}`alknet-agent call services/list` lists the operations you may call"));
    }
    if *code == ErrorCode::INVALID_INPUT {
        return Some(format!(
            "`alknet-agent call services/schema '{{\"name\":\"{name}\"}}'` shows what it takes"
        ));
    }
    if *code == ErrorCode::FORBIDDEN {
        return Some("another identity may be allowed to: --key FILE or --token-file FILE".to_owned());
    }
    if *code == ErrorCode::TIMEOUT {
        return Some("--timeout TIME waits longer, as long as the host's own limit allows".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_before_anything_is_dialed() {
        assert_eq!(operation_name("/fs/list").unwrap().as_str(), "fs/list");
        for typed in ["", "list", "fs//list", "fs/li st", "fs/list/"] {
            assert_eq!(operation_name(typed).unwrap_err().kind().code(), 2, "{typed}");
        }
    }

    #[test]
    fn answers_come_with_what_to_do() {
        let name = OpName::parse("fs/list").unwrap();
        let cases = [
            (CallError::operation_not_found("fs/list"), Some("services/list")),
            (CallError::not_found("no such file"), None),
            (CallError::invalid_input("bad"), Some("services/schema '{\"name\":\"fs/list\"}'")),
            (CallError::forbidden("no"), Some("--key FILE")),
            (CallError::timeout(), Some("--timeout")),
            (CallError::internal("x"), None),
        ];
        for (error, expected) in cases {
            let text = explain(error.clone(), &name).to_text();
            assert_eq!(text.contains("hint:"), expected.is_some(), "{text}");
            assert!(expected.is_none_or(|part| text.contains(part)), "{text}");
        }
        let tool = OpName::parse("session/x").unwrap();
        let text = explain(CallError::operation_not_found("session/x"), &tool).to_text();
        assert!(text.contains("session invoke"), "{text}");
    }
}
