//! `kv/get`: one value. A key that is not there is an answer, not an error.

use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{KvStore, READ};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The key, up to 256 bytes.
    #[schemars(length(min = 1, max = 256))]
    key: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// Whether there is such a key.
    found: bool,
    /// The value; null if there is none.
    value: Value,
    /// The version, for `if_version`; 0 if there is none.
    version: u64,
}

pub(crate) fn registration(store: &KvStore) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Output>("kv/get")?
        .describe(
            "Gets a value from your own durable key-value store. A key that is not there answers `found: false`.",
        )
        .requires(crate::builtin::scope(READ));
    let store = store.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let store = store.clone();
        async move { get(&store, input, &scope).await }
    });
    Ok(Registration::local(spec, handler))
}

async fn get(store: &KvStore, input: Input, scope: &CallScope) -> Result<Output, CallError> {
    let (namespace, key) = (super::namespace(scope)?, super::key(input.key, store.limits())?);
    match store.run(move |database| database.get(namespace.as_str(), &key)).await? {
        Some(stored) => {
            let value = serde_json::from_str(&stored.value);
            let value = value.map_err(|_| CallError::internal("a stored value is damaged"))?;
            Ok(Output { found: true, value, version: stored.version })
        }
        None => Ok(Output { found: false, value: Value::Null, version: 0 }),
    }
}
