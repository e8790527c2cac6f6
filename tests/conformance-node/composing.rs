//! Operations that compose others, each with its own authority and reach, and what a call knows of itself.

use alknet_call::{CallError, CallScope, Composition, OpName, PeerRef, Registration, handler_fn};
use alknet_core::IdentityId;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::FixtureError;
use crate::support::{authority, composes, composition, query, reach, text};

/// What `p/ctx` puts into its own notes, which must reach nobody else.
const NOTE: &str = "CANARY-META";

pub(crate) fn registrations() -> Result<Vec<Registration>, FixtureError> {
    let strong = composition("p/strong", &["tool"], &["t/leaf"])?;
    let weak = composition("p/weak", &[], &["t/leaf", "t/selfadmin"])?;
    let dynamic = composition("p/dyn", &["dyn"], &["t/echo"])?;
    let notes = composition("p/ctx", &[], &["t/ctx"])?;
    let pinned = reach(&["w/exec"])?.with_pinned(IdentityId::parse("W2")?, OpName::parse("w/exec")?);
    let peers = Composition::new(authority("p/peer", &[])?, pinned);
    Ok(vec![
        Registration::composing(query("p/strong")?, composes("t/leaf"), strong),
        Registration::composing(query("p/weak")?.forwards_errors(), handler_fn(composes_named), weak),
        Registration::composing(query("p/dyn")?.forwards_errors(), handler_fn(composes_with), dynamic),
        Registration::local(query("p/none")?, composes("t/echo")),
        Registration::composing(query("p/peer")?.forwards_errors(), handler_fn(composes_on), peers),
        Registration::local(query("t/ctx")?, handler_fn(|_, scope| std::future::ready(Ok(context(&scope))))),
        Registration::composing(query("p/ctx")?, handler_fn(notes_and_composes), notes),
    ])
}

async fn composes_named(input: Value, scope: CallScope) -> Result<Value, CallError> {
    scope.invoke(text(&input, "op")?, json!({})).await
}

async fn composes_with(mut input: Value, scope: CallScope) -> Result<Value, CallError> {
    let inner = input.get_mut("input").map(Value::take).unwrap_or_default();
    scope.invoke(text(&input, "op")?, inner).await
}

/// Composes `w/exec` with `input.input` on the peer that is asked for, or on any.
async fn composes_on(mut input: Value, scope: CallScope) -> Result<Value, CallError> {
    let inner = input.get_mut("input").map_or_else(|| json!({}), Value::take);
    let peer = match text(&input, "route")? {
        "any" => PeerRef::Any,
        name => PeerRef::Specific(
            IdentityId::parse(name).map_err(|error| CallError::invalid_input(error.to_string()))?,
        ),
    };
    scope.invoke_peer(peer, "w/exec", inner).await
}

async fn notes_and_composes(_: Value, scope: CallScope) -> Result<Value, CallError> {
    scope.note("k", json!(NOTE));
    scope.invoke("t/ctx", json!({})).await
}

/// What a call knows of itself. `identity` is the one that it was checked on: a peer's, or a composer's authority.
fn context(scope: &CallScope) -> Value {
    let left = scope.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let metadata: serde_json::Map<String, Value> = scope.metadata().into_iter().collect();
    json!({
        "internal": scope.is_internal(),
        "parent": scope.parent().map(|parent| parent.to_string()),
        "metadata": metadata,
        "identity": scope.caller().label().map(IdentityId::as_str),
        "forwarded": scope.on_behalf_of().map(|claim| claim.id.as_str()),
        "deadline_ms": left.and_then(|left| u64::try_from(left.as_millis()).ok()),
    })
}
