//! `audit`: the record of what happened, from the host or from its folder.

mod account;
mod verify;
mod view;

use alknet_call::CallError;
use serde_json::{Map, Value, json};

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
        AuditCommand::Verify(args) => verify::run(args, context).await,
    }
}

async fn show(args: &ShowArgs, context: &Context) -> CommandResult {
    let request = json!({ "filter": filter(args), "limit": args.limit, "order": "newest_first" });
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

fn filter(args: &ShowArgs) -> Value {
    let outcome = args.outcome.as_deref().map(str::to_uppercase);
    let members = [
        ("session", args.session.as_deref()),
        ("operation", args.operation.as_deref()),
        ("caller", args.caller.as_deref()),
        ("outcome", outcome.as_deref()),
    ];
    let given = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Value::Object(given.collect::<Map<_, _>>())
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
    match (&args.digest, &args.operation) {
        (Some(digest), _) => json!({ "source": digest.strip_prefix("sha256:").unwrap_or(digest) }),
        (None, operation) => {
            let typed = operation.as_deref().unwrap_or_default();
            let name = if typed.contains('/') { typed.to_owned() } else { format!("session/{typed}") };
            json!({ "operation": { "name": name, "session": session } })
        }
    }
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
    fn only_given_filters_are_sent() {
        let mut args = ShowArgs {
            session: None,
            operation: None,
            caller: Some("ci".to_owned()),
            outcome: Some("ok".to_owned()),
            limit: 5,
            client: ClientArgs::default(),
        };
        assert_eq!(filter(&args), json!({"caller": "ci", "outcome": "OK"}));
        args.caller = None;
        args.outcome = None;
        assert_eq!(filter(&args), json!({}));
    }

    #[test]
    fn provenance_is_asked_for_by_name_or_by_digest() {
        let mut args = ProvenanceArgs {
            operation: Some("x".to_owned()),
            digest: None,
            session: None,
            client: ClientArgs::default(),
        };
        assert_eq!(selector(&args, Some("s")), json!({"operation": {"name": "session/x", "session": "s"}}));
        args.operation = Some("session/y".to_owned());
        assert_eq!(selector(&args, None), json!({"operation": {"name": "session/y", "session": null}}));
        args.digest = Some("sha256:ab".to_owned());
        assert_eq!(selector(&args, None), json!({"source": "ab"}));
    }
}
