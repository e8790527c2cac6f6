//! `kv/put`: stores a value.

use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::store::KvError;
use super::{KvStore, WRITE};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The key, up to 256 bytes, without control characters.
    #[schemars(length(min = 1, max = 256))]
    key: String,
    /// Any JSON value, up to 256 KiB.
    value: Value,
    /// Stores only if the key has this version, as `kv/get` told it; 0 means only if there is no such key.
    if_version: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The key's new version.
    version: u64,
}

pub(crate) fn registration(store: &KvStore) -> Result<Registration, SpecError> {
    let spec = OperationSpec::mutation::<Input, Output>("kv/put")?
        .describe("Stores a value in your own durable key-value store, optionally only if it did not change.")
        .requires(crate::builtin::scope(WRITE))
        .raises("VERSION_MISMATCH", "`if_version` is not the key's version, which `details.version` tells.")?
        .raises("LIMIT_EXCEEDED", "The value is too large, or your store is full: see `details`.")?;
    let store = store.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let store = store.clone();
        async move { put(&store, input, &scope).await }
    });
    Ok(Registration::local(spec, handler))
}

async fn put(store: &KvStore, input: Input, scope: &CallScope) -> Result<Output, CallError> {
    let version = store_value(store, scope, (input.key, input.value), input.if_version).await?;
    Ok(Output { version })
}

/// Stores one value in the caller's namespace; answers the key's new version.
pub(super) async fn store_value(
    store: &KvStore,
    scope: &CallScope,
    (key, value): (String, Value),
    if_version: Option<u64>,
) -> Result<u64, CallError> {
    let (namespace, key) = (super::namespace(scope)?, super::key(key, store.limits())?);
    let value = value.to_string();
    let max = store.limits().value_bytes_max;
    if value.len() > max {
        return Err(KvError::Limit("value_bytes", u64::try_from(max).unwrap_or(u64::MAX)).into());
    }
    store.run(move |database| database.put(namespace.as_str(), &key, &value, if_version)).await
}
