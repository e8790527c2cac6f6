//! `session/remove`: drops one operation. Calls that run keep it to their end.

use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Sessions;
use super::invoke::full_name;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The session.
    session: String,
    /// The operation, as `name` or `session/name`.
    operation: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The operation that is gone.
    removed: String,
}

pub(super) fn registration(sessions: &Sessions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::mutation::<Input, Output>("session/remove")?
        .describe("Drops an operation of your session.");
    let spec = Sessions::guarded(spec)?;
    let sessions = sessions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let sessions = sessions.clone();
        async move { remove(&sessions, &input, &scope).await }
    });
    Ok(Registration::local(spec, handler))
}

async fn remove(sessions: &Sessions, input: &Input, scope: &CallScope) -> Result<Output, CallError> {
    let session = sessions.0.store.find(scope, &input.session)?;
    let _changing = session.changing.lock().await;
    let name = full_name(&input.operation)?;
    let layer = session.layer();
    if layer.get(name.as_str()).is_none() {
        return Err(CallError::not_found("no such operation in the session"));
    }
    sessions.0.journal.removed(&session, &name, scope).await?;
    session.replace_layer(layer.without(&name));
    Ok(Output { removed: name.to_string() })
}
