//! `audit`: the record of what happened, from the host or from its folder.

mod account;
mod export;
mod filter;
mod keep;
mod proof;
mod tail;
mod verify;
mod view;

use alknet_call::CallError;
use serde_json::{Value, json};

use super::{Context, session};
use crate::args::{AuditCommand, ProvenanceArgs, ShowArgs, TraceArgs};
use crate::connect::with_host;
use crate::failure::{CommandError, CommandResult};

pub(crate) use account::account;
pub(crate) use verify::verify_dir;

pub(super) async fn run(command: &AuditCommand, context: &Context) -> CommandResult {
    match command {
        AuditCommand::Show(args) => show(args, context).await,
        AuditCommand::Trace(args) => trace(args, context).await,
        AuditCommand::Provenance(args) => provenance(args, context).await,
        AuditCommand::Tail(args) => tail::run(args, context).await,
        AuditCommand::Stats(args) => keep::stats(args, context).await,
        AuditCommand::Checkpoint(args) => proof::checkpoint(args, context).await,
        AuditCommand::Prove(args) => proof::prove(args, context).await,
        AuditCommand::Export(args) => export::run(args, context).await,
        AuditCommand::Verify(args) => verify::run(args, context).await,
        AuditCommand::Reindex(args) => keep::reindex(args, context).await,
        AuditCommand::Prune(args) => keep::prune(args, context).await,
    }
}

async fn show(args: &ShowArgs, context: &Context) -> CommandResult {
    let request = json!({
        "filter": filter::of(&args.filter), "limit": args.limit, "after": args.after, "order": "newest_first",
    });
    let mut answer =
        with_host(&args.client, context, async |host| Ok(host.call("audit/query", &request).await?)).await?;
    // The newest were asked for; people and `tail` expect them last.
    if let Some(entries) = answer.get_mut("entries").and_then(Value::as_array_mut) {
        entries.reverse();
    }
    let output = context.output;
    if output.is_json() {
        return output.json(&answer);
    }
    let entries = answer.get("entries").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    output.text(&view::records(entries))?;
    if answer.get("next").is_some_and(|next| !next.is_null()) {
        output.note("There are older records that match: --limit shows more of them.");
    }
    Ok(())
}

async fn trace(args: &TraceArgs, context: &Context) -> CommandResult {
    let request = json!({ "call": args.call });
    let answer = with_host(&args.client, context, async |host| {
        host.call("audit/trace", &request).await.map_err(|error| {
            explain(error, "`alknet-agent audit show` lists calls with their ids, which have 32 digits")
        })
    })
    .await?;
    let output = context.output;
    if output.is_json() {
        return output.json(&answer);
    }
    output.text(&view::tree(&answer, &args.call, output.style()))
}

async fn provenance(args: &ProvenanceArgs, context: &Context) -> CommandResult {
    let answer = with_host(&args.client, context, async |host| {
        let session = args.session.clone().or_else(|| session::remembered(host));
        let found =
            match (host.call("audit/provenance", &selector(args, session.as_deref())).await, &args.session) {
                // The session opened last need not be the one that holds the tool.
                (Err(error), None) if session.is_some() && is_not_found(&error) => {
                    host.call("audit/provenance", &selector(args, None)).await
                }
                (found, _) => found,
            };
        found.map_err(|error| explain(error, "`alknet-agent session list` lists the tools of your sessions"))
    })
    .await?;
    let output = context.output;
    if output.is_json() {
        return output.json(&answer);
    }
    output.text(&account(&answer, output.style()))
}

/// What `audit/provenance` is asked for.
fn selector(args: &ProvenanceArgs, session: Option<&str>) -> Value {
    if let Some(digest) = &args.digest {
        return json!({ "source": digest.strip_prefix("sha256:").unwrap_or(digest) });
    }
    if let Some(call) = &args.call {
        return json!({ "call": call });
    }
    if let Some(output) = &args.output {
        return json!({ "output": output });
    }
    let typed = args.operation.as_deref().unwrap_or_default();
    let name = if typed.contains('/') { typed.to_owned() } else { format!("session/{typed}") };
    json!({ "operation": { "name": name, "session": session, "version": args.version } })
}

fn is_not_found(error: &CallError) -> bool {
    error.code().as_str() == "NOT_FOUND"
}

fn explain(error: CallError, hint: &str) -> CommandError {
    let not_found = is_not_found(&error);
    let failure = CommandError::from(error);
    if not_found { failure.hint(hint) } else { failure }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ClientArgs;

    #[test]
    fn provenance_is_asked_for_by_name_or_by_digest() {
        let mut args = ProvenanceArgs {
            operation: Some("x".to_owned()),
            digest: None,
            call: None,
            output: None,
            session: None,
            version: None,
            client: ClientArgs::default(),
        };
        assert_eq!(
            selector(&args, Some("s")),
            json!({"operation": {"name": "session/x", "session": "s", "version": null}})
        );
        args.operation = Some("session/y".to_owned());
        assert_eq!(
            selector(&args, None),
            json!({"operation": {"name": "session/y", "session": null, "version": null}})
        );
        args.output = Some("cd".to_owned());
        assert_eq!(selector(&args, Some("s")), json!({"output": "cd"}));
        args.call = Some("ef".to_owned());
        assert_eq!(selector(&args, Some("s")), json!({"call": "ef"}));
        args.digest = Some("sha256:ab".to_owned());
        assert_eq!(selector(&args, None), json!({"source": "ab"}));
    }
}
