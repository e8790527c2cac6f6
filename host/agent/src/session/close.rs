//! `session/close`: ends a session and drops what it holds. Calls that run go on to their end.

use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Sessions;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The session.
    session: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The session that has ended.
    closed: String,
    /// Operations that went with it.
    operations: usize,
}

pub(super) fn registration(sessions: &Sessions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::mutation::<Input, Output>("session/close")?.describe("Ends your session.");
    let spec = Sessions::guarded(spec)?;
    let sessions = sessions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let sessions = sessions.clone();
        async move { close(&sessions, &input, &scope).await }
    });
    Ok(Registration::local(spec, handler))
}

async fn close(sessions: &Sessions, input: &Input, scope: &CallScope) -> Result<Output, CallError> {
    let session = sessions.0.store.find(scope, &input.session)?;
    sessions.0.journal.closed(&session, scope).await?;
    sessions.0.store.remove(&session.id);
    Ok(Output { closed: session.id.to_string(), operations: session.layer().iter().len() })
}
