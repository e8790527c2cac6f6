//! `call`: one operation, JSON in, JSON out.

use alknet_call::{CallError, ErrorCode, OpName};

use super::Context;
use crate::args::CallArgs;
use crate::connect::with_host;
use crate::failure::{CommandError, CommandResult};
use crate::input::InputSource;

pub(super) async fn run(args: &CallArgs, context: &Context) -> CommandResult {
    let name = operation_name(&args.operation)?;
    let input = InputSource::of(args.input.as_deref()).beside(&args.client)?.read()?;
    let output = with_host(&args.client, context, async |host| {
        host.call(name.as_str(), &input).await.map_err(|error| explain(error, &name))
    });
    context.output.value(&output.await?)
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
