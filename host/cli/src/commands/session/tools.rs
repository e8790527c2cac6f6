//! `session invoke`, `list`, `remove` and `close`.

use alknet_core::{Clock as _, SystemClock};
use futures_util::StreamExt as _;
use serde_json::json;

use super::{Context, explain, memory, remembered, session_id, text, view};
use crate::args::{InvokeArgs, ListArgs, RemoveArgs};
use crate::connect::with_host;
use crate::failure::CommandResult;
use crate::input::InputSource;

pub(super) async fn invoke(args: &InvokeArgs, context: &Context) -> CommandResult {
    let input = InputSource::of(args.input.as_deref()).beside(&args.client)?.read()?;
    let answer = with_host(&args.client, context, async |host| {
        let session = session_id(&args.session, host)?;
        let request = json!({ "session": session, "operation": args.name, "input": input });
        host.call("session/invoke", &request).await.map_err(explain)
    });
    context.output.value(&answer.await?)
}

pub(super) async fn subscribe(args: &InvokeArgs, context: &Context) -> CommandResult {
    let input = InputSource::of(args.input.as_deref()).beside(&args.client)?.read()?;
    with_host(&args.client, context, async |host| {
        let session = session_id(&args.session, host)?;
        let request = json!({ "session": session, "operation": args.name, "input": input });
        let mut items = host.subscribe("session/subscribe", &request).await.map_err(explain)?;
        while let Some(item) = items.next().await {
            context.output.json(&item.map_err(explain)?)?;
        }
        Ok(())
    })
    .await
}

pub(super) async fn list(args: &ListArgs, context: &Context) -> CommandResult {
    let (answer, current) = with_host(&args.client, context, async |host| {
        let request = match &args.session.session {
            Some(session) => json!({ "session": session }),
            None => json!({}),
        };
        let answer = host.call("session/list", &request).await.map_err(explain)?;
        Ok((answer, remembered(host)))
    })
    .await?;
    let output = context.output;
    if output.is_json() {
        return output.json(&answer);
    }
    output.text(&view::listed(&answer, current.as_deref(), SystemClock.unix_seconds(), output.style()))
}

pub(super) async fn remove(args: &RemoveArgs, context: &Context) -> CommandResult {
    let answer = with_host(&args.client, context, async |host| {
        let session = session_id(&args.session, host)?;
        let request = json!({ "session": session, "operation": args.name });
        host.call("session/remove", &request).await.map_err(explain)
    })
    .await?;
    let output = context.output;
    if output.is_json() {
        return output.json(&answer);
    }
    output.text(&format!("{} is gone", text(&answer, "/removed")))
}

pub(super) async fn close(args: &ListArgs, context: &Context) -> CommandResult {
    let answer = with_host(&args.client, context, async |host| {
        let session = session_id(&args.session, host)?;
        let answer = host.call("session/close", &json!({ "session": session })).await.map_err(explain)?;
        memory::forget(host, &session);
        Ok(answer)
    })
    .await?;
    let output = context.output;
    if output.is_json() {
        return output.json(&answer);
    }
    output.text(&format!("session {} has ended", text(&answer, "/closed")))
}
