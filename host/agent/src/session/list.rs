//! `session/list`: the caller's sessions, or what one of them holds.

use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Sessions;
use super::error::no_session;
use super::store::{Session, owner};
use crate::declared;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The session; all your sessions when absent.
    session: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    sessions: Vec<SessionView>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SessionView {
    session: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    profile: String,
    /// Unix seconds.
    opened_at: u64,
    /// Unix seconds.
    expires_at: u64,
    /// The operations that the session's operations may call.
    env: Vec<String>,
    operations: Vec<OperationView>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct OperationView {
    name: String,
    /// `query` or `mutation`.
    kind: String,
    version: u32,
    /// SHA-256 of the source, in hexadecimal.
    digest: String,
    description: String,
    /// The operations it may call.
    env: Vec<String>,
    /// TypeScript signature.
    declarations: String,
}

pub(super) fn registration(sessions: &Sessions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Output>("session/list")?
        .describe("Lists your sessions and the operations they hold.");
    let spec = Sessions::guarded(spec)?;
    let sessions = sessions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let answer = list(&sessions, &input, &scope);
        async move { answer }
    });
    Ok(Registration::local(spec, handler))
}

fn list(sessions: &Sessions, input: &Input, scope: &CallScope) -> Result<Output, CallError> {
    sessions.sweep();
    let found = match &input.session {
        Some(id) => vec![sessions.0.store.find(scope, id)?],
        None => {
            let owner = owner(scope).ok_or_else(no_session)?;
            sessions.0.store.owned_by(&owner, scope.clock().unix_micros())
        }
    };
    Ok(Output { sessions: found.iter().map(|session| view(session)).collect() })
}

fn view(session: &Session) -> SessionView {
    let layer = session.layer();
    let operations = layer.iter().map(|registration| {
        let spec = registration.spec();
        OperationView {
            name: spec.name().to_string(),
            kind: spec.kind().as_str().to_owned(),
            version: session.version(spec.name()),
            digest: registration.digest().map(ToString::to_string).unwrap_or_default(),
            description: spec.description().unwrap_or_default().to_owned(),
            env: registration.composition().reach().names().map(ToString::to_string).collect(),
            declarations: declared::signature(spec),
        }
    });
    SessionView {
        session: session.id.to_string(),
        label: session.label.clone(),
        profile: session.profile.name.clone(),
        opened_at: session.opened_at / 1_000_000,
        expires_at: session.expires_at / 1_000_000,
        env: session.composition.reach().names().map(ToString::to_string).collect(),
        operations: operations.collect(),
    }
}
