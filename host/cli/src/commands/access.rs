//! `can` and `explain`: why something is or was allowed or refused, as the gate of the host says.

use serde_json::{Value, json};

use super::Context;
use crate::args::{CanArgs, ExplainArgs};
use crate::connect::with_host;
use crate::failure::{CommandError, CommandResult};
use crate::input::InputSource;

/// Tells whether an identity may run an operation.
///
/// # Errors
/// Of kind Operation when it may not.
pub(crate) async fn can(args: &CanArgs, context: &Context) -> CommandResult {
    let mut request = json!({ "identity": args.identity, "operation": args.operation });
    if args.input.is_some() {
        let input = InputSource::of(args.input.as_deref()).beside(&args.client)?.read()?;
        if let Some(members) = request.as_object_mut() {
            members.insert("input".to_owned(), input);
        }
    }
    let asked = async |host: &crate::connect::RemoteHost| {
        host.call("access/check", &request).await.map_err(CommandError::from)
    };
    let answer = with_host(&args.client, context, asked).await?;
    let allowed = answer.get("allowed").and_then(Value::as_bool).unwrap_or_default();
    if context.output.is_json() {
        context.output.json(&answer)?;
    } else {
        let verdict = if allowed { "may run" } else { "may not run" };
        let head = format!("{} {verdict} {}", args.identity, args.operation);
        context.output.text(&format!("{head}\n{}", rules(&answer)))?;
    }
    if allowed {
        return Ok(());
    }
    Err(CommandError::operation(format!("{} may not run {}", args.identity, args.operation)))
}

/// Tells why a recorded call was allowed or refused.
///
/// # Errors
/// When there is no such call.
pub(crate) async fn explain(args: &ExplainArgs, context: &Context) -> CommandResult {
    let request = json!({ "call": args.call });
    let asked = async |host: &crate::connect::RemoteHost| {
        host.call("access/explain", &request).await.map_err(CommandError::from)
    };
    let answer = with_host(&args.client, context, asked).await?;
    if context.output.is_json() {
        return context.output.json(&answer);
    }
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let mut lines = vec![
        format!("Operation  {}", text("operation").unwrap_or_default()),
        format!("Caller     {}", text("caller").unwrap_or("nobody")),
    ];
    lines.extend(text("authority").map(|authority| format!("Authority  {authority}")));
    let decision = text("decision").unwrap_or_default();
    lines.push(format!("Decision   {decision}: {}", text("reason").unwrap_or_default()));
    lines.extend(text("outcome").map(|outcome| format!("Outcome    {outcome}")));
    if let Some(now) = answer.get("now") {
        lines.push(format!("Now\n{}", rules(now)));
    }
    context.output.text(&lines.join("\n"))
}

/// The rules of an answer, one a line.
fn rules(answer: &Value) -> String {
    let rules = answer.get("rules").and_then(Value::as_array).into_iter().flatten();
    let line = |rule: &Value| {
        let text = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default();
        let passed = rule.get("passed").and_then(Value::as_bool).unwrap_or_default();
        format!("  {:<3} {:<9} {}", if passed { "yes" } else { "no" }, text("rule"), text("reason"))
    };
    rules.map(line).collect::<Vec<_>>().join("\n")
}
