//! Operations that compose nothing.

use alknet_call::{
    AccessControl, CallError, CallScope, Feed, ImportedFrom, OperationKind, OperationSpec, Registration,
    handler_fn, sink_handler, stream_handler, typed_handler,
};
use alknet_core::{Capabilities, Secret};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::FixtureError;
use crate::support::{composition, constant, echo, of_kind, pause, query, schema, scopes};

/// The credential that `t/cap` holds.
const CREDENTIAL: &str = "CANARY-CAP";
/// The longest text that `t/big` makes: more than any frame may hold.
const TEXT_BYTES_MAX: usize = 128 << 20;

pub(crate) fn registrations() -> Result<Vec<Registration>, FixtureError> {
    let typed = json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": "string" } } });
    let credential = Capabilities::new().with_api_key("svc", Secret::new(CREDENTIAL.to_owned()));
    let admin = query("t/selfadmin")?.internal().access(all_of(&["admin"])?);
    let mut all = vec![
        Registration::local(query("t/echo")?, echo()),
        Registration::local(query("t/typed")?.input(schema(typed)?), echo()),
        Registration::local(query("t/hidden")?.internal(), echo()),
        Registration::local(query("t/admin")?.access(all_of(&["admin"])?), echo()),
        Registration::local(query("t/leaf")?.internal().access(all_of(&["tool"])?), constant("leaf")),
        Registration::composing(admin, constant("selfadmin"), composition("t/selfadmin", &["admin"], &[])?),
        Registration::local(of_kind("t/sub", OperationKind::Subscription)?, stream_handler(items)),
        publication()?,
        Registration::local(query("t/cap")?, handler_fn(|_, scope| std::future::ready(Ok(holds(&scope)))))
            .with_capabilities(credential),
        Registration::imported(ImportedFrom::OpenApi, query("t/leafcomp")?, handler_fn(composes_anyway))
            .exposed(),
        Registration::local(query("t/big")?, typed_handler(|input: Big, _| std::future::ready(big(&input)))),
    ];
    all.extend(restricted()?);
    Ok(all)
}

fn all_of(names: &[&str]) -> Result<AccessControl, FixtureError> {
    Ok(AccessControl { required_scopes: scopes(names)?, ..AccessControl::default() })
}

/// `t/acl/1` to `t/acl/4`: the four forms of access control beside one scope.
fn restricted() -> Result<Vec<Registration>, FixtureError> {
    let any_of = AccessControl { required_scopes_any: scopes(&["a", "b"])?, ..AccessControl::default() };
    let action = AccessControl { resource_action: Some("read".to_owned()), ..AccessControl::default() };
    let resource = AccessControl { resource_type: Some("svc".to_owned()), ..action.clone() };
    let controls =
        [("t/acl/1", any_of), ("t/acl/2", all_of(&["a", "b"])?), ("t/acl/3", resource), ("t/acl/4", action)];
    let registration =
        |(name, access)| Ok(Registration::local(OperationSpec::access(query(name)?, access), echo()));
    controls.into_iter().map(registration).collect()
}

#[derive(Deserialize)]
struct Items {
    n: u64,
    #[serde(default)]
    ms: u64,
}

/// `n` items, `ms` apart.
fn items(input: Value, _: CallScope) -> impl Stream<Item = Result<Value, CallError>> + Send + 'static {
    let begun = serde_json::from_value::<Items>(input)
        .map_err(|_| CallError::invalid_input("`n` and `ms` are numbers that are not negative"));
    match begun {
        Ok(Items { n, ms }) => stream::iter(0..n)
            .then(move |k| async move {
                pause(if k > 0 { ms } else { 0 }).await;
                Ok(json!({ "i": k }))
            })
            .left_stream(),
        Err(error) => stream::iter([Err(error)]).right_stream(),
    }
}

fn publication() -> Result<Registration, FixtureError> {
    let chunks = schema(json!({ "type": "integer" }))?;
    let spec = of_kind("t/pub", OperationKind::Publication)?.publish(chunks);
    let handler = sink_handler(|_, mut feed: Feed, _| async move {
        let mut chunks = Vec::new();
        while let Some(chunk) = feed.next().await {
            chunks.push(chunk?);
        }
        Ok(Value::Array(chunks))
    });
    Ok(Registration::local(spec, handler))
}

fn holds(scope: &CallScope) -> Value {
    let held = scope.capabilities().get("svc").is_some_and(|secret| secret.expose_secret() == CREDENTIAL);
    json!({ "has": held })
}

/// An import composes nothing, whatever its code tries.
async fn composes_anyway(input: Value, scope: CallScope) -> Result<Value, CallError> {
    match scope.invoke("t/echo", input).await {
        Ok(_) => Ok(json!("OK")),
        Err(error) => Ok(json!(error.code().as_str())),
    }
}

#[derive(Deserialize)]
struct Big {
    bytes: usize,
}

fn big(input: &Big) -> Result<String, CallError> {
    if input.bytes > TEXT_BYTES_MAX {
        return Err(CallError::invalid_input(format!("`bytes` is at most {TEXT_BYTES_MAX}")));
    }
    Ok("x".repeat(input.bytes))
}
