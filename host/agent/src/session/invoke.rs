//! `session/invoke`: runs one of the session's operations.

use alknet_call::{CallError, CallScope, OpName, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Sessions;
use super::error::raises_limit;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// The session.
    pub(super) session: String,
    /// The operation, as `name` or `session/name`.
    pub(super) operation: String,
    /// The operation's input.
    #[serde(default)]
    pub(super) input: Value,
}

pub(super) fn registration(sessions: &Sessions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::mutation::<Input, Value>("session/invoke")?
        .describe("Runs an operation of your session in a fresh sandbox. Answers its output; its errors pass through.")
        .forwards_errors();
    let spec = raises_limit(Sessions::guarded(spec)?)?;
    let composition = sessions.composition()?;
    let sessions = sessions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let sessions = sessions.clone();
        async move { invoke(&sessions, input, &scope).await }
    });
    Ok(Registration::composing(spec, handler, composition))
}

async fn invoke(sessions: &Sessions, input: Input, scope: &CallScope) -> Result<Value, CallError> {
    let Input { session, operation, input } = input;
    let session = sessions.0.store.find(scope, &session)?;
    let _call = session.enter()?;
    let name = full_name(&operation)?;
    scope.invoke_in_session(&session.context(session.layer()), &name, input).await
}

/// `name` or `session/name` as the full name.
pub(super) fn full_name(operation: &str) -> Result<OpName, CallError> {
    let short = operation.strip_prefix("session/").unwrap_or(operation);
    OpName::in_session(short).map_err(|_| CallError::not_found("no such operation in the session"))
}
